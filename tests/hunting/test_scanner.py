"""The scanner finds in every readable record what a full parse finds, and names what it could not read."""

from __future__ import annotations

import gzip
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from decisions.sigma import load_rules
from tasks.hunting import cut, searches
from tasks.hunting.inflate import TooLarge, unpacked
from tasks.hunting.layout import CLOUDTRAIL, LogFile
from tasks.hunting.reading import read
from tasks.hunting.scanned import Scanned
from tasks.hunting.scanner import Scanner
from tasks.hunting.search import Search
from tests.hunting.logs_of import compact, event, export, write

LIMIT = 8 * 1024 * 1024
SCANNER = Scanner([searches.exports()], LIMIT)
MUTATED = int(os.environ.get("VMEXPORT_TEST_MUTATED_FILES", "400"))
"""Files of the byte-flip test; 10,000 before a release."""


def scan(path: Path, scanner: Scanner = SCANNER) -> Scanned:
    """One file."""
    return scanner.scan(LogFile(str(path), path.stat().st_size, CLOUDTRAIL))


def found(told: Scanned) -> list[str]:
    """Event ids of the hits, in order."""
    return [json.loads(hit.raw)["eventID"] for hit in told.hits]


RECORDS = [event(1), export(2), event(3, userAgent="ExportImage"), event(4)]
WANTED = [export(2)["eventID"]]
BROKEN = compact(RECORDS).replace(b'"n":1', b'"n":', 1)
SHAPES: dict[str, tuple[bytes, list[str]]] = {
    "as CloudTrail writes it": (compact(RECORDS), []),
    "a list": (json.dumps(RECORDS).encode(), []),
    "a pretty-printed list": (json.dumps(RECORDS, indent=4).encode(), []),
    "pretty-printed": (json.dumps({"Records": RECORDS}, indent=2).encode(), []),
    "JSON lines": ("\n".join(map(json.dumps, RECORDS)).encode() + b"\n", []),
    "one record": (json.dumps(export(2)).encode(), []),
    "LookupEvents": (
        json.dumps({"Events": [{"EventId": "x", "CloudTrailEvent": json.dumps(r)} for r in RECORDS]}).encode(), [],
    ),
    "EventBridge lines": (
        "\n".join(json.dumps({"id": "x", "detail-type": "AWS API Call via CloudTrail", "detail": r}) for r in RECORDS).encode(), [],
    ),
    "names before Records": (json.dumps({"about": {"x": [1]}, "Records": RECORDS}).encode(), []),
    "names after Records": (json.dumps({"Records": RECORDS, "more": [1]}).encode(), []),
    "a BOM": (b"\xef\xbb\xbf" + compact(RECORDS), []),
    "UTF-16": (json.dumps({"Records": RECORDS}).encode("utf-16"), []),
    "names in another order": (json.dumps({"Records": [dict(reversed(r.items())) for r in RECORDS]}).encode(), []),
    "bad UTF-8 in the record": (compact([event(1), export(2, userAgent="X")]).replace(b'"X"', b'"\xff\xfe"'), []),
    "bad UTF-8 beside it": (compact(RECORDS).replace(b"aws-cli/2", b"\xc3\x28", 1), []),
    "a lone surrogate": (compact([event(1), export(2, userAgent="X")]).replace(b'"X"', b'"\\ud800"'), []),
    "an escaped letter": (compact(RECORDS).replace(b'"CreateInstanceExportTask"', b'"Create\\u0049nstanceExportTask"'), []),
    "a damaged record before it": (BROKEN, ["1 damaged place(s) between 3 readable records"]),
    "cut off": (compact(RECORDS)[:-700], ["2 damaged place(s) between 2 readable records"]),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_reads_every_shape(tmp_path: Path, shape: str) -> None:
    """An export is found in whatever shape its record comes, and only what is missing is said."""
    text, problems = SHAPES[shape]
    told = scan(write(tmp_path, text))
    assert found(told) == WANTED
    assert not told.unread
    if problems:
        assert told.problems
    else:
        assert told.problems == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "empty"),
        (b"{}", "no CloudTrail records"),
        (b"no JSON at all", "damaged"),
        (b'{"digestS3Object": "x", "logFiles": []}', "digest"),
        (b"[" * 100_000, "damaged"),
        (b"\x00" * 1000, "damaged"),
    ],
)
def test_names_what_it_cannot_read(tmp_path: Path, text: bytes, why: str) -> None:
    """A file without a readable record is named with the reason: nothing found in it is no answer."""
    told = scan(write(tmp_path, text, "a.json", packed=False))
    assert told.unread
    assert why in " ".join(told.problems)


def test_every_member_of_a_gzip_file_is_read(tmp_path: Path) -> None:
    """Members one after the other, of different and of the same size, and zeros after the last."""
    first, second = compact([event(1)]), compact([export(2)])
    for members in ((first, second), (second, first), (second, second), (b"", second)):
        path = write(tmp_path, b"".join(map(gzip.compress, members)) + b"\0" * 512, packed=False)
        told = scan(path)
        assert set(found(told)) == set(WANTED), members
    lines = [json.dumps(r).encode() + b"\n" for r in (event(1), export(2))]
    told = scan(write(tmp_path, b"".join(map(gzip.compress, lines)), packed=False))
    assert found(told) == WANTED
    assert told.problems == []


def test_a_plain_file_named_gz_is_read(tmp_path: Path) -> None:
    """The content says what it is."""
    assert found(scan(write(tmp_path, compact(RECORDS), packed=False))) == WANTED


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
def test_a_cut_off_download_is_read_to_its_end(tmp_path: Path, keep: float) -> None:
    """What was unpacked is searched, and the cut is named."""
    rng = random.Random(1)
    filler = [event(n, userAgent=f"{rng.getrandbits(400):x}") for n in range(10, 400)]
    packed = gzip.compress(compact([export(2), *filler]))
    told = scan(write(tmp_path, packed[: int(len(packed) * keep)], packed=False))
    assert found(told) == WANTED
    assert "cut off" in told.problems[0]


def test_damage_in_the_middle_keeps_what_is_before(tmp_path: Path) -> None:
    """Flipped bytes within gzip data: what precedes them is searched."""
    rng = random.Random(1)
    filler = [event(n, userAgent=f"{rng.getrandbits(400):x}") for n in range(10, 400)]
    packed = bytearray(gzip.compress(compact([export(2), *filler])))
    packed[len(packed) // 2 : len(packed) // 2 + 40] = b"\xff" * 40
    told = scan(write(tmp_path, bytes(packed), packed=False))
    assert found(told) == WANTED
    assert "damaged" in told.problems[0]


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    """A file that unpacks to more than the limit is named; a lying size does not help it."""
    bomb = gzip.compress(b" " * (2 * LIMIT))
    for packed in (bomb, bomb[:-4] + b"\x01\0\0\0", gzip.compress(b"x") + bomb):
        with pytest.raises(TooLarge):
            unpacked(packed, LIMIT)
        told = scan(write(tmp_path, packed, packed=False))
        assert told.unread
        assert "more than" in told.problems[0]


RULES = """
title: Called by {name}
id: {id}
logsource: {{product: aws, service: cloudtrail}}
detection:
  selection: {selection}
  condition: selection
"""


def one_rule(selection: str) -> list[Search]:
    """The search for what a rule selects."""
    return searches.rules(load_rules({"a": RULES.format(name="a", id="a", selection=selection)}).rules)


def test_rules_find_what_the_reference_finds(tmp_path: Path) -> None:
    """With literals, without any, and one that matches nearly everything, in one pass."""
    selections = {
        "one": "{eventName: ExportImage}",
        "two": "{userAgent|re: '^[0-9]+$'}",
        "three": "{awsRegion: eu-central-1}",
    }
    loaded = load_rules({n: RULES.format(name=n, id=n, selection=s) for n, s in selections.items()})
    records = [
        event(n, "ExportImage" if n % 9 == 0 else "RunInstances", userAgent=str(n) if n % 7 == 0 else "cli")
        for n in range(60)
    ]
    path = write(tmp_path, compact(records))
    for rules in (loaded.rules, [rule for rule in loaded.rules if not rule.costly]):
        told = scan(path, Scanner(searches.rules(rules), LIMIT))
        expected = {rule.id: sum(searches.Matches(rule)(record) for record in records) for rule in rules}
        assert dict(told.counts) == expected


def test_a_rule_that_most_records_answer_tires(tmp_path: Path) -> None:
    """It is not asked of all of a file, which is told; what is rare is found to the last record all the same."""
    selections = {"most": "{awsRegion: eu-central-1}", "rare": "{eventName: StopLogging}"}
    loaded = load_rules({n: RULES.format(name=n, id=n, selection=s) for n, s in selections.items()})
    records = [*(event(n) for n in range(600)), event(600, "StopLogging")]
    told = scan(write(tmp_path, compact(records)), Scanner(searches.rules(loaded.rules), LIMIT))
    assert told.tired == {"most"}
    assert 0 < told.counts["most"] < 600
    assert told.counts["rare"] == 1


def test_only_the_period_answers(tmp_path: Path) -> None:
    """Events outside the period are no hits."""
    path = write(tmp_path, compact([export(n) for n in (0, 60, 120)]))
    told = scan(path, Scanner([searches.exports()], LIMIT, "2026-03-02T10:01:00", "2026-03-02T10:01:30"))
    assert found(told) == [export(60)["eventID"]]


def reference(text: bytes) -> list[str]:
    """Exports by parsing everything, as JSON."""
    return [json.dumps(r, sort_keys=True) for r in read(text).records if searches.IsExport()(r)]


def mutate(text: bytes, rng: random.Random) -> bytes:
    """A few bytes flipped, cut out, doubled or exchanged."""
    changed = bytearray(text)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(changed))
        match rng.randrange(5):
            case 0:
                changed[at] ^= 1 << rng.randrange(8)
            case 1:
                del changed[at : at + rng.randrange(1, 30)]
            case 2:
                changed[at:at] = changed[at : at + rng.randrange(1, 2000)]
            case 3:
                changed[at:at] = rng.choice(
                    [b'"', b"{", b"}", b"[", b"]", b",", b"\\", b"\xff", b"\n", b'},{"eventVersion"']
                )
            case _:
                del changed[at:]
        if not changed:
            return b"x"
    return bytes(changed)


def test_mutated_files_are_read_as_the_reference_reads_them(tmp_path: Path) -> None:
    """Whatever happened to a file: no crash, and of readable records exactly those that a full parse finds."""
    rng = random.Random(7)
    fakes = [export(number) for number in (71, 72, 73)]
    base = [event(n) if n % 3 else export(n) for n in range(12)]
    texts = [
        compact([*base, event(20, requestParameters={"d": fakes})]),
        json.dumps({"Records": base}, indent=1).encode(),
    ]
    beside = Scanner([searches.exports(), *one_rule("{userAgent|re: '^[0-9]'}")], LIMIT)
    for number in range(MUTATED):
        text = mutate(texts[number % 2], rng)
        path = write(tmp_path, text, packed=number % 3 > 0)
        for scanner in (SCANNER, beside):
            hits = [json.loads(hit.raw) for hit in scan(path, scanner).hits if "exports" in hit.searches]
            assert sorted(json.dumps(hit, sort_keys=True) for hit in hits) == sorted(reference(text)), (number, text)
        packed = mutate(gzip.compress(text), rng)
        path.write_bytes(packed)
        scan(path)  # damaged gzip data: read or named, never raised


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["ExportImage", '},{"eventVersion"']),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    | st.lists(st.just(export(77)), min_size=1, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=st.lists(st.tuples(st.sampled_from(["ExportImage", "DescribeImages", "CreateStoreImageTask"]), JSON, st.booleans()), min_size=1, max_size=8),
    ascii_only=st.booleans(),
    blanks=st.sampled_from([(",", ":"), (", ", ": "), (",", " : ")]),
)  # fmt: skip
def test_generated_files_are_read_as_the_reference_reads_them(
    tmp_path: Path, records: list[tuple[str, Any, bool]], ascii_only: bool, blanks: tuple[str, str]
) -> None:
    """Any content, any order of names, any blanks."""
    rows = [event(n, name, requestParameters={"x": value}) for n, (name, value, _) in enumerate(records)]
    rows = [dict(reversed(row.items())) if turned else row for row, (_, _, turned) in zip(rows, records, strict=True)]
    text = json.dumps({"Records": rows}, separators=blanks, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    expected = [row["eventID"] for row in rows if searches.IsExport()(row)]
    assert found(scan(write(tmp_path, text))) == expected


def test_counts_are_near_for_large_files_and_exact_for_small() -> None:
    """What a page calls `about`."""
    assert cut.about_how_many(compact([event(n) for n in range(40)])) == 40
    assert abs(cut.about_how_many(compact([event(n) for n in range(5000)])) - 5000) < 250
