"""Which alerts are one export, which exports are one case, and what a case is called."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from decisions.export import ExportApi, ExportEvent, Outcome
from decisions.grouping import case_id, dedupe_keys, grouping_keys


def export(**change):
    told = {
        "event_id": "5e68a70c-9e8b-49c3-a6c5-63ab2bc2685a", "api": ExportApi.INSTANCE, "outcome": Outcome.ACCEPTED,
        "event_time": datetime(2026, 3, 2, 10, 3, 30, tzinfo=UTC), "recipient_account": "111122223333", "region": "us-east-1",
        "access_key_id": "ASIAEXAMPLEEXAMPLE01", "principal_id": "AROAX:jo", "bucket": "example-drop",
        "task_id": "export-i-0fedcba9876543210",
    }  # fmt: skip
    return ExportEvent(**told | change)


def test_the_copy_of_an_organisation_trail_is_the_same_export():
    assert set(dedupe_keys(export())) & set(dedupe_keys(export(event_id="another")))


@pytest.mark.parametrize(
    "change", [{"region": "eu-west-1"}, {"recipient_account": "444455556666"}, {"task_id": "export-i-1"}]
)
def test_the_same_task_id_elsewhere_is_another_export(change):
    assert not set(dedupe_keys(export())) & set(dedupe_keys(export(event_id="another", **change)))


@pytest.mark.parametrize("missing", ["region", "recipient_account", "task_id"])
def test_what_is_not_known_makes_no_two_exports_one(missing):
    assert len(dedupe_keys(export(**{missing: None}))) == 1


def test_a_credential_or_a_bucket_in_common_groups():
    base = set(grouping_keys(export()))
    assert base & set(grouping_keys(export(bucket="another")))
    assert base & set(grouping_keys(export(access_key_id="ASIAEXAMPLEEXAMPLE02")))
    assert not base & set(grouping_keys(export(bucket="another", access_key_id="ASIAEXAMPLEEXAMPLE02")))


def test_without_a_key_the_principal_stands_for_the_credential_and_nothing_for_nothing():
    bare = {"access_key_id": None, "bucket": None}
    assert grouping_keys(export(**bare)) == grouping_keys(export(**bare, event_id="another")) != ()
    assert grouping_keys(export(**bare, principal_id=None)) == ()


def test_a_bucket_cannot_pass_for_a_credential():
    assert not set(grouping_keys(export(bucket="x", access_key_id=None, principal_id=None))) & set(
        grouping_keys(export(access_key_id="x", bucket=None))
    )


def test_a_case_is_called_by_day_and_export():
    name = case_id(export())
    assert name == case_id(export())
    assert name.startswith("VMX-20260302-")
    assert len(name) == len("VMX-20260302-") + 4
    assert name != case_id(export(event_id="another"))


def test_the_day_is_that_of_utc():
    late = datetime(2026, 3, 2, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    assert case_id(export(event_time=late)).startswith("VMX-20260303-")


def test_a_longer_suffix_begins_with_the_shorter_one():
    assert case_id(export(), length=8).startswith(case_id(export()))
    with pytest.raises(ValueError, match="1 to 52"):
        case_id(export(), length=53)


@pytest.mark.parametrize("hostile", ["\x00", "a" * 10_000, "\ud800", "x\ny", "é"])
def test_whatever_an_event_id_holds_its_key_can_be_stored(hostile):
    keys = (*dedupe_keys(export(event_id=hostile)), *grouping_keys(export(access_key_id=hostile, bucket=hostile)))
    assert all(key.isascii() and key.isprintable() and len(key) < 300 for key in keys)
    assert case_id(export(event_id=hostile)).isascii()
