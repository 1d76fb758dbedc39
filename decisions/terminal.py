"""Draws a page as text for a terminal or a pipe: no escape sequences at all, lines no longer than asked for."""

from __future__ import annotations

from textwrap import wrap

from decisions.document import (
    Block,
    Bullets,
    Chart,
    Code,
    Heading,
    Inline,
    Line,
    Link,
    Listing,
    Page,
    Paragraph,
    Quote,
    Steps,
    Table,
    parts,
)
from decisions.plain import AT_MOST, plain_lines, plain_text

NARROW = 14
"""A column with less room than this is no longer readable: then each row becomes lines of its own."""


def to_terminal(page: Page, width: int = 100) -> str:
    """The page as lines of at most `width` characters; a table that does not fit is told row by row."""
    return "\n\n".join(_block(block, max(width, 40)) for block in page) + "\n"


def _block(block: Block, width: int) -> str:
    match block:
        case Heading():
            text = _wrapped(plain_text(block.text), width)
            return text if block.level > 2 else f"{text}\n{'=-'[block.level - 1] * min(len(text), width)}"
        case Paragraph():
            return _wrapped(_line(block.line), width)
        case Quote():
            return _wrapped(_line(block.line), width, "!! ", "   ")
        case Bullets():
            return "\n".join(_wrapped(_line(item), width, "- ", "  ") for item in block.items)
        case Steps():
            return "\n".join(_wrapped(_line(item), width, f"{n}. ", "   ") for n, item in enumerate(block.items, 1))
        case Table():
            return _table(block, width)
        case Listing():
            lines = (_indented(each, width) for each in plain_lines(block.text).split("\n"))
            return "\n".join(lines)
        case Chart():
            return _wrapped(plain_text(block.caption), width)


def _line(line: Line) -> str:
    return "".join(_part(part) for part in parts(line))


def _part(part: Inline) -> str:
    if isinstance(part, Link):
        return f"{plain_text(part.text)} ({part.url})"
    if isinstance(part, Code):
        return plain_text(part.text, None if part.whole else AT_MOST) or "(empty)"
    return plain_text(part if isinstance(part, str) else part.text)


def _wrapped(text: str, width: int, first: str = "", rest: str = "") -> str:
    lines = wrap(text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
    return "\n".join(lines) or first.rstrip()


def _table(table: Table, width: int) -> str:
    rows = [[_line(cell) for cell in row] for row in table.rows]
    widths = _widths([list(table.head), *rows], width)
    if widths is None:
        return "\n".join(_record(table.head, row, width) for row in rows) or _wrapped(" / ".join(table.head), width)
    ruler = ["-" * w for w in widths]
    head = [] if not any(table.head) else [list(table.head), ruler]
    return "\n".join(_row(cells, widths) for cells in [*head, *rows])


def _widths(rows: list[list[str]], width: int) -> list[int] | None:
    """Room for each column: what it needs, or an equal share of what the short ones leave; None where that is too little."""
    columns = len(rows[0])
    needed = [max(len(row[n]) for row in rows) for n in range(columns)]
    room = width - 2 * (columns - 1)
    given = [0] * columns
    for place, column in enumerate(sorted(range(columns), key=lambda n: needed[n])):
        share = (room - sum(given)) // (columns - place)
        given[column] = min(needed[column], share)
        if given[column] < min(needed[column], NARROW):
            return None
    return given


def _indented(text: str, width: int) -> str:
    inner = len(text) - len(text.lstrip())
    return _wrapped(text.strip(), width, " " * (4 + min(inner, width // 2)), " " * (8 + min(inner, width // 2)))


def _row(cells: list[str], widths: list[int]) -> str:
    folded = [wrap(cell, max(w, 1), break_on_hyphens=False) or [""] for cell, w in zip(cells, widths, strict=True)]
    height = max(len(lines) for lines in folded)
    drawn: list[str] = []
    for n in range(height):
        line = [(lines[n] if n < len(lines) else "").ljust(w) for lines, w in zip(folded, widths, strict=True)]
        drawn.append("  ".join(line).rstrip())
    return "\n".join(drawn)


def _record(head: tuple[str, ...], row: list[str], width: int) -> str:
    first, *others = zip(head, row, strict=True)
    lines = [_wrapped(first[1], width, "* ", "  ")]
    lines += [_wrapped(f"{name}: {cell}", width, "    ", "      ") for name, cell in others if cell]
    return "\n".join(lines)
