"""What rules mean, what is refused and why, and what correlations say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from decisions.sigma import Loaded, Rule, load_rules, matches
from decisions.sigma_correlation import Hit, correlate
from decisions.vm_export_grantees import EXPORT_SERVICE_IDS
from tasks.hunting.fixtures import load
from tests.hunting.packs import sigmahq


def rule(detection: str, condition: str = "sel") -> Rule:
    loaded = load_rules(
        {"r": f"title: r\nlogsource: {{product: aws}}\ndetection:\n  sel: {detection}\n  condition: {condition}"}
    )
    assert loaded.refused == ()
    return loaded.rules[0]


def reason(text: str) -> str:
    loaded = load_rules({"bad.yml": text})
    assert loaded.rules == loaded.correlations == ()
    (name, why), *_ = loaded.refused
    assert name == "bad.yml"
    return why


NAMED = {
    "eventName": "ExportImage",
    "requestParameters": {"a": [{"b": ["X", None]}, {"b": "y"}], "n": 5, "t": True, "o": {}},
}


@pytest.mark.parametrize(
    ("detection", "expected"),
    [
        ("{eventName: exportimage}", True),
        ("{eventName|cased: exportimage}", False),
        ("{eventName: 'Export*'}", True),
        ("{eventName: 'Export\\*'}", False),
        ("{requestParameters.a.b: x}", True),
        ("{requestParameters.a.b|contains|all: [x, y]}", True),
        ("{requestParameters.a.b|all: [x, z]}", False),
        ("{requestParameters.n: '5'}", True),
        ("{requestParameters.n|gt: 4}", True),
        ("{requestParameters.n|lt: 5}", False),
        ("{requestParameters.t: 'True'}", True),
        ("{requestParameters.o|exists: true}", False),
        ("{requestParameters.o: null}", True),
        ("{errorCode: null}", True),
        ("{errorCode|contains: '*'}", False),
        ("{requestParameters|contains: '\"n\":5'}", True),
        ("[exportim, nothing]", True),
        ("{'|all': [exportim, nothing]}", False),
        ("[{eventName: A}, {eventName: ExportImage}]", True),
    ],
)
def test_a_record_is_read_as_the_meaning_says(detection: str, expected: bool):
    assert matches(rule(detection), NAMED) is expected
    assert matches(rule(detection, "not sel"), NAMED) is not expected


def test_dotless_and_kelvin_are_other_letters():
    kiki = rule("{userAgent: kiki}")
    assert matches(kiki, {"userAgent": "KIKI"})
    for other in ("kıkı", "KİKİ", "\u212aiki"):
        assert not matches(kiki, {"userAgent": other})


def test_not_is_before_and_is_before_or():
    both = (
        "title: r\nlogsource: {product: aws}\ndetection: {a: {x: 1}, b: {y: 1}, c: {z: 1}, condition: not a and b or c}"
    )
    found = load_rules({"r": both}).rules[0]
    assert matches(found, {"y": 1})
    assert not matches(found, {"x": 1, "y": 1})
    assert matches(found, {"x": 1, "z": 1})


HEAD = "title: r\nlogsource: {product: aws, service: cloudtrail}\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("title: [", "no YAML"),
        ("- a", "no map"),
        ("title: r\nlogsource: {product: windows}\ndetection: {a: {b: c}, condition: a}", "logs of windows"),
        (HEAD + "detection: {a: {b|windash: c}, condition: a}", "windash"),
        (HEAD + "detection: {a: {b|base64offset|contains: c}, condition: a}", "base64offset"),
        (HEAD + "detection: {a: {b|expand: '%c%'}, condition: a}", "expand"),
        (HEAD + "detection: {a: {b|re: '(?=c)'}, condition: a}", "assert"),
        (HEAD + "detection: {a: {b|re: '(a+)+$'}, condition: a}", "forever"),
        (HEAD + "detection: {a: {b|re: '\\bx'}, condition: a}", "each engine"),
        (HEAD + "detection: {a: {b|re: '('}, condition: a}", "cannot be read"),
        (HEAD + "detection: {a: {b|cidr: 10.0.0.0/99}, condition: a}", "no network"),
        (HEAD + "detection: {a: {b: c}, condition: a and other}", "'other'"),
        (HEAD + "detection: {a: {b: c}, condition: 1 of x*}", "'x*'"),
        (HEAD + "detection: {a: {b: c}, condition: (a}", "no `)`"),
        (HEAD + "detection: {a: {b: c}, condition: a | count() > 3}", "correlation rules"),
        (HEAD + "detection: {a: {b: c}}", "no condition"),
        (HEAD + "detection: {a: {b: c}, a: {b: d}, condition: a}", "given twice"),
        (HEAD + "detection: {a: &x {b: c}, d: *x, condition: a}", "anchors"),
        (HEAD + "detection: {a: {b: 2026-03-02}, condition: a}", "neither text nor"),
        (HEAD + "detection: {a: {}, condition: a}", "empty"),
        (HEAD + "level: huge\ndetection: {a: {b: c}, condition: a}", "huge"),
        (f"{HEAD}detection: {{a: {{b: c}}, condition: {'(' * 99}a{')' * 99}}}", "deeply"),
        (HEAD + "correlation: {type: sum, rules: a, timespan: 5m}", "sum"),
        (HEAD + "correlation: {type: temporal, rules: [nobody], timespan: 5m}", "nobody"),
        (HEAD + "correlation: {type: temporal, rules: [nobody], timespan: soon}", "soon"),
    ],
)
def test_what_cannot_be_used_is_named_with_the_reason(text: str, why: str):
    assert why in reason(text)


def test_a_rule_that_cannot_be_used_leaves_the_others():
    loaded = load_rules({"a": "title: [", "b": HEAD + "detection: {a: {b: c}, condition: a}"})
    assert [found.title for found in loaded.rules] == ["r"]
    assert [name for name, _ in loaded.refused] == ["a"]


def test_the_rule_of_this_very_incident_matches_a_success():
    """Titled a failure, it selects what has no error: NOT over missing fields is true (notes/hunting.md 3)."""
    (found,) = [one for one in sigmahq().rules if one.source == "aws_ec2_vm_export_failure.yml"]
    accepted = {
        "eventName": "CreateInstanceExportTask",
        "eventSource": "ec2.amazonaws.com",
        "responseElements": {"a": 1},
    }
    assert matches(found, accepted)
    assert not matches(found, accepted | {"errorCode": "Client.UnauthorizedOperation"})


def test_all_rules_of_sigmahq_are_usable():
    loaded = sigmahq()
    assert (len(loaded.rules), loaded.refused) == (57, ())


@pytest.mark.parametrize("name", ["vm_export_grant_by_acl", "vm_export_grant_by_policy", "vm_export_grant_refused"])
def test_grant_rules_know_every_region(name: str):
    """A Region that is added to the table must be added to the rules."""
    (found,) = [one for one in load().rules if one.name == name]
    for canonical_id in EXPORT_SERVICE_IDS:
        record: dict[str, Any] = {
            "eventSource": "s3.amazonaws.com",
            "eventName": "PutBucketPolicy" if "policy" in name else "PutBucketAcl",
            "requestParameters": {"bucketPolicy": {"Principal": {"CanonicalUser": [canonical_id]}}},
        }
        assert matches(found, record | ({"errorCode": "AccessDenied"} if "refused" in name else {})), canonical_id


def test_rules_of_ours_say_what_a_reader_needs():
    loaded = load()
    assert loaded.refused == ()
    for one in (*loaded.rules, *loaded.correlations):
        assert one.falsepositives, one.title
        assert any(tag.startswith("attack.t") for tag in one.tags), one.title
        assert one.description, one.title
    # What only feeds a correlation is no finding by itself.
    hidden = {one.name for one in loaded.rules if one.id in loaded.hidden}
    assert {"image_created", "snapshot_block_read", "vm_export_refused"} <= hidden
    assert not hidden & {"vm_export_accepted", "logging_switched_off"}


T0 = datetime(2026, 3, 2, 9, tzinfo=UTC)


def correlation(body: str, *hits: tuple[str, int, dict[str, Any]]) -> list[list[int]]:
    """Minutes of the hits of each time that it goes off."""
    base = "".join(
        f"---\ntitle: {name}\nid: {name}\nname: {name}\nlogsource: {{product: aws}}\ndetection: {{s: {{x: 1}}, condition: s}}\n"
        for name in "ab"
    )
    loaded: Loaded = load_rules({"c": f"title: c\nid: c\ncorrelation: {{{body}}}\n{base}"})
    assert loaded.refused == ()
    told = correlate(loaded.correlations, [Hit(name, T0 + timedelta(minutes=at), record) for name, at, record in hits])
    return [[int((hit.time - T0).total_seconds() // 60) for hit in one.hits] for one in told]


def a(at: int, who: str | None = "alice", **more: Any) -> tuple[str, int, dict[str, Any]]:
    return "a", at, {"who": who, **more}


def b(at: int, who: str | None = "alice", **more: Any) -> tuple[str, int, dict[str, Any]]:
    return "b", at, {"who": who, **more}


def test_event_count_goes_off_once_until_it_was_over():
    body = "type: event_count, rules: [a], group-by: [who], timespan: 10m, condition: {gte: 3}"
    assert correlation(body, a(0), a(5), a(10), a(11), a(12)) == [[0, 5, 10]]
    assert correlation(body, a(0), a(5), a(11)) == []
    assert correlation(body, a(0), a(5), a(10), a(40), a(41), a(42)) == [[0, 5, 10], [40, 41, 42]]
    assert correlation(body, a(0), a(1, "bob"), a(2), a(3, "bob")) == []


def test_hits_of_unknown_groups_are_not_one_group():
    body = "type: event_count, rules: [a], group-by: [who], timespan: 10m, condition: {gte: 2}"
    assert correlation(body, a(0, None), a(1, None)) == []


def test_value_count_counts_different_values():
    body = "type: value_count, rules: [a], group-by: [who], timespan: 10m, condition: {field: what, gte: 2}"
    assert correlation(body, a(0, what="x"), a(1, what="x"), a(2)) == []
    assert correlation(body, a(0, what="x"), a(1, what="y")) == [[0, 1]]


def test_temporal_takes_any_order_and_temporal_ordered_does_not():
    either = "type: temporal, rules: [a, b], group-by: [who], timespan: 10m"
    ordered = "type: temporal_ordered, rules: [a, b], group-by: [who], timespan: 10m"
    assert correlation(either, b(0), a(5)) == correlation(either, a(0), b(5)) == [[0, 5]]
    assert correlation(ordered, a(0), b(5)) == [[0, 5]]
    assert correlation(ordered, b(0), a(5)) == []
    assert correlation(either, a(0), b(11)) == []
    assert correlation(either, a(0), b(1, "bob")) == []


def test_an_alias_names_another_field_of_each_rule():
    body = "type: temporal, rules: [a, b], group-by: [actor], timespan: 10m, aliases: {actor: {a: who, b: target}}"
    assert correlation(body, a(0, "alice"), b(5, "bob", target="alice")) == [[0, 5]]
