"""What servers of tests that run on Java share: fetched from Maven Central once, started on this machine, stopped by their pid."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"


class NoServer(RuntimeError):
    """A server cannot be had or started here; the message says what is missing."""


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


def cache() -> Path:
    """Where downloads are kept: VMEXPORT_CACHE, else ~/.cache/vmexport."""
    return Path(os.environ.get("VMEXPORT_CACHE") or Path.home() / ".cache" / "vmexport")


def fetched(name: str, artifact: str, sha256: str) -> Path:
    """An artifact of Maven Central in a file of this name, downloaded at first use and checked each time. Raises NoServer."""
    archive = cache() / name
    if not archive.exists():
        if shutil.which("mvn") is None:
            raise NoServer(f"Maven (mvn) is not installed: it fetches {artifact} from Maven Central")
        cache().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache()) as part:
            command = ["mvn", "-B", "-ntp", "-q", COPY, f"-Dartifact={artifact}", f"-DoutputDirectory={part}"]
            got = subprocess.run(command, capture_output=True, text=True, check=False)
            if got.returncode:
                raise NoServer(f"Maven could not fetch {artifact}:\n{got.stdout[-2000:]}")
            (Path(part) / name).rename(archive)
    with archive.open("rb") as packed:
        digest = hashlib.file_digest(packed, "sha256").hexdigest()
    if digest != sha256:
        raise NoServer(f"{archive} is not the archive that it should be (SHA-256 {digest}): delete it")
    return archive


def find_java(version: int) -> Path:
    """The home of a Java that is new enough: JAVA_HOME, that on the PATH, or one in /usr/lib/jvm. Raises NoServer."""
    on_path = shutil.which("java")
    homes = [Path(h) for h in (os.environ.get("ES_JAVA_HOME"), os.environ.get("JAVA_HOME")) if h]
    homes += [Path(on_path).resolve().parents[1]] if on_path else []
    homes += sorted(Path("/usr/lib/jvm").glob("*")) if Path("/usr/lib/jvm").is_dir() else []
    for home in homes:
        release = home / "release"
        told = re.search(r'JAVA_VERSION="(\d+)', release.read_text()) if release.is_file() else None
        if told and int(told[1]) >= version and (home / "bin" / "java").exists():
            return home
    raise NoServer(f"no Java >= {version} was found (JAVA_HOME, PATH, /usr/lib/jvm)")


def launched(
    command: Sequence[str],
    env: Mapping[str, str],
    home: Path,
    seconds: float,
    answering: Callable[[str], str | None],
    **options: Any,
) -> Server:
    """A server in a session of its own, once `answering`, which is told its log, gives an address. Raises NoServer."""
    with (home / "out.log").open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=home,
            env=env,
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            **options,
        )
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        if url := answering((home / "out.log").read_text(errors="replace")):
            return Server(url, home, process)
        time.sleep(0.2)
    tail = (home / "out.log").read_text(errors="replace")[-3000:]
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    raise NoServer(f"{Path(command[0]).name} did not start within {seconds:.0f} s:\n{tail}")


def run(start: Callable[[], Server], told: Callable[[Server], str]) -> None:
    """Run one until Ctrl-C, and print what is `told` of it."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    server = start()
    try:
        print(told(server), flush=True)
        while not stop.wait(1) and server.process.poll() is None:
            pass
    finally:
        server.stop()
