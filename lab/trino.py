"""A real Trino on this machine, without Docker: for the tests of hunts and rules.

The distribution comes from Maven Central, once, into a cache outside the repository; of its plugins only two are kept. It runs
on 127.0.0.1 as whoever starts it, because it reads that person's files, and only those below one folder of its own
(notes/engines.md).

    python -m lab.trino          prints how the tests find it; Ctrl-C stops it
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from socket import socket

import httpx

from lab.elasticsearch import COPY, NoElasticsearch, cache, find_java

VERSION = "476"
SHA256 = "cfd5accde17e8ebd251eeeb78aed1f490e77bb3a164d95a0f454bf8a7c1cbd3f"
ARTIFACT = f"io.trino:trino-server:{VERSION}:tar.gz"
JAVA = 24
PLUGINS = ("hive", "memory")
START_SECONDS = 180.0
MEMORY = "memory", "default"
"""Catalog and schema of tables in memory. The catalog `hive` is for tables over Parquet files."""
JVM = """-server
-Xmx1G
-XX:+UseG1GC
-XX:+ExitOnOutOfMemoryError
-XX:TieredStopAtLevel=1
-Djdk.attach.allowAttachSelf=true
--add-modules=jdk.incubator.vector
--enable-native-access=ALL-UNNAMED
"""


class NoTrino(RuntimeError):
    """It cannot be had or started here; the message says what is missing."""


@dataclass(frozen=True)
class Server:
    """A server that runs, and belongs to whoever started it."""

    url: str
    home: Path
    process: subprocess.Popen[bytes]

    @property
    def files(self) -> Path:
        """What lies below this folder is `local:///…` in Trino."""
        return self.home / "files"

    def stop(self) -> None:
        """Stop it and delete its data; a second call does nothing."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)


def start() -> Server:
    """A new, empty server that answers queries. Raises NoTrino."""
    try:
        java = find_java(JAVA)
    except NoElasticsearch as error:
        raise NoTrino(str(error)) from error
    root = slim()
    home = Path(tempfile.mkdtemp(prefix="vmexport-trino-", dir="/var/tmp"))
    try:
        with socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        _configure(home, port)
        return _launch(root, home, java, f"http://127.0.0.1:{port}")
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise


def fetch() -> Path:
    """The distribution, downloaded at first use and checked. Raises NoTrino."""
    archive = cache() / f"trino-server-{VERSION}.tar.gz"
    if not archive.exists():
        if shutil.which("mvn") is None:
            raise NoTrino("Maven (mvn) is not installed: it fetches Trino (820 MB) from Maven Central")
        cache().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache()) as part:
            got = subprocess.run(
                ["mvn", "-B", "-ntp", "-q", COPY, f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={part}"],
                capture_output=True,
                text=True,
                check=False,
            )
            if got.returncode:
                raise NoTrino(f"Maven could not fetch {ARTIFACT}:\n{got.stdout[-2000:]}")
            (Path(part) / archive.name).rename(archive)
    with archive.open("rb") as packed:
        digest = hashlib.file_digest(packed, "sha256").hexdigest()
    if digest != SHA256:
        raise NoTrino(f"{archive} is not the archive that it should be (SHA-256 {digest}): delete it")
    return archive


def slim() -> Path:
    """What is needed of the distribution, unpacked: made once, beside the archive it was checked with. Raises NoTrino."""
    kept = cache() / f"trino-{VERSION}-{SHA256[:12]}"
    if not kept.exists():
        archive = fetch()
        with tempfile.TemporaryDirectory(dir=cache()) as part:
            with tarfile.open(archive) as packed:
                packed.extractall(part, filter="data")
            root = Path(part) / f"trino-server-{VERSION}"
            for plugin in (root / "plugin").iterdir():
                if plugin.name not in PLUGINS:
                    shutil.rmtree(plugin)  # files that another plugin shares are hard links, and stay there
            if not kept.exists():  # two that begin at once: the first one's copy is as good
                root.rename(kept)
    return kept


def _configure(home: Path, port: int) -> None:
    for name in ("etc/catalog", "data", "files"):
        (home / name).mkdir(parents=True)
    written = {
        "node.properties": {
            "node.environment": "test",
            "node.id": "one",
            "node.data-dir": home / "data",
            "node.bind-ip": "127.0.0.1",
            "node.internal-address": "127.0.0.1",
        },
        "config.properties": {
            "coordinator": "true",
            "node-scheduler.include-coordinator": "true",
            "http-server.http.port": port,
            "discovery.uri": f"http://127.0.0.1:{port}",
            "query.max-memory": "400MB",
            "query.max-memory-per-node": "400MB",
            "memory.heap-headroom-per-node": "300MB",
        },
        "log.properties": {"io.trino": "WARN", "io.airlift": "WARN", "Bootstrap": "WARN"},
        "catalog/memory.properties": {"connector.name": "memory"},
        "catalog/hive.properties": {
            "connector.name": "hive",
            "hive.metastore": "file",
            "hive.metastore.catalog.dir": "local:///metastore",
            "hive.recursive-directories": "true",
            "hive.partition-projection-enabled": "true",
            "hive.ignore-absent-partitions": "true",  # as in S3, where a folder without files is none
            "fs.native-local.enabled": "true",
            "local.location": home / "files",
        },
    }
    for name, settings in written.items():
        lines = "".join(f"{key}={value}\n" for key, value in settings.items())
        (home / "etc" / name).write_text(lines)
    (home / "etc" / "jvm.config").write_text(JVM)


def _launch(root: Path, home: Path, java: Path, url: str) -> Server:
    command = [str(root / "bin" / "launcher"), "run", "--etc-dir", str(home / "etc"), "--data-dir", str(home / "data")]
    env = {"PATH": f"{java / 'bin'}:{os.environ['PATH']}", "HOME": str(home), "JAVA_HOME": str(java)}
    with (home / "out.log").open("wb") as out:
        process = subprocess.Popen(
            command, cwd=home, env=env, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True
        )
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        if _answers(url):
            return Server(url, home, process)
        time.sleep(0.3)
    tail = (home / "out.log").read_text(errors="replace")[-3000:]
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    raise NoTrino(f"Trino did not start within {START_SECONDS:.0f} s:\n{tail}")


def _answers(url: str) -> bool:
    """Whether tables can be written and read: /v1/info, and queries without a table, succeed before a node takes work."""
    try:
        return all(_done(url, sql) for sql in ("CREATE TABLE IF NOT EXISTS ready AS SELECT 1 AS n", "TABLE ready"))
    except (httpx.HTTPError, ValueError):
        return False


def _done(url: str, sql: str) -> bool:
    headers = {"X-Trino-User": "test", "X-Trino-Catalog": MEMORY[0], "X-Trino-Schema": MEMORY[1]}
    told = httpx.post(f"{url}/v1/statement", content=sql, headers=headers).json()
    while "nextUri" in told:
        told = httpx.get(told["nextUri"], timeout=10).json()
    return told["stats"]["state"] == "FINISHED"


def main() -> None:
    """Run one until Ctrl-C."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    server = start()
    try:
        print(f"VMEXPORT_TEST_TRINO_URL={server.url} VMEXPORT_TEST_TRINO_FILES={server.files}", flush=True)
        while not stop.wait(1) and server.process.poll() is None:
            pass
    finally:
        server.stop()


if __name__ == "__main__":
    try:
        main()
    except NoTrino as error:
        sys.exit(str(error))
