"""A real Trino on this machine, without Docker: for the tests of hunts and rules.

The distribution comes from Maven Central, once, into a cache outside the repository; of its plugins only two are kept. It runs
on 127.0.0.1 as whoever starts it, because it reads that person's files, and only those below one folder of its own
(notes/engines.md).

    python -m lab.trino          prints how the tests find it; Ctrl-C stops it
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from socket import socket

import httpx

from lab.java_server import NoServer, Server, cache, fetched, find_java, launched, run

VERSION = "476"
SHA256 = "cfd5accde17e8ebd251eeeb78aed1f490e77bb3a164d95a0f454bf8a7c1cbd3f"
ARTIFACT = f"io.trino:trino-server:{VERSION}:tar.gz"
JAVA = 24
PLUGINS = ("hive", "memory")
START_SECONDS = 180.0
MEMORY = "memory", "default"
"""Catalog and schema of tables in memory. The catalog `hive` is for tables over Parquet files."""
JVM = """-server
-Xmx1536M
-XX:+UseG1GC
-XX:+ExitOnOutOfMemoryError
-XX:TieredStopAtLevel=1
-Djdk.attach.allowAttachSelf=true
--add-modules=jdk.incubator.vector
--enable-native-access=ALL-UNNAMED
"""


@dataclass(frozen=True)
class Trino(Server):
    """A Trino that runs."""

    @property
    def files(self) -> Path:
        """What lies below this folder is `local:///…` in Trino."""
        return self.home / "files"


def start() -> Trino:
    """A new, empty server that answers queries. Raises NoServer."""
    java = find_java(JAVA)
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


def slim() -> Path:
    """What is needed of the distribution, unpacked: made once, beside the archive it was checked with. Raises NoServer."""
    kept = cache() / f"trino-{VERSION}-{SHA256[:12]}"
    if not kept.exists():
        archive = fetched(f"trino-server-{VERSION}.tar.gz", ARTIFACT, SHA256)
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
            "query.max-history": 10,  # what has ended is kept with its plan, which for a pack of rules is many megabytes
            "query.min-expire-age": "10s",
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


def _launch(root: Path, home: Path, java: Path, url: str) -> Trino:
    command = [str(root / "bin" / "launcher"), "run", "--etc-dir", str(home / "etc"), "--data-dir", str(home / "data")]
    env = {"PATH": f"{java / 'bin'}:{os.environ['PATH']}", "HOME": str(home), "JAVA_HOME": str(java)}
    server = launched(command, env, home, START_SECONDS, lambda _: url if _answers(url) else None)
    return Trino(server.url, server.home, server.process)


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


def _told(server: Trino) -> str:
    return f"VMEXPORT_TEST_TRINO_URL={server.url} VMEXPORT_TEST_TRINO_FILES={server.files}"


if __name__ == "__main__":
    try:
        run(start, _told)
    except NoServer as error:
        sys.exit(str(error))
