"""Reads organization.toml, once."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from decisions.organization import Organization
from settings import toml_file
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
    return toml_file.read(path, Organization, EXAMPLE, "VMEXPORT_ORGANIZATION", OrganizationUnusable)
