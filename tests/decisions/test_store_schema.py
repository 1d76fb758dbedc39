"""A row of the store gives its record back: what is decided from the one is decided from the other."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.cloudtrail import export_event, parse_record
from decisions.store_schema import (
    COLUMNS,
    HIDDEN,
    IDENTITY_COLUMNS,
    JSON_COLUMNS,
    TEXT_COLUMNS,
    day,
    is_mentioned,
    record,
    row,
)
from lab.generator_records import Source
from tasks.hunting.fixtures import PACK, fixtures, load
from tasks.logs.text import mended
from tests.hunting.logs_of import event, export
from tests.hunting.packs import traps
from tests.hunting.sigma_records import records

Record = dict[str, Any]


def decided(raw: Record) -> Any:
    """All that is ever decided from a record, or why it is none."""
    try:
        parsed = parse_record(raw, "test")
    except (ValueError, TypeError, AttributeError) as error:
        return str(error)
    return parsed, export_event(parsed)


def back(raw: Record) -> Record:
    """The record by way of its row, the row by way of JSON as an engine gives it back."""
    return record(json.loads(json.dumps(row(raw))))


def hidden(raw: Record) -> Record:
    """The record, with AWS's word instead of a session token."""
    answer = raw.get("responseElements")
    credentials = answer.get("credentials") if isinstance(answer, dict) else None
    if isinstance(credentials, dict) and isinstance(credentials.get("sessionToken"), str):
        return raw | {"responseElements": answer | {"credentials": credentials | {"sessionToken": HIDDEN}}}
    return raw


def made_up() -> list[Record]:
    """Of every kind that the generator knows."""
    source = Source("111122223333", "eu-central-1", random.Random(4))
    return [json.loads(text) for text in source.batch([1_772_500_000 + n for n in range(600)])]


def of_rules() -> list[Record]:
    """Those that our fixtures hold, and those made around rules of traps: lists, nulls and numbers where words belong."""
    loaded, trapped = load(), traps()
    cases = (case for name in dict.fromkeys(rule.source for rule in loaded.rules) for case in fixtures(PACK, name))
    around = (one for rule in trapped.rules for one in records(rule.detection, 15, "store"))
    return [dict(one) for case in cases for one in case.records] + [
        one | {"eventName": "X", "eventSource": "y"} for one in around
    ]


@pytest.mark.parametrize("population", [made_up, of_rules])
def test_a_row_gives_its_record_back(population: Any) -> None:
    """But for fields that are null, word for word."""
    found = population()
    assert len(found) > 400
    for raw in map(hidden, found):
        assert {name: value for name, value in back(raw).items() if value is not None} == {
            name: value for name, value in raw.items() if value is not None
        }
        assert decided(back(raw)) == decided(raw)


ISSUED = {"credentials": {"accessKeyId": "ASIAEXAMPLE000000001", "sessionToken": "FwoGZX-secret", "expiration": "x"}}


@pytest.mark.parametrize("odd", [{}, {"awsRegion": ["a", "list"]}])
def test_a_session_token_is_not_kept_but_that_there_was_one(odd: Record) -> None:
    """In an irregular record, which stands whole in `rest`, neither; what was handed out with it stays."""
    raw = event(1, "AssumeRole", responseElements=ISSUED, **odd)
    assert "secret" not in json.dumps(row(raw))
    assert back(raw)["responseElements"]["credentials"] == ISSUED["credentials"] | {
        "sessionToken": "HIDDEN_DUE_TO_SECURITY_REASONS"
    }
    assert ISSUED["credentials"]["sessionToken"] == "FwoGZX-secret", "the record itself is left as it was"
    assert decided(back(raw)) == decided(raw)


@pytest.mark.parametrize("name", [{"eventID": None}, {"eventID": ""}, {"eventID": 7}])
def test_a_nameless_record_keeps_its_token_for_it_is_named_by_its_content(name: Record) -> None:
    """Else it had another name in the store than in the files."""
    raw = event(1, "AssumeRole", responseElements=ISSUED, **name)
    assert parse_record(back(raw), "test").event_id == parse_record(raw, "test").event_id
    assert back(raw)["responseElements"] == ISSUED


@pytest.mark.parametrize(
    "answer",
    [
        {"credentials": [{"sessionToken": "FwoGZX"}]},
        {"credentials": {"sessionToken": 5}},
        {"credentials": {"sessionToken": {"sessionToken": "FwoGZX"}}},
        {"credentials": {"sessionToken": None}},
        {"sessionToken": "FwoGZX", "credentials": {"SessionToken": "FwoGZX"}},
        [{"credentials": {"sessionToken": "FwoGZX"}}],
        "sessionToken",
    ],
)
def test_what_is_no_session_token_of_aws_stays_as_it_is(answer: Any) -> None:
    """Only a text at exactly that place is hidden."""
    assert back(event(1, responseElements=answer))["responseElements"] == answer


NESTED = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
NAMES = (*TEXT_COLUMNS, *JSON_COLUMNS, "sharedEventID", "new", "rest", "irregular", "dt", "")
CHANGES = st.dictionaries(st.sampled_from(NAMES), NESTED, max_size=4)
IDENTITIES = st.fixed_dictionaries(
    {}, optional={"type": NESTED, "arn": NESTED, "accessKeyId": NESTED, "sessionContext": NESTED | st.fixed_dictionaries({"sessionIssuer": NESTED})}
)  # fmt: skip


@given(changes=CHANGES, identity=st.none() | IDENTITIES, gone=st.sets(st.sampled_from(NAMES), max_size=3))
def test_a_hostile_record_decides_the_same_from_its_row(changes: Record, identity: Any, gone: set[str]) -> None:
    """Whatever stands in it, and whatever is missing; without an eventID its name is the hash of all of it, nulls included."""
    raw = mended({name: value for name, value in (export(1) | changes).items() if name not in gone})
    raw = raw if identity is None else raw | {"userIdentity": mended(identity)}
    assert decided(back(raw)) == decided(raw)


@given(changes=CHANGES)
def test_a_row_has_texts_alone_which_every_engine_takes(changes: Record) -> None:
    """Valid UTF-8, no NaN, and in a column of words nothing but words."""
    cells = row(event(1) | changes | {"requestParameters": [float("nan"), {"a": float("inf")}], "userAgent": "\ud800"})
    assert list(cells) == [name for name, _ in COLUMNS]
    for name, value in cells.items():
        assert value is None or isinstance(value, bool if name == "irregular" else str)
        if isinstance(value, str):
            value.encode()
            if name in (*JSON_COLUMNS, "rest"):
                json.loads(value, parse_constant=pytest.fail)


KEY, TASK, IMAGE = "ASIAEXAMPLE000000001", "export-i-0123456789abcdef0", "ami-0123456789abcdef0.bin"


@given(
    before=st.text(alphabet='AKSIexport-iam0.bn"\\é ', max_size=12),
    after=st.text(alphabet='AKSIexport-iam0.bn"\\é ', max_size=12),
    place=st.sampled_from([*JSON_COLUMNS, "userAgent", "new", "errorMessage"]),
    irregular=st.booleans(),
    named=st.sampled_from([TASK, IMAGE]),
)
def test_no_mention_of_an_object_is_missed(before: str, after: str, place: str, irregular: bool, named: str) -> None:
    """Wherever it stands, and whatever stands around it."""
    text = f"{before}{named}{after}"
    raw = event(1, **{place: text if place in TEXT_COLUMNS else {"deep": [text]}})
    mentions = row(raw | ({"awsRegion": []} if irregular else {}))["mentions"]
    assert isinstance(mentions, str)
    assert named in mentions


@given(key=st.from_regex(r"\AA[KS]IA[A-Z0-9]{16}\Z"), caller=st.sampled_from([None, KEY, "odd", "AKIA"]))
def test_no_mention_of_a_key_is_missed(key: str, caller: str | None) -> None:
    """Beside the caller's own, which has a column."""
    identity = {name: None for name in IDENTITY_COLUMNS} | {"accessKeyId": caller}
    cells = row(event(1, userIdentity=identity, requestParameters={"accessKeyId": key}))
    assert is_mentioned(key)
    assert key == caller or key in str(cells["mentions"])


def test_only_what_is_surely_mentioned_counts_as_such() -> None:
    """Of all else every column is read."""
    for text in (KEY, TASK, IMAGE, "export-ami-0abc", "AKIA" + "2" * 16):
        assert is_mentioned(text)
    for text in (
        "",
        KEY[:-1],
        KEY + "0",
        KEY.lower(),
        "export-i-",
        "export-x-0",
        "ami-0123",
        "export-i-0 ",
        f"{TASK}\n",
    ):
        assert not is_mentioned(text)


def test_the_day_is_that_of_aws_or_not_known() -> None:
    """A time that compares as text with others."""
    assert day({"eventTime": "2026-03-02T23:59:59Z"}) == "2026-03-02"
    assert day({"eventTime": "2026-03-02T23:59:59.123Z"}) == "2026-03-02"
    for time in (
        None,
        5,
        "",
        "2026-03-02",
        "2026-03-02T23:59:59+02:00",
        "2026-02-30T00:00:00Z",
        "٢٠٢٦-03-02T00:00:00Z",
    ):
        assert day({"eventTime": time}) == "unknown"
