"""Athena over the declared tables of the store: each statement is paid for, so what all of them scan is counted and limited.

Needs the rights of docs/trino-and-athena.md. The only thing that is written to AWS is what Athena itself writes: the result of
each statement, in the bucket for results.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from decisions.hunt import size_words
from decisions.plain import one_line, utf8
from settings.trino import AthenaLimits, AthenaSettings, athena, athena_limits
from tasks import sts
from tasks.hunting.athena_spent import Spent
from tasks.hunting.declared_tables import DeclaredTables
from tasks.hunting.table import ACCESS_LOG, CLOUDTRAIL, TableUnanswered

SQL_BYTES = 262_144
"""The longest statement that Athena takes."""
POLLS = (0.2, 0.3, 0.5, 1.0)
"""Seconds between two looks at a statement; the last for all that follow."""
_ENDS = {"SUCCEEDED", "FAILED", "CANCELLED"}
_TYPES: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(("varchar", "char", "string"), str),
    **dict.fromkeys(("tinyint", "smallint", "integer", "int", "bigint"), int),
    **dict.fromkeys(("float", "real", "double"), float),
    "boolean": lambda text: text == "true",
}


class AthenaTable(DeclaredTables):
    """One hunt's statements in one workgroup. `client` is boto3's, of the read role; nothing is asked before the first question."""

    sizes = False

    def __init__(
        self, client: Any, settings: AthenaSettings, limits: AthenaLimits, pause: Callable[[float], None] = time.sleep
    ) -> None:
        name = f"Athena, workgroup {settings.workgroup} of account {settings.account}"
        super().__init__(name, "Athena", settings.tables)
        self.spent = Spent(limits.bytes_max, limits.price_per_tb)
        self._athena, self._settings, self._pause = client, settings, pause
        self._run = uuid4().hex
        self._asked = 0
        self._workgroup: tuple[str, ...] | None = None

    def rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """Page by page, when the statement has ended; what is not waited for to the end is stopped."""
        execution = self._start(sql)
        self._wait(execution)
        yield from self._pages(execution)

    def notes(self, table: str) -> tuple[str, ...]:
        """With the limit of the workgroup, and what was spent so far."""
        told = super().notes(table)
        last = ACCESS_LOG if self.holds(ACCESS_LOG) else CLOUDTRAIL  # the answer is told of them in this order
        return (*told, *(self._workgroup or ()), self.spent.sentence()) if table == last else told

    def _start(self, sql: str) -> str:
        text = utf8(sql)  # as the store keeps what rules look for
        if (size := len(text.encode())) > SQL_BYTES:
            raise TableUnanswered(
                f"{self.name}: a statement of {size:,} bytes; it takes {SQL_BYTES:,}. Ask fewer rules."
            )
        if self._workgroup is None:
            self._workgroup = self._look_at_workgroup()
        self._keep_limit(0)
        asked: dict[str, Any] = {
            "QueryString": text,
            # The same token in every try of this statement, and of no other: what is sent twice runs once.
            "ClientRequestToken": hashlib.sha256(f"{self._run}:{self._asked}".encode()).hexdigest(),
            "QueryExecutionContext": {"Catalog": self._settings.catalog, "Database": self._settings.database},
            "WorkGroup": self._settings.workgroup,
        }
        if self._settings.output:
            place = {"OutputLocation": self._settings.output, "ExpectedBucketOwner": self._settings.account}
            asked["ResultConfiguration"] = place
        self._asked += 1
        return self._call("start_query_execution", **asked)["QueryExecutionId"]

    def _wait(self, execution: str) -> None:
        try:
            for turn in itertools.count():
                told = self._call("get_query_execution", QueryExecutionId=execution)["QueryExecution"]
                if told["Status"]["State"] in _ENDS:
                    break
                self._keep_limit(told.get("Statistics", {}).get("DataScannedInBytes") or 0)
                self._pause(POLLS[min(turn, len(POLLS) - 1)])
        except TableUnanswered as error:
            raise TableUnanswered(f"{error}{self._stop(execution)}") from error
        except BaseException:  # whoever asked is ended himself: by Ctrl-C, or by whoever closes the generator
            self._stop(execution)
            raise
        self._ended(told)

    def _ended(self, told: Mapping[str, Any]) -> None:
        state, scanned = told["Status"]["State"], told.get("Statistics", {}).get("DataScannedInBytes")
        if state == "SUCCEEDED" and scanned is None:
            raise TableUnanswered(f"{self.name} did not say what a statement scanned, so the limit cannot be kept.")
        self.spent.add(scanned or 0, failed=state == "FAILED")
        if state != "SUCCEEDED":
            raise TableUnanswered(f"{self.name}: the statement {_why(state, told['Status'])}")
        self._keep_limit(0)

    def _keep_limit(self, running: int) -> None:
        so_far = self.spent.scanned + running
        if so_far > self.spent.limit:
            raise TableUnanswered(
                f"The hunt was stopped: its statements have scanned {size_words(so_far)} in Athena, and "
                f"{size_words(self.spent.limit)} is what it may (VMEXPORT_HUNT_ATHENA_BYTES_MAX). Hunt fewer days, with --since."
            )

    def _stop(self, execution: str) -> str:
        """Stop a statement; nothing, or a sentence that it goes on."""
        try:
            self._athena.stop_query_execution(QueryExecutionId=execution)
        except (ClientError, BotoCoreError) as error:
            return f" The statement {execution} goes on: it could not be stopped ({one_line(error)})."
        return ""

    def _pages(self, execution: str) -> Iterator[tuple[Any, ...]]:
        token: dict[str, str] = {}
        first = True
        while True:
            page = self._call("get_query_results", QueryExecutionId=execution, MaxResults=1000, **token)
            columns = page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
            rows = [[cell.get("VarCharValue") for cell in row["Data"]] for row in page["ResultSet"]["Rows"]]
            if first and (not rows or rows[0] != [column["Name"] for column in columns]):
                raise TableUnanswered(f"{self.name}: a result does not begin with the names of its columns.")
            readers = [self._reader(column) for column in columns]
            for row in rows[first:]:
                yield self._row(row, readers)
            if not page.get("NextToken"):
                return
            token, first = {"NextToken": page["NextToken"]}, False

    def _row(self, cells: Sequence[str | None], readers: Sequence[Callable[[str], Any]]) -> tuple[Any, ...]:
        if len(cells) != len(readers):
            raise TableUnanswered(
                f"{self.name}: a row of {len(cells)} values came, where there are {len(readers)} columns."
            )
        return tuple(None if cell is None else read(cell) for cell, read in zip(cells, readers, strict=True))

    def _reader(self, column: Mapping[str, Any]) -> Callable[[str], Any]:
        kind = str(column["Type"]).lower()
        if kind not in _TYPES:
            raise TableUnanswered(f"{self.name}: its results do not tell the members of a {kind} apart.")
        return _TYPES[kind]

    def _look_at_workgroup(self) -> tuple[str, ...]:
        """Sentences about what the workgroup limits of itself. Raises TableUnanswered when no statement can run in it."""
        try:
            told = self._athena.get_work_group(WorkGroup=self._settings.workgroup)["WorkGroup"]
        except (ClientError, BotoCoreError) as error:
            return (
                f"Whether the workgroup {self._settings.workgroup} limits a statement is not known ({one_line(error)}).",
            )
        configuration = told.get("Configuration", {})
        if told.get("State") == "DISABLED":
            raise TableUnanswered(f"{self.name} is disabled. Enable it, or name another (VMEXPORT_ATHENA_WORKGROUP).")
        own = configuration.get("ResultConfiguration", {}).get("OutputLocation")
        managed = configuration.get("ManagedQueryResultsConfiguration", {}).get("Enabled")
        if not (self._settings.output or own or managed):
            raise TableUnanswered(
                f"{self.name} has no place for results. Set VMEXPORT_ATHENA_OUTPUT to s3://bucket/prefix/."
            )
        cutoff = configuration.get("BytesScannedCutoffPerQuery")
        if cutoff is not None and cutoff <= self.spent.limit:
            return ()
        has = "no limit" if cutoff is None else f"a limit of {size_words(cutoff)}"
        return (
            f"The workgroup {self._settings.workgroup} itself has {has} for a statement (BytesScannedCutoffPerQuery): only "
            "this hunt's own look at what is scanned stops one, up to a second late.",
        )

    def _call(self, operation: str, **asked: Any) -> dict[str, Any]:
        try:
            return getattr(self._athena, operation)(**asked)
        except (ClientError, BotoCoreError) as error:
            step = "The read role needs the rights of docs/trino-and-athena.md." if "AccessDenied" in str(error) else ""
            raise TableUnanswered(f"{self.name}: {operation} failed ({one_line(error)}). {step}".rstrip()) from error


def of_settings() -> AthenaTable:
    """The workgroup of the settings, by the read role of its account.

    Raises TableUnanswered where none is set, OrganizationUnusable and BotoCoreError where the role cannot be had.
    """
    own = athena()
    if own.database is None or own.account is None:
        raise TableUnanswered("Athena is not configured: set VMEXPORT_ATHENA_ACCOUNT and VMEXPORT_ATHENA_DATABASE.")
    client = sts.aws("hunt").client("athena", account=own.account, tier="read", region=own.region)
    return AthenaTable(client, own, athena_limits())


def _why(state: str, status: Mapping[str, Any]) -> str:
    """What became of a statement, in one line, with the next step."""
    error = status.get("AthenaError", {})
    told = one_line(error.get("ErrorMessage") or status.get("StateChangeReason") or "Athena gives no reason")
    if state == "CANCELLED":
        return (
            f"was cancelled ({told}). Somebody did, or the workgroup's own limit of bytes: see it, or hunt fewer days."
        )
    return f"failed ({told}). {'Ask again.' if error.get('Retryable') else 'See the tables: vmexport store ddl --for athena.'}"
