"""Where this installation keeps its own files on one machine."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
"""The checkout: this is an application, installed editable."""


class HomeSettings(BaseSettings):
    """Folder and ports of the local services that `vmexport serve` starts when none are configured."""

    model_config = SettingsConfigDict(env_prefix="VMEXPORT_", hide_input_in_errors=True)

    home: Path = Field(ROOT / "var", description="Folder for evidence, logs, run results and the embedded database")
    prefect_port: int = Field(4200, description="Port of the local Prefect server, if one is started")


@lru_cache
def home() -> HomeSettings:
    """The settings from the environment, read at first use."""
    return HomeSettings()
