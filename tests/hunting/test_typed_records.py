"""The quick way into the store says of every record what the exact one says, cell by cell, or leaves it to the exact one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions import store_schema
from lab.cloudtrail_generator import generate
from tasks.hunting import ingest_batch, typed_records
from tasks.hunting.gathered import Gathered
from tasks.hunting.inflate import unpacked
from tasks.hunting.ingest_batch import Ingested
from tasks.hunting.layout import CLOUDTRAIL, LogFile, listing
from tasks.hunting.parquet_parts import connected
from tasks.hunting.reading import read
from tasks.hunting.record_types import REST_NAMES
from tests.hunting.logs_of import compact, event, export

Rows = list[tuple[dict[str, Any], str]]
FILE = LogFile("a", 1, CLOUDTRAIL)
KEY = "ASIAEXAMPLE000000001"
DUCKDB = connected()


TOKEN = "FwoGZXIvYXdzE"
ANSWERS = (
    {"credentials": {"accessKeyId": KEY, "sessionToken": TOKEN, "expiration": "Mar 2, 2026, 1:00:00 PM"}},
    *(
        {"credentials": {"sessionToken": token}}
        for token in (TOKEN, f"a{KEY}", "", None, 5, [TOKEN], {"sessionToken": TOKEN})
    ),
    *({"credentials": odd} for odd in ([{"sessionToken": TOKEN}], TOKEN, None)),
    {"sessionToken": TOKEN, "credentials": {"SessionToken": TOKEN, "credentials": {"sessionToken": TOKEN}}},
    [{"credentials": {"sessionToken": TOKEN}}],
    TOKEN,
)
"""Tokens where they belong and elsewhere."""


def quick(text: bytes) -> tuple[Rows, int, list[str]]:
    """What the ingest makes of a file: rows with their days, how many it counts, problems."""
    problems, gathered, rows = list[str](), Gathered("cloudtrail"), Rows()
    count = ingest_batch._records(Ingested(), gathered, text, FILE, problems)
    for day in {*gathered._lines, *gathered._rows}:
        with gathered.relation(day) as (query, _):
            found = DUCKDB.execute(query)
            names = [name for name, *_ in found.description]
            rows += [(dict(zip(names, row, strict=True)), day) for row in found.fetchall()]
    return rows, count, problems


def exact(text: bytes) -> tuple[Rows, int, list[str]]:
    """What it should make: each event of a day once."""
    content = read(text)
    rows = [(dict(store_schema.row(one)), store_schema.day(one)) for one in content.records]
    once: dict[Any, tuple[dict[str, Any], str]] = {}
    for row, day in rows:
        once.setdefault((day, row["eventID"] or repr(row)), (row, day))
    return list(once.values()), len(rows), content.problems()


def assert_same(text: bytes) -> None:
    """In any order: records that are odd come after the others."""
    (rows, *told), (wanted, *should) = quick(text), exact(text)
    assert sorted(rows, key=repr) == sorted(wanted, key=repr)
    assert told == should


WORDS = st.one_of(
    st.text(max_size=12),
    st.sampled_from([KEY, "AKIAEXAMPLE000000002", "xAKIAASIAEXAMPLE000000003", "export-i-0123456789abcdef0", "ami-0abc.bin",
                     "null", "", "\0", "\n", "\u2028", "😀", "AKIA", ".bin", "export-", "true"]),
)  # fmt: skip
NUMBERS = st.one_of(
    st.integers(), st.integers(-(2**80), 2**80), st.floats(), st.sampled_from([0.1, 1.0, 90.5, 1e16, 1e-7, -0.0, 0.30000000000000004]),
)  # fmt: skip
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=8,
)
NAMES = (*store_schema.TEXT_COLUMNS, *store_schema.JSON_COLUMNS, *REST_NAMES, "new", "é")
IDENTITY = st.fixed_dictionaries(
    {},
    optional={
        **{name: WORDS for name in ("type", "principalId", "arn", "accountId", "accessKeyId", "userName", "invokedBy")},
        "sessionContext": st.fixed_dictionaries(
            {},
            optional={
                "attributes": st.fixed_dictionaries({}, optional={"mfaAuthenticated": WORDS, "creationDate": WORDS}),
                "sessionIssuer": st.fixed_dictionaries(
                    {}, optional={"type": WORDS, "arn": WORDS, "userName": WORDS, "accountId": WORDS}
                ),
                "webIdFederationData": st.fixed_dictionaries({}, optional={"federatedProvider": WORDS}),
            },
        ),
    },
)
TIMES = st.sampled_from(["2026-03-02T10:00:00Z", "2026-02-30T10:00:00Z", "2026-03-02T10:00:00.5Z", "2026-03-02", "", "２026-03-02T10:00:00Z"])  # fmt: skip


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    """One as AWS writes it, but for some fields."""
    one = draw(st.sampled_from([event, export]))(draw(st.integers(0, 9)))
    one["userIdentity"] = draw(st.one_of(st.just(one["userIdentity"]), IDENTITY, st.none()))
    one["eventTime"] = draw(TIMES)
    one["responseElements"] = draw(st.one_of(st.just(one["responseElements"]), VALUES, st.sampled_from(ANSWERS)))
    one["tlsDetails"] = draw(st.one_of(st.none(), st.fixed_dictionaries({"tlsVersion": WORDS, "cipherSuite": WORDS})))
    one["requestParameters"] = draw(st.one_of(st.none(), VALUES, st.dictionaries(st.sampled_from(["bucketName", "key"]), VALUES)))  # fmt: skip
    one |= draw(st.dictionaries(st.sampled_from(NAMES), st.one_of(WORDS, VALUES), max_size=2))
    for name in draw(st.lists(st.sampled_from(list(one)), max_size=2)):
        one.pop(name, None)
    return one


@settings(max_examples=400, deadline=None)
@given(st.lists(records(), max_size=4), st.booleans())
def test_hostile_records_become_the_same_rows(found: list[dict[str, Any]], ascii_only: bool) -> None:
    """Under names of their own: of records with one eventID, one is kept."""
    for number, one in enumerate(found):
        if isinstance(one.get("eventID"), str) and one["eventID"]:
            one["eventID"] += f" {number}"
    assert_same(json.dumps({"Records": found}, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"))


@settings(max_examples=150, deadline=None)
@given(st.binary(min_size=1, max_size=3), st.floats(0, 0.999))
def test_bytes_anywhere_in_a_file_change_both_alike(noise: bytes, share: float) -> None:
    text = bytearray(compact([event(1), export(2), event(3, sessionCredentialFromConsole="true")]))
    at = int(share * len(text))
    text[at : at + len(noise)] = noise
    assert_same(bytes(text))


@pytest.mark.parametrize(
    "text",
    [
        b'{"Records":[]}',
        b"[]",
        compact([event(depth, requestParameters=json.loads("[" * depth + "]" * depth)) for depth in (1, 120, 170)]),
        compact([event(1), event(2, requestParameters=json.loads("[" * 205 + "]" * 205))]),
        b'{"Records":[' + b'{"eventID":' * 5000,
        compact([event(1, eventID="")]) + b"  \n",
        compact([event(1, readOnly="true"), event(2, apiVersion=20260302), event(3, errorCode=["x"]), {"digestS3Object": 1}]),
        compact([event(1)]).replace(b'"eventName"', b'"eventName":"Other","eventName"'),
        compact([event(1, userAgent="ok")]).replace(b"ok", b"\xff\xfe"),
        compact([event(1, userAgent="ok")]).replace(b"ok", b"\\ud800"),
        compact([event(1, requestParameters={"n": 12345678901234567890123})]),
        compact([event(1, requestParameters={"n": "@"})]).replace(b'"@"', b"1" + b"0" * 5000),
        *(
            compact([event(1, requestParameters={"n": "@"})]).replace(b'"@"', literal)
            for literal in (b"12345678901234567890.5", b"90.50", b"0.1000000000000000055511", b"1E5", b"-0.0", b"0.00001")
        ),
        compact([event(1, eventTime="2026-03-02T10:00:00Z\n2026-03-02T10:00:00Z"), event(2, eventTime="")]),
        *(
            compact([event(1, responseElements=answer, **more)])
            for answer in ANSWERS
            for more in ({}, {"eventID": ""}, {"eventID": None}, {"awsRegion": ["a"]}, {"new": 1}, {"eventName": "ExportImage"})
        ),
    ],
)  # fmt: skip
def test_odd_files_become_the_same_rows(text: bytes) -> None:
    assert_same(text)


def test_generated_files_become_the_same_rows_and_most_the_quick_way(tmp_path: Path) -> None:
    generate(tmp_path / "org", 3_000, days=2, seed=11)
    odd = whole = 0
    for file in listing(tmp_path / "org").files:
        if file.kind == CLOUDTRAIL:
            text = bytes(unpacked(Path(file.path).read_bytes(), 1 << 28).text)
            assert_same(text)
            lines = typed_records.lines(text)
            whole, odd = whole + len(lines.quick), odd + len(lines.exact) + len(lines.others)
    assert odd < whole / 20
