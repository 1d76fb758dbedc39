"""What hunting in the Parquet store costs, as ratios in one run: `python -m tests.bench_table`. Beside it: tests/bench_hunting.py.

Times are CPU seconds, medians of interleaved rounds. The stores are made by the ingest's own reader and writer, without its
database; `--events` is the size of the small one, the large one has five times as many over the same days.

"One rule" is three: the rule about VM exports, which has eight rows to look at; the median of the pack's rules, most of which
have none; and the dearest, which reads two columns of JSON. The pack must read what they all read: to read just those columns,
of just those eventNames, in one scan and without any test takes 0.32 s of CPU for 1M events, and the VM export rule 0.05 s.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from decisions.sigma import Rule, load_rules
from decisions.sigma_sql import quoted
from lab.cloudtrail_generator import generate
from tasks.hunting import table_rules
from tasks.hunting.coverage import Period
from tasks.hunting.duckdb_table import DuckDbTable
from tasks.hunting.hunt import hunt
from tasks.hunting.ingest_batch import ingested
from tasks.hunting.layout import LogFile, listing
from tasks.hunting.parquet_parts import SORTED_BY, connected, copied
from tasks.hunting.store import CLOUDTRAIL, Store
from tasks.hunting.table_source import TableSource
from tests.bench_hunting import FOREIGN, MAX_BYTES, NOT_QUICK, line

ROUNDS = 5
DAYS = 60
EXPORT_RULE = "aws_ec2_vm_export_failure.yml"


def staged(folder: Path, files: Sequence[LogFile]) -> list[tuple[str, str, int]]:
    """Small parts of some files: day, path, rows."""
    told = ingested(connected(), folder, MAX_BYTES, files)
    return [(part.day, str(folder / part.name), part.rows) for part in told.parts if part.table == CLOUDTRAIL]


def store_of(logs: Path, root: Path) -> Store:
    """A store of logs, one sorted part a day."""
    (staging := root / "_staging").mkdir(parents=True)
    files = listing(logs).files
    days: dict[str, list[tuple[str, int]]] = defaultdict(list)
    with ProcessPoolExecutor(2) as pool:
        for parts in pool.map(partial(staged, staging), [files[n : n + 60] for n in range(0, len(files), 60)]):
            for day, path, rows in parts:
                days[day].append((path, rows))
    order = ", ".join(f'"{name}"' for name in SORTED_BY[CLOUDTRAIL])
    with connected(2, "4GB") as connection:
        for day, parts in days.items():
            (folder := root / CLOUDTRAIL / f"dt={day}").mkdir(parents=True)
            listed = ", ".join(quoted(path) for path, _ in parts)
            query = f"select * from read_parquet([{listed}], hive_partitioning = false) order by {order}"
            copied(connection, folder, CLOUDTRAIL, day, query, sum(rows for _, rows in parts))
    return Store(root)


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of this process."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def whole_hunt(store: Store) -> None:
    """Exports, what their keys did, who read the objects, coverage; opening the store included."""
    with DuckDbTable(store) as table:
        assert hunt(TableSource(table, Period()), Period()).findings


def grows(small: Store, large: Store) -> float:
    """The whole hunt in a store of five times as many events, by the hunt in the small one."""
    whole_hunt(small)
    return statistics.median(cpu(lambda: whole_hunt(large)) / cpu(lambda: whole_hunt(small)) for _ in range(ROUNDS))


def packs(store: Store, rules: Sequence[Rule]) -> tuple[float, float, float, float]:
    """All rules in one question, by the VM export rule alone, the median one, the dearest one, and all of them one by one."""
    with DuckDbTable(store) as table:
        relation = table.relation(CLOUDTRAIL, None)

        def ask(some: Sequence[Rule]) -> float:
            return cpu(lambda: table_rules.ask(table, relation, some, Period(), irregular=False, kept=5000))

        ask(rules)
        single = {rule.source: statistics.median(ask([rule]) for _ in range(3)) for rule in rules}
        whole = statistics.median(ask(rules) for _ in range(ROUNDS))
    every = single.values()
    return whole / single[EXPORT_RULE], whole / statistics.median(every), whole / max(every), whole / sum(every)


def main(folder: Path, events: int) -> None:
    """Make logs and stores, print the figures."""
    stores: list[Store] = []
    for name, count in (("small", events), ("large", 5 * events)):
        generate(folder / name, count, days=DAYS)
        stores.append(store_of(folder / name, folder / f"{name}-store"))
    print(f"hunting in the store: {events:,} and {5 * events:,} events in {DAYS} days")
    line("whole hunt, five times as many events", grows(*stores), "<= 3.0")
    if not FOREIGN.is_dir():
        print("rules: not measured, as ../shared/data/sigmahq-aws is not there")
        return
    pack = load_rules({path.name: path.read_text() for path in FOREIGN.glob("*.yml")})
    rules = [rule for rule in pack.rules if rule.source not in NOT_QUICK]
    by_export, by_median, by_dearest, by_all = packs(stores[0], rules)
    line(f"{len(rules)} rules of SigmaHQ / its rule about VM exports", by_export, "<= 5")
    line("the same / the median of them alone", by_median, "<= 5")
    line("the same / the dearest of them alone", by_dearest, "<= 5")
    line("the same / all of them one by one", by_all, "<= 1.0")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        main(Path(made), arguments.events)
