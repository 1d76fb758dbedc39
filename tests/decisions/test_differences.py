"""Alert against EC2."""

from __future__ import annotations

import pytest

from decisions.differences import differences, same_event
from tests.flows.given import event, task


@pytest.mark.parametrize(("said", "is_", "words"), [
    ({"bucket": "example-other"}, {}, "'example-other'"),
    ({"instance_id": "i-0aaaaaaaaaaaaaaaa"}, {}, "the instance is 'i-0aaaaaaaaaaaaaaaa'"),
    ({"disk_format": "RAW"}, {"disk_format": "VMDK"}, "the disk format"),
    ({"object_key": "a\nb"}, {}, r"'a\nb'"),
])  # fmt: skip
def test_a_field_that_both_tell_differently_is_a_sentence(said, is_, words):
    (found,) = differences(event(**said), task(**is_))
    assert words in found
    assert found.endswith("EC2 wins.")
    assert "\n" not in found


@pytest.mark.parametrize(("said", "is_"), [
    ({}, {}), ({"bucket": None}, {}), ({}, {"instance_id": None}), ({"disk_format": "VMDK"}, {"disk_format": "vmdk"}),
])  # fmt: skip
def test_what_one_does_not_tell_or_writes_otherwise_is_no_difference(said, is_):
    assert differences(event(**said), task(**is_)) == ()


@pytest.mark.parametrize(("said", "is_", "words"), [
    ({"bucket": "example-innocent"}, {}, "the bucket is 'example-innocent'"),
    ({"outcome": "denied"}, {}, "the outcome is 'denied'; Elasticsearch says 'accepted'"),
    ({"event_time": "2026-03-02T10:00:00Z"}, {"event_time": "2026-03-02T10:03:30Z"}, "2026-03-02T10:00:00Z; Elasticsearch says 2026-03-02T10:03:30Z"),
    ({"principal_arn": "arn:aws:iam::111122223333:user/\u202ea"}, {}, r"\u202ea"),
])  # fmt: skip
def test_what_a_body_told_otherwise_than_the_alert_read_again_is_a_sentence(said, is_, words):
    (found,) = same_event(event(**said), event(**is_))
    assert words in found
    assert found.startswith("The body said that ")
    assert found.endswith("Elasticsearch wins.")
    assert found.isascii()


def test_an_alert_that_says_the_same_differs_nowhere():
    assert same_event(event(), event()) == ()
    assert same_event(event(bucket=None), event()) == ()
