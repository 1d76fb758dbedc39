"""The end of a case: metrics from what was kept, a report in three forms, and a ledger entry that leads to them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from decisions.review import WHAT
from flows.vm_export import post_incident as phase
from flows.vm_export.collection import Collection
from records import cases, closing, evidence, ledger
from tasks import case_facts
from tests.decisions.story import CASE, CONTAINED, PLACE, bucket, entries, findings, known, read


@pytest.fixture
def case(database):
    """A contained case; the open bucket was read and kept, as the investigation does."""
    for entry in entries(*(h for h in CONTAINED if h[0] != "evidence-collected")):
        ledger.append(CASE, entry.kind, entry.by, entry.data)
    return CASE


async def test_metrics_use_what_was_read_before_the_lock(case):
    looked = await Collection.open(CASE)
    looked._keep("bucket example-drop in 111122223333", known(bucket()))
    locked = findings(buckets={"example-drop": known(bucket(policy=False))}, reads={PLACE: known((read(True),))})
    states = [s.value.policy is not None for s in case_facts.readings(locked).buckets]
    assert states == [True, False]
    metrics = await phase.measure_case.fn(CASE, locked)
    assert metrics.accessed_outside == "yes"
    assert metrics.figures()["time_to_detection_s"] == 420


def test_the_report_is_kept_in_three_forms_and_the_ledger_leads_to_them(case):
    metrics = asyncio.run(phase.measure_case.fn(CASE, findings()))
    html, markdown = phase._write_report(CASE, findings(), metrics, "http://127.0.0.1:4200/runs/flow-run/11")
    said = ledger.entries(CASE, "report-written")[-1].data
    assert said["html"] == html
    assert said["metrics"] == metrics.figures()
    assert Path(html).read_text().count("<svg") == 2
    assert Path(said["markdown"]).read_text() == markdown
    kept = [e for e in evidence.listing(CASE) if e.what == WHAT]
    assert [e.media_type for e in kept] == ["text/html", "text/markdown", "application/json"]
    assert json.loads(evidence.load(kept[-1]))["metrics"]["time_to_detection_s"] == 420
    assert cases.verify_case(CASE) == ()


async def test_the_report_names_the_ledger_as_it_was_before_the_report(case):
    metrics = await phase.measure_case.fn(CASE, findings())
    seq, head = ledger.head(CASE)
    _, markdown = phase._write_report(CASE, findings(), metrics, None)
    assert f"{seq} entries" in markdown
    assert head in markdown


async def test_the_case_is_closed_unless_an_export_is_not_dealt_with(case):
    metrics = await phase.measure_case.fn(CASE, findings())
    late = findings(exports=())
    kept_open = await phase.close.fn(CASE, late, metrics, "report.html")
    assert (kept_open.closed, kept_open.joined) == (False, ("event-1",))
    closed = await phase.close.fn(CASE, findings(), metrics, "report.html")
    assert (closed.closed, closed.verdict) == (True, "malicious")
    assert closing.close(CASE, "again", {}, ()) == ()


def test_how_it_ended_survives_a_resumed_run(case):
    from decisions.metrics import measure
    from flows.results import RESULTS
    from tests.decisions.story import OURS, at, readings

    metrics = measure(ledger.entries(CASE), findings(), readings(), OURS, at(90))
    closure = phase.Closure(case_id=CASE, verdict="malicious", metrics=metrics, report="x", closed=True)
    assert RESULTS.loads(RESULTS.dumps(closure)) == closure
