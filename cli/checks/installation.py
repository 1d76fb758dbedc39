"""Settings, organization.toml, database, receiver."""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cli.checks.check import Check, ok, problem, warning

if TYPE_CHECKING:
    from sqlalchemy import Connection

OTHER_VARIABLES = {"VMEXPORT_ROOT", "VMEXPORT_CACHE"}
"""Read without a settings class: by prefect.yaml, and by the lab's downloads."""
SKEW_SECONDS = 5.0


def settings() -> Iterator[Check]:
    """Every settings class can be read, and every VMEXPORT_ variable is known to one."""
    from pydantic import ValidationError
    from pydantic_settings import BaseSettings

    import settings as package
    from cli.console import told

    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"settings.{module.name}")
    wrong: dict[str, str] = {}
    known = set(OTHER_VARIABLES)
    for cls in _classes(BaseSettings):
        prefix = str(cls.model_config.get("env_prefix", ""))
        known |= {f"{prefix}{name}".upper() for name in cls.model_fields}
        try:
            cls()
        except ValidationError as error:
            sentence = str(told(error) or f"the settings {cls.__name__} cannot be used")
            if "VMEXPORT_RECEIVER_SECRET" not in sentence or "is not set" not in sentence:  # the receiver's own check
                wrong[sentence] = cls.__name__
    for sentence in wrong:
        yield problem("settings", sentence, "Correct the variable; its meaning stands in the folder settings/.")
    given = {name for name in os.environ if name.startswith("VMEXPORT_") and not name.startswith("VMEXPORT_TEST_")}
    if unknown := sorted(given - known):
        names = ", ".join(name[:80] for name in unknown[:10])
        yield warning("settings", f"nothing reads {names}", "Check the spelling: a misspelt setting has no effect.")
    if not wrong and not unknown:
        yield ok("settings", f"all settings can be read ({len(given)} variables are set)")


def _classes(base: type) -> Iterator[type]:
    for cls in base.__subclasses__():
        if cls.__module__.startswith("settings."):
            yield cls
            yield from _classes(cls)


def organization() -> Iterator[Check]:
    """organization.toml is there and means something."""
    from settings.organization import OrganizationSettings, OrganizationUnusable
    from settings.organization import organization as read

    try:
        ours = read()
    except OrganizationUnusable as error:
        yield problem("organization.toml", str(error), "No alert can be assigned before that; they wait in the inbox.")
        return
    path = OrganizationSettings().organization
    yield ok("organization.toml", f"{path}: {ours.id}, {len(ours.accounts)} accounts")
    if not ours.approved_exporters and not ours.approved_buckets:
        yield warning(
            "organization.toml",
            "no exporter and no bucket is approved, so every export is unexpected",
            "If your people export at all, name their roles and buckets there.",
        )


def database() -> Iterator[Check]:
    """The case store answers, has this release's tables, and its clock is ours."""
    from sqlalchemy import text
    from sqlalchemy.exc import OperationalError

    from records import database as store
    from records.postgres_binaries import NoPostgres

    try:
        with store.transaction() as connection:
            before = datetime.now(UTC)
            theirs = connection.execute(text("select clock_timestamp()")).scalar_one()
            skew = (theirs - before).total_seconds()
            have = _revisions(connection)
    except (store.NoDatabase, NoPostgres) as error:
        yield problem("database", str(error), "Without it no alert can be kept.")
        return
    except OperationalError as error:
        why = next(iter(str(error.orig).strip().splitlines()), "no reason given")
        yield problem("database", f"it does not answer ({why})", "Start it, or correct VMEXPORT_DATABASE_URL.")
        return
    want = _head()
    if have == {want}:
        yield ok("database", f"it answers, and its tables are of this release ({want})")
    else:
        standing = ", ".join(sorted(have)) or "none"
        yield problem(
            "database", f"its tables are of another release ({standing}, not {want})",
            "Bring it up to date: python -m records.database migrate",
        )  # fmt: skip
    if abs(skew) > SKEW_SECONDS:
        yield warning("clock", f"the database's clock differs by {skew:+.0f} s from ours", "Run NTP on both machines.")
    else:
        yield ok("clock", "the database's clock is ours")


def _revisions(connection: Connection) -> set[str]:
    from alembic.runtime.migration import MigrationContext

    return set(MigrationContext.configure(connection).get_current_heads())


def _head() -> str:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    from settings.home import ROOT

    config = Config()
    config.set_main_option("script_location", str(ROOT / "records" / "migrations").replace("%", "%%"))
    return ScriptDirectory.from_config(config).get_current_head() or "none"


def receiver() -> Iterator[Check]:
    """A secret is set, and the receiver runs."""
    import httpx
    from pydantic import ValidationError

    from cli.console import told
    from settings.receiver import ReceiverAddress, ReceiverSettings

    try:
        own = ReceiverSettings()  # pyright: ignore[reportCallIssue] - values come from the environment
    except ValidationError as error:
        yield problem("receiver secret", str(told(error)), "`vmexport serve` does not start without it.")
        return
    yield ok("receiver secret", "it is set")
    url = f"http://{'127.0.0.1' if own.host in ('0.0.0.0', '::') else own.host}:{own.port}"  # noqa: S104 - compared, not bound
    try:
        answer = httpx.get(f"{url}/readyz", timeout=5)
    except httpx.HTTPError as error:
        yield warning(
            "receiver", f"nothing answers at {url} ({type(error).__name__})",
            "If this machine should take alerts, start `vmexport serve`.",
        )  # fmt: skip
    else:
        good = answer.is_success
        yield (
            ok("receiver", f"it is ready at {url}")
            if good
            else problem("receiver", f"{url}/readyz answers HTTP {answer.status_code}", "Its log says why.")
        )
    public = ReceiverAddress().public_url
    if public and public.startswith("http://"):
        yield warning(
            "receiver", f"{public} is not encrypted: the secret can be read on the way", "Give it a certificate."
        )
