"""What stands between us and a Trino: busy coordinators, proxies that answer for it, answers that break off, who signs in."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import ValidationError

from settings.trino import AthenaSettings, TrinoSettings
from tasks.hunting.table import TableUnanswered
from tasks.hunting.trino_table import TrinoTable

Answer = tuple[int, bytes]


@dataclass
class Wire:
    """A server that gives these answers in turn, and keeps what it was asked; `HERE` in an answer is its address."""

    answers: list[Answer] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    def table(self, **more: Any) -> TrinoTable:
        """A table that asks it."""
        return TrinoTable(TrinoSettings(url=self.url, **more))


@pytest.fixture
def wire() -> Iterator[Wire]:
    """The server, on a port of its own."""
    made = Wire()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            made.asked.append((self.command, self.path, dict(self.headers)))
            code, body = made.answers.pop(0) if made.answers else (500, b"nothing is left to say")
            told = body.replace(b"HERE", made.url.encode())
            self.send_response(code)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        do_GET: Callable[..., None] = answer
        do_POST: Callable[..., None] = answer
        do_DELETE: Callable[..., None] = answer

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def page(number: int | None, *values: str) -> Answer:
    """One page of an answer, with the next one's number."""
    told = {"id": "q1", "infoUri": "HERE/ui", "stats": {"state": "RUNNING"}}
    told |= {"columns": [{"name": "a", "type": "varchar", "typeSignature": {"rawType": "varchar", "arguments": []}}]}
    told |= {"data": [[value] for value in values]} if values else {}
    told |= {"nextUri": f"HERE/v1/statement/executing/q1/{number}"} if number is not None else {}
    return 200, json.dumps(told).encode()


def test_a_busy_coordinator_is_asked_again(wire: Wire) -> None:
    """At the start and in the middle of an answer; no row is lost or doubled."""
    busy = (503, b"busy")
    wire.answers = [busy, busy, page(1), busy, page(2, "a", "b"), (429, b""), (502, b""), page(None, "c")]
    with wire.table() as table:
        assert list(table.rows("SELECT 1")) == [("a",), ("b",), ("c",)]


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([(503, b"busy")] * 2, "503"),
        ([page(1, "a"), (503, b"")], "503"),
        ([page(1, "a"), (410, b"gone")], "410"),
        ([page(1, "a"), (200, b'{"id": "q1", "data": [["b"')], "no answer of Trino's"),
        ([(200, b"<html>Sign in</html>")], "no answer of Trino's"),
        ([(200, b'{"hello": "world"}')], "no answer of Trino's"),
        ([page(1, "a"), (200, b"")], "empty"),
        ([(401, b"who are you")], "may not sign in"),
        ([(403, b"not you")], "may not sign in"),
    ],
)
def test_what_is_no_whole_answer_is_none(wire: Wire, answers: list[Answer], told: str) -> None:
    """One sentence, whatever came before it."""
    wire.answers = [*answers, *([answers[-1]] if answers[-1][0] in {200, 503} else [])]
    with wire.table(attempts=2) as table, pytest.raises(TableUnanswered, match=told) as error:
        list(table.rows("SELECT 1"))
    assert "\n" not in str(error.value)


def test_who_asks_is_told_and_a_query_is_ended_where_it_was(wire: Wire) -> None:
    """User, source, catalog and schema in each request; DELETE of the page that would come next."""
    wire.answers = [page(1), page(2, "a"), page(3, "b"), (204, b"")]
    with wire.table(user="hunter", table="lake.hunting.cloudtrail") as table:
        rows = table.rows("SELECT 1")
        assert next(rows) == ("a",)
        rows.close()
    command, path, headers = wire.asked[-1]
    assert (command, path) == ("DELETE", "/v1/statement/executing/q1/3")
    assert headers["X-Trino-User"] == "hunter"
    assert headers["X-Trino-Source"] == "vmexport"
    assert (headers["X-Trino-Catalog"], headers["X-Trino-Schema"]) == ("lake", "hunting")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"url": "http://trino.example.com", "password": "hunter2"}, "https"),
        ({"url": "https://trino.example.com", "password": "hunter2", "jwt": "hunter2"}, "not both"),
        ({"url": "https://u:hunter2@trino.example.com"}, "without user"),
        ({"url": "trino.example.com:8080"}, "https://host:port"),
        ({"url": "https://trino.example.com", "table": "cloudtrail"}, "catalog.schema.table"),
        ({"url": "https://trino.example.com", "table": 'a.b."; DROP'}, "no name of a table"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_and_tell_no_secret(wrong: dict[str, str], told: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ValidationError) as error:
        TrinoSettings(**wrong)  # type: ignore[arg-type]  # the texts of an environment
    assert told in str(error.value)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"account": "111122223333"}, "go together"),
        ({"account": "1111", "database": "x"}, "pattern"),
        ({"account": "111122223333", "database": "a.b"}, "name alone"),
        ({"account": "111122223333", "database": "a", "output": "s3://b/'x"}, "no place"),
        ({"account": "111122223333", "database": "a", "workgroup": "a b"}, "pattern"),
    ],
)
def test_settings_of_athena_likewise(wrong: dict[str, str], told: str) -> None:
    """Names go into SQL and ARNs."""
    with pytest.raises(ValidationError, match=told):
        AthenaSettings(**wrong)  # type: ignore[arg-type]  # the texts of an environment


def test_a_secret_is_in_no_repr() -> None:
    """Of settings and of the table."""
    own = TrinoSettings(url="https://trino.example.com", password="hunter2")  # type: ignore[arg-type]  # as above
    with TrinoTable(own) as table:
        assert "hunter2" not in repr(own) + repr(table) + table.name
