"""Trino and Athena, where the store is hunted in there; without an address or a database neither is asked."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from decisions.store_ddl import checked_location, checked_name


def _whole(name: str) -> str:
    if checked_name(name).count(".") != 2:
        raise ValueError("write catalog.schema.table, as in hive.hunting.cloudtrail")
    return name


def _bare(name: str) -> str:
    if "." in checked_name(name):
        raise ValueError("write the name alone: the database has a setting of its own")
    return name


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.path.strip("/"):
        raise ValueError("write https://host:port, without user and path")
    return url.rstrip("/")


class TrinoSettings(BaseSettings):
    """The coordinator to ask. One way to sign in, or none: password or JSON Web Token."""

    model_config = SettingsConfigDict(env_prefix="VMEXPORT_TRINO_", hide_input_in_errors=True)

    url: Annotated[str, AfterValidator(_address)] | None = Field(
        None, description="https://host:port of the coordinator"
    )
    user: str = Field("vmexport", min_length=1, description="User that queries run as")
    password: SecretStr | None = Field(None, description="Password of the user")
    jwt: SecretStr | None = Field(None, description="JSON Web Token, instead of a password")
    ca_certs: Path | None = Field(
        None, description="PEM file of the authority that signed the coordinator's certificate"
    )
    table: Annotated[str, AfterValidator(_whole)] = Field(
        "hive.default.cloudtrail", description="catalog.schema.table of CloudTrail, as `vmexport store ddl` declares it"
    )
    access_log_table: Annotated[str, AfterValidator(_whole)] | None = Field(
        None, description="Likewise of the access logs [default: access_log, in the same schema]"
    )
    request_timeout: timedelta = Field(timedelta(seconds=60), description="Time for one request; not for a query")
    attempts: int = Field(
        7, ge=1, le=20, description="How often a request is sent if the answer is 429, 502, 503 or 504"
    )

    @property
    def tables(self) -> dict[str, str]:
        """Names by the table of the store."""
        place = self.table.rpartition(".")[0]
        return {"cloudtrail": self.table, "access_log": self.access_log_table or f"{place}.access_log"}

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.password and self.jwt:
            raise ValueError("set VMEXPORT_TRINO_PASSWORD or _JWT, not both")
        if (self.password or self.jwt) and not (self.url or "").startswith("https://"):
            raise ValueError("VMEXPORT_TRINO_URL must be https:// where there is a password or a token")
        return self


class AthenaSettings(BaseSettings):
    """The workgroup that hunts run in, by the read role of its account."""

    model_config = SettingsConfigDict(env_prefix="VMEXPORT_ATHENA_", hide_input_in_errors=True)

    account: str | None = Field(None, pattern=r"\A[0-9]{12}\z", description="Account of the workgroup, one of ours")
    region: str | None = Field(None, description="Its Region [default: the account's in organization.toml]")
    workgroup: str = Field("primary", pattern=r"\A[A-Za-z0-9._-]{1,128}\z", description="Name of the workgroup")
    output: str | None = Field(
        None,
        description="s3://bucket/prefix/ for results [default: the workgroup's own, which wins where it is enforced]",
    )
    catalog: str = Field("AwsDataCatalog", pattern=r"\A[A-Za-z0-9_]{1,128}\z", description="Data catalog of the tables")
    database: Annotated[str, AfterValidator(_bare)] | None = Field(None, description="Database of the tables")
    table: Annotated[str, AfterValidator(_bare)] = Field(
        "cloudtrail", description="Table of CloudTrail, as `vmexport store ddl` declares it"
    )
    access_log_table: Annotated[str, AfterValidator(_bare)] = Field(
        "access_log", description="Table of the access logs"
    )

    @property
    def tables(self) -> dict[str, str]:
        """Names by the table of the store."""
        return {"cloudtrail": f"{self.database}.{self.table}", "access_log": f"{self.database}.{self.access_log_table}"}

    @model_validator(mode="after")
    def _output(self) -> Self:
        if self.output is not None:
            checked_location("athena", self.output)
        if (self.account is None) != (self.database is None):
            raise ValueError("VMEXPORT_ATHENA_ACCOUNT and _DATABASE go together")
        return self


class AthenaLimits(BaseSettings):
    """What one hunt by Athena may cost."""

    model_config = SettingsConfigDict(env_prefix="VMEXPORT_HUNT_ATHENA_", hide_input_in_errors=True)

    bytes_max: int = Field(
        100_000_000_000, ge=10_000_000, description="Bytes that all statements of one hunt together may scan"
    )
    price_per_tb: float = Field(
        5.0,
        ge=0,
        description="US dollars for 1,000,000,000,000 bytes scanned [default: AWS's list price in us-east-1]",
    )


@lru_cache
def trino() -> TrinoSettings:
    """The settings from the environment, read at first use."""
    return TrinoSettings()


@lru_cache
def athena() -> AthenaSettings:
    """The settings from the environment, read at first use."""
    return AthenaSettings()


@lru_cache
def athena_limits() -> AthenaLimits:
    """The settings from the environment, read at first use."""
    return AthenaLimits()
