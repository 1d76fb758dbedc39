"""The four metrics: measured between named moments, or unknown; never zero for null, never negative."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.evidence import Known, Unknown
from decisions.export import Outcome
from decisions.metrics import containment, detection, duration, measure, merged
from decisions.readable import Span, union_seconds
from decisions.statements import PERMISSIONS
from tests.decisions.story import (
    CONTAINED,
    DELETE,
    JUDGED,
    KEY_OFF,
    LOCK,
    OPENED,
    OURS,
    PLACE,
    T0,
    answer,
    approval,
    at,
    bucket,
    carried_out,
    collected,
    entries,
    event,
    facts,
    findings,
    known,
    read,
    readings,
    receipt,
    record,
    task,
    unknown,
)  # fmt: skip

NOW = at(90)


def measured(happened=CONTAINED, found=None, looks=None):
    return measure(entries(*happened), found or findings(), looks or readings(), OURS, NOW)


def contained(*happened):
    ledger = entries(*OPENED, *JUDGED, *happened)
    return containment(ledger, detection((event(),), None, NOW), NOW)


def test_detection_counts_from_the_first_request_to_the_first_alert_and_says_what_it_is_made_of():
    later = event(event_id="event-2", event_time=at(30), alert_created=at(31))
    found = detection((later, event()), None, NOW)
    assert isinstance(found, Known)
    assert found.value.seconds == 7 * 60
    assert found.value.parts == (("CloudTrail's delivery", 240.0), ("the rule's interval", 180.0))


def test_two_images_in_one_bucket_are_exposed_together_and_told_once():
    def span(since, until, why="outsiders could read it"):
        return Span(bucket="b", since=at(since), until=at(until), sure=True, why=why)

    assert merged((span(0, 5), span(3, 8), span(9, 10))) == (span(0, 8), span(9, 10))
    assert merged((span(0, 5), span(3, 8, "not known"))) == (span(0, 5), span(3, 8, "not known"))


def test_parts_that_cannot_be_compared_are_left_out():
    found = detection((event(ingested=at(9)),), None, NOW)
    assert isinstance(found, Known)
    assert found.value.parts == ()


def test_without_the_time_of_the_alert_its_arrival_counts_and_is_said_to_be_the_longest():
    found = detection((event(alert_created=None),), at(9), NOW)
    assert isinstance(found, Known)
    assert found.value.seconds == 9 * 60
    assert "longest" in found.value.until_what


def test_an_alert_from_before_the_export_is_named_and_no_figure_is_given():
    found = detection((event(alert_created=at(-1)),), None, NOW)
    assert isinstance(found, Unknown)
    assert "negative" in found.why


@pytest.mark.parametrize("exports", [(), (event(alert_created=None),)])
def test_no_detection_is_unknown_not_zero(exports):
    assert isinstance(detection(exports, None, NOW), Unknown)


def test_containment_ends_with_the_last_verified_effect_not_with_the_write_and_not_with_the_copy():
    found = measured().containment
    assert isinstance(found, Known)
    assert found.value.until == at(23)
    assert found.value.seconds == 16 * 60
    assert KEY_OFF.id in found.value.until_what


@pytest.mark.parametrize(("happened", "words"), [
    ((), "No containment was carried out: the verdict is malicious"),
    (carried_out(receipt(LOCK, 21, None)), "never verified"),
    (carried_out(receipt(LOCK, 21, 22), failed=("iam.deny-user:x failed: AccessDenied",)), "not complete"),
    (carried_out(left_out=(LOCK.id, KEY_OFF.id)), "left out"),
])  # fmt: skip
def test_containment_that_is_not_whole_has_no_time(happened, words):
    found = contained(*happened)
    assert isinstance(found, Unknown)
    assert words in found.why


def test_a_second_round_that_finishes_what_failed_gives_the_time():
    first = carried_out(receipt(LOCK, 21, 22), failed=("it failed",), minutes=25)
    found = contained(*first, *carried_out(receipt(KEY_OFF, 40, 41), minutes=42))
    assert isinstance(found, Known)
    assert found.value.until == at(41)


def test_what_approvers_left_out_is_said_beside_the_time():
    left_out = ("gate-answered", approval(leave_out=(KEY_OFF.id,)), at(20))
    found = contained(left_out, *carried_out(receipt(LOCK, 21, 22), left_out=(KEY_OFF.id,)))
    assert isinstance(found, Known)
    assert KEY_OFF.id in found.value.notes[0]


def test_exposure_lasts_from_the_image_being_there_to_the_verified_lock_with_a_least_and_a_most():
    found = measured().exposure
    assert isinstance(found, Known)
    assert (found.value.least_s, found.value.most_s) == ((22 - 8) * 60, (22 - 2) * 60)
    assert not found.value.open_end


def test_without_a_lock_the_exposure_goes_on_until_now_and_is_said_to():
    found = measured((*OPENED, *JUDGED)).exposure
    assert isinstance(found, Known)
    assert found.value.most_s == (90 - 2) * 60
    assert found.value.open_end


def test_a_lock_that_was_written_and_not_verified_does_not_end_it():
    happened = (*OPENED, *JUDGED, *carried_out(receipt(LOCK, 21, None)))
    found = measured(happened).exposure
    assert isinstance(found, Known)
    assert found.value.open_end


def test_a_verified_deletion_ends_it_where_nothing_is_left():
    happened = (*OPENED, *JUDGED, *carried_out(receipt(DELETE, 39, 40)))
    found = measured(happened, findings(objects={"example-drop": known(())})).exposure
    assert isinstance(found, Known)
    assert found.value.most_s == (40 - 2) * 60


def test_a_bucket_that_was_opened_later_counts_from_then_and_what_was_before_is_as_it_was_read():
    opened = record("PutBucketPolicy", 10, request_parameters={"bucketName": "example-drop"})
    found = measured(
        found=findings(activity={PERMISSIONS: answer(opened)}),
        looks=readings(known(bucket(policy=False), 8), known(bucket(), 12)),
    ).exposure
    assert isinstance(found, Known)
    assert (found.value.least_s, found.value.most_s) == ((22 - 10) * 60,) * 2


def test_a_time_before_a_change_that_nobody_read_is_perhaps_and_never_surely():
    closed = record("PutBucketPolicy", 10, request_parameters={"bucketName": "example-drop"})
    found = measured(
        found=findings(activity={PERMISSIONS: answer(closed)}), looks=readings(known(bucket(policy=False), 12))
    ).exposure
    assert isinstance(found, Known)
    assert (found.value.least_s, found.value.most_s) == (0, (10 - 2) * 60)


def test_a_strangers_role_that_is_named_like_ours_does_not_hide_its_change():
    foreign = "arn:aws:iam::210987654321:role/vmexport-respond"
    hidden = record("PutBucketPolicy", 10, request_parameters={"bucketName": "example-drop"}, issuer_arn=foreign)
    found = measured(
        found=findings(activity={PERMISSIONS: answer(hidden)}), looks=readings(known(bucket(policy=False), 8))
    ).exposure
    assert isinstance(found, Known)
    assert found.value.most_s == (22 - 10) * 60


def test_a_private_bucket_is_no_exposure_and_that_is_known():
    found = measured(looks=readings(known(bucket(policy=False), 8))).exposure
    assert isinstance(found, Known)
    assert found.value.most_s == 0


def test_a_bucket_that_nobody_could_read_about_is_unknown():
    found = measured(found=findings(buckets={"example-drop": unknown("AccessDenied on GetBucketPolicy")}))
    shown = measure(
        entries(*CONTAINED), findings(buckets={"example-drop": unknown("AccessDenied on GetBucketPolicy")}),
        readings().model_copy(update={"buckets": ()}), OURS, NOW,
    )  # fmt: skip
    assert isinstance(found.exposure, Known)
    assert isinstance(shown.exposure, Unknown)
    assert "GetBucketPolicy" in shown.exposure.why
    assert shown.figures()["exposure_s"] is None


def test_a_cancelled_export_never_lay_there():
    nothing = readings().model_copy(update={"tasks": (known(task("cancelled")),), "versions": ()})
    found = measured(found=findings(objects={"example-drop": known(())}), looks=nothing).exposure
    assert isinstance(found, Known)
    assert found.value.most_s == 0


def denied():
    refused = event(outcome=Outcome.DENIED, error_code="Client.UnauthorizedOperation", task_id=None)
    return findings(exports=(facts(event=refused, task=unknown("no task")),))


def test_a_denied_attempt_was_image_read_nobody_and_exposed_nothing():
    found = measured(found=denied())
    assert found.accessed_outside == "no"
    assert isinstance(found.exposure, Known)
    assert found.exposure.value.most_s == 0


def searched(**change):
    """The case with a finished search for reads of the image among its evidence."""
    reads = answer(**change)
    assert isinstance(reads, Known)
    return (*CONTAINED, ("evidence-collected", collected(2, f"reads of {PLACE}", reads.value.coverage), at(60)))


def test_one_read_from_outside_is_yes_whatever_else_is_not_known():
    found = measured(found=findings(reads={PLACE: known((read(True),)), "other/key": unknown()}))
    assert found.accessed_outside == "yes"
    assert "210987654321" in found.accessed_reasons[0]


@pytest.mark.parametrize(("reads", "search", "said"), [
    ({PLACE: known(())}, {}, "no"),
    ({PLACE: known((read(False),))}, {}, "no"),
    ({PLACE: known((read(None),))}, {}, "unknown"),
    ({PLACE: known(())}, {"gaps": ("data events were off",)}, "unknown"),
    ({PLACE: known(())}, {"until": 5}, "unknown"),
    ({PLACE: unknown("data events are off")}, {}, "unknown"),
    ({}, {}, "unknown"),
])  # fmt: skip
def test_no_is_said_only_where_every_read_is_recorded_to_the_end(reads, search, said):
    found = measured(searched(**search), findings(reads=reads))
    assert found.accessed_outside == said
    assert found.accessed_reasons


def test_figures_are_null_where_unknown():
    figures = measured((*OPENED, *JUDGED)).figures()
    assert figures["time_to_containment_s"] is None
    assert figures["time_to_detection_s"] == 420


moments = st.integers(-1000, 1000).map(lambda n: T0 + timedelta(seconds=n))


@given(st.lists(st.tuples(moments, moments)))
def test_the_union_counts_every_second_once(spans):
    seconds = {s for a, b in spans for s in range(int((a - T0).total_seconds()), int((b - T0).total_seconds()))}
    assert union_seconds(spans) == len(seconds)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (3900, "1 h 05 min"), (183600, "2 d 03 h")],
)
def test_durations_are_said_in_words(seconds, said):
    assert duration(seconds) == said
