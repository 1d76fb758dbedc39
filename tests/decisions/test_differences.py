"""Alert against EC2."""

from __future__ import annotations

import pytest

from decisions.differences import differences
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
