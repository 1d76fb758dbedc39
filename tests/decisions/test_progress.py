"""How far long work is: nothing is told that is not known."""

from __future__ import annotations

from decisions.progress import progress_words


def test_files_are_told_in_bytes_and_documents_by_number():
    assert progress_words(1, 4, 500, 2000, 5.0) == ("25%", "1 of 4 files", "500 B of 2.0 KB", "100 B/s", "15 s left")
    told = progress_words(1, 4, 5000, 20_000, 5.0, "days")
    assert told == ("25%", "1 of 4 days", "5,000 of 20,000 documents", "1,000/s", "15 s left")


def test_without_a_total_or_a_rate_no_share_and_no_time_is_made_up():
    assert progress_words(1, 4, 500, 0, 5.0)[0] == "1 of 4 files"
    assert progress_words(0, 4, 0, 2000, 0.0)[-1] == "time left not known"
    assert progress_words(1, 4, 500, 0, 5.0)[-1] == "time left not known"
