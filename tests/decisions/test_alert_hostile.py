"""Whatever anybody sends: nothing raises, nothing misleads, and one broken alert hides no other."""

import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.actor import attribute, chain
from decisions.alert import MAX_BYTES, MAX_PROBLEMS, decode
from decisions.grouping import case_id, dedupe_keys, grouping_keys
from decisions.ledger import canonical_sha256
from tests.decisions.test_alert import ALERT, EVENT_ID, RECORD, load, nested, one, read


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"[]", "empty"),
        (b'{"alerts": []}', "empty"),
        (b"null", "null, not an alert"),
        (b"true", "bool, not an alert"),
        (b"{", "not JSON"),
        (b'"text"', "str, not an alert"),
        (b"\xff{}", "not UTF-8"),
        (b"\xff\xfe{", "begins like UTF-16"),
        (b"{}", "neither an alert nor"),
        (b'{"text": "Rule fired"}', "neither an alert nor"),
        (b'error rendering mustache template "x": y', "template"),
        (b"[" * 1_000_000, "too deeply"),
        (b'{"a":' * 200 + b"1" + b"}" * 200, "too deeply"),
        (b'{"alerts":' * 20 + b"[]" + b"}" * 20, "wrapped more than"),
        (b"1" * 5000, "not an alert"),
        (b'{"eventName": "ExportImage", "eventSource": "ec2.amazonaws.com"}', "eventTime"),
    ],
)
def test_what_cannot_be_decoded_is_said_in_a_sentence(body, problem):
    decoded = read(body)
    assert decoded.events == ()
    assert problem in " ".join(decoded.problems)


def test_a_body_of_too_many_bytes_is_not_read():
    assert "more than" in read(b" " * (MAX_BYTES + 1)).problems[0]


def test_problems_without_end_are_counted_not_listed():
    decoded = read(b"[" + b"1," * 10_000 + b"1]")
    assert len(decoded.problems) == MAX_PROBLEMS + 1
    assert decoded.problems[-1] == f"and {10_001 - MAX_PROBLEMS} more of such"


def test_one_broken_alert_does_not_hide_the_others():
    deep = json.loads('{"a":' * 200 + "1" + "}" * 200)
    decoded = read([{"event": {"action": 3}}, 17, deep, load("nested")])
    assert [e.event_id for e in decoded.events] == [EVENT_ID]
    assert [p.split(":")[0] for p in decoded.problems] == ["item 1", "item 2", "item 3"]


@pytest.mark.parametrize("noise", ["NaN", "-Infinity", "1e999", "9" * 5000, '{"a": 1, "a": 2}'])
def test_noise_in_a_field_that_nobody_reads_hides_no_alert(noise):
    body = json.dumps(load("nested"))[:-1] + f', "noise": {noise}}}'
    (event,) = read(body.encode()).events
    assert event.bucket == "example-drop"


def test_a_name_that_stands_twice_is_not_read_and_that_is_said():
    body = json.dumps(load("cloudtrail_instance")).replace('"s3Bucket"', '"s3Bucket": "innocent", "s3Bucket"')
    decoded = read(body.encode())
    assert decoded.events[0].bucket is None
    assert any("s3Bucket" in problem and "twice" in problem for problem in decoded.problems)


def test_an_event_without_id_is_named_by_its_content_and_always_the_same():
    without = {"event.id": None, "kibana.alert.original_event.id": None}
    first, again = one(nested(**without)), one([nested(**without, **{"kibana.alert.uuid": "another"})])
    assert first.event_id == again.event_id
    assert first.event_id.startswith("sha256:")
    assert one(nested(**without, **{"cloud.region": "eu-west-1"})).event_id != first.event_id
    assert first.warnings


def test_text_that_cannot_be_stored_is_cleaned():
    event = one(json.dumps(nested(**{"user_agent.original": "\ud800x" + "y" * 10_000})).encode())
    assert event.user_agent.encode()
    assert len(event.user_agent) == 4096


WORDS = st.sampled_from(
    ["_source", "_id", "fields", "hits", "alerts", "Records", "Events", "CloudTrailEvent", "detail", "detail-type", "signal",
     "kibana", "kibana.alert", "kibana.alert.uuid", "kibana.alert.original_time", "event", "event.action", "event.original",
     "eventName", "eventSource", "eventTime", "userIdentity", "requestParameters", "responseElements", "aws.cloudtrail",
     "flattened", "request_parameters", "@timestamp", "", "."]
)  # fmt: skip
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8) | WORDS
    | st.sampled_from(["ExportImage", "CreateInstanceExportTask", "ec2.amazonaws.com", "2026-03-02T10:03:30Z", "{", "{a={b=c}}", "[[[["])
)  # fmt: skip
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=5),
    max_leaves=25,
)


def use(decoded):
    """Everything that is done with an event next must work for whatever was decoded."""
    for event in decoded.events:
        canonical_sha256(event.model_dump(mode="json"))
        assert case_id(event).isprintable()
        assert all(key.isascii() and key.isprintable() for key in (*dedupe_keys(event), *grouping_keys(event)))
        attribute(event)
        chain(event, ())
    assert decoded.events or decoded.problems
    "\n".join(decoded.problems).encode()


@settings(deadline=None)
@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_body_raises(body):
    use(decode(body))


@st.composite
def damaged(draw, value):
    """The document with anything at all in one place."""
    if not isinstance(value, dict) or not value or draw(st.integers(0, 3)) == 0:
        return draw(JSON)
    name = draw(st.sampled_from(sorted(value)))
    return value | {name: draw(damaged(value[name]))}


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([RECORD, ALERT, load("search_hit"), load("fields")]).flatmap(damaged))
def test_no_damage_to_a_real_alert_raises(document):
    use(decode(json.dumps(document).encode()))


def test_the_decoder_does_not_unzip_what_it_was_not_told_is_zipped():
    assert decode(gzip.compress(json.dumps(RECORD).encode())).events == ()
