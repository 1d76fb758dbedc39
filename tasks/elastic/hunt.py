"""Elasticsearch as a source of a hunt: the same findings as from the files that its documents were made of.

Day by day: first counted, then only the documents are fetched that may answer. What is finished stands in a checkpoint. A
search that was not answered whole ends the hunt (`Unanswered`); asked again, it goes on from there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from elasticsearch import Elasticsearch

from decisions.activity import LogRecord
from decisions.cloudtrail import export_event
from decisions.export import ExportEvent
from decisions.hunt import HuntCoverage
from decisions.sigma import Rule
from settings.elastic import ElasticsearchSettings
from tasks.elastic import hunt_queries as queries
from tasks.elastic.client import connected
from tasks.elastic.failures import NothingThere, Skipped
from tasks.elastic.hunt_answers import Told, events, lines, of_json
from tasks.elastic.hunt_checkpoint import Checkpoint, digest
from tasks.elastic.hunt_coverage import Reach
from tasks.elastic.hunt_documents import ACCESS_FIELDS, SOURCE, Event
from tasks.elastic.hunt_slices import FIRST, LAST, Day, Look, Slices, all_have, joined, reachable
from tasks.elastic.hunt_sought import Sought, sought
from tasks.hunting.coverage import Period
from tasks.hunting.searches import Mentions
from tasks.hunting.source import EXPORTS, KEYS, OBJECTS, Followed, Found, Window

Progress = Callable[[str, int, int, int, int, str], None]
"""Pass, days done, days in all, documents done, documents in all, the word for days."""
LATE = timedelta(days=3)
"""A document that could not be parsed bears the time of its ingest: so much later it is searched for as well."""
Together = tuple[list[str], list[Sought]]
COMMON = 2000
"""A rule that so many documents of a day may match is asked for that many of them only; the others are counted."""
PART = 20_000
"""Documents to be fetched of a day, more or less, before what they answer is kept."""


@dataclass
class ElasticSource:
    """The indices of one cluster (others by their names, CCS), with what a hunt there has finished already."""

    settings: ElasticsearchSettings
    period: Period
    checkpoint: Checkpoint
    progress: Progress = lambda *_: None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    _told: Told = field(default_factory=Told)
    _uncounted: Counter[str] = field(default_factory=Counter)
    """By rule, documents that may match and were not read."""
    _reach: Reach = field(default_factory=Reach)
    _unasked: list[tuple[str, str]] = field(default_factory=list)
    _gaps: list[str] = field(default_factory=list)
    _unreached: list[str] = field(default_factory=list)
    """Clusters that were skipped."""
    _days: list[Day] = field(default_factory=list)
    _exports: list[ExportEvent] = field(default_factory=list)
    _lines: list[Day] = field(default_factory=list)
    """The days of access logs."""
    _failed: set[datetime] = field(default_factory=set)
    """Days with documents that could not be parsed: these bear the time of their ingest, and may be of any day."""

    def first(self, rules: Sequence[Rule]) -> Sequence[Found]:
        """All days of the period, once. Raises Unanswered."""
        asked, self._unasked = queries.asked_of(rules)
        asked = [queries.exports(), *asked]
        begin, end = self._bounds()
        with connected(self.settings) as es:
            there = reachable(es, self.settings.cloudtrail_indices, begin, end, self._gaps, self._unreached)
            self._reach.of_patterns(es, self.settings.cloudtrail_indices, there)
            self._days = joined(there)
            self._lines = self._listed(es, begin, end)
            slices = self._slices(es, self.settings.cloudtrail_indices)
            identity = digest([one.identity for one in asked])
            steps = self._progress("exports", self._days)
            for day, look in slices.looks(self._days, asked, identity):
                next(steps)
                for told in self._day(slices, day, look, asked, identity):
                    self._told.add(told, self._holds)
            next(steps, None)
            self._unreached += slices.gaps
        exports = (export_event(one.record) for one in self._told.found if EXPORTS in one.searches)
        self._exports = [export for export in exports if export]
        return self._told.found

    def second(self, followed: Followed) -> Sequence[Found]:
        """The days of the windows; documents of their accounts, and access logs. Raises Unanswered."""
        told = Told()
        with connected(self.settings) as es:
            slices = self._slices(es, self.settings.cloudtrail_indices)
            asked = self._together(followed)
            words = all_have(es, self.settings.cloudtrail_indices, queries.WORDS, "text")
            for day in self._progress("activity", _concerned(self._days, followed, self._failed)):
                for one in self._around(slices, day, followed, asked, words):
                    told.add(one, lambda record: self._near(record, followed))
            self._unreached += slices.gaps
            if followed.objects:
                told.add(
                    self._access(es, followed, [objects for _, objects in asked if objects]),
                    lambda record: self._near(record, followed),
                )
        self._told.unread += told.unread
        self._told.uncertain += told.uncertain
        return told.found

    def counts(self) -> Mapping[str, int]:
        """Of the first pass; of a rule that very much may match, what may is counted."""
        found = Counter(name for one in self._told.found for name in one.searches if name != EXPORTS)
        return found + self._uncounted

    def unasked(self) -> Sequence[tuple[str, str]]:
        """Rules whose fields documents of the integration do not have, and rules about access logs."""
        return self._unasked

    def coverage(self, gaps: Sequence[str]) -> HuntCoverage:
        """By day, document, account and Region."""
        told = self._told
        mine = [*self._gaps]
        if told.unread:
            mine.append(f"{told.unread} document(s) that may answer are no CloudTrail events that can be read.")
        if told.unparsed:
            mine.append(
                f"{told.unparsed} document(s) that the ingest pipeline could not parse cannot be read here either."
            )
        if told.uncertain:
            mine.append(
                f"Of {told.uncertain} document(s) a text of parameters has no certain reading and was left out: keep "
                "event.original or the flattened fields in the AWS integration."
            )
        told_of = self._reach.coverage(self.period, self._days, [*mine, *gaps], self.checkpoint)
        return told_of.model_copy(update={"unreached": tuple(dict.fromkeys(self._unreached))})

    def _day(
        self, slices: Slices, day: Day, look: Look, asked: Sequence[queries.Asked], identity: str
    ) -> Iterator[Told]:
        """What the documents of one day answer."""
        late = self.period.until is not None and day.begin > self.period.until
        if not late:
            self._reach.looked(day, look)
        self._failed |= {day.begin} if look.counts[queries.FAILED_NAME] else set()
        # Of days after the period only what was parsed late may be of it.
        own = [] if late else [one for one in asked if look.counts[one.name]]
        rest = [one for one in own if not self._common(one, look)]
        number = sum(look.counts[one.name] for one in rest) + look.counts[queries.FAILED_NAME]
        named = [one.name for one in rest]
        for begin, end in day.parts(-(-number // PART)) if number else ():

            def ask(skipped: list[str], begin: datetime = begin, end: datetime = end) -> dict[str, Any]:
                return events(slices.hits(queries.named(rest, begin, end), SOURCE, skipped), _matching(asked)).json()

            yield of_json(slices.part(day, ["first", begin.isoformat(), end.isoformat(), named, identity], ask))
        for one in (one for one in own if self._common(one, look)):
            yield self._some(slices, day, one, look.counts[one.name])

    def _common(self, one: queries.Asked, look: Look) -> bool:
        return one.limited and look.counts[one.name] > COMMON

    def _some(self, slices: Slices, day: Day, one: queries.Asked, count: int) -> Told:
        """Some of the very many documents of a day that a rule may match; the others are counted as if they did."""
        query = {"bool": {"filter": [queries.between(day.begin, day.end), one.query]}}

        def ask(skipped: list[str]) -> dict[str, Any]:
            return events(slices.hits(query, SOURCE, skipped, COMMON), _matching([one])).json()

        told = of_json(slices.part(day, ["some", COMMON, one.identity], ask))
        self._uncounted[one.name] += count - COMMON
        self._gaps.append(
            f"{count} documents of {day.date} may match {one.title!r}: the first {COMMON} were read, the others only counted."
        )
        return told

    def _around(self, slices: Slices, day: Day, followed: Followed, asked: Sequence[Together], words: bool) -> Told:
        """Documents of one day that name a key, or hold an object's text, in the accounts of the windows."""
        windows = _windows(followed, day)
        accounts = {window.account for window in windows}
        within = None if None in accounts else {account for account in accounts if account is not None}
        for keys, objects in asked:
            texts = frozenset(one.text for one in objects)
            test = {KEYS: Mentions(frozenset(keys)), OBJECTS: Mentions(texts, part=True)}
            may = queries.surroundings(keys, objects, within, words) if windows else queries.NOT_PARSED
            query = {"bool": {"filter": [queries.between(day.begin, day.end), may]}}

            def ask(skipped: list[str], query: Any = query, test: Any = test) -> dict[str, Any]:
                return events(slices.hits(query, SOURCE, skipped), _naming(test)).json()

            yield of_json(slices.part(day, ["second", query, keys, sorted(texts)], ask))

    def _access(self, es: Elasticsearch, followed: Followed, asked: Sequence[Sequence[Sought]]) -> Told:
        """Access log lines that hold the text of an object."""
        told, indices = Told(), self.settings.access_log_indices
        if not self._lines:
            return told
        found = joined(reachable(es, indices, *self._bounds(), self._gaps, self._unreached, queries.FAILED))
        failed = {day.begin for day in found}
        slices = self._slices(es, indices)
        for day in self._progress("access logs", _concerned(self._lines, followed, failed)):
            near = bool(_windows(followed, day))
            for objects in asked:
                texts = [one.text for one in objects]
                may = queries.access(objects) if near else queries.NOT_PARSED
                query = {"bool": {"filter": [queries.between(day.begin, day.end), may]}}

                def ask(skipped: list[str], query: Any = query, texts: Sequence[str] = texts) -> dict[str, Any]:
                    return lines(slices.hits(query, ACCESS_FIELDS, skipped), texts).json()

                told.add(of_json(slices.part(day, ["access", query, texts], ask)), self._holds)
        self._unreached += slices.gaps
        if told.unparsed:
            self._gaps.append(f"{told.unparsed} document(s) of access logs hold no line that can be read.")
        return told

    def _listed(self, es: Elasticsearch, begin: datetime, end: datetime) -> list[Day]:
        """The days of access logs; that there are none is said, and that it is not known too. Raises Unanswered."""
        try:
            there = reachable(es, self.settings.access_log_indices, begin, end, self._gaps, self._unreached)
        except Skipped as error:
            self._unreached.append(str(error))
            return []
        except NothingThere:
            return []
        self._reach.access = any(there.values())
        return joined(there)

    def _together(self, followed: Followed) -> list[Together]:
        """Keys and objects, so many as one search is asked for."""
        keys, objects = list(followed.keys), sought(followed.objects, self._exports)
        step = queries.TOGETHER
        number = -(-max(len(keys), len(objects)) // step)
        return [(keys[n * step : (n + 1) * step], objects[n * step : (n + 1) * step]) for n in range(number)]

    def _slices(self, es: Elasticsearch, indices: Sequence[str]) -> Slices:
        return Slices(es, indices, self.checkpoint, self.now, self.settings.page_size)

    def _bounds(self) -> tuple[datetime, datetime]:
        """Whole days, so that each is the same day for every hunt; the period decides on each record."""
        begin, end = self.period.since or FIRST, self.period.until or LAST
        return _midnight(begin), LAST if self.period.until is None else _midnight(end + LATE) + timedelta(days=1)

    def _progress(self, name: str, days: Sequence[Day]) -> Iterator[Day]:
        total, done = sum(day.documents for day in days), 0
        self.progress(name, 0, len(days), 0, total, "days")
        for number, day in enumerate(days, 1):
            yield day
            done += day.documents
            self.progress(name, number, len(days), done, total, "days")

    def _holds(self, record: LogRecord) -> bool:
        return self.period.holds(record.time)

    def _near(self, record: LogRecord, followed: Followed) -> bool:
        return self._holds(record) and any(window.holds(record) for window in followed.windows)


def question(settings: ElasticsearchSettings) -> list[Any]:
    """What the checkpoint of a cluster's hunts is named by: where it is and what is asked there; nothing secret."""
    return [list(settings.url), settings.cloud_id, list(settings.cloudtrail_indices), list(settings.access_log_indices)]


def _matching(asked: Sequence[queries.Asked]) -> Callable[[Event, tuple[str, ...]], tuple[str, ...]]:
    def decide(one: Event, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(each.name for each in asked if (not names or each.name in names) and each.test(one.raw))

    return decide


def _naming(tests: Mapping[str, Mentions]) -> Callable[[Event, tuple[str, ...]], tuple[str, ...]]:
    return lambda one, _: tuple(name for name, test in tests.items() if test(one.raw))


def _concerned(days: Sequence[Day], followed: Followed, failed: Collection[datetime]) -> list[Day]:
    """The days of the windows, and those with documents that may be of any."""
    return [day for day in days if day.begin in failed or _windows(followed, day)]


def _windows(followed: Followed, day: Day) -> list[Window]:
    """The windows that a day is in."""
    return [one for one in followed.windows if one.since < day.end and day.begin <= one.until]


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
