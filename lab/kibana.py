"""A pretended Kibana that rejects what Kibana rejects: headers, spaces, versions, unknown fields, limits.

    python -m lab.kibana --port 5601 [--elasticsearch http://127.0.0.1:9200] [--space production]

With an Elasticsearch, the alerts are those of its indices, and a poller sees their status change. Under /lab/ lie controls
that Kibana does not have.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from threading import Thread
from typing import Any

from flask import Flask, Response, g, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.serving import BaseWSGIServer, make_server

from lab import kibana_alerts, kibana_cases, kibana_rules
from lab.kibana_alerts import InElasticsearch, InMemory
from lab.kibana_state import Fault, Refused, State

PARTS = (kibana_alerts, kibana_cases, kibana_rules)
"""Each has `routes(state) -> flask.Blueprint`."""
VERSION = "2023-10-31"
SPACE = "lab.kibana.space"


def app(state: State) -> Flask:
    """The application, over this state."""
    kibana = Flask(__name__)
    kibana.wsgi_app = Spaces(kibana.wsgi_app)  # type: ignore[method-assign]  # flask's own way to wrap it
    for part in PARTS:
        kibana.register_blueprint(part.routes(state))
    kibana.register_error_handler(Refused, lambda why: _error(why.status, why.message))
    kibana.register_error_handler(404, lambda _: _error(404, "Not Found"))
    kibana.register_error_handler(405, lambda _: _error(404, "Not Found"))  # Kibana knows no route, not no method
    kibana.before_request(lambda: _let_in(state))
    kibana.after_request(_lose_answer)
    _controls(kibana, state)
    return kibana


class Spaces:
    """Takes `/s/<space>` off the path."""

    def __init__(self, inner: Callable[..., Iterable[bytes]]) -> None:
        self.inner = inner

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith("/s/"):
            space, _, rest = path[3:].partition("/")
            environ = environ | {"PATH_INFO": f"/{rest}", "SCRIPT_NAME": f"/s/{space}", SPACE: space}
        return self.inner(environ, start_response)


def _let_in(state: State) -> ResponseReturnValue | None:
    g.fault = None
    if request.path.startswith("/lab/"):
        return None
    for fault in state.faults:
        if fault.matches():
            fault.struck += 1
            if fault.after:
                g.fault = fault
            elif answer := fault.answer():
                return answer
            break
    g.space = request.environ.get(SPACE, "default")
    if request.headers.get("Authorization") not in state.credentials():
        return _error(401, "[security_exception]: unable to authenticate user for REST request")
    if request.method not in ("GET", "HEAD", "OPTIONS") and "kbn-xsrf" not in request.headers:
        return _error(400, "Request must contain a kbn-xsrf header.")
    if g.space not in state.spaces:
        return _error(404, f"Saved object [space/{g.space}] not found")
    asked = request.headers.get("elastic-api-version", VERSION)
    if asked != VERSION:
        return _error(400, f'No version "{asked}" available for [{request.method.lower()}] [{request.path}].')
    state.requests.append((request.method, request.path))
    return None


def _lose_answer(response: Response) -> Response:
    if fault := g.get("fault"):
        return fault.answer() or response
    return response


def _error(status: int, message: str) -> tuple[Response, int]:
    words = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 406: "Not Acceptable"}
    words |= {409: "Conflict"}
    return jsonify({"statusCode": status, "error": words.get(status, "Error"), "message": message}), status


def _controls(kibana: Flask, state: State) -> None:
    @kibana.post("/lab/faults")
    def add_fault() -> ResponseReturnValue:
        state.faults.append(Fault(**(request.get_json() or {})))
        return jsonify({"faults": [asdict(f) for f in state.faults]})

    @kibana.delete("/lab/faults")
    def clear_faults() -> ResponseReturnValue:
        state.faults.clear()
        return jsonify({"faults": []})

    @kibana.get("/lab/state")
    def show() -> ResponseReturnValue:
        cases = [{"space": space, **case} for (space, _), case in state.cases.items()]
        return jsonify({"cases": cases, "comments": state.comments, "requests": state.requests})


@dataclass(frozen=True)
class Running:
    """A pretended Kibana that serves, and what it holds."""

    url: str
    state: State

    @property
    def alerts(self) -> InMemory:
        """The alerts that it keeps in memory."""
        if not isinstance(self.state.alerts, InMemory):
            raise TypeError("its alerts lie in Elasticsearch")
        return self.state.alerts


@contextmanager
def serve(*spaces: str, elasticsearch: str | None = None, port: int = 0) -> Iterator[Running]:
    """A pretended Kibana on 127.0.0.1 for as long as the block lasts; `spaces` besides the default one."""
    state = State(alerts=InElasticsearch(elasticsearch) if elasticsearch else InMemory())
    state.spaces |= set(spaces)
    server = _server(state, "127.0.0.1", port)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True, name="kibana")
    thread.start()
    try:
        yield Running(f"http://127.0.0.1:{server.server_port}", state)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _server(state: State, host: str, port: int) -> BaseWSGIServer:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    return make_server(host, port, app(state), threaded=True)


def main(argv: list[str] | None = None) -> int:
    """Serve until the process is ended; prints one JSON line `{"ready": true, "url", "api_key", "pid"}` on stdout."""
    parser = argparse.ArgumentParser(prog="python -m lab.kibana", description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free port, named in the ready line")
    parser.add_argument("--elasticsearch", metavar="URL", help="where the alerts lie; without it, none are known")
    parser.add_argument("--space", action="append", default=[], help="a space besides the default one; repeatable")
    options = parser.parse_args(argv)
    state = State(alerts=InElasticsearch(options.elasticsearch) if options.elasticsearch else InMemory())
    state.spaces |= set(options.space)
    server = _server(state, options.host, options.port)
    ready = {"ready": True, "url": f"http://{options.host}:{server.server_port}"}
    print(json.dumps(ready | {"api_key": state.api_key, "pid": os.getpid()}), flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
