"""What a source of files finds is what plain JSON says of every record, however hostile the records are."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from decisions.sigma import Loaded, load_rules, matches
from tasks.hunting import pool
from tasks.hunting.coverage import Period
from tasks.hunting.file_source import FileSource
from tasks.hunting.searches import EXPORT_CALLS
from tasks.hunting.source import EXPORTS, KEYS, OBJECTS, Followed, Found, Window
from tests.hunting.logs_of import ACCOUNT, event, export, write
from tests.hunting.test_access_rules import line

LIMIT = 64 * 1024 * 1024
KEY, OTHER_KEY, ODD_KEY = "ASIAEXPORTER00000001", "ASIAEXPORTER00000002", 'A"S\\IA'
TASK, IMAGE, ODD_IMAGE = "export-i-0a1b2c3d4e5f60718", "ami-0a1b2c3d4e5f60718.bin", 'é"/x\n.bin'
RULES = {
    "stopped": "{eventName: StopLogging}",
    "costly": "{userAgent|re: '^[0-9]x$'}",
    "most": "{awsRegion: eu-central-1}",
    "part": "{requestParameters|contains: needle}",
}
HEAD = (
    "title: {name}\nid: {name}\nlogsource: {{product: aws, service: cloudtrail}}\ndetection: {{s: {s}, condition: s}}\n"
)
WORDS = (
    KEY, OTHER_KEY, ODD_KEY, f"x{KEY}", f'"{KEY}"', TASK, f"vms/{TASK}.ova", TASK.upper(), "export-i-0000", IMAGE, f"b/{IMAGE}",
    ODD_IMAGE, IMAGE.removesuffix(".bin"), "ExportImage", '"ExportImage"', '},{"eventVersion":"1"', '[{"eventVersion"', '{"Records":[', "}]}",
    "needle", "StopLogging", "\\", '"', "\n", "\u2028", "é", "\U0001f600", "\ud800", "", "\\u0041", "3x",
)  # fmt: skip


def loaded() -> Loaded:
    """Rare, costly, noisy, and one about a part of a text."""
    return load_rules({name: HEAD.format(name=name, s=s) for name, s in RULES.items()})


def value(chance: random.Random, depth: int = 0) -> Any:
    """What a caller may have a record hold."""
    match chance.randrange(9 if depth < 4 else 5):
        case 0 | 1 | 2:
            return chance.choice(WORDS)
        case 3:
            return chance.choice([None, True, False, 0, -1.5e300, 2**70, [], {}])
        case 4:
            return chance.choice(WORDS) + chance.choice(WORDS)
        case 5:
            return [value(chance, depth + 1) for _ in range(chance.randrange(4))]
        case 6:
            return {chance.choice(WORDS): value(chance, depth + 1) for _ in range(chance.randrange(4))}
        case 7:
            return json.dumps(value(chance, depth + 1))
        case _:
            return [export(chance.randrange(5000, 6000)) for _ in range(chance.randrange(1, 4))]


def record(number: int, chance: random.Random) -> dict[str, Any]:
    """One that may be an export, may hold a key or an object's name, may match rules."""
    name = chance.choice([*EXPORT_CALLS, "StopLogging", "GetObject", *["DescribeInstances"] * 12])
    made = event(number, name, userAgent=chance.choice(["3x", "cli", "cli", "cli"]))
    for field in ("requestParameters", "responseElements", "additionalEventData", "userAgent"):
        if chance.random() < 0.25:
            made[field] = value(chance)
    if chance.random() < 0.1:
        made["userIdentity"] = {"accessKeyId": chance.choice([KEY, OTHER_KEY, ODD_KEY])}
    if chance.random() < 0.1:
        made["eventSource"] = "s3.amazonaws.com"
    return made


def written(folder: Path, chance: random.Random) -> Iterator[dict[str, Any]]:
    """Files in any shape; every record that they hold, as whoever reads them has it."""
    number = 0
    for n in range(40):
        records = []
        for _ in range(chance.choice([1, 3, 20, 250])):
            records.append(record(number, chance))
            number += 1
        ascii_only = chance.random() < 0.5
        plain = json.dumps({"Records": records}, separators=(",", ":"), ensure_ascii=ascii_only)
        text = plain.encode("utf-8", "surrogatepass")
        match chance.randrange(7):
            case 3:
                text = json.dumps({"Records": records}, separators=(",", ":")).replace("/", "\\/").encode()
            case 0:
                text = json.dumps(records, indent=1).encode()
            case 1:
                text = "\n".join(map(json.dumps, records)).encode()
            case 2:
                turned = [dict(chance.sample(list(one.items()), len(one))) for one in records]
                text = json.dumps({"Records": turned}, separators=(",", ":")).encode()
        path = write(folder, text, f"{n:03}.json.gz")
        if chance.random() < 0.3:
            at = chance.randrange(len(text))
            path.write_bytes(gzip.compress(text[:at]) + gzip.compress(text[at:]))
        # A lone surrogate stands for itself in escapes, for three bad bytes as raw bytes: replaced by one or three marks.
        raw = text.decode("utf-8", "surrogateescape")
        yield from json.loads(
            json.dumps(_mended(json.loads(raw)["Records"] if raw.startswith('{"Records"') else records))
        )


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_mended(name): _mended(one) for name, one in value.items()}
    return [_mended(one) for one in value] if isinstance(value, list) else value


def texts(value: Any) -> Iterator[str]:
    """Every text in a record, names not."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts(inner)


def ids(found: list[Found] | tuple[Found, ...], search: str) -> Counter[str]:
    """Event ids of what answers a search."""
    return Counter(one.record.event_id for one in found if search in one.searches)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("rules", [True, False], ids=["rules", "exports alone"])
def test_hostile_records_are_found_as_plain_json_finds_them(tmp_path: Path, seed: int, rules: bool) -> None:
    """Exports and rules in the first pass, keys and objects in the second; nothing twice, nothing made up."""
    chance = random.Random(seed)
    every = list(written(tmp_path, chance))
    source = FileSource(tmp_path, Period(), LIMIT, workers=1)
    pack = loaded() if rules else Loaded((), (), ())
    first = list(source.first(pack.rules))
    wanted = Counter(
        one["eventID"]
        for one in every
        if one["eventName"] in EXPORT_CALLS and one["eventSource"] == "ec2.amazonaws.com"
    )
    assert ids(first, EXPORTS) == wanted
    counts = source.counts()
    for rule in pack.rules:
        expected = sum(matches(rule, one) for one in every)
        assert counts.get(rule.id, 0) == expected or (rule.id in {"most", "costly"} and 0 < counts[rule.id] < expected)
    moment = datetime(2026, 3, 2, 12, tzinfo=UTC)
    keys, objects = (
        {key: ["x"] for key in (KEY, OTHER_KEY, ODD_KEY)},
        {name: ["x"] for name in (TASK, IMAGE, ODD_IMAGE)},
    )
    second = list(source.second(Followed(keys, objects, (Window(ACCOUNT, moment, moment),))))
    by_key = Counter(one["eventID"] for one in every if not keys.keys().isdisjoint(texts(one)))
    by_object = Counter(one["eventID"] for one in every if any(name in text for text in texts(one) for name in objects))
    assert ids(second, KEYS) == by_key
    assert ids(second, OBJECTS) == by_object
    assert source.coverage(()).quarantined == source.coverage(()).damaged == ()


def test_many_processes_and_one_say_the_same_of_hostile_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is handed out to whom."""
    list(written(tmp_path, random.Random(99)))
    write(tmp_path, "\n".join(line(n) for n in range(5)).encode(), "2026-03-02-11-00-00-0123456789ABCDEF", "logs")
    monkeypatch.setattr(pool, "ALONE", 0)
    monkeypatch.setattr(pool, "BATCH_FILES", 3)
    alone = FileSource(tmp_path, Period(), LIMIT, workers=1)
    expected = alone.first(loaded().rules)
    many = FileSource(tmp_path, Period(), LIMIT, workers=3)
    told = many.first(loaded().rules)
    assert sorted(map(str, told)) == sorted(map(str, expected))
    assert many.counts() == alone.counts()
    assert many.coverage(()) == alone.coverage(())
