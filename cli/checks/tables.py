"""Trino and Athena: whether the store is declared there, and which days of it are seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from cli.checks.check import SECONDS, Check, not_configured, ok, problem, side_by_side, warning

if TYPE_CHECKING:
    from tasks.hunting.declared_tables import DeclaredTables

SEE = "See docs/trino-and-athena.md."


def tables() -> Iterator[Check]:
    """Each engine that is configured. Athena is asked two or three statements that scan nothing."""
    from cli import hunt_tables
    from settings.trino import athena, trino

    if trino().url is None:
        yield not_configured(
            "Trino", "VMEXPORT_TRINO_URL is not set: no hunt asks it", f"Set it, if it reads a store. {SEE}"
        )
    else:
        yield from _engine("Trino", hunt_tables.trino)
    if athena().account is None:
        yield not_configured(
            "Athena", "VMEXPORT_ATHENA_ACCOUNT is not set: no hunt asks it", f"Set it, if it reads a store. {SEE}"
        )
    else:
        yield from _engine("Athena", hunt_tables.athena)


def _engine(name: str, opened: Callable[[], AbstractContextManager[DeclaredTables]]) -> Iterator[Check]:
    from cli.console import UsageProblem
    from tasks.hunting.table import ACCESS_LOG, CLOUDTRAIL, TableUnanswered

    def look() -> list[Check]:
        with opened() as table:
            return [_table(name, table, each) for each in (CLOUDTRAIL, ACCESS_LOG)]

    match side_by_side({name: look})[name]:
        case None:
            yield problem(name, f"it did not answer within {SECONDS:.0f} s", SEE)
        case UsageProblem() | TableUnanswered() as error:
            yield problem(name, str(error), SEE)
        case Exception() as error:
            raise error
        case checks:
            yield from checks


def _table(engine: str, table: DeclaredTables, which: str) -> Check:
    name = f"{engine} {which}"
    if not table.holds(which):
        return warning(name, "it is not declared there: hunts do without it", "See `vmexport store ddl`.")
    days = table.days(which)
    if days is None:
        return warning(name, "it has no rows", f"Fill the store, and tell the engine of its days. {SEE}")
    return ok(name, f"rows of {days[0]} to {days[1]} are seen")
