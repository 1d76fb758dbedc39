"""The HTML report: complete, alone, and unmoved by whatever strangers wrote."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from decisions.document import Bullets, Code, Heading, Listing, Paragraph, Quote, Steps, Strong, Table
from decisions.lessons import Reviewed
from decisions.metrics import measure
from decisions.report import report_markdown
from decisions.review_json import review_json
from decisions.statements import KEYS
from decisions.timeline import Moment, timeline
from tasks.report.charts import timeline_chart
from tasks.report.html import page_html, report_html
from tests.decisions.story import (
    CONTAINED,
    DELETE,
    KEY_OFF,
    LOCK,
    OPENED,
    OURS,
    PLACE,
    PLAN,
    answer,
    approval,
    at,
    carried_out,
    entries,
    facts,
    findings,
    known,
    read,
    readings,
    receipt,
    record,
    unknown,
)  # fmt: skip
from tests.decisions.test_markdown import NASTY, anything

URL = "http://127.0.0.1:4200/runs/flow-run/11"
HOSTILE = "</text></script><script>alert(1)</script><img src=http://evil.example/x onerror=alert(1)>\x1b[31m\u202e|"


def reviewed(happened=CONTAINED, found=None):
    ledger, found = entries(*happened), found or findings()
    metrics = measure(ledger, found, readings(), OURS, at(90))
    return Reviewed(ledger, found, metrics, timeline(ledger, found, OURS), URL, at(90))


class Seen(HTMLParser):
    """Tags, attributes and text, as a browser would find them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data):
        self.text += data


def test_the_report_says_what_a_manager_asks():
    text = " ".join(Seen(report_html(reviewed())).text.split())
    for said in (
        "The severity is HIGH and the verdict malicious", "16 min 00 s after the alert", "3 actions are in force, 3 verified by effect", "alice@example.com",
        "Time to detection", "7 min 00 s", "Time to containment", "16 min 00 s", "Duration of exposure", "14 min 00 s to 20 min 00 s",
        "What was not done, and why", "What could not be known", "SCPs over 111122223333: AccessDenied", "high.concealment",
        "Approvals", "What is left to do", reviewed().case.head, "EV-0001", "0" * 12 + "…",
    ):  # fmt: skip
        assert said in text, said


def test_the_first_table_answers_what_a_reader_asks_first():
    rows = re.findall(r"<tr>.*?</tr>", report_html(reviewed()).split("<h2>")[0], re.S)
    for row, asked in zip(rows, ("What happened", "How bad", "Contained", "Got out", "Left to do"), strict=True):
        assert Seen(row).text.strip().startswith(asked)


def test_a_gap_that_another_one_of_the_same_subject_tells_is_told_once():
    gaps = ("reads of a: no read; logs are off.", "reads of a: logs are off.", "reads of b: logs are off.")
    text = report_markdown(reviewed(found=findings(missing=gaps)))
    assert text.count("logs are off.") == 2


def test_no_hash_but_the_ledgers_is_spelled_out_and_no_time_is_broken_over_lines():
    page = report_html(reviewed())
    assert set(re.findall(r"\b[0-9a-f]{64}\b", page)) == {reviewed().case.head}
    body = page.split("<body>")[1]
    loose = re.sub(
        r"<(code|title|desc)[^>]*>.*?</\1>|<time>[^<]*</time>|<svg.*?</svg>|<footer>.*", "", body, flags=re.S
    )
    assert not re.search(r"\d{4}-\d\d-\d\dT", loose)


def test_every_action_has_words_for_people():
    from decisions.story import DEEDS
    from tasks.actions.registry import actions

    assert set(DEEDS) == set(actions())


def test_it_loads_nothing_and_runs_nothing():
    seen = Seen(report_html(reviewed()))
    assert {"script", "link", "img", "iframe", "object", "form"} & set(seen.tags) == set()
    outside = [
        (n, v) for n, v in seen.attributes if re.match(r"(?i)(https?:)?//|javascript:", v) and not n.startswith("xmlns")
    ]
    assert outside == [("href", URL)]
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in seen.attributes


def test_both_charts_are_drawn_with_their_moments():
    page = report_html(reviewed(found=findings(reads={PLACE: known((read(True),))})))
    assert page.count("<svg") == 2
    assert "readable from outside" in page
    assert "read from outside" in page
    for lane in ("actor", "detection", "people", "response"):
        assert f">{lane}</text>" in page


@pytest.mark.parametrize(("answered", "twice"), [(2, False), (50, True)])
def test_a_short_response_to_an_old_export_is_drawn_once_more_and_larger(answered, twice):
    lanes = (("actor", 0), ("detection", answered), ("people", answered + 1), ("response", 52))
    drawn = timeline_chart([Moment(at(minutes), lane, lane, "here") for lane, minutes in lanes], at(0), at(60))
    assert ("The response, closer" in drawn) is twice


def test_twenty_thousand_calls_make_no_page_that_no_browser_opens():
    calls = answer(*(record("PutObject", n / 200, event_id=f"call-{n}") for n in range(20_000)))
    page = report_html(reviewed(found=findings(activity={KEYS: calls})))
    assert len(page) < 1_000_000
    assert "more moments" in page


def test_a_case_of_which_nothing_is_known_still_gets_its_report():
    nothing = findings(
        exports=(facts(task=unknown(), instance=unknown(), instance_id=unknown(), account=unknown(), bucket=unknown(), key=unknown()),),
        buckets={}, objects={}, activity={KEYS: unknown()}, reads={},
    )  # fmt: skip
    of = reviewed(OPENED, nothing)
    text = Seen(report_html(of)).text
    assert text.count("unknown") >= 3
    assert of.metrics.figures()["exposure_s"] is None
    assert "No action is in force" in text


def test_what_was_not_done_is_named_with_its_reason():
    happened = (
        *OPENED, ("gate-answered", approval(leave_out=(KEY_OFF.id,)), at(20)),
        ("action-failed", {"plan_hash": PLAN.hash, "action_id": DELETE.id, "error": "AccessDenied"}, at(21)),
        *carried_out(receipt(LOCK, 21, None), left_out=(KEY_OFF.id,)), ("gate-answered", approval("decline"), at(40)),
        ("reverted", {"plan_hash": "r", "action_id": LOCK.id, "verification": {}}, at(50)),
    )  # fmt: skip
    text = report_markdown(reviewed(happened))
    assert f"`{KEY_OFF.id}` was left out" in text
    assert f"`{DELETE.id}` failed: AccessDenied" in text
    assert "was declined by `alice@example.com`: `looks bad`" in text
    assert f"`{LOCK.id}` was taken back" in text


def test_an_effect_that_is_not_there_is_shouted_and_is_left_to_do():
    text = report_markdown(reviewed((*OPENED, *carried_out(receipt(LOCK, 21, None)))))
    assert "**NOT VERIFIED**" in text
    assert f"**Do again by hand:** `{LOCK.id}`" in text


def test_hostile_evidence_reaches_no_markup_in_page_chart_or_markdown():
    calls = answer(record("PutBucketPolicy", 1, principal_arn=HOSTILE, request_parameters={"bucketName": HOSTILE}))
    found = findings(activity={KEYS: calls}, missing=(HOSTILE,), verdict_reasons=(HOSTILE,))
    machine = facts().instance.model_copy(
        update={"value": facts().instance.value.model_copy(update={"tags": {HOSTILE: HOSTILE}})}
    )
    of = reviewed(found=found.model_copy(update={"exports": (facts(instance=machine),)}))
    page, clean = report_html(of), report_html(reviewed())
    assert set(Seen(page).tags) == set(Seen(clean).tags)
    assert "onerror" not in dict(Seen(page).attributes)
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "alert(1)" in page
    json.dumps(review_json(of), allow_nan=False)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(anything, min_size=1, max_size=3))
def test_no_text_makes_a_tag(texts):
    def drawn(text):
        blocks = (
            Heading(1, text),
            Paragraph((text, Code(text), Strong(text))),
            Bullets((text,)),
            Steps((text,)),
            Quote(text),
            Listing(text),
        )
        return page_html((*blocks, Table(("a", text), ((Code(text), text),))), {}, at(0))

    for text in texts:
        assert Seen(drawn(text)).tags == Seen(drawn("x")).tags
        assert all(c.isprintable() or c == "\n" for c in drawn(text))


@pytest.mark.parametrize("text", [t for t in NASTY if t.isprintable() and t and len(t) < 50])
def test_what_prints_as_itself_is_shown_as_it_is(text):
    assert text in Seen(page_html((Heading(1, "t"), Paragraph(Code(text))), {}, at(0))).text
