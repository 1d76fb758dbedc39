"""Texts as Sigma rules write them: `*` is any characters, `?` is one, a backslash makes either literal.

Letters are compared without case by ASCII folding only: names of AWS are ASCII, and every engine folds ı, İ and the Kelvin
sign in its own way (notes/engines.md). One meaning, held by all of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, lru_cache

UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LOWER = UPPER.lower()
_FOLDED = str.maketrans(UPPER, LOWER)


class Wild(Enum):
    """What stands for characters that the rule does not name."""

    ANY = "*"
    ONE = "?"


@dataclass(frozen=True)
class Pattern:
    """Literal runs and wildcards, in order; two runs never touch."""

    parts: tuple[str | Wild, ...]

    @cached_property
    def literal(self) -> str | None:
        """The whole text when there is no wildcard."""
        if not self.parts:
            return ""
        first = self.parts[0]
        return first if len(self.parts) == 1 and isinstance(first, str) else None

    @cached_property
    def folded(self) -> str | None:
        """`literal` with A to Z as a to z."""
        return None if self.literal is None else fold(self.literal)

    @property
    def anything(self) -> bool:
        """Whether every text fits, the empty one too."""
        return bool(self.parts) and all(part is Wild.ANY for part in self.parts)

    @property
    def runs(self) -> tuple[str, ...]:
        """The literal runs alone."""
        return tuple(part for part in self.parts if isinstance(part, str))

    def widened(self, before: bool, after: bool) -> Pattern:
        """The pattern with anything before it, after it, or both."""
        return _joined([*([Wild.ANY] if before else []), *self.parts, *([Wild.ANY] if after else [])])


def fold(text: str) -> str:
    """The text with A to Z as a to z, and nothing else changed."""
    return text.lower() if text.isascii() else text.translate(_FOLDED)


def pattern(text: str) -> Pattern:
    r"""A rule's text: `\*`, `\?` and `\\` are literal, any other backslash stands for itself."""
    parts: list[str | Wild] = []
    i = 0
    while i < len(text):
        if text[i] == "\\" and text[i + 1 : i + 2] in ("*", "?", "\\") and i + 1 < len(text):
            parts.append(text[i + 1])
            i += 2
            continue
        parts.append(Wild(text[i]) if text[i] in "*?" else text[i])
        i += 1
    return _joined(parts)


def fits(expected: Pattern, text: str, cased: bool = False) -> bool:
    """Whether the whole text fits the pattern."""
    if (whole := expected.literal if cased else expected.folded) is not None:
        return whole == (text if cased else fold(text))
    return _regex(expected, cased).fullmatch(text if cased else fold(text)) is not None


@lru_cache(maxsize=4096)
def _regex(expected: Pattern, cased: bool) -> re.Pattern[str]:
    # Consecutive `*` are one here (see _joined), so that no text makes this slow.
    written = {Wild.ANY: ".*", Wild.ONE: "."}
    return re.compile(
        "".join(
            written[part] if isinstance(part, Wild) else re.escape(part if cased else fold(part))
            for part in expected.parts
        ),
        re.DOTALL,
    )


def _joined(parts: list[str | Wild]) -> Pattern:
    joined: list[str | Wild] = []
    for part in parts:
        before = joined[-1] if joined else None
        if isinstance(part, str) and isinstance(before, str):
            joined[-1] = before + part
        elif part is not Wild.ANY or before is not Wild.ANY:
            joined.append(part)
    return Pattern(tuple(joined))
