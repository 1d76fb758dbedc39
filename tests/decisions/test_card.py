"""The case card: one page, all nine facts, unknowns by name, and what to do next."""

from __future__ import annotations

import pytest

from decisions.card import card_page, next_step, open_gate
from decisions.document import parts
from decisions.export import Outcome
from decisions.kibana_links import KibanaPlace
from decisions.report import case_card
from decisions.terminal import to_terminal
from tests.decisions.story import (
    ASKED,
    CASE,
    CONTAINED,
    JUDGED,
    OPENED,
    PLAN,
    approval,
    at,
    entries,
    event,
    facts,
    findings,
    triaged,
    unknown,
)  # fmt: skip

URL = "http://127.0.0.1:4200/runs/flow-run/11"


def card(happened=(*OPENED, *JUDGED), known=None, now=14.0):
    return case_card(entries(*happened), known or triaged(), URL, at(now))


def test_the_card_tells_how_bad_why_and_the_nine_facts():
    text = card()
    assert text.startswith(f"# {CASE}: HIGH, malicious")
    for said in (
        "The export is from a production", "The actor opened the bucket", "request accepted", "**completed**",
        "`i-0123456789abcdef0`", "`s3://example-drop/vm/export-i-0fedcba9876543210.ova`", "`VMDK, ova, vmware`",
        "111122223333 (production), us-east-1", "(role `platform-admin` of 111122223333) exported", "`AROAEXAMPLEEXAMPLE:jo.contractor@example.com`",
        "`aws-cli/2.17.60`", "`ASIAEXAMPLEEXAMPLE01`", "`198.51.100.7`", "`jo.contractor@example.com`",
        "`DataClassification=restricted`", "high.concealment", URL,
    ):  # fmt: skip
        assert said in text, said


def test_an_unknown_fact_is_said_with_its_reason_never_left_blank():
    lost = facts(
        task=unknown("DescribeExportTasks: AccessDenied"), instance=unknown("no such instance"),
        instance_id=unknown("not told"), bucket=unknown("not told either"), account=unknown("not ours"),
    )  # fmt: skip
    text = card(known=triaged(exports=(lost,)))
    for said in (
        "DescribeExportTasks: AccessDenied",
        "an unknown machine",
        "not told either",
        "sensitivity unknown",
        "no such instance",
    ):
        assert said in text, said


def test_an_attempt_is_not_called_an_export():
    text = card(
        known=triaged(exports=(facts(event=event(outcome=Outcome.DENIED, error_code="UnauthorizedOperation")),))
    )
    assert "tried to export" in text
    assert "UnauthorizedOperation" in text


def test_before_triage_the_alert_is_told_and_said_to_be_no_more():
    text = case_card(entries(*OPENED), None, None, at(7.5))
    assert "NOT YET JUDGED" in text
    assert "`i-0123456789abcdef0`" in text
    assert "Triage has not read anything yet" in text


def test_a_hundred_exports_are_one_page():
    many = tuple(facts(event=event(event_id=f"event-{n}")) for n in range(100))
    text = to_terminal(card_page(entries(*OPENED, *JUDGED), triaged(exports=many), URL, at(14)))
    assert "97 more exports are in the case" in text
    assert len(text.splitlines()) < 120


def test_one_export_fits_a_screen_or_two():
    text = to_terminal(card_page(entries(*OPENED, *JUDGED), findings(), URL, at(14)))
    assert len(text.splitlines()) < 70


def said(happened, now=14.0):
    return "".join(p if isinstance(p, str) else p.text for p in parts(next_step(entries(*happened), at(now))))


@pytest.mark.parametrize(("happened", "words"), [
    (OPENED[:2], "Wait for the run"),
    (OPENED, "Wait for the verdict"),
    ((*OPENED, *JUDGED), "A gate will ask"),
    ((*OPENED, *JUDGED, *ASKED), f"vmexport approve {CASE}/containment"),
    ((*OPENED, *JUDGED, *ASKED, ("gate-answered", approval(), at(20))), "A gate will ask"),
    ((*CONTAINED, ("report-written", {"html": "x", "markdown": "y", "metrics": {}}, at(60))), "vmexport report"),
])  # fmt: skip
def test_the_next_step_is_the_one_that_is_due(happened, words):
    assert words in said(happened)


def test_a_gate_whose_time_is_over_waits_no_more():
    ledger = entries(*OPENED, *JUDGED, *ASKED)
    waiting = open_gate(ledger, at(14))
    assert waiting is not None
    assert waiting.data["plan_hash"] == PLAN.hash
    assert open_gate(ledger, at(14 + 73 * 60)) is None


def test_the_card_links_into_kibana_only_where_there_is_one():
    place = KibanaPlace(base="https://kibana.example.com", space="production")
    happened, facts = entries(*OPENED, *JUDGED), triaged()
    assert "Look in Kibana" not in case_card(happened, facts, URL, at(14))
    card = case_card(happened, facts, URL, at(14), place)
    assert "Look in Kibana" in card
    assert "(https://kibana.example.com/s/production/app/discover#/?_g=" in card
