"""Answers of Athena's API, for moto's queue and for a stub of the client."""

from __future__ import annotations

from typing import Any

import requests

ACCOUNT, REGION = "123456789012", "eu-central-1"
"""moto's own account."""


def result(columns: dict[str, str], *rows: tuple[str | None, ...]) -> dict[str, Any]:
    """A result set, its first row the names of the columns."""
    header = [{"VarCharValue": name} for name in columns]
    body = [[{} if cell is None else {"VarCharValue": cell} for cell in row] for row in rows]
    return {
        "rows": [{"Data": data} for data in (header, *body)],
        "column_info": [{"CatalogName": "hive", "Name": name, "Type": kind} for name, kind in columns.items()],
    }


def queue(columns: dict[str, str], *rows: tuple[str | None, ...], at: str = "http://motoapi.amazonaws.com") -> None:
    """What moto answers to the next statement, whatever it is; `at`: its server, if it is one."""
    queued = {"account_id": ACCOUNT, "region": REGION, "results": [result(columns, *rows)]}
    requests.post(f"{at}/moto-api/static/athena/query-results", json=queued, timeout=10)


def results(columns: dict[str, str], *rows: tuple[str | None, ...], token: str | None = None) -> dict[str, Any]:
    """An answer to GetQueryResults."""
    made = result(columns, *rows)
    page = {"ResultSet": {"Rows": made["rows"], "ResultSetMetadata": {"ColumnInfo": made["column_info"]}}}
    return page | ({"NextToken": token} if token else {})


def execution(state: str, scanned: int | None = None, reason: str | None = None, **error: Any) -> dict[str, Any]:
    """An answer to GetQueryExecution."""
    status = (
        {"State": state} | ({"StateChangeReason": reason} if reason else {}) | ({"AthenaError": error} if error else {})
    )
    statistics = {} if scanned is None else {"DataScannedInBytes": scanned}
    return {"QueryExecution": {"QueryExecutionId": "q", "Status": status, "Statistics": statistics}}
