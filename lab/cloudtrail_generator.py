"""`python -m lab.cloudtrail_generator DIR`: CloudTrail files of a made-up organisation in AWS's layout, with planted exports.

The same arguments give the same files. `DIR.truth.json` names every planted event; what lies in the files is made up.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import deflate

from lab.generator_incidents import DAY, Planted, Planter, plant
from lab.generator_records import ACCOUNTS, REGIONS, Source
from lab.trail_digests import write_trail

START = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())
LEVEL = 6
HEAD, BETWEEN, TAIL = b'{"Records":[', b",", b"]}"
OWNER = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"


@dataclass(frozen=True)
class Unit:
    """The files of one account, Region and day of delivery."""

    folder: Path
    account: str
    region: str
    day: int
    events: int
    seed: int
    tiny: bool
    planted: tuple[Planted, ...]


def generate(
    folder: Path,
    events: int,
    accounts: int = 3,
    days: int = 14,
    seed: int = 1,
    tiny: bool = False,
    organization: bool = True,
) -> dict[str, object]:
    """Write the files under `folder` and return the truth, which also stands beside the folder, in `FOLDER.truth.json`."""
    rng = random.Random(seed)  # noqa: S311 - made-up data, the same for the same seed
    planter = Planter(rng)
    named = ACCOUNTS[:accounts]
    plant(planter, named, REGIONS, START, days)
    root = folder / "AWSLogs" / ("o-exampleorg1" if organization else "")
    units = _units(root, planter, named, events, days, seed, tiny)
    with ProcessPoolExecutor(2) as pool:
        written = list(pool.map(write, units, chunksize=1))
    truth = planter.truth
    truth.files, truth.events = sum(w[0] for w in written), sum(w[1] for w in written)
    truth.redelivered = [event for w in written for event in w[2]]
    _access_logs(folder, planter)
    told = asdict(truth)
    truth_path(folder).write_text(json.dumps(told, indent=1))
    return told


def truth_path(folder: Path) -> Path:
    """Where the truth about a folder stands: beside it, as it is no log."""
    return folder.with_name(f"{folder.name}.truth.json")


def _units(
    root: Path, planter: Planter, accounts: tuple[str, ...], events: int, days: int, seed: int, tiny: bool
) -> list[Unit]:
    places = [(account, region) for account in accounts for region in REGIONS]
    shares = [3.0 if region == REGIONS[0] else 1.0 for _, region in places]
    rest, units = events, []
    total = sum(shares) * (days + 2)  # an incident may go on for two days
    for day in range(days + 2):
        for place, ((account, region), share) in enumerate(zip(places, shares, strict=True)):
            count = rest if (day, place) == (days + 1, len(places) - 1) else int(events * share / total)
            rest -= count
            here = tuple(
                p
                for p in planter.planted
                if (p.account, p.region) == (account, region) and _delivered(p.at) // DAY == START // DAY + day
            )
            units.append(Unit(root, account, region, START + day * DAY, count, hash_seed(seed, day, place), tiny, here))
    return units


def hash_seed(*numbers: int) -> int:
    """One seed of several numbers."""
    return int.from_bytes(bytes(str(numbers), "ascii"), "big") % (1 << 61)


def _delivered(at: int) -> int:
    return at + 600


def write(unit: Unit) -> tuple[int, int, list[str]]:
    """Files and records written, and which planted ones were delivered twice."""
    rng = random.Random(unit.seed)  # noqa: S311 - likewise
    source = Source(unit.account, unit.region, rng)
    place = unit.folder / unit.account / "CloudTrail" / unit.region / datetime.fromtimestamp(unit.day, UTC).strftime("%Y/%m/%d")  # fmt: skip
    place.mkdir(parents=True, exist_ok=True)
    sizes = _sizes(unit.events, unit.tiny, rng)
    files, written, twice = 0, 0, []
    step = DAY // max(len(sizes), 1)
    for number, size in enumerate(sizes):
        begun = unit.day + number * step
        last = number == len(sizes) - 1
        mine = [
            p for p in unit.planted if begun <= _delivered(p.at) < begun + step or (last and _delivered(p.at) >= begun)
        ]
        records = source.batch(_times(begun, size, rng))
        for p in mine:
            records.insert(rng.randrange(len(records) + 1), p.text)
            if rng.random() < 0.2:
                records.append(p.text)
                twice.append(p.event_id)
        if rng.random() < 0.05 and records:
            records.append(rng.choice(records))  # the same record again, as CloudTrail says may happen
        stamp = datetime.fromtimestamp(begun, UTC).strftime("%Y%m%dT%H%MZ")
        name = f"{unit.account}_CloudTrail_{unit.region}_{stamp}_{rng.getrandbits(64):016X}.json.gz"
        text = HEAD + BETWEEN.join(records) + TAIL
        (place / name).write_bytes(deflate.gzip_compress(text, LEVEL))
        files, written = files + 1, written + len(records)
    return files, written, twice


def _sizes(events: int, tiny: bool, rng: random.Random) -> list[int]:
    """Records of each file: 100 to 5000, of tiny ones 1 to 40; small ones are more frequent."""
    low, high = (1, 40) if tiny else (100, 5000)
    sizes: list[int] = []
    while events > 0:
        size = min(events, int(low * (high / low) ** rng.random()))
        sizes.append(size)
        events -= size
    return sizes or [0]


def _times(begun: int, size: int, rng: random.Random) -> list[int]:
    """5 to 45 minutes before delivery; a few of the day before."""
    return [begun - 300 - int(rng.random() * 2400) - (DAY if rng.random() < 0.002 else 0) for _ in range(size)]


def _access_logs(folder: Path, planter: Planter) -> None:
    """Server access logs of the buckets that received an export: the download, and ordinary reads around it."""
    rng = planter.rng
    for bucket, lines in planter.lines.items():
        place = folder / "s3-access-logs" / bucket
        place.mkdir(parents=True, exist_ok=True)
        for at, line in lines:
            noise = [(at - n * 7, _ordinary(bucket, rng)) for n in range(1, 50)]
            texts = [
                f"{OWNER} {bucket} [{datetime.fromtimestamp(when, UTC):%d/%b/%Y:%H:%M:%S +0000}] {text.replace('$host', 'h' * 76)}"
                for when, text in sorted([*noise, (at, line)])
            ]
            name = f"{datetime.fromtimestamp(at + 5400, UTC):%Y-%m-%d-%H-%M-%S}-{rng.getrandbits(64):016X}"
            (place / name).write_text("\n".join(texts) + "\n")


def _ordinary(bucket: str, rng: random.Random) -> str:
    request = f"{rng.getrandbits(64):016X}"
    return f'198.51.100.9 arn:aws:iam::111122223333:user/build-0 {request} REST.GET.BUCKET - "GET /{bucket}?list-type=2 HTTP/1.1" 200 - 312 - 12 11 "-" "Boto3/1.40.1" - $host SigV4 TLS_AES_128_GCM_SHA256 AuthHeader {bucket}.s3.amazonaws.com TLSv1.3 - - us-east-1'  # fmt: skip


def main() -> None:
    """Read the arguments, write the files, say how long it took."""
    parser = argparse.ArgumentParser(prog="python -m lab.cloudtrail_generator", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--accounts", type=int, default=3, choices=range(1, len(ACCOUNTS) + 1))
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tiny-files", action="store_true", help="1 to 40 records a file, as small organisations have")
    parser.add_argument("--digests", action="store_true", help="signed digest files too; the keys in DIR.keys.json")
    args = parser.parse_args()
    begun = time.monotonic()
    told = generate(args.folder, args.events, args.accounts, args.days, args.seed, args.tiny_files)
    if args.digests:
        write_trail(args.folder)
    print(f"{told['events']} records in {told['files']} files, {time.monotonic() - begun:.0f} s: {args.folder}")


if __name__ == "__main__":
    main()
