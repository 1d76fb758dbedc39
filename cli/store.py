"""`vmexport store`: the Parquet store of logs."""

from __future__ import annotations

import typer

from cli import store_ddl

app = typer.Typer(no_args_is_help=True, help="The Parquet store of CloudTrail and access logs.")
app.command("ddl")(store_ddl.ddl)
