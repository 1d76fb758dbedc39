"""What is looked for, and one automaton that finds all its texts in one go over a file's bytes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import hyperscan

from decisions.sigma_literals import ESCAPED
from tasks.hunting.cut import FIRST
from tasks.hunting.search import Group, Pattern, Search

ESCAPE = rb"\\u00"
HIDDEN = re.compile(ESCAPED)
"""A letter or digit that stands escaped may hide a text from every other pattern: such a record is parsed."""
LIST = rb'\[\{"event'
"""Where a list of records begins, or within a record a list of what looks like records."""
FIRST_LIST = FIRST + len('{"event')
MANY = 24
"""Among so many patterns one more costs nothing; beside fewer it costs more than looking for it where something was found."""
NOWHERE = rb"\n\n\n\n\x00"
"""What stands nowhere, as there must be something to compile."""
TELLING = 256 * 1024
"""A file of this size tells which texts are rare in these logs."""


class Patterns:
    """The texts of searches, compiled; of several groups of a search the one that is rarest in these logs is looked for."""

    def __init__(self, searches: Sequence[Search], json: bool = True) -> None:
        """`json`: a text may stand escaped; in a line of an access log it does not."""
        self._searches, self._json = searches, json
        self._choice = {n: search.groups[0] for n, search in enumerate(searches) if search.groups}
        self._open = any(search.groups and len(search.groups) > 1 for search in searches)
        self.lookalikes: bool | None = None
        """Whether in the file last looked at there may be such a list within a record; None: that was not looked for."""
        self._compile(self._choice)

    def found(self, text: bytes | bytearray) -> list[tuple[int, int]]:
        """Where patterns end and which they are, in order."""
        if self._open and len(text) >= TELLING:
            self._open = False
            self._choose(text)
        return self._scan(text)

    def searches_of(self, pattern: int) -> Sequence[int]:
        """The searches that a pattern may answer."""
        return self._of_pattern[pattern]

    def _scan(self, text: bytes | bytearray) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        append, escape, listed = found.append, self._escape, self._escape + 1
        self.lookalikes = False if self._lists else None

        def matched(pattern: int, _begin: int, end: int, _flags: int, _context: object) -> None:
            if pattern == listed:
                self.lookalikes = self.lookalikes or end > FIRST_LIST
            elif pattern != escape or HIDDEN.match(text, end - len(ESCAPE) + 1):
                append((end, pattern))

        self._database.scan(text, match_event_handler=matched)
        found.sort()
        return found

    def _choose(self, text: bytes | bytearray) -> None:
        """Count every group in one file, and keep the rarest of each search."""
        groups = [(n, group) for n, search in enumerate(self._searches) for group in search.groups or ()]
        self._compile(dict(enumerate(group for _, group in groups)))
        counts: Counter[int] = Counter()
        for _, pattern in self._scan(text):
            counts.update(self._of_pattern[pattern] if pattern != self._escape else ())
        for number in self._choice:
            mine = [(counts[place], place) for place, (n, _) in enumerate(groups) if n == number]
            self._choice[number] = groups[min(mine)[1]][1]
        self._compile(self._choice)

    def _compile(self, chosen: Mapping[int, Group]) -> None:
        self._of_pattern: list[list[int]] = []
        known: dict[Pattern, int] = {}
        for number, group in chosen.items():
            for pattern in group:
                if pattern not in known:
                    known[pattern] = len(self._of_pattern)
                    self._of_pattern.append([])
                self._of_pattern[known[pattern]].append(number)
        self._escape = len(self._of_pattern)
        if self._json:
            known[(ESCAPE, False)] = self._escape
            self._of_pattern.append(list(range(len(self._searches))))
        self._lists = self._json and len(known) >= MANY
        if self._lists:
            known[(LIST, False)] = self._escape + 1
        if not known:
            known[(NOWHERE, False)] = self._escape
            self._of_pattern.append([])
        self._database = hyperscan.Database()
        self._database.compile(
            expressions=[pattern for pattern, _ in known],
            ids=list(known.values()),
            elements=len(known),
            flags=_flags(caseless for _, caseless in known),
        )


def _flags(caseless: Iterable[bool]) -> list[int]:
    return [hyperscan.HS_FLAG_CASELESS if either else 0 for either in caseless]
