"""`python -m lab.server`: the simulated AWS as a process of its own, with the lab's controls under /lab/."""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path
from threading import Thread
from typing import Any

from lab import install


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; prints one JSON line `{"ready": true, "endpoint", "directory", "pid"}` on stdout."""
    parser = argparse.ArgumentParser(prog="python -m lab.server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free port, named in the ready line")
    parser.add_argument(
        "--directory", type=Path, required=True, help="where CloudTrail and S3 access log files are written"
    )
    parser.add_argument("--seed", action="store_true", help="make the organisation of lab/organization.py")
    parser.add_argument("--with-parent", action="store_true", help="end when the process that started it is gone")
    parser.add_argument("--verbose", action="store_true", help="log every request on stderr")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING, stream=sys.stderr)
    install.install()
    return _serve(options)


def _serve(options: argparse.Namespace) -> int:
    from lab import control, delivery
    from lab.gate import Gate

    options.directory.mkdir(parents=True, exist_ok=True)
    delivery.start(options.directory.resolve())
    if options.seed:
        control.seed()
    server = listen(options.host, options.port, control.Front(Gate()), verbose=options.verbose)
    signal.signal(signal.SIGTERM, lambda *_: _leave())
    if options.with_parent:
        Thread(target=_follow, args=(os.getppid(),), name="parent", daemon=True).start()
    host, port = server.server_address[:2]
    ready = {
        "ready": True,
        "endpoint": f"http://{host}:{port}",
        "directory": str(options.directory.resolve()),
        "pid": os.getpid(),
    }
    print(json.dumps(ready), flush=True)
    try:
        server.serve_forever()
    except (KeyboardInterrupt, SystemExit):
        pass
    finally:
        delivery.stop()
        server.server_close()
    return 0


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def _leave() -> None:
    raise SystemExit(0)


def listen(host: str, port: int, app: Any, verbose: bool = False) -> Any:
    """A threaded HTTP/1.1 server that keeps connections open, bound and not yet serving."""
    from moto.moto_server.werkzeug_app import MotoRequestHandler
    from werkzeug.serving import DechunkedInput, make_server

    class KeepAlive(MotoRequestHandler):
        """Werkzeug's handler closes every connection; this one reads each request and writes each answer completely."""

        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def run_wsgi(self) -> None:
            if self.headers.get("Expect", "").lower().strip() == "100-continue":
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                self.wfile.flush()
            self.environ = environ = self.make_environ()
            try:
                environ["wsgi.input"] = io.BytesIO(self._whole_body(environ["wsgi.input"]))
            except (ValueError, OSError):
                self.close_connection = True
                return self.send_error(400, "a body that ends where it should not")
            self.wfile.write(b"".join(app(environ, self._start)))
            self.wfile.flush()
            return None

        def _whole_body(self, stream: Any) -> bytes:
            if isinstance(stream, DechunkedInput):
                return stream.read()
            length = int(self.environ.get("CONTENT_LENGTH") or 0)
            body = self.rfile.read(length)
            if length < 0 or len(body) < length:
                raise ValueError(f"{len(body)} bytes of {length}")
            return body

        def _start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            code, _, reason = status.partition(" ")
            self.send_response(int(code), reason or None)
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()

        def send_response(self, code: int, message: str | None = None) -> None:
            if verbose:
                self.log_request(code)
            self.send_response_only(code, message)
            self.send_header("Date", self.date_time_string())

    return make_server(host, port, app, threaded=True, request_handler=KeepAlive)


if __name__ == "__main__":
    sys.exit(main())
