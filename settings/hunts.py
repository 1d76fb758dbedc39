"""Reads hunts.toml: where we hunt and when."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from settings import toml_file
from settings.home import ROOT

EXAMPLE = ROOT / "settings" / "hunts.example.toml"
NAME = r"[a-z0-9]([a-z0-9-]{0,60}[a-z0-9])?"
FIELDS_OF_CRON = 5
Kind = Literal["files", "s3", "store", "elasticsearch", "trino", "athena"]
PLACED: frozenset[str] = frozenset({"files", "s3", "store"})
"""Kinds that need a place; the others are configured by settings of their own."""
FILLED: frozenset[str] = frozenset({"files", "s3"})
"""Kinds whose files can be taken into a store."""


class HuntsUnusable(ValueError):
    """hunts.toml cannot be used; the message names the file, the key and the next step."""


def days(text: Any) -> Any:
    """`400d` or `36h` as a duration. Raises ValueError."""
    found = re.fullmatch(r"([1-9][0-9]{0,4})([dh])", text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("write a number of days or hours, like 400d or 36h")
    return timedelta(**{"d": {"days": int(found[1])}, "h": {"hours": int(found[1])}}[found[2]])


Days = Annotated[timedelta, BeforeValidator(days)]
Account = Annotated[str, Field(pattern=r"^[0-9]{12}$")]
Region = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+){1,3}-[0-9]{1,2}$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class HuntSource(_Section):
    """A place with logs."""

    name: str = Field(pattern=rf"^{NAME}$")
    kind: Kind
    place: str | None = None
    bucket_account: Account | None = None
    """Who owns the bucket, where that is not VMEXPORT_HUNT_LOG_ACCOUNT."""
    store: Path | None = None
    rules: Path | None = None
    first: Days = timedelta(days=400)
    overlap: Days = timedelta(days=2)

    @model_validator(mode="after")
    def _fits(self) -> HuntSource:
        if (self.place is not None) != (self.kind in PLACED):
            need = "needs a place" if self.kind in PLACED else "is configured elsewhere and takes no place"
            raise ValueError(f"the source {self.name} of kind {self.kind} {need}")
        if self.kind == "s3" and not str(self.place).startswith("s3://"):
            raise ValueError(f"the place of {self.name} must be s3://BUCKET/PREFIX")
        if self.kind == "s3" and self.store is None:
            raise ValueError(f"the source {self.name} needs a store: a schedule would read the whole bucket each time")
        if self.store is not None and self.kind not in FILLED:
            raise ValueError(f"the source {self.name} of kind {self.kind} takes no store")
        return self

    @property
    def rules_folder(self) -> Path | None:
        """Where its rules lie, absolute."""
        return ROOT / self.rules if self.rules else None


class HuntSchedule(_Section):
    """When one run starts, and what it asks."""

    name: str = Field(pattern=rf"^{NAME}$")
    source: str
    cron: str
    timezone: str = "UTC"
    accounts: tuple[Account, ...] = ()
    regions: tuple[Region, ...] = ()
    window: str | None = None
    active: bool = True

    @field_validator("cron")
    @classmethod
    def _five_fields(cls, cron: str) -> str:
        if len(cron.split()) != FIELDS_OF_CRON or not re.fullmatch(r"[\d*/,\-A-Za-z# ]+", cron):
            raise ValueError("write five fields: minute hour day month weekday")
        # Here, as it takes a second to load: the flow and the bootstrap have it loaded, and nobody else has schedules read.
        from prefect.client.schemas.schedules import CronSchedule

        try:
            CronSchedule(cron=cron)
        except ValueError as error:
            raise ValueError(
                "Prefect takes no such cron: write minute hour day month weekday, like 15 2 * * *"
            ) from error
        return cron

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone not in available_timezones():
            raise ValueError("write a time zone of the IANA list, like Australia/Sydney")
        return zone

    @field_validator("window")
    @classmethod
    def _is_time(cls, window: str | None) -> str | None:
        if window is not None:
            days(window)
        return window

    @property
    def parameters(self) -> dict[str, Any]:
        """What a run of it is started with."""
        told = {"source": self.source, "accounts": list(self.accounts), "regions": list(self.regions)}
        return told | ({"window": self.window} if self.window else {})


class Hunts(_Section):
    """The whole file."""

    source: tuple[HuntSource, ...] = ()
    schedule: tuple[HuntSchedule, ...] = ()

    @model_validator(mode="after")
    def _names(self) -> Hunts:
        for what, names in (("source", [s.name for s in self.source]), ("schedule", [s.name for s in self.schedule])):
            if twice := {name for name in names if names.count(name) > 1}:
                raise ValueError(f"two {what}s are called {min(twice)}")
        known = {source.name for source in self.source}
        if strange := [s for s in self.schedule if s.source not in known]:
            raise ValueError(
                f"the schedule {strange[0].name} names the source {strange[0].source!a}, which is not here"
            )
        return self

    def named(self, name: str) -> HuntSource:
        """The source of this name. Raises HuntsUnusable, which names those that there are."""
        for source in self.source:
            if source.name == name:
                return source
        there = ", ".join(source.name for source in self.source) or "none"
        raise HuntsUnusable(f"no source is called {name!a}; in {HuntsSettings().hunts} there are: {there}")


class HuntsSettings(BaseSettings):
    """Where the file is."""

    model_config = SettingsConfigDict(env_prefix="VMEXPORT_", hide_input_in_errors=True)

    hunts: Path | None = Field(None, description="hunts.toml: where we hunt on a schedule, and when")


@lru_cache
def hunts() -> Hunts:
    """What is configured, read at first use; nothing where VMEXPORT_HUNTS is not set. Raises HuntsUnusable."""
    path = HuntsSettings().hunts
    return load(path) if path else Hunts()


def load(path: Path) -> Hunts:
    """The hunts that a file describes. Raises HuntsUnusable."""
    return toml_file.read(path, Hunts, EXAMPLE, "VMEXPORT_HUNTS", HuntsUnusable)
