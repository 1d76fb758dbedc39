"""Triage's first step: each alert is read again by its id, and what it says wins over the body that was posted."""

from __future__ import annotations

import pytest

from decisions.alert_document import export_of
from decisions.case import fold
from flows.vm_export.alerts import read_alerts_again
from flows.vm_export.collection import Collection
from records import evidence, inbox, ledger
from tests.elastic.alerts_of import settle_settings, space
from tests.flows.harness import prefect
from tests.tasks.conftest import lab, lab_process, ours, roots

__all__ = ["lab", "lab_process", "ours", "prefect", "roots", "space"]

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("prefect", "database", "ours")]


def opened(event):
    """The case that a body with this export opens."""
    item = inbox.receive(b"{}", "test", "application/json")
    return inbox.assign(item.id, [event])[0].case_id


def as_told(space, **lies):
    """The export as the body of alert 1 tells it, and lies."""
    name = space.alert(1)
    document = space.es.get(index=space.alerts, id=name)["_source"]
    return export_of(document, name).model_copy(update=lies)


async def read(case):
    return await read_alerts_again(await Collection.open(case))


async def test_a_body_that_lies_is_corrected_and_the_difference_is_said(space):
    case = opened(as_told(space, bucket="innocent-bucket", access_key_id="AKIAINNOCENTEXAMPLE0"))
    found = await read(case)
    (export,) = found.exports
    assert (export.event_id, export.bucket, export.access_key_id) == ("event-1", "example-drop", "ASIAEXAMPLEEXAMPLE01")
    said = " ".join(found.corrections["event-1"])
    assert "innocent-bucket" in said
    assert "AKIAINNOCENTEXAMPLE0" in said
    assert any(e.what.startswith("alert ") for e in evidence.listing(case)), "what Elasticsearch said is evidence"


async def test_an_honest_body_is_read_once_and_nothing_is_said(space):
    case = opened(as_told(space))
    assert (await read(case)).corrections == {"event-1": ()}
    await read(case)
    assert len(ledger.entries(case, "alert-read-again")) == 1


async def test_a_body_that_names_another_event_ends_as_the_true_one(space):
    case = opened(as_told(space, event_id="made-up"))
    assert [e.event_id for e in (await read(case)).exports] == ["event-1"]


async def test_an_alert_that_is_not_there_is_a_gap_and_its_body_still_counts(space):
    case = opened(as_told(space, alert_id="made-up"))
    found = await read(case)
    assert [e.bucket for e in found.exports] == ["example-drop"]
    (gap,) = fold(ledger.entries(case)).gaps
    assert "hold no alert of this id" in gap["why"]


async def test_an_elasticsearch_that_does_not_answer_is_a_gap_and_stops_nothing(space, monkeypatch):
    told = as_told(space)
    monkeypatch.setenv("VMEXPORT_ELASTICSEARCH_URL", "http://127.0.0.1:9")
    settle_settings()
    case = opened(told)
    assert [e.event_id for e in (await read(case)).exports] == ["event-1"]
    assert "127.0.0.1:9" in fold(ledger.entries(case)).gaps[0]["why"]


async def test_without_an_elasticsearch_nothing_is_asked_and_nothing_is_missing(space, monkeypatch):
    told = as_told(space)
    monkeypatch.delenv("VMEXPORT_ELASTICSEARCH_URL")
    settle_settings()
    case = opened(told)
    found = await read(case)
    assert (found.corrections, found.gaps) == ({}, ())
