"""How every command speaks: pages and sentences that cannot steer a terminal, JSON for machines, one exit code each.

No colours are used, so a pipe and a terminal get the same text.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
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


@contextmanager
def case_store() -> Iterator[None]:
    """What is missing or broken in our own records or settings ends the command with the next step."""
    from sqlalchemy.exc import OperationalError, ProgrammingError

    from records.database import NoDatabase
    from records.evidence import EvidenceDamaged
    from records.ledger import LedgerDamaged
    from settings.organization import OrganizationUnusable
    from tasks.case_facts import FactsUnreadable

    try:
        yield
    except (NoDatabase, OrganizationUnusable) as error:
        raise UsageProblem(str(error)) from error
    except FactsUnreadable as error:
        raise UsageProblem(f"{error}. Use the release that wrote it.") from error
    except OperationalError as error:
        why = str(error.orig).strip().splitlines()[0]
        raise UsageProblem(
            f"the case store does not answer ({why}). Start it, or correct VMEXPORT_DATABASE_URL."
        ) from error
    except ProgrammingError as error:
        why = str(error.orig).strip().splitlines()[0]
        raise UsageProblem(
            f"the case store is not of this release ({why}). Bring it up to date: python -m records.database migrate"
        ) from error
    except (EvidenceDamaged, LedgerDamaged) as damage:
        raise FindingExit(f"{damage}. `vmexport verify CASE` names everything that is damaged.") from damage


def entries_of(case_id: str) -> tuple[LedgerEntry, ...]:
    """The case's ledger. Raises UsageProblem with the next step when there is no such case."""
    from records import ledger

    entries = ledger.entries(case_id)
    if not entries:
        raise UsageProblem(f"there is no case {case_id}. `vmexport case list` names them.")
    return entries
