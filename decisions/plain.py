"""Text that cannot steer whatever shows it: no escapes, no bidirectional tricks, no invisible characters, one line."""

from __future__ import annotations

import unicodedata

AT_MOST = 2000
STACKED = 4
"""Marks on one letter; more of them paint over the lines above."""


def plain_text(text: str, at_most: int | None = AT_MOST) -> str:
    """The text on one line, with everything that does not print as itself spelled out (`\\x1b`, `\\u202e`, `\\n`).

    What is longer than `at_most` characters is cut, and the cut is said; None: nothing is cut.
    """
    if at_most is None:
        return "".join(_shown(text))
    shown = "".join(_shown(text[: at_most + 1]))
    if len(text) > at_most or len(shown) > 6 * at_most:
        return f"{shown[:at_most]}… ({len(text)} characters)"
    return shown


def one_line(said: object, at_most: int = 300) -> str:
    """What another program says, as a part of a sentence of ours: on one line, cut, without a full stop at its end."""
    return plain_text(" ".join(str(said).split())[:at_most].rstrip("."), None)


def plain_lines(text: str) -> str:
    """A text of several lines, each as `plain_text` has it and of any length."""
    return "\n".join("".join(_shown(line)) for line in text.split("\n"))


def utf8(text: str) -> str:
    """The text with halves of surrogate pairs, which no UTF-8 can hold, as U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _shown(text: str) -> list[str]:
    shown: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) or unicodedata.category(character) == "Me" else 0
        printable = character.isprintable() and marks <= STACKED
        shown.append(character if printable else character.encode("unicode_escape").decode())
    return shown
