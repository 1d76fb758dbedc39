"""A proxy in front of a real Elasticsearch that breaks answers in the ways in which they break in practice."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

ES_JSON = "application/vnd.elasticsearch+json;compatible-with=9"
SLOW_S = 2.5
"""Longer than the tests let one request take."""


@dataclass
class Answer:
    """What goes back to the client."""

    status: int
    body: bytes
    headers: dict[str, str] = field(
        default_factory=lambda: {"content-type": ES_JSON, "x-elastic-product": "Elasticsearch"}
    )
    cut: bool = False
    """Say the whole length, send half, and reset the connection."""
    wait_s: float = 0.0


Fault = Callable[[Answer], Answer]


def _error(status: int, kind: str, **headers: str) -> Fault:
    body = json.dumps({"error": {"type": kind, "reason": "injected", "root_cause": [{"type": kind}]}, "status": status})
    return lambda given: Answer(status, body.encode(), given.headers | headers)


def _changed(**change: Any) -> Fault:
    """The answer with some of its fields replaced."""

    def fault(given: Answer) -> Answer:
        return Answer(given.status, json.dumps(json.loads(given.body) | change).encode(), given.headers)

    return fault


FAULTS: dict[str, Fault] = {
    "429 with Retry-After": _error(429, "es_rejected_execution_exception", **{"Retry-After": "1"}),
    "503": _error(503, "unavailable_shards_exception"),
    "reset in mid-body": lambda given: Answer(given.status, given.body, given.headers, cut=True),
    "HTML with 200": lambda given: Answer(200, b"<html>Sign in</html>", given.headers | {"content-type": "text/html"}),
    "truncated JSON": lambda given: Answer(200, given.body[: len(given.body) // 2], given.headers),
    "slow": lambda given: Answer(given.status, given.body, given.headers, wait_s=SLOW_S),
    "401": _error(401, "security_exception"),
    "403": _error(403, "security_exception"),
    "partial shards": _changed(_shards={"total": 2, "successful": 1, "skipped": 0, "failed": 1}),
    "timed out": _changed(timed_out=True),
    "missing product header": lambda given: Answer(given.status, given.body, {"content-type": "application/json"}),
    "point in time gone": _error(404, "search_context_missing_exception"),
    "8.x server": _error(400, "media_type_header_exception"),
}
PASSING = ("429 with Retry-After", "503", "reset in mid-body", "truncated JSON", "slow", "point in time gone")
"""What is asked again; the others do not get better by asking."""


AT_FIRST = ("missing product header",)
"""What the client looks at in its first answer only."""


class Proxy:
    """Hands requests on to `target`; a fault that is set breaks the next `times` answers to searches."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.url = ""
        self.client = httpx.Client(base_url=target, timeout=30)
        self.lock = threading.Lock()
        self.fault: Fault | None = None
        self.left = 0
        self.after = 0
        self.everywhere = False
        self.broken = 0
        """Answers that were broken so far."""

    def inject(self, name: str, times: int = 1_000_000, after: int = 0) -> None:
        """Break `times` answers, once `after` searches were answered whole."""
        self.fault, self.left, self.after, self.broken = FAULTS[name], times, after, 0
        self.everywhere = name in AT_FIRST

    def spoil(self, path: str, given: Answer) -> Answer:
        """The answer, broken if it is its turn."""
        with self.lock:
            searched = path.split("?")[0].endswith("/_search")
            if self.fault is None or self.left == 0 or not (searched or self.everywhere):
                return given
            if self.after:
                self.after -= 1
                return given
            self.left -= 1
            self.broken += 1
            return self.fault(given)


@contextmanager
def proxy(target: str) -> Iterator[Proxy]:
    """A proxy that listens while the block runs."""
    made = Proxy(target)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            sent = {
                n: v
                for n, v in self.headers.items()
                if n.lower() not in {"host", "connection", "content-length", "accept-encoding"}
            }
            got = made.client.request(self.command, self.path, content=body, headers=sent)
            kept = {n: got.headers[n] for n in ("content-type", "x-elastic-product") if n in got.headers}
            self.give(made.spoil(self.path, Answer(got.status_code, got.content, kept)))

        def give(self, answer: Answer) -> None:
            time.sleep(answer.wait_s)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if not answer.cut:
                self.wfile.write(answer.body)
                return
            self.wfile.write(answer.body[: len(answer.body) // 2])
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True

        do_GET = do_POST = do_DELETE = do_PUT = do_HEAD = answer

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the tests say what happened."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that gave up on a slow answer is what the test wants."""

    server = Server(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        made.client.close()
