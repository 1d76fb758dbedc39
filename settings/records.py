"""Where evidence lies, and the key that is not in the database."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from settings.home import home


class RecordsSettings(BaseSettings):
    """Files of the case store; both lie in the home folder unless they are named."""

    model_config = SettingsConfigDict(env_prefix="VMEXPORT_", hide_input_in_errors=True)

    evidence_dir: Path = Field(
        default_factory=lambda: home().home / "evidence", description="Folder of the collected evidence"
    )
    secret_key_file: Path = Field(
        default_factory=lambda: home().home / "secret.key",
        description="Key that encrypts the approvers' secrets: 32 bytes, mode 0600, made at first use; back it up apart from the database",
    )


@lru_cache
def records() -> RecordsSettings:
    """The settings from the environment, read at first use."""
    return RecordsSettings()
