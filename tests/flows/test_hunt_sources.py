"""Scheduled hunts in a bucket and by Athena: what lies there becomes a case once, and no whole answer is never taken for nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from decisions.sigma_sql import quoted
from flows.hunt_progress import ProgressLog
from flows.hunt_sources import opened
from settings import aws as aws_settings
from settings import buckets as bucket_settings
from settings import trino as trino_settings
from settings.hunts import hunts
from tasks import sts
from tasks.hunting.buckets_address import BucketUnusable
from tasks.hunting.coverage import Period
from tasks.hunting.source import Source
from tasks.hunting.table import TableUnanswered
from tests.flows.hunts_of import (
    EXPORT,
    FIRST,
    NOW,
    RECENT,
    assert_nights,
    assert_unanswered,
    case_of,
    configure,
    forgetting,
    run,
    summaries,
)
from tests.hunting.athena_answers import ACCOUNT as MOTO
from tests.hunting.athena_answers import REGION, queue
from tests.hunting.log_bucket import LOGS, MARCH, calls, put, s3
from tests.hunting.logs_of import ACCOUNT, event, export
from tests.hunting.stores_of import store_of
from tests.hunting.test_athena_table import moto

__all__ = ["moto", "s3"]

pytestmark = pytest.mark.usefixtures("database", "prefect")


def folder_of(day: datetime) -> str:
    """Where CloudTrail delivers the files of a day."""
    return f"AWSLogs/{ACCOUNT}/CloudTrail/eu-central-1/{day:%Y/%m/%d}"


@pytest.fixture
def bucket(database: str, s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A log bucket with an export, configured as the source `trail`."""
    put(s3, f"{MARCH}/02/a.json.gz", event(0), EXPORT)
    put(s3, f"{folder_of(NOW)}/b.json.gz", RECENT)
    text = f'[[source]]\nname = "trail"\nkind = "s3"\nplace = "s3://{LOGS}/AWSLogs/"\nstore = "{tmp_path / "store"}"\n{FIRST}\n'
    configure(tmp_path, monkeypatch, text)
    with forgetting():
        yield s3


@pytest.mark.usefixtures("bucket")
def test_an_export_in_a_bucket_is_a_case_once(tmp_path: Path) -> None:
    assert_nights("trail", tmp_path, "Searched 2 of 2 parts")


def test_a_late_object_is_read_though_what_it_tells_is_older_than_the_run(bucket: Any) -> None:
    first = run("trail")
    assert (first.files_read, first.files_known) == (2, 0)
    before = datetime.now(UTC) - timedelta(days=2)
    place = folder_of(before)
    time = f"{before - timedelta(hours=12):%Y-%m-%dT%H:%M:%SZ}"
    late = export(2, eventTime=time, responseElements={"exportTask": {"exportTaskId": "export-i-0aaaaaaaaaaaaaaaa"}})
    put(bucket, f"{place}/late.json.gz", late)
    seen = calls()
    second = run("trail")
    assert [params["Key"] for name, params in seen if name == "GetObject"] == [f"{place}/late.json.gz"]
    assert {one.event_id for one in case_of(second).exports} == {late["eventID"]}


def test_a_bucket_that_may_not_be_read_ends_the_run_with_the_reason(bucket: Any, tmp_path: Path) -> None:
    @contextmanager
    def refused() -> Iterator[None]:
        everyone = {"Effect": "Deny", "Principal": "*", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{LOGS}"}
        bucket.put_bucket_policy(Bucket=LOGS, Policy=json.dumps({"Version": "2012-10-17", "Statement": [everyone]}))
        try:
            yield
        finally:
            bucket.delete_bucket_policy(Bucket=LOGS)

    assert_unanswered("trail", refused, BucketUnusable, LOGS)


def test_a_bucket_that_costs_more_than_it_may_is_not_read_and_the_next_run_reads_all(
    bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = calls()
    with monkeypatch.context() as poor:
        poor.setenv("VMEXPORT_HUNT_S3_COST_MAX", "0.0000001")
        bucket_settings.buckets.cache_clear()
        with pytest.raises(BucketUnusable, match="VMEXPORT_HUNT_S3_COST_MAX"):
            run("trail")
    bucket_settings.buckets.cache_clear()
    assert not [name for name, _ in seen if name == "GetObject"]
    assert "nothing was read of" in summaries("retro-hunt-trail")[-1]
    assert run("trail").files_read == 2


KINDS = {"VARCHAR": "varchar", "BOOLEAN": "boolean", "BIGINT": "bigint", "HUGEINT": "bigint", "INTEGER": "integer"}


@dataclass
class Athena:
    """What answers in Athena's place: the SQL that a hunt asks without rules is DuckDB's as well."""

    store: duckdb.DuckDBPyConnection
    server: str
    answers: bool = True

    def asked(self, params: dict[str, Any], **_: Any) -> None:
        """A statement goes out: its answer is what moto gives next."""
        if not self.answers:
            return
        cursor = self.store.execute(params["QueryString"])
        columns = {str(name): KINDS[str(kind)] for name, kind, *_ in cursor.description or ()}
        queue(columns, *(tuple(map(text_of, row)) for row in cursor.fetchall()), at=self.server)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Statements end, and their results have no rows at all: what moto says when nobody told it an answer."""
        self.answers = False
        try:
            yield
        finally:
            self.answers = True


def text_of(value: Any) -> str | None:
    """A value as Athena's results have it."""
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def declared(store: Path) -> duckdb.DuckDBPyConnection:
    """The table of events over a store, with what Athena calls the path of a row's file."""
    connection = duckdb.connect()
    files = f"read_parquet({quoted(f'{store}/cloudtrail/*/*.parquet')}, hive_partitioning = true, hive_types = {{'dt': VARCHAR}}, filename = true)"
    connection.execute("CREATE SCHEMA hunting")
    connection.execute(f'CREATE VIEW hunting.cloudtrail AS SELECT * RENAME (filename AS "$path") FROM {files}')
    return connection


@pytest.fixture
def athena(database: str, moto: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Athena]:
    """A database of Athena with an export, configured as the source `lake`."""
    server = moto.meta.endpoint_url
    given = {
        "AWS_ENDPOINT_URL": server, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing",
        "VMEXPORT_ATHENA_ACCOUNT": MOTO, "VMEXPORT_ATHENA_REGION": REGION, "VMEXPORT_ATHENA_DATABASE": "hunting",
        "VMEXPORT_ATHENA_OUTPUT": "s3://example-results/hunts/",
    }  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    configure(tmp_path, monkeypatch, f'[[source]]\nname = "lake"\nkind = "athena"\n{FIRST}\n')
    store_of(tmp_path / "lake", [event(0), EXPORT, RECENT])
    cached = (trino_settings.athena, trino_settings.athena_limits, aws_settings.aws, sts.aws, sts._base_session)
    with forgetting(*cached), declared(tmp_path / "lake") as store:
        answering = Athena(store, server)
        client = sts.aws("hunt").client("athena", account=MOTO, tier="read", region=REGION)
        client.meta.events.register("provide-client-params.athena.StartQueryExecution", answering.asked)
        yield answering


@pytest.mark.usefixtures("athena")
def test_an_export_in_athena_is_a_case_once(tmp_path: Path) -> None:
    assert_nights("lake", tmp_path, "statements, of 100 GB")


@pytest.mark.usefixtures("athena")
def test_what_one_run_may_scan_in_athena_is_counted_over_all_that_it_asks() -> None:
    """The counts of its rules in the last days come before its hunt, out of the same limit."""
    with opened(hunts().named("lake"), ProgressLog(print)) as source_over:
        recent, whole = source_over(Period(NOW - timedelta(days=30))), source_over(Period())
        recent.first(())
        before = spent_of(recent)
        whole.first(())
        assert spent_of(whole) > before > 0


def spent_of(source: Source) -> int:
    """How many statements were counted, as the coverage tells."""
    [found] = [
        re.search(r"in (\d+) statements, of 100 GB", note) for note in source.coverage(()).notes if "statements" in note
    ]
    assert found
    return int(found[1])


def test_athena_without_a_whole_answer_ends_the_run_with_the_reason(athena: Athena) -> None:
    assert_unanswered("lake", athena.silent, TableUnanswered, "names of its columns")
