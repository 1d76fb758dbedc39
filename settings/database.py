"""Which PostgreSQL keeps the cases."""

from __future__ import annotations

from functools import lru_cache

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class DatabaseSettings(BaseSettings):
    """The case store. Without a URL the embedded cluster in the home folder is used, if it runs."""

    model_config = SettingsConfigDict(env_prefix="VMEXPORT_", hide_input_in_errors=True)

    database_url: SecretStr | None = Field(None, description="postgresql://user:password@host/vmexport")
    database_pool: int = Field(5, ge=1, le=100, description="Connections that one process keeps open")


@lru_cache
def database() -> DatabaseSettings:
    """The settings from the environment, read at first use."""
    return DatabaseSettings()
