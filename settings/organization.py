"""Reads organization.toml, once, and says which key is wrong and what to do."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from decisions.organization import Organization
from settings.home import ROOT

EXAMPLE = ROOT / "settings" / "organization.example.toml"


class OrganizationSettings(BaseSettings):
    """Where the file is."""

    model_config = SettingsConfigDict(env_prefix="VMEXPORT_", hide_input_in_errors=True)

    organization: Path = Field(ROOT / "organization.toml", description="organization.toml: who we are, what we allow")


class OrganizationUnusable(ValueError):
    """organization.toml cannot be used; the message names the file, the key and the next step."""


@lru_cache
def organization() -> Organization:
    """The organisation, read at first use. Raises OrganizationUnusable."""
    return load(OrganizationSettings().organization)


def load(path: Path) -> Organization:
    """The organisation that a file describes. Raises OrganizationUnusable."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise OrganizationUnusable(
            f"there is no {path}: copy {EXAMPLE}, fill it in, and point VMEXPORT_ORGANIZATION at it"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise OrganizationUnusable(f"{path} cannot be read ({error}): make it a UTF-8 file that we may read") from error
    except tomllib.TOMLDecodeError as error:
        raise OrganizationUnusable(f"{path} is not TOML: {error}. Compare it with {EXAMPLE}") from error
    try:
        return Organization.model_validate(content)
    except ValidationError as error:
        wrong = "; ".join(f"`{'.'.join(map(str, e['loc']))}`: {e['msg']}" for e in error.errors(include_url=False))
        raise OrganizationUnusable(f"{path}: {wrong}. Correct the key, or see {EXAMPLE}") from error
