"""Bench of the Parquet store, each figure as a ratio to something bare in the same run: `python -m tests.bench_store [--events N]`.

Times are CPU seconds of one core, workers included and the database's server left out, medians of interleaved rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import deflate

from decisions.sigma_sql import quoted
from lab.cloudtrail_generator import generate
from records import database, embedded
from tasks.hunting.ingest import BATCH_BYTES, BATCH_FILES, IngestResult, LogSource, folder_source, ingest
from tasks.hunting.layout import in_batches
from tasks.hunting.parquet_parts import COLUMNS, FORMAT, connected
from tasks.hunting.store import CLOUDTRAIL, Store

ROUNDS = 5
LIMIT = 256 * 1024 * 1024
INFLATION, SIZE, NOTHING_NEW = 0.12, 11, 0.050
"""What the issue aims at: share of bare inflation's speed, raw bytes for each byte stored, seconds beside the listing."""


@dataclass(frozen=True)
class Figures:
    """What was measured."""

    share: float
    """Speed of the whole ingest, compared with bare inflation of the same files."""
    floor: float
    """Likewise of inflation, DuckDB's reading and its writing alone: what an ingest of JSON by DuckDB cannot pass."""
    smaller: float
    nothing_new: float
    """Seconds that a run takes which finds nothing new, without the listing."""
    megabytes: float
    """A second and core."""


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of this process and its workers."""
    before = _spent()
    work()
    return _spent() - before


def inflation(source: LogSource) -> None:
    """Read and unpack, and nothing else."""
    for file in source.found.files:
        packed = Path(file.path).read_bytes()
        if packed.startswith(b"\x1f\x8b"):
            deflate.gzip_decompress(packed)


def floor(source: LogSource, folder: Path) -> None:
    """Unpack; DuckDB reads the same JSON into as many text columns and copies them to Parquet: nothing of ours, in file order.

    The records are cut out beforehand (`cut`), which costs nothing here.
    """
    inflation(source)
    columns = ", ".join(f"{quoted(name)}: 'varchar'" for name, _ in COLUMNS[CLOUDTRAIL])
    with connected() as connection:
        for number, lines in enumerate(sorted(folder.glob("*.ndjson"))):
            read = f"read_json({quoted(str(lines))}, format = 'newline_delimited', columns = {{{columns}}})"
            connection.execute(f"copy (select * from {read}) to {quoted(str(folder / f'{number}.parquet'))} ({FORMAT})")


def cut(source: LogSource, folder: Path) -> None:
    """The records of CloudTrail's files as lines of JSON, a file for each batch of an ingest."""
    folder.mkdir()
    files = (file for file in source.found.files if file.kind == CLOUDTRAIL)
    for number, batch in enumerate(in_batches(files, BATCH_FILES, BATCH_BYTES)):
        with (folder / f"{number:04}.ndjson").open("wb") as lines:
            for file in batch:
                for record in json.loads(deflate.gzip_decompress(Path(file.path).read_bytes()))["Records"]:
                    lines.write(json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")


def measured(logs: Path, folder: Path, rounds: int = ROUNDS) -> Figures:
    """All of them, in one run."""
    folder.mkdir()
    source = folder_source(logs)
    bare: list[float] = []
    least: list[float] = []
    whole: list[float] = []
    cut(source, folder / "lines")
    result = IngestResult()
    for number in range(rounds):
        store = Store(folder / str(number))
        bare.append(cpu(lambda: inflation(source)))
        least.append(cpu(lambda: floor(source, folder / "lines")))

        def fill(store: Store = store) -> None:
            nonlocal result
            result = ingest(store, source, LIMIT)

        whole.append(cpu(fill))
        if number:
            shutil.rmtree(folder / str(number - 1))
    stored = sum(part.stat().st_size for table in ("cloudtrail", "access_log") for part in store.parts(table))
    again = [_seconds(lambda: ingest(store, source, LIMIT)) for _ in range(rounds)]
    seconds = statistics.median(whole)
    return Figures(
        share=statistics.median(bare) / seconds,
        floor=statistics.median(bare) / statistics.median(least),
        smaller=result.raw_bytes / stored,
        nothing_new=statistics.median(again),
        megabytes=result.raw_bytes / 1e6 / seconds,
    )


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _spent() -> float:
    mine, workers = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + workers.ru_utime + workers.ru_stime


def main() -> None:
    """Make logs, fill stores, print the three figures beside what they are to be."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench_store", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="vmexport-bench-"))
    cluster = embedded.start(folder / "postgres")
    os.environ["VMEXPORT_DATABASE_URL"] = cluster.url("vmexport")
    try:
        database.migrate()
        generate(folder / "logs", arguments.events)
        found = measured(folder / "logs", folder / "store", arguments.rounds)
    finally:
        database.engine().dispose()
        embedded.remove(folder / "postgres")
        shutil.rmtree(folder)
    print(f"ingest: {found.share:.3f} of bare inflation (aim: {INFLATION}), {found.megabytes:.0f} MB a second and core")
    print(f"  its floor (inflation, DuckDB's read_json and COPY, unsorted, nothing of ours): {found.floor:.3f}")
    print(f"store: 1/{found.smaller:.1f} of the raw size (aim: 1/{SIZE})")
    print(f"nothing new: {found.nothing_new * 1000:.0f} ms beside the listing (aim: {NOTHING_NEW * 1000:.0f} ms)")


if __name__ == "__main__":
    main()
