"""Draws a page as Markdown (GFM, as Prefect's UI and GitHub show it), whatever strangers wrote into it.

A stranger's value stands in a code span with a fence of its own length: nothing in it is markup, and no viewer makes a
link of it. In sentences, punctuation is escaped and addresses are defanged (`https[:]//…`).
"""

from __future__ import annotations

import re

from decisions.document import (
    Block,
    Bullets,
    Chart,
    Code,
    Heading,
    Line,
    Link,
    Listing,
    Page,
    Paragraph,
    Quote,
    Steps,
    Strong,
    Table,
    parts,
)
from decisions.plain import AT_MOST, plain_lines, plain_text

SPECIAL = re.compile(r"([\\`*_\[\]<>|~&$])")
LEADING = re.compile(r"^(\s*)([-+=#]+|\d+[.)])(?=\s|$)")
ADDRESS = re.compile(r"(?i)://|www\.")


def to_markdown(page: Page) -> str:
    """The page as Markdown, ending in a line break."""
    return "\n\n".join(_block(block) for block in page) + "\n"


def _block(block: Block) -> str:
    match block:
        case Heading():
            return f"{'#' * block.level} {prose(block.text)}"
        case Paragraph():
            return line(block.line)
        case Quote():
            return f"> {line(block.line)}"
        case Bullets():
            return "\n".join(f"- {line(item)}" for item in block.items)
        case Steps():
            return "\n".join(f"{n}. {line(item)}" for n, item in enumerate(block.items, 1))
        case Table():
            return _table(block)
        case Listing():
            text = plain_lines(block.text)
            fence = "`" * max(3, _longest_run(text) + 1)
            return f"{fence}\n{text}\n{fence}"
        case Chart():
            return f"*{prose(block.caption)}*"


def line(content: Line) -> str:
    """A sentence or cell on one line."""
    drawn: list[str] = []
    for part in parts(content):
        match part:
            case Code():
                drawn.append(code(part.text, part.whole))
            case Strong():
                drawn.append(f"**{prose(part.text.strip())}**" if part.text.strip() else "")
            case Link():
                drawn.append(f"[{prose(part.text)}]({part.url})")
            case str():
                drawn.append(prose(part))
    return _no_block("".join(drawn).strip())


def prose(text: str) -> str:
    """A sentence whose punctuation means nothing; addresses in it are no links."""
    shown = SPECIAL.sub(r"\\\1", plain_text(text))
    return ADDRESS.sub(lambda found: "\\[:\\]//" if found[0] == "://" else f"{found[0][:-1]}\\[.\\]", shown)


def code(text: str, whole: bool = False) -> str:
    """A value as inline code; visible even where it is empty or blank."""
    shown = plain_text(text, None if whole else AT_MOST)
    if not shown.strip():
        return "`(empty)`" if not shown else f"`({len(shown)} blanks)`"
    fence = "`" * (1 + _longest_run(shown))
    padded = f" {shown} " if shown[0] in "` " or shown[-1] in "` " else shown
    return f"{fence}{padded}{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)


def _table(table: Table) -> str:
    head = _row([prose(name) for name in table.head])
    ruler = _row(["---"] * len(table.head))
    return "\n".join([head, ruler, *(_row([line(cell) for cell in row]) for row in table.rows)])


def _row(cells: list[str]) -> str:
    """A pipe splits cells even inside code; the backslashes before one are doubled, or they would undo its escape."""
    return "| " + " | ".join(re.sub(r"(\\*)\|", _guard, cell) or " " for cell in cells) + " |"


def _guard(found: re.Match[str]) -> str:
    before = found[1]
    escaped = len(before) % 2 == 1  # already `\|`
    return f"{before}|" if escaped else f"{before}\\|"


def _no_block(drawn: str) -> str:
    """A line that starts like a list is none."""
    return LEADING.sub(lambda found: f"{found[1]}{_escape_marker(found[2])}", drawn)


def _escape_marker(marker: str) -> str:
    return f"{marker[:-1]}\\{marker[-1]}"
