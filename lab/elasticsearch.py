"""A real Elasticsearch on this machine, without Docker: for tests, and for `vmexport demo --elasticsearch URL`.

The distribution comes from Maven Central, once, into a cache outside the repository; it runs on 127.0.0.1 under an account
that is not root, with its data in a folder of its own that is deleted at the end (notes/engines.md).

    python -m lab.elasticsearch          prints its address; Ctrl-C stops it
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import httpx

from records.cluster_place import server_account
from records.postgres_binaries import Account

VERSION = "9.2.0"
SHA256 = "bf44938a0490ba2a303d39c9cb64b38963dd08c812ce93e10816e878585bcb6b"
ARTIFACT = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{VERSION}:zip"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
JAVA = 21
"""The oldest Java that Elasticsearch 9 runs on."""
START_SECONDS = 120.0


class NoElasticsearch(RuntimeError):
    """It cannot be had or started here; the message says what is missing."""


@dataclass(frozen=True)
class Server:
    """A server that runs, and belongs to whoever started it."""

    url: str
    home: Path
    process: subprocess.Popen[bytes]

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


def start(port: int = 0) -> Server:
    """A new, empty server that answers. `port`: 0 for any free one. Raises NoElasticsearch."""
    java = find_java()
    archive = fetch()
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


def cache() -> Path:
    """Where downloads are kept: VMEXPORT_CACHE, else ~/.cache/vmexport."""
    return Path(os.environ.get("VMEXPORT_CACHE") or Path.home() / ".cache" / "vmexport")


def fetch() -> Path:
    """The distribution, downloaded at first use and checked each time. Raises NoElasticsearch."""
    archive = cache() / f"elasticsearch-{VERSION}.zip"
    if not archive.exists():
        if shutil.which("mvn") is None:
            raise NoElasticsearch("Maven (mvn) is not installed: it fetches Elasticsearch from Maven Central")
        cache().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache()) as part:
            got = subprocess.run(
                ["mvn", "-B", "-ntp", "-q", COPY, f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={part}"],
                capture_output=True,
                text=True,
                check=False,
            )
            if got.returncode:
                raise NoElasticsearch(f"Maven could not fetch {ARTIFACT}:\n{got.stdout[-2000:]}")
            (Path(part) / archive.name).rename(archive)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != SHA256:
        raise NoElasticsearch(f"{archive} is not the archive that it should be (SHA-256 {digest}): delete it")
    return archive


def find_java(version: int = JAVA) -> Path:
    """The home of a Java that is new enough: JAVA_HOME, that on the PATH, or one in /usr/lib/jvm. Raises NoElasticsearch."""
    on_path = shutil.which("java")
    homes = [Path(h) for h in (os.environ.get("ES_JAVA_HOME"), os.environ.get("JAVA_HOME")) if h]
    homes += [Path(on_path).resolve().parents[1]] if on_path else []
    homes += sorted(Path("/usr/lib/jvm").glob("*")) if Path("/usr/lib/jvm").is_dir() else []
    for home in homes:
        release = home / "release"
        told = re.search(r'JAVA_VERSION="(\d+)', release.read_text()) if release.is_file() else None
        if told and int(told[1]) >= version and (home / "bin" / "java").exists():
            return home
    raise NoElasticsearch(f"no Java >= {version} was found (JAVA_HOME, PATH, /usr/lib/jvm)")


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
    with (home / "out.log").open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=home,
            env=env,
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            **account.subprocess_options,
        )
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        log = (home / "out.log").read_text(errors="replace")
        # The address that it bound, out of its own mouth: a range of ports leaves no race for a free one.
        bound = re.search(r"AbstractHttpServerTransport.*publish_address \{(127\.0\.0\.1:\d+)\}", log)
        if bound and _healthy(f"http://{bound[1]}"):
            return Server(f"http://{bound[1]}", home, process)
        time.sleep(0.2)
    tail = (home / "out.log").read_text(errors="replace")[-3000:]
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    raise NoElasticsearch(f"Elasticsearch did not start within {START_SECONDS:.0f} s:\n{tail}")


def _healthy(url: str) -> bool:
    try:
        answer = httpx.get(f"{url}/_cluster/health?wait_for_status=yellow&timeout=1s", timeout=5)
    except httpx.HTTPError:
        return False
    return answer.is_success and not answer.json()["timed_out"]


def main() -> None:
    """Run one until Ctrl-C."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    server = start()
    try:
        print(server.url, flush=True)
        while not stop.wait(1) and server.process.poll() is None:
            pass
    finally:
        server.stop()


if __name__ == "__main__":
    try:
        main()
    except NoElasticsearch as error:
        sys.exit(str(error))
