"""Bench of the hunts over raw files, each as a ratio to something bare in the same run: `python -m tests.bench_hunting [--large]`.

Times are CPU seconds of one core, medians of interleaved rounds; memory is the peak of the command with its workers. `--large` adds
five million events, which take minutes to make.

The whole hunt is compared twice. Its first pass is the three-API pass, so that beside that it cannot be 1.0: what is more is
the price of its second question. Beside one pass over all files that is told the keys and objects beforehand, it shows
what is left of reading twice where files that no export concerns are left out; how many those are depends on the logs.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import deflate
import duckdb

from decisions.sigma import load_rules
from lab.cloudtrail_generator import generate
from tasks.hunting import searches
from tasks.hunting.coverage import Period
from tasks.hunting.file_source import FileSource, pruned
from tasks.hunting.hunt import export_findings, followed_of, hunt
from tasks.hunting.layout import CLOUDTRAIL, LogFile, listing
from tasks.hunting.pool import Pass, scan
from tasks.hunting.search import Search

ROUNDS = 5
MAX_BYTES = 256 * 1024 * 1024
NAMES = "', '".join(searches.EXPORT_CALLS)
FOREIGN = Path(__file__).resolve().parents[2] / "shared" / "data" / "sigmahq-aws"
NOT_QUICK = ("aws_sts_assumerole_misuse.yml", "aws_cloudtrail_imds_malicious_usage.yml")
NO_LITERAL = """
title: An ARN by its end
id: costly
logsource: {product: aws, service: cloudtrail}
detection:
  s: {userIdentity.arn|re: '[0-9]x?$'}
  n: {eventSource: nobody.amazonaws.com}
  condition: not s and not n
"""


def inflate(files: Sequence[LogFile]) -> None:
    """Bare libdeflate."""
    for file in files:
        deflate.gzip_decompress(Path(file.path).read_bytes())


def one_pass(files: Sequence[LogFile], looked_for: Sequence[Search]) -> None:
    """One pass in this process."""
    for _ in scan(files, Pass(tuple(looked_for), MAX_BYTES), 1):
        pass


def exports(files: Sequence[LogFile]) -> None:
    """The three APIs."""
    one_pass(files, [searches.exports()])


def with_json(files: Sequence[LogFile]) -> None:
    """What everybody writes first."""
    for file in files:
        with gzip.open(file.path) as stream:
            records = json.load(stream)["Records"]
        [record for record in records if searches.IsExport()(record)]


def with_duckdb(files: Sequence[LogFile]) -> None:
    """read_json_objects and one from_json, which is what is quick in this release of DuckDB; on one thread."""
    fields = '{"eventName":"VARCHAR","eventSource":"VARCHAR","eventTime":"VARCHAR","eventID":"VARCHAR"}'
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(
            'select count(*) from (select unnest(from_json(json, \'{"Records":[' + fields + "]}').Records) as r from "
            f"read_json_objects(?, maximum_object_size={64 * 1024 * 1024})) where r.eventName in ('{NAMES}')",
            [[file.path for file in files]],
        ).fetchall()


def with_jq(files: Sequence[LogFile]) -> None:
    """A shell's way."""
    test = " or ".join(f'.eventName == "{name}"' for name in searches.EXPORT_CALLS)
    command = f"zcat {' '.join(file.path for file in files)} | jq -c '.Records[] | select({test})' > /dev/null"
    subprocess.run(["/bin/sh", "-c", command], check=True)


def ratios(
    rounds: int, files: Sequence[LogFile], one: Callable[..., None], other: Callable[..., None], wall: bool = False
) -> float:
    """Median of `one` by `other`, interleaved."""
    clock = time.perf_counter if wall else time.process_time
    found: list[float] = []
    for _ in range(rounds):
        begun = clock()
        one(files)
        between = clock()
        other(files)
        found.append((between - begun) / (clock() - between))
    return statistics.median(found)


def peak(folder: Path, workers: int) -> tuple[int, int]:
    """Peak memory in MB of `vmexport hunt`: the sum of what each process has to itself, and of all they map."""
    command = [
        str(Path(sys.executable).with_name("vmexport")),
        "hunt",
        str(folder),
        "--workers",
        str(workers),
        "--json",
    ]
    own = mapped = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            texts = [text for pid in (process.pid, *_children(process.pid)) if (text := _rollup(pid))]
            own = max(own, sum(int(re.search(r"Pss:\s+(\d+)", text)[1]) for text in texts))  # type: ignore[index] - every rollup has it
            mapped = max(mapped, sum(int(re.search(r"Rss:\s+(\d+)", text)[1]) for text in texts))  # type: ignore[index] - likewise
            time.sleep(0.05)
    return own // 1024, mapped // 1024


def _children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:  # it has just ended
        return []


def _rollup(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:  # likewise
        return ""


def line(name: str, value: float, aim: str = "", unit: str = "") -> None:
    """One figure; `aim` is the issue's, where it has one."""
    print(f"{name:<58}{value:8.2f}{unit:<3}{f' (aim {aim})' if aim else ''}", flush=True)


def main(folder: Path, events: int, large: bool) -> None:
    """Make the logs, print every figure."""
    usual, tiny = folder / "usual", folder / "tiny"
    generate(usual, events, days=60)
    generate(tiny, max(events // 10, 10_000), tiny=True)
    files = [file for file in listing(usual).files if file.kind == CLOUDTRAIL]
    some = files[:: max(len(files) // 80, 1)]
    print(
        f"hunting: {events:,} events in {len(files):,} files, {sum(file.size for file in files) / 1e6:,.0f} MB packed"
    )
    exports(files)
    line("bare inflation / three-API hunt, one core", ratios(ROUNDS, files, inflate, exports), ">= 0.65")
    line("gzip + json / hunt", ratios(1, some, with_json, exports), ">= 5")
    line("DuckDB read_json / hunt, one thread", ratios(3, some, with_duckdb, exports), ">= 1.3")
    if shutil.which("jq"):
        line("zcat | jq / hunt, wall", ratios(1, some, with_jq, exports, wall=True), ">= 8")
    _rules(files)
    small = [file for file in listing(tiny).files if file.kind == CLOUDTRAIL]
    begun = time.process_time()
    exports(small)
    line(
        f"CPU for each of {len(small):,} files of few records",
        (time.process_time() - begun) / len(small) * 1e6,
        "<= 60",
        "us",
    )
    _whole(usual)
    _memory(usual, events)
    if large:
        generate(folder / "large", 5 * events, days=60, seed=2)
        _memory(folder / "large", 5 * events)


def _memory(folder: Path, events: int) -> None:
    line(f"memory of vmexport hunt, {events:,} events, one core (RSS)", peak(folder, 1)[1], "<= 100", "MB")
    own, mapped = peak(folder, 2)
    line("the same with two workers, all three processes added up", mapped, unit="MB")
    line("likewise, shared pages counted once (PSS)", own, unit="MB")


def _rules(files: Sequence[LogFile]) -> None:
    if not FOREIGN.is_dir():
        print("rules: not measured, as ../shared/data/sigmahq-aws is not there")
        return
    pack = load_rules({path.name: path.read_text() for path in FOREIGN.glob("*.yml")} | {"costly.yml": NO_LITERAL})
    quick = searches.rules([r for r in pack.rules if r.source not in (*NOT_QUICK, "costly.yml")])
    line(f"{len(quick)} rules of SigmaHQ / hunt", ratios(3, files, lambda f: one_pass(f, quick), exports), "<= 1.5")
    whole = searches.rules(pack.rules)
    some = files[::4]
    line(
        "with one without a literal and one that matches most",
        ratios(1, some, lambda f: one_pass(f, whole), exports),
        "<= 8",
    )


def _whole(folder: Path) -> None:
    """See the module's docstring; what is looked for in the single pass is what the hunt has found out before."""
    every = listing(folder).files
    source = FileSource(folder, Period(), MAX_BYTES, workers=1)
    followed = followed_of(export_findings(source.first(())), [])
    everything = [
        searches.exports(),
        searches.keys("keys", followed.keys),
        searches.objects("objects", followed.objects),
    ]
    parts: dict[str, Callable[[], object]] = {
        "first": lambda: exports(every),
        "single": lambda: one_pass(every, everything),
        "second": lambda: source.second(followed),
        "hunt": lambda: hunt(FileSource(folder, Period(), MAX_BYTES, workers=1), Period()),
    }
    rounds = [{name: _seconds(part) for name, part in parts.items()} for _ in range(3)]
    share = sum(file.size for file in pruned(every, followed)) / sum(file.size for file in every)

    def by(one: str, other: str) -> float:
        return statistics.median(found[one] / found[other] for found in rounds)

    line("whole hunt / the three-API pass, which is its first", by("hunt", "first"), "<= 1.0")
    line("whole hunt / one unpruned pass that looks for all of it", by("hunt", "single"), "<= 1.0")
    line(f"its second pass, {share:.0%} of the bytes / the three-API pass", by("second", "first"))


def _seconds(part: Callable[[], object]) -> float:
    begun = time.process_time()
    part()
    return time.process_time() - begun


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--large", action="store_true", help="five times as many events, for memory")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        main(Path(made), arguments.events, arguments.large)
