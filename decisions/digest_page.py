"""What a validation found, as blocks of a page: what is broken by name, then what was checked."""

from __future__ import annotations

from decisions.digest_verdict import KINDS, NAMED, WORDS, Break, Integrity
from decisions.document import Block, Bullets, Code, Heading, Inline, Paragraph, Quote
from decisions.evidence import utc


def integrity_blocks(integrity: Integrity | None) -> tuple[Block, ...]:
    """Nothing where no validation was asked for."""
    if integrity is None:
        return ()
    blocks: list[Block] = [Heading(2, "Whether the log files are as CloudTrail delivered them")]
    whole = integrity.complete and integrity.chains
    blocks.append(Paragraph(integrity.headline()) if whole else Quote(integrity.headline()))
    for kind in KINDS:
        found = [one for one in integrity.breaks if one.kind == kind]
        if found:
            more = f", the first {NAMED} of {len(found):,} (--json has all)" if len(found) > NAMED else ""
            blocks.append(Paragraph(f"{WORDS[kind][0].upper()}{WORDS[kind][1:]}{more}:"))
            blocks.append(Bullets(tuple(_named(one) for one in found[:NAMED])))
    blocks.append(Bullets(integrity.sentences()))
    return tuple(blocks)


def _named(one: Break) -> tuple[Inline, ...]:
    """The name and the reason hold names that somebody else gave."""
    hours = f" Not covered: {utc(one.since)} to {utc(one.until)}." if one.since and one.until else ""
    of = (" of ", Code(one.place)) if one.place not in ("", one.name) else ()
    return Code(one.name), *of, ": ", Code(one.why), f".{hours}"
