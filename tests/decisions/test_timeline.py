"""The timeline: everything once, in order, by whom, and where it was read."""

from __future__ import annotations

import pytest

from decisions import case as kinds
from decisions.evidence import Known
from decisions.statements import KEYS, PERMISSIONS
from decisions.story import tell
from decisions.timeline import as_json, timeline
from tests.decisions.story import (
    CASE,
    CONTAINED,
    OPENED,
    OURS,
    PLACE,
    answer,
    at,
    entries,
    event,
    findings,
    known,
    read,
    record,
    unknown,
)  # fmt: skip

RESPONDER = "arn:aws:iam::111122223333:role/vmexport-respond"


def moments(happened=CONTAINED, found=None):
    return timeline(entries(*happened), found or findings(), OURS)


def test_moments_are_in_order_and_name_their_source_and_evidence():
    told = moments()
    assert [m.time for m in told] == sorted(m.time for m in told)
    opened = next(m for m in told if "PutBucketPolicy" in m.text)
    assert (opened.lane, opened.source, opened.evidence, opened.detail) == ("actor", "CloudTrail", ("EV-0001",), False)
    assert next(m for m in told if "in force, verified" in m.text).source.startswith("ledger ")


def test_a_record_that_answers_two_questions_is_told_once():
    assert sum("PutBucketPolicy" in m.text for m in moments()) == 1


def test_an_export_that_alert_and_log_both_tell_of_is_told_once():
    same = record("CreateInstanceExportTask", 0, event_id="event-1")
    told = moments(found=findings(activity={KEYS: answer(same)}))
    assert sum("CreateInstanceExportTask" in m.text for m in told) == 1


def test_reading_calls_that_follow_each_other_are_one_moment_with_their_number():
    described = [m for m in moments() if "DescribeInstances" in m.text]
    assert [(m.count, m.detail) for m in described] == [(7, True)]
    assert described[0].until == at(-9 + 0.6)


def test_others_are_told_apart_from_the_actor_and_our_own_calls_are_left_to_the_ledger():
    other = record(
        "PutBucketAcl", 1, principal_arn="arn:aws:iam::111122223333:user/sam", access_key_id="AKIAEXAMPLE0000000001"
    )
    ours = record("PutBucketPolicy", 21, issuer_arn=RESPONDER, principal_arn="x", access_key_id="ASIAEXAMPLEEXAMPLE99")
    told = moments(found=findings(activity={PERMISSIONS: answer(other, ours)}))
    assert [m.lane for m in told if "PutBucketAcl" in m.text] == ["others"]
    assert not [m for m in told if m.time == at(21)]


def test_a_strangers_role_that_is_named_like_ours_is_shown():
    foreign = "arn:aws:iam::210987654321:role/vmexport-respond"
    told = moments(found=findings(activity={PERMISSIONS: answer(record("PutBucketPolicy", 1, issuer_arn=foreign))}))
    assert [m.lane for m in told if "PutBucketPolicy" in m.text] == ["actor"]


def test_a_read_from_outside_is_told_once_with_what_shows_it():
    same = record("GetObject", 15, event_id="read-15.0")
    told = moments(found=findings(reads={PLACE: known((read(True),))}, activity={KEYS: answer(same)}))
    reads = [m for m in told if "GetObject" in m.text]
    assert [(m.lane, m.detail) for m in reads] == [("others", False)]
    assert "OUTSIDE" in reads[0].text
    assert "Account 210987654321 is not ours." in reads[0].text


def test_a_caller_without_key_and_name_is_not_taken_for_the_actor():
    nobody = record("PutBucketPolicy", 1, principal_arn=None, access_key_id=None)
    case = findings(activity={KEYS: answer(nobody)})
    unnamed = case.exports[0].actor.model_copy(update={"access_key_id": None, "principal_arn": None})
    blank = case.exports[0].model_copy(update={"actor": unnamed})
    told = moments(found=case.model_copy(update={"exports": (blank,)}))
    assert [m.lane for m in told if "PutBucketPolicy" in m.text] == ["others"]


def test_questions_without_an_answer_leave_the_rest_of_the_timeline():
    told = moments(found=findings(activity={KEYS: unknown(), PERMISSIONS: unknown()}))
    assert any("Alert" in m.text for m in told)
    assert any("called CreateInstanceExportTask" in m.text for m in told)


def test_without_findings_alert_and_ledger_are_told():
    told = timeline(entries(*OPENED), None, OURS)
    assert [m.lane for m in told] == ["actor", "detection", "detection", "detection", "response"]


def test_every_kind_of_ledger_entry_has_a_sentence():
    from decisions.story import _SENTENCES

    assert set(_SENTENCES) == kinds.KINDS


def test_an_entry_of_a_kind_that_a_later_release_writes_is_still_told():
    told = tell(entries(("something-new", {}, at(0)))[0])
    assert told is not None
    assert "something-new" in "".join(str(p) for p in told[1])


@pytest.mark.parametrize(
    ("caller", "said"),
    [
        ({"principal_type": "Anonymous"}, "somebody without credentials read"),
        ({"principal_id": "AIDAEXAMPLE", "caller_account": "210987654321"}, "AIDAEXAMPLE of account 210987654321 read"),
    ],
)
def test_whoever_a_hunt_found_reading_the_image_is_named_as_in_the_hunts_answer(caller, said):
    found = record("GetObject", 60).model_copy(
        update={"principal_arn": None, "principal_id": None, "principal_type": None, "caller_account": None} | caller
    )
    data = {"finding": "f", "exports": ["event-1"], "record": found.model_dump(mode="json")}
    told = tell(entries(("download-found", data, at(70)))[0])
    assert said in "".join(part if isinstance(part, str) else part.text for part in told[1])


@pytest.mark.parametrize("hostile", ["a\n| b |", "\x1b[31m", "</script>"])
def test_hostile_names_arrive_unchanged_where_machines_read(hostile):
    told = moments(found=findings(activity={KEYS: answer(record("PutBucketPolicy", 1, principal_arn=hostile))}))
    assert any(hostile in as_json(m)["what"] for m in told)


def test_the_alert_of_an_export_comes_after_it_and_is_named_by_its_rule():
    told = timeline(entries(*OPENED), None, OURS)
    alert = next(m for m in told if m.text.startswith("Alert"))
    assert alert.time == event().alert_created
    assert "AWS EC2 Exported as VM" in alert.text
    assert isinstance(findings().activity[KEYS], Known)
    assert CASE in (told[-1].event_id or "")
