"""`vmexport store ddl`: the statements that declare the Parquet store to Athena, Trino and Spark."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class For(StrEnum):
    """Who is to read the store."""

    ATHENA = "athena"
    TRINO = "trino"
    SPARK = "spark"


def ddl(
    engine: Annotated[For, typer.Option("--for", help="Who is to read it")],
    location: Annotated[
        str,
        typer.Option(
            metavar="URL|DIR", help="The store's folder as the engine reaches it: s3://bucket/prefix; or a DIR"
        ),
    ],
    table: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the table of CloudTrail; with its schema: hunting.cloudtrail")
    ] = "cloudtrail",
    access_log_table: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Likewise of access logs [default: access_log, in the same schema]"),
    ] = None,
    first_day: Annotated[
        str | None, typer.Option(metavar="DAY", help="Athena: the first day of the store [default: of all such logs]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The statements as one JSON array")] = False,
) -> None:
    """Write the CREATE statements of the store's tables; run them yourself. Nothing is asked or changed.

    Example: vmexport store ddl --for athena --location s3://example-hunts/store
    """
    from cli.console import UsageProblem, say, say_json
    from decisions.store_ddl import ddl as written
    from decisions.store_ddl import statements

    other = access_log_table or ".".join([*table.split(".")[:-1], "access_log"])
    try:
        text = written(engine.value, location, {"cloudtrail": table, "access_log": other}, first_day)
    except ValueError as error:
        raise UsageProblem(f"{error}. See `vmexport store ddl --help`.") from error
    if as_json:
        say_json(statements(text))
    else:
        say(text.rstrip("\n"))
