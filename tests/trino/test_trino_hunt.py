"""A hunt by Trino finds what the same hunt finds in the files; one by Athena is the same SQL."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from trino.dbapi import connect

from decisions.hunt import HuntFinding, HuntResult
from lab.cloudtrail_generator import generate
from settings.trino import AthenaLimits, AthenaSettings, TrinoSettings
from tasks.hunting.athena_table import AthenaTable
from tasks.hunting.coverage import Period
from tasks.hunting.file_source import FileSource
from tasks.hunting.fixtures import load
from tasks.hunting.hunt import hunt
from tasks.hunting.table_source import TableSource
from tasks.hunting.trino_table import TrinoTable
from tests.hunting.athena_answers import ACCOUNT as MOTO
from tests.hunting.athena_answers import REGION, queue
from tests.hunting.logs_of import ACCOUNT, compact, event, export, write
from tests.hunting.stores_of import stored
from tests.trino.conftest import Place
from tests.trino.stored import HOSTILE, asking, declare, declare_projected, table_of

LIMIT = 64 * 1024 * 1024
PERIODS = {
    "open": Period(),
    "both ends": Period(datetime(2026, 3, 4, 7, 30, tzinfo=UTC), datetime(2026, 3, 8, 12, 15, 59, tzinfo=UTC)),
}


def told(result: HuntResult) -> dict[str, HuntFinding]:
    """Findings by id, but for where each was read."""
    return {one.id: one.model_copy(update={"origin": "", "record": None}) for one in result.findings}


@pytest.fixture(scope="module")
def made_up(trino: Place) -> tuple[Path, dict[str, Any], str]:
    """Logs of three accounts, the truth about them, and a schema with the tables of their store."""
    schema = f"m{secrets.token_hex(5)}"
    files = trino.files / f"{schema}-files"
    truth = generate(files, 20_000, days=14, seed=5)
    declare_all(trino, files, schema)
    return files, truth, schema


def declare_all(trino: Place, files: Path, schema: str) -> None:
    """The store of log files, its partitions listed, and in `…_projected` as Athena has them."""
    stored(files, trino.files / schema)
    (trino.files / schema / "access_log").mkdir(exist_ok=True)
    ask = asking(trino)
    declare(ask, trino, trino.files / schema, schema)
    declare_projected(ask, trino, trino.files / schema, f"{schema}_projected")


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("way", ["", "_projected"])
def test_trino_and_files_give_the_same_findings(
    trino: Place, made_up: tuple[Path, dict[str, Any], str], period: str, way: str
) -> None:
    """Ids, kinds, what belongs to what, rules, correlations, and their numbers."""
    folder, truth, schema = made_up
    when, rules = PERIODS[period], load()
    files = hunt(FileSource(folder, when, LIMIT, workers=1), when, rules)
    with table_of(trino, schema + way) as table:
        found = hunt(TableSource(table, when), when, rules)
    assert told(found) == told(files)
    assert found.counts == files.counts
    assert found.coverage.files_searched > 0
    if period == "open":
        assert {one.event_id for one in found.findings if one.kind == "export"} == set(truth["exports"])


@pytest.mark.parametrize("way", ["", "_projected"])
def test_hostile_records_are_found_as_in_files(trino: Place, schema: str, way: str) -> None:
    """Exports, keys and objects whose texts would end a literal; records of a shape that AWS does not write; NUL."""
    files = trino.files / f"{schema}-files"
    key, task = "ASIA'); DROP TABLE x --", "export-i-0123456789abcdef0"
    identity = {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/it's", "accountId": ACCOUNT, "accessKeyId": key}
    answer = {"exportTask": {"exportTaskId": task, "exportToS3": {"s3Bucket": "b", "s3Key": f"vms/{task}.ova"}}}
    texts = [*(text for text in HOSTILE if text != "\ud83d"), "a\0b"]
    named = [event(n, userAgent=text, requestParameters={"key": text}) for n, text in enumerate(texts)]
    reading = event(101, "GetObject", eventSource="s3.amazonaws.com", requestParameters={"key": f"it's \\0/{task}.ova"})
    write(files, compact([
        *named,
        export(100, userIdentity=identity, responseElements=answer),
        reading,
        event(102, userIdentity=identity | {"accessKeyId": [key]}),
        event(103, requestParameters={"a": {"b": [key, None]}}),
        event(104, ["ExportImage"]),
        event(105, "ExportImage", eventTime="2026-03-02T10:00:00.5Z", eventSource=None),
    ]))  # fmt: skip
    declare_all(trino, files, schema)
    found = hunt(FileSource(files, Period(), LIMIT, workers=1), Period())
    with table_of(trino, schema + way) as table:
        asked = hunt(TableSource(table, Period()), Period())
    assert told(asked) == told(found)
    assert {"export", "download", "activity"} <= set(asked.counts)


@contextmanager
def athena_of(trino: Place, schema: str, sent: list[str]) -> Iterator[AthenaTable]:
    """moto's Athena, whose answers are those of the real Trino to the same statements."""
    connection = connect(host=trino.url, user="test", catalog="hive", schema=schema)

    def started(params: dict[str, Any], **_: Any) -> None:
        sent.append(params["QueryString"])
        cursor = connection.cursor().execute(params["QueryString"])
        rows = cursor.fetchall()
        columns = {column.name: str(column.type_code).partition("(")[0] for column in cursor.description}
        queue(columns, *(tuple(map(athena_text, row)) for row in rows))

    with mock_aws():
        s3 = boto3.client("s3", "us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing")
        s3.create_bucket(Bucket="example-results")
        client = boto3.client("athena", REGION, aws_access_key_id="testing", aws_secret_access_key="testing")
        client.meta.events.register("provide-client-params.athena.StartQueryExecution", started)
        settings = AthenaSettings(account=MOTO, database=schema, output="s3://example-results/")
        yield AthenaTable(client, settings, AthenaLimits(), lambda _: None)


def athena_text(value: Any) -> str | None:
    """A value as Athena's results have it."""
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def words(sql: str) -> list[str]:
    """Of a statement, sorted: rows come in any order, and so do the ids of those that are asked for next."""
    return sorted(re.findall(r"'[^']*'|[^\s,()]+", sql))


class Listening(TrinoTable):
    """Keeps what it is asked."""

    def rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """And answers it."""
        self.__dict__.setdefault("asked", []).append(sql)
        return super().rows(sql)


def test_athena_is_asked_the_sql_of_trino_and_finds_the_same(
    trino: Place, made_up: tuple[Path, dict[str, Any], str]
) -> None:
    """Word for word but for the catalog's name and the sizes of files, which Athena does not tell; the cost stands in the answer."""
    _, _, schema = made_up
    when, rules = PERIODS["both ends"], load()
    with Listening(TrinoSettings(url=trino.url, table=f"hive.{schema}_projected.cloudtrail")) as table:
        found = hunt(TableSource(table, when), when, rules)
    sent: list[str] = []
    with athena_of(trino, f"{schema}_projected", sent) as athena:
        asked = hunt(TableSource(athena, when), when, rules)
    assert told(asked) == told(found)
    assert asked.counts == found.counts
    assert asked.coverage.events == found.coverage.events
    assert list(map(words, sent)) == [
        words(sql.replace('"hive".', "").replace('"$file_size"', "0")) for sql in table.__dict__["asked"]
    ]
    assert any(f"in {len(sent)} statements, of 100 GB" in note for note in asked.coverage.notes)
