"""Which events an alert stands for: everything that it does not hold itself, and never more than can be asked."""

import json
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.alert_events import LONGEST, MOST_IDS, MOST_TERMS, Behind, behind
from tests.decisions.variants import EVENT_INDEX, GROUP, RULE, RULE_UUID, dotted, variant

ALERTS = Path(__file__).parent.parent / "alerts"
VARIANTS = ["query", "new_terms", "building_block", "shell", "threshold", "suppressed", "esql", "ml", "sparse"]


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize("name", ["search_hit", "nested", "fields", "without_flattened"])
def test_an_alert_that_holds_its_one_event_stands_for_no_other(name):
    assert behind(json.loads((ALERTS / f"{name}.json").read_text())) is None


@pytest.mark.parametrize("kind", ["query", "new_terms"])
def test_ordinary_rules_tell_their_event(kind):
    assert behind(variant(kind)) is None


def test_a_shell_is_asked_for_by_its_events_and_its_group():
    found = behind(variant("shell"))
    assert found == Behind(
        reason="It is the shell of an EQL sequence.", kind="shell",
        ids=("event-1", "event-2"), indices=(EVENT_INDEX,), group_id=GROUP, rule_id=RULE, rule_uuid=RULE_UUID,
    )  # fmt: skip


def test_a_building_block_is_asked_for_by_its_group():
    found = behind(variant("building_block"))
    assert (found.group_id, found.reason) == (GROUP, "It is a building block: its group tells of the exports.")


def test_what_was_a_building_block_tells_one_event_and_is_no_shell():
    block = variant("building_block")
    del block["kibana.alert.building_block_type"]
    assert behind(block) is None


def test_a_threshold_is_asked_for_by_its_terms_and_never_by_its_made_up_ancestor():
    found = behind(variant("threshold"))
    assert (found.ids, found.indices) == ((), ())
    assert found.terms == (("user.id", "AROAEXAMPLEEXAMPLE:jo.contractor@example.com"), ("cloud.region", "us-east-1"))
    assert (found.since, found.until) == (at("2026-03-02T10:00:00"), at("2026-03-02T10:07:00"))


def test_a_threshold_without_its_window_looks_as_far_back_as_its_rule():
    alert = variant("threshold")
    del alert["kibana.alert.threshold_result"]["from"]
    alert["kibana.alert.rule.parameters"] = {"from": "now-30m"}
    found = behind(alert)
    assert found.until - found.since == timedelta(minutes=90), (
        "its thirty minutes, and an hour for events that came late"
    )


def test_a_suppressed_alert_is_asked_about_though_it_tells_its_own_event():
    found = behind(variant("suppressed"))
    assert "3 more events that its rule suppressed" in found.reason
    assert found.terms == (("user.id", "AROAEXAMPLEEXAMPLE:jo.contractor@example.com"),)
    assert (found.since, found.until) == (at("2026-03-02T10:03:30"), at("2026-03-02T10:06:00"))


@pytest.mark.parametrize("count", [0, "0", [0]])
def test_nothing_is_asked_while_nothing_was_suppressed(count):
    assert behind(variant("suppressed") | {"kibana.alert.suppression.docs_count": count}) is None


def test_a_count_that_is_not_told_is_not_none():
    alert = variant("suppressed")
    del alert["kibana.alert.suppression.docs_count"]
    assert "an unknown number of more events" in behind(alert).reason


def test_a_suppressed_shell_is_asked_for_both_ways():
    found = behind(variant("shell") | {k: v for k, v in variant("suppressed").items() if "suppression" in k})
    assert (found.group_id, len(found.ids), len(found.terms)) == (GROUP, 2, 1)
    assert found.since is not None
    assert "shell" in found.reason
    assert "suppressed" in found.reason


@pytest.mark.parametrize(
    ("kind", "since"), [("esql", "2026-03-02T08:07:12.345000"), ("ml", "2026-03-01T09:07:12.345000")]
)
def test_what_holds_no_event_is_asked_for_by_rule_and_time(kind, since):
    found = behind(variant(kind))
    assert (found.ids, found.terms, found.rule_id) == ((), (), RULE)
    assert (found.since, found.until) == (at(since), at("2026-03-02T10:07:12.345000"))


def test_an_es_ql_rule_that_keeps_whole_events_is_an_ordinary_one():
    assert behind(variant("query") | {"kibana.alert.rule.type": "esql"}) is None


def test_an_alert_of_which_a_template_kept_next_to_nothing_is_asked_for_by_what_it_kept():
    found = behind(variant("sparse"))
    assert found.reason.startswith("It does not tell of its event.")
    assert behind(variant("sparse") | {"kibana.alert.ancestors": variant("shell")["kibana.alert.ancestors"]}).ids


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user.id OR *", "x"), ("user.id\n", "x"), ("", "x"), ("u" * 257, "x"), (3, "x"), (None, "x"), ({"a": 1}, "x"),
        ("user.id", ""), ("user.id", None), ("user.id", "x" * 1025), ("user.id", {"a": 1}), ("user.id", "\ud800"),
        ("user.id", []), ("user.id", ["a", None]),
    ],
)  # fmt: skip
def test_a_term_that_cannot_be_asked_with_is_left_out_and_said(field, value):
    alert = variant("threshold")
    alert["kibana.alert.threshold_result"]["terms"][0] = {"field": field, "value": value}
    found = behind(alert)
    assert found.terms == (("cloud.region", "us-east-1"),)
    assert "1 of its terms cannot be asked with" in found.reason


def test_values_stay_what_they_are():
    alert = variant("threshold")
    alert["kibana.alert.threshold_result"]["terms"] = [
        {"field": "user.name", "value": '") or true //'}, {"field": "a", "value": 3}, {"field": "b", "value": True},
        {"field": "c", "value": ["x", "y"]},
    ]  # fmt: skip
    assert behind(alert).terms == (("user.name", '") or true //'), ("a", "3"), ("b", "true"), ("c", "x"), ("c", "y"))


@pytest.mark.parametrize(
    "index",
    [
        "*",
        "logs-*",
        "a,b",
        ".kibana",
        ".security-7",
        "../_search",
        "-a",
        "_all",
        "A",
        "a/b",
        "x" * 300,
        "a:b:c",
        "",
        7,
        None,
    ],
)
def test_an_index_that_is_none_of_events_is_not_named(index):
    alert = variant("shell")
    alert["kibana.alert.ancestors"] = [{"id": "event-1", "type": "event", "index": index, "depth": 0}]
    assert (behind(alert).ids, behind(alert).indices) == (("event-1",), ())


@pytest.mark.parametrize("index", ["filebeat-8.17-000001", "eu:.ds-logs-aws.cloudtrail-default-2026.03.01-000012"])
def test_an_index_of_events_is_named(index):
    alert = variant("shell")
    alert["kibana.alert.ancestors"] = [{"id": "event-1", "type": "event", "index": index, "depth": 0}]
    assert behind(alert).indices == (index,)


def test_a_week_is_the_most_that_is_asked_about_and_a_cut_is_said():
    alert = variant("threshold")
    alert["kibana.alert.threshold_result"]["from"] = "2026-01-01T00:00:00Z"
    found = behind(alert)
    assert found.until - found.since == LONGEST
    assert "Of the 60 days that it covers, only the last 7 are" in found.reason


def test_ids_and_terms_without_end_are_cut_and_that_is_said():
    shell, threshold = variant("shell"), variant("threshold")
    shell["kibana.alert.ancestors"] = [{"id": f"e-{n}", "type": "event"} for n in range(MOST_IDS + 5)]
    threshold["kibana.alert.threshold_result"]["terms"] = [
        {"field": f"f{n}", "value": "x"} for n in range(MOST_TERMS + 5)
    ]
    assert len(behind(shell).ids) == MOST_IDS
    assert f"It has {MOST_IDS + 5} events" in behind(shell).reason
    assert len(behind(threshold).terms) == MOST_TERMS
    assert "5 of its terms" in behind(threshold).reason


@pytest.mark.parametrize("kind", VARIANTS)
def test_a_hit_its_source_its_nested_form_and_its_fields_stand_for_the_same(kind):
    alert = variant(kind)
    expected = behind(alert)
    columns = {name: value if isinstance(value, list) else [value] for name, value in dotted(alert).items()}
    assert behind({"_id": "x", "_source": alert}) == expected
    assert behind({"_id": "x", "fields": columns}) == expected
    assert behind(nested(alert)) == expected


def nested(alert):
    tree = {}
    for path, value in alert.items():
        *above, last = path.split(".")
        place = tree
        for name in above:
            place = place.setdefault(name, {})
        place[last] = value
    return tree


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["field", "value", "id", "a.b"]), inner)
    ),
    max_leaves=6,
)


@st.composite
def damaged(draw, value):
    """Something deleted, replaced or doubled, somewhere."""
    value = deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        place = value
        while isinstance(place, dict | list) and place:
            key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
            inner = place[key]
            if isinstance(inner, dict | list) and inner and draw(st.booleans()):
                place = inner
                continue
            what = draw(st.sampled_from(["drop", "replace", "double"]))
            if what == "drop":
                del place[key]
            else:
                place[key] = draw(JSON) if what == "replace" else [inner, inner]
            break
    return value


@settings(deadline=None)
@given(st.sampled_from(VARIANTS).map(variant).flatmap(damaged), st.booleans())
def test_no_damage_raises_or_asks_for_more_than_is_allowed(alert, hit):
    found = behind({"_source": alert} if hit else alert)
    if found is None:
        return
    assert found.reason
    assert len(found.ids) <= MOST_IDS
    assert len(found.terms) <= MOST_TERMS
    if found.since is not None and found.until is not None:
        assert timedelta(0) <= found.until - found.since <= LONGEST
    json.dumps(found.model_dump(mode="json")).encode()
    Behind.model_validate_json(found.model_dump_json())
