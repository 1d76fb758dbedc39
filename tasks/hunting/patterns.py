"""What is looked for, and one automaton that finds all its texts in one go over a file's bytes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

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
TELLING = 4 * 1024 * 1024
"""So many bytes of logs tell which texts are rare in them."""


class Patterns:
    """The texts of searches, compiled; of several groups of a search the one that is rarest in these logs is looked for."""

    def __init__(self, searches: Sequence[Search], json: bool = True) -> None:
        """`json`: a text may stand escaped; in a line of an access log it does not."""
        self._groups = {n: search.groups for n, search in enumerate(searches) if search.groups}
        self._every, self._json = range(len(searches)), json
        self._choice = {n: groups[0] for n, groups in self._groups.items()}
        self._learning = any(len(groups) > 1 for groups in self._groups.values())
        self._counts: Counter[Pattern] = Counter()
        self._read, self._due = 0, 1
        self.lookalikes: bool | None = None
        """Whether in the file last looked at there may be such a list within a record; None: that was not looked for."""
        self._compile(group for groups in self._groups.values() for group in groups)
        self._owners = self._owned()

    def found(self, text: bytes | bytearray) -> list[tuple[int, int]]:
        """Where patterns end and which they are, in order."""
        if self._learning and self._read >= self._due:
            self._due = 2 * self._read
            self._choice = {n: min(groups, key=self._how_often) for n, groups in self._groups.items()}
            self._learning = self._read < TELLING
            if not self._learning:
                self._compile(self._choice.values())
            self._owners = self._owned()
        found = self._scan(text)
        if self._learning:
            self._read += len(text)
            self._counts.update(self._patterns[pattern] for _, pattern in found)
            found = [(at, pattern) for at, pattern in found if self._owners[pattern]]
        return found

    def searches_of(self, pattern: int) -> Sequence[int]:
        """The searches that a pattern may answer."""
        return self._owners[pattern]

    def _how_often(self, group: Group) -> int:
        return sum(self._counts[pattern] for pattern in group)

    def _scan(self, text: bytes | bytearray) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        append, escape, listed = found.append, self._escape, self._list
        self.lookalikes = None if listed is None else False

        def matched(pattern: int, _begin: int, end: int, _flags: int, _context: object) -> None:
            if pattern == listed:
                self.lookalikes = self.lookalikes or end > FIRST_LIST
            elif pattern != escape or HIDDEN.match(text, end - len(ESCAPE) + 1):
                append((end, pattern))

        self._database.scan(text, match_event_handler=matched)
        found.sort()
        return found

    def _owned(self) -> list[list[int]]:
        """By pattern, the searches that it may answer; none those of a group that is not chosen, which are counted only."""
        owners: dict[Pattern, list[int]] = {pattern: [] for pattern in self._patterns}
        for number, group in self._choice.items():
            for pattern in dict.fromkeys(group):
                owners[pattern].append(number)
        if self._json:
            owners[(ESCAPE, False)] = list(self._every)
        return list(owners.values())

    def _compile(self, groups: Iterable[Group]) -> None:
        """All patterns of these groups, and what must be known besides."""
        known = dict.fromkeys(pattern for group in groups for pattern in group)
        if self._json:
            known[(ESCAPE, False)] = None
            if len(known) >= MANY:
                known[(LIST, False)] = None
        self._patterns = list(known) or [(NOWHERE, False)]
        place = {pattern: number for number, (pattern, _) in enumerate(self._patterns)}
        self._escape, self._list = place.get(ESCAPE), place.get(LIST)
        self._database = hyperscan.Database()
        self._database.compile(
            expressions=[pattern for pattern, _ in self._patterns],
            ids=list(range(len(self._patterns))),
            elements=len(self._patterns),
            flags=[hyperscan.HS_FLAG_CASELESS if caseless else 0 for _, caseless in self._patterns],
        )
