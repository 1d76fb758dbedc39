"""Athena as a table of a hunt: whole answers or none, nothing scanned beyond the limit, nothing left running."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from socket import socket
from typing import Any

import boto3
import pytest
import requests
from botocore.stub import ANY, Stubber

from decisions import store_schema
from settings.trino import AthenaLimits, AthenaSettings
from tasks.hunting.athena_table import AthenaTable
from tasks.hunting.table import TableUnanswered
from tests.hunting.athena_answers import ACCOUNT, REGION, execution, queue, results

GB = 1_000_000_000
TEXT = {"a": "varchar"}


def settings(**more: Any) -> AthenaSettings:
    """A workgroup with a database."""
    given: dict[str, Any] = {"account": ACCOUNT, "database": "hunting", "output": "s3://example-results/hunts/"}
    return AthenaSettings(**(given | more))


def boto_client(service: str = "athena", url: str | None = None) -> Any:
    """A client with credentials that are none."""
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    return boto3.client(service, REGION, endpoint_url=url, **keys)


def table_of(client: Any, limits: AthenaLimits | None = None, **more: Any) -> AthenaTable:
    """One that does not wait between two looks."""
    return AthenaTable(client, settings(**more), limits or AthenaLimits(), lambda _: None)


@pytest.fixture(scope="module")
def moto() -> Iterator[Any]:
    """A client of moto's Athena, in a process of its own: in this one the lab may have changed moto."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 30
        while not _answers(url):
            assert process.poll() is None, "moto's server ended"
            assert time.monotonic() < end, "moto's server does not start"
            time.sleep(0.1)
        boto_client("s3", url).create_bucket(
            Bucket="example-results", CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        yield boto_client("athena", url)
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/moto-api/data.json", timeout=5).ok
    except requests.ConnectionError:
        return False


class Stub:
    """What Athena answers, in order; botocore refuses what the API would refuse, and what was not expected."""

    def __init__(self, workgroup: dict[str, Any] | None = None) -> None:
        self.client = boto_client()
        self._stub = Stubber(self.client)
        self._stub.activate()
        configuration = {"BytesScannedCutoffPerQuery": 10 * GB} if workgroup is None else workgroup
        answer = {"WorkGroup": {"Name": "primary", "State": "ENABLED", "Configuration": configuration}}
        self.add("get_work_group", answer)

    def add(self, operation: str, answer: dict[str, Any], expected: dict[str, Any] | None = None) -> None:
        """The next call and its answer."""
        self._stub.add_response(operation, answer, expected)

    def fail(self, operation: str, code: str, message: str = "") -> None:
        """The next call fails."""
        self._stub.add_client_error(operation, code, message)

    def statement(self, *looks: dict[str, Any]) -> None:
        """One that is started and looked at so often."""
        self.add("start_query_execution", {"QueryExecutionId": "q"})
        for look in looks:
            self.add("get_query_execution", look)

    def all_asked(self) -> None:
        """Nothing that was expected was left out."""
        self._stub.assert_no_pending_responses()


def test_values_are_what_other_engines_give(moto: Any) -> None:
    """By the type of the column; NULL is no empty text; the names of the columns are no row."""
    kinds = {"a": "varchar", "b": "bigint", "c": "boolean", "d": "double"}
    queue(kinds, ("x\n\u0130", "7", "true", "1.5"), ("", None, "false", None), at=moto.meta.endpoint_url)
    assert list(table_of(moto).rows("SELECT 1")) == [("x\n\u0130", 7, True, 1.5), ("", None, False, None)]


def test_what_cannot_be_told_apart_is_refused(moto: Any) -> None:
    """`[a, b]` may be one text or two; a result without names may lack its first row."""
    queue({"a": "array"}, ("[a, b]",), at=moto.meta.endpoint_url)
    with pytest.raises(TableUnanswered, match="members of a array"):
        list(table_of(moto).rows("SELECT 1"))
    with pytest.raises(TableUnanswered, match="names of its columns"):
        list(table_of(moto).rows("SELECT 1"))  # moto's queue is empty: no row at all


def test_a_statement_is_asked_word_for_word_in_its_place(moto: Any) -> None:
    """In the database and the workgroup; results go into a bucket of the account that is ours."""
    queue(TEXT, at=moto.meta.endpoint_url)
    sql = "SELECT 'it''s', '\ud83d', '日本'"
    assert list(table_of(moto).rows(sql)) == []
    told = (
        moto.get_query_execution(QueryExecutionId=one)["QueryExecution"]
        for one in moto.list_query_executions()["QueryExecutionIds"]
    )
    (found,) = (one for one in told if "it''s" in one["Query"])
    assert found["Query"] == sql.replace("\ud83d", "\ufffd")
    assert found["QueryExecutionContext"] == {"Catalog": "AwsDataCatalog", "Database": "hunting"}
    assert found["ResultConfiguration"]["ExpectedBucketOwner"] == ACCOUNT
    assert found["WorkGroup"] == "primary"


def test_pages_are_read_to_the_last() -> None:
    """The names stand on the first page only."""
    stub = Stub()
    stub.statement(execution("QUEUED"), execution("RUNNING", 5), execution("SUCCEEDED", 9))
    page = {"QueryExecutionId": "q", "MaxResults": 1000}
    stub.add("get_query_results", results(TEXT, ("1",), token="t"), page)
    second = results(TEXT, ("2",))
    del second["ResultSet"]["Rows"][0]
    stub.add("get_query_results", second, page | {"NextToken": "t"})
    assert list(table_of(stub.client).rows("SELECT 1")) == [("1",), ("2",)]
    stub.all_asked()


def test_a_page_that_does_not_come_is_no_short_answer() -> None:
    """Rows of the pages before it were given, and then the reader learns that they are not all."""
    stub = Stub()
    stub.statement(execution("SUCCEEDED", 9))
    stub.add("get_query_results", results(TEXT, ("1",), token="t"))
    stub.fail("get_query_results", "InternalServerException", "try later")
    rows = table_of(stub.client).rows("SELECT 1")
    assert next(rows) == ("1",)
    with pytest.raises(TableUnanswered, match="get_query_results failed"):
        next(rows)


def test_a_statement_that_scans_too_much_is_stopped_while_it_runs() -> None:
    """By looks at what it has scanned so far; what others scanned before counts."""
    stub = Stub()
    stub.statement(execution("SUCCEEDED", GB))
    stub.add("get_query_results", results(TEXT))
    stub.statement(execution("RUNNING", GB), execution("RUNNING", GB + 1))
    stub.add("stop_query_execution", {}, {"QueryExecutionId": "q"})
    table = table_of(stub.client, AthenaLimits(bytes_max=2 * GB))
    assert list(table.rows("SELECT 1")) == []
    with pytest.raises(TableUnanswered, match=r"scanned 2\.0 GB.*VMEXPORT_HUNT_ATHENA_BYTES_MAX.*--since"):
        list(table.rows("SELECT 2"))
    stub.all_asked()


def test_a_statement_that_was_too_quick_to_stop_ends_the_hunt() -> None:
    """Its answer is not used, and no other statement is started."""
    stub = Stub()
    stub.statement(execution("SUCCEEDED", 3 * GB))
    table = table_of(stub.client, AthenaLimits(bytes_max=2 * GB))
    for _ in range(2):
        with pytest.raises(TableUnanswered, match="VMEXPORT_HUNT_ATHENA_BYTES_MAX"):
            list(table.rows("SELECT 1"))
    stub.all_asked()


def test_one_that_cannot_be_stopped_is_named() -> None:
    """It goes on costing."""
    stub = Stub()
    stub.statement(execution("RUNNING", 3 * GB))
    stub.fail("stop_query_execution", "AccessDeniedException", "no")
    with pytest.raises(TableUnanswered, match=r"BYTES_MAX.*statement q goes on.*AccessDenied"):
        list(table_of(stub.client, AthenaLimits(bytes_max=2 * GB)).rows("SELECT 1"))


def test_what_is_not_waited_for_is_stopped() -> None:
    """Ctrl-C while a statement runs."""
    stub = Stub()
    stub.statement(execution("RUNNING", 1))
    stub.add("stop_query_execution", {}, {"QueryExecutionId": "q"})

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(AthenaTable(stub.client, settings(), AthenaLimits(), interrupted).rows("SELECT 1"))
    stub.all_asked()


@pytest.mark.parametrize(
    ("look", "told"),
    [
        (
            execution("FAILED", 0, "SYNTAX_ERROR: line 1:8\n of\x1b[31m it"),
            r"failed \(SYNTAX_ERROR: line 1:8 of.* it\)",
        ),
        (execution("FAILED", 0, "x", ErrorMessage="busy", Retryable=True), r"failed \(busy\)\. Ask again"),
        (execution("CANCELLED", GB, "Bytes scanned limit was exceeded"), r"cancelled \(Bytes scanned limit.*workgroup"),
        (execution("CANCELLED"), "gives no reason"),
        (execution("SUCCEEDED"), "did not say what a statement scanned"),
        (execution("FAILED", 0, "y" * 5000), r"failed \(y{300}\)"),
    ],
)
def test_what_did_not_succeed_is_a_sentence(look: dict[str, Any], told: str) -> None:
    """With Athena's reason, shortened, on one line."""
    stub = Stub()
    stub.statement(execution("RUNNING"), look)
    with pytest.raises(TableUnanswered, match=told) as error:
        list(table_of(stub.client).rows("SELECT 1"))
    assert str(error.value).isprintable()
    stub.all_asked()


def test_a_right_that_is_missing_is_told_with_where_it_stands() -> None:
    """And a statement that is too long is not sent."""
    stub = Stub()
    stub.fail("start_query_execution", "AccessDeniedException", "not authorized to perform athena:StartQueryExecution")
    with pytest.raises(TableUnanswered, match=r"docs/trino-and-athena\.md"):
        list(table_of(stub.client).rows("SELECT 1"))
    with pytest.raises(TableUnanswered, match="it takes 262,144"):
        list(table_of(stub.client).rows(f"SELECT '{'ä' * 131_072}'"))
    stub.all_asked()


def test_tokens_are_one_for_each_statement() -> None:
    """What is sent twice runs once, and the same SQL asked again is another statement."""
    stub = Stub()
    sent: list[str] = []
    stub.client.meta.events.register(
        "provide-client-params.athena.StartQueryExecution",
        lambda params, **_: sent.append(params["ClientRequestToken"]),
    )
    table = table_of(stub.client)
    for _ in range(2):
        stub.add("start_query_execution", {"QueryExecutionId": "q"}, {
            "QueryString": "SELECT 1", "ClientRequestToken": ANY, "QueryExecutionContext": ANY, "WorkGroup": "primary",
            "ResultConfiguration": {"OutputLocation": "s3://example-results/hunts/", "ExpectedBucketOwner": ACCOUNT},
        })  # fmt: skip
        stub.add("get_query_execution", execution("SUCCEEDED", 0))
        stub.add("get_query_results", results(TEXT))
        list(table.rows("SELECT 1"))
    assert len({*sent}) == 2
    assert all(32 <= len(token) <= 128 for token in sent)


@pytest.mark.parametrize(
    ("workgroup", "told"),
    [
        ({}, "itself has no limit for a statement (BytesScannedCutoffPerQuery)"),
        ({"BytesScannedCutoffPerQuery": 500 * GB}, "itself has a limit of 500 GB"),
        ({"BytesScannedCutoffPerQuery": GB}, None),
    ],
)
def test_the_answer_says_what_it_cost_and_what_else_limits_it(workgroup: dict[str, Any], told: str | None) -> None:
    """A workgroup that would let a statement scan more than the hunt may is named."""
    stub = Stub(workgroup)
    stub.statement(execution("SUCCEEDED", GB))
    stub.add("get_query_results", results(TEXT))
    table = table_of(stub.client, AthenaLimits(price_per_tb=6.0))
    list(table.rows("SELECT 1"))
    for _ in range(2):  # of the table without days, and of the access logs: neither is there
        stub.statement(execution("SUCCEEDED", 0))
        stub.add("get_query_results", results({"column_name": "varchar"}))
    known = [(name,) for name, _ in store_schema.COLUMNS] + [("dt",)]
    stub.statement(execution("SUCCEEDED", 0))
    stub.add("get_query_results", results({"column_name": "varchar"}, *known))
    notes = " ".join(table.notes("cloudtrail"))
    assert (
        "scanned 1.0 GB in 4 statements, of 100 GB that a hunt may scan: about 0.0060 US dollars at 6.00 a TB" in notes
    )
    assert (told in notes) if told else ("itself has" not in notes)


def test_a_workgroup_that_cannot_run_anything_is_found_before_the_first_statement() -> None:
    """Without a place for results, or disabled."""
    stub = Stub({})
    with pytest.raises(TableUnanswered, match="VMEXPORT_ATHENA_OUTPUT"):
        list(table_of(stub.client, output=None).rows("SELECT 1"))
    stub.all_asked()
