"""A hunt's finding as a body: what it says is checked as if a stranger had sent it."""

from __future__ import annotations

import json

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from decisions.alert import decode
from decisions.hunt_alert import finding_body
from decisions.keepable import keepable
from tests.records.findings_of import download_finding, export_finding


def decoded(body):
    return decode(json.dumps(body).encode())


def changed(**change):
    body = finding_body(export_finding())
    body["hunt_finding"]["export"] |= change
    return body


def test_it_tells_the_export_as_the_record_itself_does():
    found = export_finding()
    [event] = decoded(finding_body(found)).events
    apart = {"sources", "warnings"}
    assert event.model_dump(exclude=apart) == found.export.model_dump(exclude=apart)
    assert set(event.sources.values()) == {"hunt"}


def test_what_cannot_be_is_not_taken_and_said():
    [event] = decoded(changed(bucket="../etc", recipient_account="1", task_id="x; drop")).events
    assert (event.bucket, event.recipient_account, event.task_id) == (None, None, None)
    assert len(event.warnings) >= 3


def test_it_cannot_name_an_alert_that_would_be_asked_about():
    [event] = decoded(changed(alert_id="alert-of-somebody-else")).events
    assert event.alert_id is None


def test_a_finding_of_another_kind_or_shape_says_so_and_opens_nothing():
    download = finding_body(download_finding(export_finding()))
    strange = {"hunt_finding": {"id": 1, "\n": 2}}
    for body, word in ((download, "download"), (strange, "no finding of a hunt")):
        answer = decoded(body)
        assert answer.events == ()
        assert word in answer.problems[0]


def test_a_name_that_is_added_to_an_alert_hides_nothing():
    record = {"eventName": "ExportImage", "eventSource": "ec2.amazonaws.com", "eventTime": "2026-03-02T10:00:00Z", "eventID": "mine"}  # fmt: skip
    [event] = decoded(record | finding_body(export_finding())).events
    assert event.event_id == "mine"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(anything)
def test_whatever_a_log_holds_can_be_kept(value):
    once = rfc8785.dumps(keepable({"v": value}))
    assert rfc8785.dumps(keepable(json.loads(once))) == once


def test_what_is_nested_without_end_or_larger_than_any_number_can_be_kept():
    deep = 10**5000
    for _ in range(2000):
        deep = [deep]
    rfc8785.dumps({"v": keepable(deep), "n": keepable(10**5000)})
