"""Every body of the corpus tells exactly its exports, its hints and what is wrong with it; and damage of any of them raises nothing."""

import json
import re
from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.alert import decode
from decisions.alert_events import behind
from lab.ecs import Retain
from tests.decisions.alert_bodies import BODIES, FIELDS
from tests.decisions.alert_parts import alert, encoded, nested, record
from tests.decisions.test_alert import rekeyed
from tests.decisions.test_alert_events import damaged
from tests.decisions.test_alert_hostile import use
from tests.decisions.variants import variant

ROOT = Path(__file__).resolve().parents[2]
BASES = {
    f"{api}, {retain}": alert(record(api), retain, original)
    for api in ("instance", "image", "store", "denied")
    for retain, original in (
        (Retain.ALL, False),
        (Retain.KEYWORD, True),
        (Retain.FLATTENED, False),
        (Retain.NONE, True),
    )
} | {
    kind: variant(kind)
    for kind in ("new_terms", "building_block", "shell", "threshold", "suppressed", "esql", "ml", "sparse")
}


def compact(event):
    told = event.model_dump(mode="json")
    return {name: told[name] for name in FIELDS}


def test_names_of_bodies_are_their_own():
    assert len({body.name for body in BODIES}) == len(BODIES) >= 60


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.name)
def test_a_body_tells_its_exports_its_hints_and_its_problems(body):
    decoded = decode(body.body)
    assert [compact(event) for event in decoded.events] == [{n: e[n] for n in FIELDS} for e in body.exports]
    assert len(decoded.hints) == len(body.asks), decoded.hints
    for hint, ask in zip(decoded.hints, body.asks, strict=True):
        assert (hint.ask is None) if ask is None else ask in str(hint.ask)
    said = "\n".join(decoded.problems)
    assert (said == "") if body.problem is None else body.problem in said


@pytest.mark.parametrize("base", BASES.values(), ids=BASES)
@settings(max_examples=15, deadline=None)
@given(st.data(), st.booleans())
def test_however_an_alert_is_keyed_it_tells_the_same(base, data, lists):
    whole, again = decode(encoded(base)), decode(encoded(data.draw(rekeyed(nested(deepcopy(base)), lists))))
    assert again.events == whole.events
    assert again.hints == whole.hints


def test_a_name_of_an_envelope_in_an_alert_neither_hides_nor_doubles_it():
    for name in (
        "alerts",
        "alert",
        "Records",
        "Events",
        "hits",
        "context",
        "detail",
        "Messages",
        "Message",
        "TopicArn",
    ):
        for value in ([], {}, "", "[", None, {"hits": []}, {"alerts": []}, 1):
            (event,) = decode(encoded(alert(record("instance")) | {name: value})).events
            assert event.bucket == "example-drop", (name, value)


@settings(deadline=None)
@given(st.sampled_from(BODIES), st.data())
def test_a_body_that_is_cut_off_raises_nothing_and_tells_nothing_else(body, data):
    cut = body.body[: data.draw(st.integers(0, len(body.body)))]
    decoded = decode(cut)
    assert decoded.events or decoded.problems
    told = {
        (e["event_id"], name, e[name])
        for e in body.exports
        for name in ("bucket", "object_key", "instance_id", "image_id")
    }
    for event in decoded.events:
        for name in ("bucket", "object_key", "instance_id", "image_id"):
            assert getattr(event, name) is None or (event.event_id, name, getattr(event, name)) in told


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([*BASES.values()]).flatmap(damaged))
def test_no_damage_to_an_alert_raises(document):
    use(decode(encoded(document)))
    behind(document)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(BODIES), st.data())
def test_no_damage_to_bytes_raises(body, data):
    text = bytearray(body.body)
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.sampled_from(b'{}[]",:\\\x00\xff09a '))
    use(decode(bytes(text)))


@pytest.mark.parametrize(
    "body",
    ['{"' + '\\"' * 500_000, '{"a":' * 200_000, '{"x' * 300_000, '{"x":"' * 200_000, "{" * 500_000, '[{"a":1},' * 100_000,
     '{"a":1}' * 200_000, "," * 500_000, '{"alerts":"' + "[" * 500_000 + '"}', '"_id":"' * 100_000, "{" + " " * 500_000,
     '{"alerts":[' + '{"_source":{' * 400],
    ids=["quotes", "open objects", "strings cut", "values cut", "braces", "list cut", "many", "commas", "brackets", "ids", "space", "hits"],
)  # fmt: skip
def test_no_body_takes_more_time_than_its_length_allows(body):
    assert decode(body.encode()).problems


@pytest.mark.parametrize("action", ["webhook", "index"])
def test_the_rule_actions_that_we_install_are_understood(action):
    """Rendered as Kibana does it: strings first, the list of alerts as JSON joined by commas."""
    template = (ROOT / f"deployments/elastic/action_{action}.json").read_text()
    alerts = ",".join(json.dumps(nested(alert(record(name)))) for name in ("instance", "store"))
    params = json.loads(template.replace("$connector_id", "c"))["params"]
    whole = params["body"] if action == "webhook" else params["documents"][0]

    def rendered(value):
        if isinstance(value, dict):
            return {name: rendered(inner) for name, inner in value.items()}
        return re.sub(r"\{\{(?!\{)[\w.]+\}\}", "x", value.replace("{{{context.alerts}}}", alerts))

    decoded = decode(encoded(rendered(whole)))
    assert [event.api for event in decoded.events] == ["CreateInstanceExportTask", "CreateStoreImageTask"]
    assert decoded.problems == ()


def test_a_hint_of_a_message_names_its_rule_space_and_window():
    (hint,) = decode(next(body.body for body in BODIES if body.name == "name and link")).hints
    assert (hint.rule_uuid, hint.space, hint.rule_id) == ("9d3c0000-0000-4000-8000-000000000001", "production", None)
    assert [moment.isoformat() for moment in (hint.since, hint.until)] == [
        "2026-03-02T10:00:00+00:00",
        "2026-03-02T10:07:00+00:00",
    ]
    (hint,) = decode(next(body.body for body in BODIES if body.name == "link to an alert")).hints
    assert hint.alert_id == "5e68a70c9e8b49c3a6c563ab2bc2685a" * 2


def test_an_alert_in_the_cut_off_part_of_a_body_is_named():
    (_, hint) = decode(next(body.body for body in BODIES if body.name == "cut off in the second alert")).hints
    assert hint.alert_id == "0b0a6d526c0e4d539a570d1f5f4c7a11" * 2


@pytest.mark.parametrize("name", ["x", "7E0C" * 16, "7e0c" * 17, "../_search", ["7e0c" * 16, "91af" * 16], 7, None])
def test_what_is_no_id_of_an_alert_is_never_a_name_to_ask_with(name):
    (hint,) = decode(encoded({"alert_id": name, "rule_id": "r"})).hints
    assert (hint.alert_id, hint.rule_id) == (None, "r")
