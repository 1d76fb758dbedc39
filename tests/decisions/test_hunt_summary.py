"""What a scheduled hunt tells against the run before: what is new, gone, and less searched than last time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from decisions.hunt import FileProblem, HuntCoverage, HuntResult
from decisions.hunt_summary import KEPT, difference, exports_by_day, remembered, summary_page
from decisions.markdown import to_markdown
from tests.records.findings_of import export_finding

SINCE, UNTIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC)
WHOLE = HuntCoverage(files_found=2, files_searched=2)


def result(*events, coverage=WHOLE, **more):
    found = tuple(export_finding(eventID=event) for event in events)
    return HuntResult(
        since=SINCE, until=UNTIL, findings=found, counts={"export": len(found)}, coverage=coverage, **more
    )


def test_what_is_new_the_same_and_gone_is_told_by_event():
    told = difference(remembered(result("a", "b")), result("b", "c", "d"))
    assert (told.new, told.same, told.gone) == (2, 1, ("vm-export:1:a",))
    assert told.worse == ()


def test_what_this_run_did_not_look_at_is_not_gone():
    later = result("b").model_copy(update={"since": datetime(2026, 3, 4, tzinfo=UTC)})
    assert difference(remembered(result("a", "b")), later).gone == ()


@pytest.mark.parametrize(
    ("coverage", "said"),
    [
        (WHOLE.model_copy(update={"gaps": ("Known.", "Another.")}), "Not so last time: Another."),
        (WHOLE.model_copy(update={"gaps": ("Known.",), "damaged": (FileProblem(path="x", why="y"),)}), "1 files could"),
        (HuntCoverage(gaps=("Known.",)), "Nothing was searched"),
    ],
)
def test_a_run_that_searched_less_says_in_what(coverage, said):
    before = remembered(result(coverage=WHOLE.model_copy(update={"gaps": ("Known.",)})))
    [sentence] = difference(before, result(coverage=coverage)).worse
    assert said in sentence


def test_too_many_findings_or_no_run_before_are_no_difference_instead_of_a_wrong_one():
    assert difference(None, result("a")) is None
    before = remembered(result("a"))
    many = result("a")
    many = many.model_copy(update={"findings": tuple(
        many.findings[0].model_copy(update={"id": str(n)}) for n in range(KEPT + 1)
    )})  # fmt: skip
    assert difference(before, many) is None
    assert difference(remembered(many), result("a")) is None


def test_a_rule_that_was_not_asked_stands_in_the_summary_as_it_is_and_steers_nothing():
    page = summary_page("logs", result(refused_rules=(("a.yml", "no **field** <b>x</b>"),)), [], None)
    told = to_markdown(page)
    assert "Rules that were not asked" in told
    assert "`no **field** <b>x</b>`" in told


def test_the_chart_names_the_busiest_and_counts_the_others():
    exports = [one.export for one in result(*"abc").findings]
    other = exports[0].model_copy(update={"issuer_arn": None, "principal_arn": "arn:aws:iam::111122223333:user/rare"})
    rows = exports_by_day([*exports, other], actors=1)
    assert {(row["actor"] == "others", row["count"]) for row in rows} == {(False, 3), (True, 1)}
