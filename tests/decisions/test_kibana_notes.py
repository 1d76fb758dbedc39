"""What Kibana is told of a case: each step once, at the right end, and as text that no stranger can steer."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from decisions.document import Code, Heading, Paragraph
from decisions.kibana_comments import LONGEST, drawn
from decisions.kibana_links import KibanaPlace
from decisions.kibana_notes import CloseAlerts, Comment, OpenCase, SetCase, TakeAlerts, closing_reason, notes_of
from tests.decisions.story import (
    ASKED,
    ASSESSMENT,
    CASE,
    CONTAINED,
    JUDGED,
    KEY_OFF,
    LOCK,
    OPENED,
    approval,
    at,
    carried_out,
    entries,
    event,
    receipt,
)

PLACE = KibanaPlace(base="https://kibana.example.com")
CLOSED = ("case-closed", {"verdict": "malicious", "why": "The playbook was followed to its end."}, at(60))
REPORT = ("report-written", {"html": "h", "markdown": "m", "metrics": {"exposure_s": None}}, at(59))


def judged(verdict, minutes=12.0):
    return ("verdict", {"verdict": verdict, "reasons": [f"It is {verdict}."], "missing": []}, at(minutes))


def deeds(*happened, kind=None):
    found = [n.deed for n in notes_of(entries(*happened), PLACE)]
    return [d for d in found if kind is None or isinstance(d, kind)]


def texts(*happened):
    return [d.text for d in deeds(*happened, kind=Comment)]


def test_a_case_opens_with_its_alerts_acknowledged_and_tagged():
    case, alerts = deeds(*OPENED)
    assert isinstance(case, OpenCase)
    assert case.title == f"{CASE}: EC2 exported as VM in account 111122223333"
    assert case.tags == ("vm-export", f"soar:{CASE}")
    assert case.severity == "medium", "before triage nothing is known, and unknown does not look harmless"
    assert "https://kibana.example.com/app/discover#/" in case.description
    assert isinstance(alerts, TakeAlerts)
    assert (alerts.alert_ids, alerts.event_ids) == (("alert-1",), ("event-1",))


def test_each_phase_is_one_comment_in_its_order():
    told = texts(*CONTAINED, REPORT, CLOSED)
    heads = [re.match(r"### (.*)", text)[1] for text in told]
    assert heads == [
        "Severity: HIGH", "Verdict: malicious", "The gate containment waits for people", "The gate containment was approved",
        "Containment: carried out", "The report was written", "The response is finished: malicious",
    ]  # fmt: skip
    assert "alice@example.com" in told[3]
    assert "verified" in told[4]
    assert deeds(*CONTAINED, kind=SetCase)[0] == SetCase(severity="high", status="in-progress")


def test_what_was_told_keeps_its_key_when_the_case_goes_on():
    before = notes_of(entries(*OPENED, *JUDGED, *ASKED))
    after = notes_of(entries(*CONTAINED, REPORT, CLOSED))
    assert [n.key for n in after[: len(before)]] == [n.key for n in before]
    assert len({n.key for n in after}) == len(after)


def test_one_more_alert_is_taken_too():
    second = event(event_id="event-2", alert_id="alert-2")
    joined = ("alert-joined", {"event": second, "inbox": 2, "sha256": "0" * 64, "joined_by": "k", "related": []}, at(9))
    first, both = notes_of(entries(*OPENED))[1], notes_of(entries(*OPENED, joined))[1]
    assert first.key != both.key
    assert both.deed.alert_ids == ("alert-1", "alert-2")


def test_a_judgement_is_said_again_only_when_it_changed():
    same = ("assessed", {"assessment": ASSESSMENT}, at(13))
    assert len(texts(*OPENED, *JUDGED, same, judged("malicious", 14))) == len(texts(*OPENED, *JUDGED)) + 1, (
        "other reasons"
    )
    assert len(texts(*OPENED, *JUDGED, same)) == len(texts(*OPENED, *JUDGED))


def test_a_question_asked_again_is_one_comment():
    again = (ASKED[1][0], ASKED[1][1] | {"asked": "q2", "problem": "The code is wrong."}, at(15))
    assert len(texts(*OPENED, *JUDGED, *ASKED, again)) == len(texts(*OPENED, *JUDGED, *ASKED))


@pytest.mark.parametrize(("happened", "reason"), [
    ((*OPENED, judged("expected"), CLOSED), "expected_activity"),
    ((*CONTAINED, CLOSED), "issue_resolved"),
    ((*CONTAINED, judged("suspicious", 31), CLOSED), "issue_resolved"),
    ((*CONTAINED, judged("undetermined", 31), CLOSED), None),
    ((*OPENED, CLOSED), None),
    ((*OPENED, *JUDGED, *ASKED, ("gate-answered", approval("decline"), at(20)), CLOSED), None),
    ((*OPENED, *JUDGED, *ASKED, *carried_out(receipt(LOCK, 21, 22), failed=(f"{KEY_OFF.id}: AccessDenied",)), CLOSED), None),
])  # fmt: skip
def test_alerts_are_closed_only_where_the_case_was_resolved(happened, reason):
    assert closing_reason(entries(*happened)) == reason
    assert [d.reason for d in deeds(*happened, kind=CloseAlerts)] == ([reason] if reason else [])
    assert (SetCase(status="closed") in deeds(*happened)) is bool(reason)
    assert ("A person must decide" in texts(*happened)[-1]) is (reason is None)


def test_what_cannot_be_an_alert_id_is_not_asked_for():
    odd = (
        "alert-joined",
        {"event": event(alert_id="../../x"), "inbox": 1, "sha256": "0" * 64, "joined_by": None, "related": []},
        at(7),
    )
    assert deeds(OPENED[0], odd, kind=TakeAlerts)[0].alert_ids == ()


hostile = st.text("`*_[]()<>|!{}#\\\n\r\t\0ab:/", min_size=1, max_size=40)


@given(hostile)
@settings(max_examples=60)
@example("!{lens{}}")
@example("`` ![x](https://example.com/x.png)")
@example("x\n\n# Everything is fine\n")
def test_names_of_strangers_are_no_markdown(name):
    said = event(principal_arn=f"arn:aws:iam::111122223333:user/{name}", instance_id=name, bucket=name, alert_id=None)
    joined = ("alert-joined", {"event": said, "inbox": 1, "sha256": "0" * 64, "joined_by": None, "related": []}, at(7))
    answer = ("gate-answered", approval("decline").model_copy(update={"reason": name}), at(20))
    case, *_ = deeds(OPENED[0], joined)
    for text in (case.description, *texts(OPENED[0], joined, *JUDGED, *ASKED, answer, CLOSED)):
        assert "!{" not in text, "a plugin of Kibana's Markdown"
        without_code = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", text)
        assert "![" not in without_code
        assert all(url.startswith("https://kibana.example.com/") for url in re.findall(r"\]\(([^)]*)\)", without_code))
        assert not re.search(r"^#+ Everything", text, re.M)


def test_a_text_that_is_too_long_loses_whole_blocks_and_keeps_its_marker():
    page = (Heading(3, "Much"), *(Paragraph(("x ", Code("y" * 1500))) for _ in range(30)))
    text = drawn(page, "vmexport CASE/key")
    assert len(text) <= LONGEST
    assert text.endswith("`vmexport CASE/key`\n")
    assert "More was left out" in text
    assert text.count("`") % 2 == 0


READ = {
    "event_id": "read-1", "time": "2026-03-04T10:00:00Z", "event_name": "GetObject", "event_source": "s3.amazonaws.com",
    "source_address": "203.0.113.9", "principal_id": "](https://evil.example.com)", "origin": "x",
}  # fmt: skip
FOUND = ("download-found", {"finding": "f", "exports": ["event-1"], "record": READ}, at(70))
AGAIN = ("case-reopened", {"finding": "f", "why": "a hunt found a read"}, at(71))


def test_a_case_that_is_opened_again_is_in_progress_there_and_is_closed_there_again():
    story = (*OPENED, *JUDGED, *CONTAINED[len(OPENED) + len(JUDGED) :], REPORT, CLOSED)
    first = [d.status for d in deeds(*story, kind=SetCase) if d.status]
    both = [d.status for d in deeds(*story, FOUND, AGAIN, CLOSED, kind=SetCase) if d.status]
    assert both[len(first) :] == ["in-progress", "closed"]
    keys = [n.key for n in notes_of(entries(*story, FOUND, AGAIN, CLOSED), PLACE)]
    assert len(keys) == len(set(keys))
    said = " ".join(texts(*story, FOUND, AGAIN))
    assert "203.0.113.9" in said
    assert "The case is open again" in said
    assert "](https://evil" not in said.replace("`](https://evil.example.com)`", "")
