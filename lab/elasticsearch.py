"""A real Elasticsearch on this machine, without Docker: for tests, and for `vmexport demo --elasticsearch URL`.

The distribution comes from Maven Central, once, into a cache outside the repository; it runs on 127.0.0.1 under an account
that is not root, with its data in a folder of its own that is deleted at the end (notes/engines.md).

    python -m lab.elasticsearch          prints its address; Ctrl-C stops it
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

import httpx

from lab.java_server import NoServer, Server, fetched, find_java, launched, run
from records.cluster_place import server_account
from records.postgres_binaries import Account

VERSION = "9.2.0"
SHA256 = "bf44938a0490ba2a303d39c9cb64b38963dd08c812ce93e10816e878585bcb6b"
ARTIFACT = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{VERSION}:zip"
JAVA = 21
"""The oldest Java that Elasticsearch 9 runs on."""
START_SECONDS = 120.0


def start(port: int = 0) -> Server:
    """A new, empty server that answers. `port`: 0 for any free one. Raises NoServer."""
    java = find_java(JAVA)
    archive = fetched(f"elasticsearch-{VERSION}.zip", ARTIFACT, SHA256)
    account = server_account()  # as root: an account without rights, because Elasticsearch refuses root
    home = Path(tempfile.mkdtemp(prefix="vmexport-elasticsearch-", dir="/var/tmp"))
    try:
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(home)
        root = home / f"elasticsearch-{VERSION}"
        _configure(root, home)
        _hand_over(home, account)
        return _launch(root, home, java, port, account)
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise


def _configure(root: Path, home: Path) -> None:
    settings = {
        "discovery.type": "single-node",
        "network.host": "127.0.0.1",
        "path.data": home / "data",
        "path.logs": home / "logs",
        "xpack.security.enabled": "false",
        "cluster.routing.allocation.disk.threshold_enabled": "false",
    }
    lines = [f"{name}: {value}" for name, value in settings.items()]
    (root / "config" / "elasticsearch.yml").write_text("\n".join(lines) + "\n")
    options = root / "config" / "jvm.options"
    heap_dumps = ("-XX:+HeapDumpOnOutOfMemoryError", "-XX:HeapDumpPath", "-XX:ErrorFile", "-Xlog:gc")
    kept = [line for line in options.read_text().splitlines() if not any(text in line for text in heap_dumps)]
    options.write_text("\n".join(kept) + "\n-Xms512m\n-Xmx512m\n-XX:TieredStopAtLevel=1\n")
    for name in ("data", "logs", "tmp"):
        (home / name).mkdir()
    for program in (root / "bin").iterdir():
        program.chmod(0o755)


def _hand_over(home: Path, account: Account) -> None:
    if options := account.subprocess_options:
        home.chmod(0o755)
        for path in (home, *home.rglob("*")):
            os.chown(path, options["user"], options["group"])


def _launch(root: Path, home: Path, java: Path, port: int, account: Account) -> Server:
    command = [str(root / "bin" / "elasticsearch"), f"-Ehttp.port={port or '9200-9400'}", "-Etransport.port=9401-9600"]
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "ES_JAVA_HOME": str(java),
        "ES_TMPDIR": str(home / "tmp"),
    }

    def answering(log: str) -> str | None:
        # The address that it bound, out of its own mouth: a range of ports leaves no race for a free one.
        bound = re.search(r"AbstractHttpServerTransport.*publish_address \{(127\.0\.0\.1:\d+)\}", log)
        return f"http://{bound[1]}" if bound and _healthy(f"http://{bound[1]}") else None

    return launched(command, env, home, START_SECONDS, answering, **account.subprocess_options)


def _healthy(url: str) -> bool:
    try:
        answer = httpx.get(f"{url}/_cluster/health?wait_for_status=yellow&timeout=1s", timeout=5)
    except httpx.HTTPError:
        return False
    return answer.is_success and not answer.json()["timed_out"]


if __name__ == "__main__":
    try:
        run(start, lambda server: server.url)
    except NoServer as error:
        sys.exit(str(error))
