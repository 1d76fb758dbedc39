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
            where = {True: "outside", False: "inside", None: "inside or outside is not known"}[read.outside]
            yield say(
                f"{place} was read at {utc(read.time)} by {read.who} ({read.operation}): {where}. {read.why}",
                cited,
                "high" if read.outside else "medium",
                concern=read.outside is True,
            )
        if not answer.value and not case.read_gaps.get(place):
            yield say(f"Nobody has read {place}: every read is recorded, and there is none.", cited)


def unexplained(case: Investigated) -> Iterator[str]:
    """Reads of which nothing tells whether they came from inside."""
    for answer in case.reads.values():
        for read in () if isinstance(answer, Unknown) else answer.value:
            if read.outside is None:
                yield f"Whether {read.who} read the image from inside is not known: {read.why}"
