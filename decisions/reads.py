"""What the records of reads say about the exported image."""

from __future__ import annotations

from collections.abc import Iterator

from decisions.evidence import Unknown, utc
from decisions.findings import Finding
from decisions.statements import Investigated, say


def about_reads(case: Investigated) -> Iterator[Finding]:
    """Who took the image; that nobody did is said only where every read is recorded."""
    for place, answer in case.reads.items():
        cited = case.evidence.get(f"reads of {place}", ())
        if isinstance(answer, Unknown):
            yield say(f"Whether {place} was downloaded is not known: {answer.why}", cited, "low")
            continue
        for read in answer.value:
            yield say(
                f"{place} was read at {utc(read.time)} by {read.who}.",
                cited,
                "high" if read.outside else "low",
                bool(read.outside),
            )
        if not answer.value:
            yield say(f"{place} was not read, as far as every read is recorded.", cited)
