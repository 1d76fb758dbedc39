"""An alert that was read again: the case goes by it, and whoever tells of the true export finds this case."""

from __future__ import annotations

from decisions.case import fold
from records import closing, corrections, ledger
from tests.decisions.story import event
from tests.records.test_closing import opened

TOLD = event(alert_id="a-1", bucket="innocent-bucket")
TRUTH = event(alert_id="a-1", event_id="event-true", task_id="export-i-true", bucket="real-bucket")


def test_what_was_read_again_stands_in_for_what_was_told(database):
    case = opened(TOLD)
    corrections.read_again(case, TOLD, TRUTH, ("It lied.",), "triage")
    folded = fold(ledger.entries(case))
    assert [(e.event_id, e.bucket) for e in folded.exports] == [("event-true", "real-bucket")]
    assert folded.corrections == {"event-true": ("It lied.",)}


def test_a_second_reading_changes_nothing(database):
    case = opened(TOLD)
    for _ in range(2):
        corrections.read_again(case, TOLD, TRUTH, ("It lied.",), "triage")
    assert len(ledger.entries(case, "alert-read-again")) == 1


def test_whoever_tells_of_the_true_export_later_finds_the_case(database):
    case = opened(TOLD)
    corrections.read_again(case, TOLD, TRUTH, (), "triage")
    assert opened(TRUTH.model_copy(update={"alert_id": "another"})) == case
    assert len(ledger.entries(case, "alert-joined")) == 1, "it is the same export"
    assert opened(TOLD) == case


def test_the_case_closes_when_the_true_export_was_dealt_with(database):
    case = opened(TOLD)
    corrections.read_again(case, TOLD, TRUTH, (), "triage")
    assert closing.close(case, "test", {"verdict": "malicious"}, {"event-true"}) == ()
