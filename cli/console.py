"""How every command speaks: pages and sentences that cannot steer a terminal, JSON for machines, one exit code each.

No colours are used, so a pipe and a terminal get the same text.
"""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from pydantic import ValidationError
    from sqlalchemy.exc import DBAPIError

    from decisions.document import Page
    from decisions.ledger import LedgerEntry

PIPE_WIDTH = 120
"""Characters a line where nobody tells how wide the screen is."""


class Exit(Exception):
    """Ends a command with a sentence for standard error and an exit code; never a traceback."""

    code = 1


class FindingExit(Exit):
    """Something was found, or a check failed: exit 1."""


class UsageProblem(Exit):
    """Wrong usage or a missing thing: exit 2. The sentence names the next step."""

    code = 2


def say(text: str, error: bool = False) -> None:
    """One or more lines for a person; on standard error where they are no answer."""
    from decisions.plain import plain_lines

    typer.echo(plain_lines(text), err=error)


def show(page: Page) -> None:
    """A page, as wide as the terminal (120 characters into a pipe)."""
    from decisions.terminal import to_terminal

    width = min(shutil.get_terminal_size().columns, 160) if sys.stdout.isatty() else PIPE_WIDTH
    typer.echo(to_terminal(page, width), nl=False)


def say_json(value: Any) -> None:
    """One JSON document, in ASCII: nothing in it can steer a terminal either."""
    typer.echo(json.dumps(value, indent=2))


def told(error: Exception) -> Exit | None:
    """What is missing or broken in records, settings or services, with the next step; None: a defect of ours."""
    from pydantic import ValidationError
    from sqlalchemy.exc import OperationalError, ProgrammingError

    from records.database import NoDatabase
    from records.evidence import EvidenceDamaged
    from records.ledger import LedgerDamaged
    from records.postgres_binaries import NoPostgres
    from settings.organization import OrganizationUnusable
    from tasks.case_facts import FactsUnreadable

    match error:
        case NoDatabase() | NoPostgres() | OrganizationUnusable():
            return UsageProblem(f"{str(error).rstrip('.')}.")
        case FactsUnreadable():
            return UsageProblem(f"{error}. Use the release that wrote it.")
        case OperationalError():
            why = f"the case store does not answer ({_first_line(error)})"
            return UsageProblem(f"{why}. Start it, or correct VMEXPORT_DATABASE_URL.")
        case ProgrammingError():
            why = f"the case store is not of this release ({_first_line(error)})"
            return UsageProblem(f"{why}. Bring it up to date: python -m records.database migrate")
        case EvidenceDamaged() | LedgerDamaged():
            return FindingExit(f"{error}. `vmexport verify CASE` names everything that is damaged.")
        case ValidationError():
            return _unusable_setting(error)
        case _:
            return None


def _first_line(error: DBAPIError) -> str:
    return next(iter(str(error.orig).strip().splitlines()), type(error).__name__)


def _unusable_setting(error: ValidationError) -> Exit | None:
    """Variables of the environment that are missing or wrong, by name; a value may be a secret and is not shown."""
    from pydantic_settings import BaseSettings

    families = BaseSettings.__subclasses__()
    for settings in (*families, *(child for family in families for child in family.__subclasses__())):
        if settings.__name__ == error.title:
            first = error.errors(include_input=False, include_url=False)[0]
            why = str(first["msg"]).removeprefix("Value error, ")
            if not first["loc"]:  # several variables that do not fit together; the sentence names them
                return UsageProblem(f"The settings cannot be used: {why}. Correct them in the environment.")
            name = str(first["loc"][0])
            about = settings.model_fields[name].description if name in settings.model_fields else None
            is_ = "is not set" if first["type"] == "missing" else f"cannot be used: {why}"
            variable = f"{settings.model_config.get('env_prefix', '')}{name}".upper()
            return UsageProblem(f"{variable} {is_}. Set it in the environment{f' ({about})' if about else ''}.")
    return None


def entries_of(case_id: str) -> tuple[LedgerEntry, ...]:
    """The case's ledger. Raises UsageProblem with the next step when there is no such case."""
    from records import ledger

    entries = ledger.entries(case_id)
    if not entries:
        raise UsageProblem(f"there is no case {case_id}. `vmexport case list` names them.")
    return entries
