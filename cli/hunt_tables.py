"""`vmexport hunt --trino` and `--athena`: the Parquet store where it is declared to an engine that others run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.hunting.athena_table import AthenaTable
    from tasks.hunting.trino_table import TrinoTable

DOCS = "docs/trino-and-athena.md tells how they are set up"


@contextmanager
def trino() -> Iterator[TrinoTable]:
    """The coordinator of the settings. Raises UsageProblem where none is set."""
    from cli.console import UsageProblem
    from settings.trino import trino as settings
    from tasks.hunting.table import TableUnanswered
    from tasks.hunting.trino_table import TrinoTable

    try:
        table = TrinoTable(settings())
    except TableUnanswered as error:
        raise UsageProblem(f"{error} {DOCS}.") from error
    with table:
        yield table


@contextmanager
def athena() -> Iterator[AthenaTable]:
    """The workgroup of the settings, by the read role of its account. Raises UsageProblem where it cannot be asked."""
    from botocore.exceptions import BotoCoreError

    from cli.console import UsageProblem
    from settings.organization import OrganizationUnusable
    from tasks.hunting.athena_table import of_settings
    from tasks.hunting.table import TableUnanswered

    try:
        table = of_settings()
    except TableUnanswered as error:
        raise UsageProblem(f"{error} {DOCS}.") from error
    except (OrganizationUnusable, BotoCoreError) as error:
        raise UsageProblem(f"Athena cannot be asked: {error}.") from error
    yield table
