"""What a page says, apart from how it is drawn: the same card is Markdown in Prefect, text in a terminal, HTML in the report.

A plain string is a sentence. Whatever somebody else wrote (names, keys, tags, user agents) stands in `Code`, so that no
way of drawing it can take it for markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Code:
    """A value as it was found: an identifier, a path, text of a stranger."""

    text: str
    whole: bool = False
    """Never cut: an approver must see all of what will be written."""


@dataclass(frozen=True)
class Strong:
    """Words that must not be overlooked."""

    text: str


@dataclass(frozen=True)
class Link:
    """An address of ours; never one that came from evidence."""

    text: str
    url: str

    def __post_init__(self) -> None:
        if urlsplit(self.url).scheme not in {"http", "https"} or any(c in self.url for c in " <>()\"'\\\n"):
            raise ValueError(f"{self.url!r} is no address to link to")


Inline = str | Code | Strong | Link
Line = Sequence[Inline] | Inline
"""A sentence or a cell of a table."""


@dataclass(frozen=True)
class Heading:
    """Title of what follows; level 1 is the page's own."""

    level: int
    text: str


@dataclass(frozen=True)
class Paragraph:
    """One sentence or several."""

    line: Line


@dataclass(frozen=True)
class Bullets:
    """Short things of equal rank."""

    items: tuple[Line, ...]


@dataclass(frozen=True)
class Steps:
    """Things in order."""

    items: tuple[Line, ...]


@dataclass(frozen=True)
class Table:
    """Rows under a head; every row has as many cells as the head."""

    head: tuple[str, ...]
    rows: tuple[tuple[Line, ...], ...]


@dataclass(frozen=True)
class Quote:
    """What must be read first: a problem, a change."""

    line: Line


@dataclass(frozen=True)
class Listing:
    """A text of several lines as it is, a policy for example; never cut."""

    text: str


@dataclass(frozen=True)
class Chart:
    """Where a chart stands: drawn in HTML, told by its caption elsewhere."""

    name: str
    caption: str


Block = Heading | Paragraph | Bullets | Steps | Table | Quote | Listing | Chart
Page = tuple[Block, ...]


def parts(line: Line) -> tuple[Inline, ...]:
    """A line as the sequence of its parts."""
    return (line,) if isinstance(line, str | Code | Strong | Link) else tuple(line)


def codes(texts: Sequence[str], otherwise: str = "none") -> Line:
    """Values one after the other, as a cell; a word where there are none."""
    if not texts:
        return otherwise
    found: list[Inline] = []
    for text in texts:
        found += [", ", Code(text)] if found else [Code(text)]
    return found
