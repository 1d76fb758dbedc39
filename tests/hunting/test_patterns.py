"""Of several texts that a rule cannot match without, the one that is rarest in the logs at hand is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.hunting import patterns
from tasks.hunting.patterns import Patterns
from tasks.hunting.scanner import Scanner
from tests.hunting.logs_of import compact, event, write
from tests.hunting.test_scanner import LIMIT, one_rule, scan


def test_which_text_is_rare_is_learned_and_changes_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While logs are read, and for good after some time."""
    wanted = one_rule("{eventName: StopLogging, userAgent: seldom}")
    records = [event(n, "StopLogging", userAgent="seldom" if n % 300 == 1 else "often") for n in range(1200)]
    text = compact(records)
    monkeypatch.setattr(patterns, "TELLING", 2 * len(text))
    learning, scanner = Patterns(wanted), Scanner(wanted, LIMIT)
    assert [len(learning.found(text)) for _ in range(4)] == [1200, 4, 4, 4]
    for _ in range(4):
        assert scan(write(tmp_path, text), scanner).counts["a"] == 4


def test_what_a_first_file_does_not_hold_is_not_taken_for_rare() -> None:
    """A name in one of three hundred records beside a text in none: the first file has neither."""
    learning = Patterns(one_rule("{eventName: ConsoleLogin, additionalEventData.MFAUsed: unheard}"))
    learning.found(compact([event(n) for n in range(300)]))
    text = compact([event(n, "ConsoleLogin" if n % 300 == 299 else "GetObject") for n in range(3000)])
    assert len(learning.found(text)) == 10
    assert learning.found(text) == []
