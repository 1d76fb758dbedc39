"""The questions of a hunt as SQL over the table of decisions/store_schema.py, in a subset that DuckDB, Trino and Athena share.

First spots are asked for (event, name, day), which takes the columns that a question is about; then the rows there, whole. A
query may find too much: a row is a record again (`store_schema.record`) and is looked at as the files' records are, so that the
findings are the same. It never finds too little. Every value is a quoted literal; NULL decides nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from decisions.partition import DAY, UNKNOWN_DAY
from decisions.sigma_pattern import fold
from decisions.sigma_sql import Dialect, quoted, quoted_name
from decisions.store_schema import IRREGULAR, JSON_COLUMNS, MENTIONS, REST, TEXT_COLUMNS, is_mentioned

WHOLE = (*TEXT_COLUMNS, *JSON_COLUMNS, REST, IRREGULAR, DAY)
"""The columns that make a record, and its day."""
SPOT = ("eventID", "eventName", DAY)
"""Where a row is; no eventID: among the rows without one of that day, which are few."""
EC2 = "ec2.amazonaws.com"

Spot = tuple[str | None, str | None, str]


def columns(names: Collection[str] = WHOLE) -> str:
    """Columns as they stand after SELECT."""
    return ", ".join(map(quoted_name, names))


def is_irregular(relation: str) -> str:
    """A row, if there is an irregular one at all. Hardly any store has such: what is asked of them is then not asked."""
    return f"SELECT 1 FROM {relation} WHERE {quoted_name(IRREGULAR)} LIMIT 1"  # noqa: S608 - names of ours


def exports(relation: str, dialect: Dialect, calls: Collection[str], irregular: bool) -> str:
    """Spots of these calls of EC2, and of irregular rows that name one."""
    listed = ", ".join(map(quoted, calls))
    source = f'("eventSource" = {quoted(EC2)} OR "eventSource" IS NULL)'
    query = f'SELECT {columns(SPOT)} FROM {relation} WHERE "eventName" IN ({listed}) AND {source}'  # noqa: S608 - quoted literals
    if not irregular:
        return query
    named = _any([dialect.contains(quoted_name(REST), quoted(_json(call))) for call in calls])
    return f"{query}\nUNION ALL SELECT {columns(SPOT)} FROM {relation} WHERE {quoted_name(IRREGULAR)} AND {named}"  # noqa: S608 - likewise


def mentioning(
    relation: str, dialect: Dialect, keys: Collection[str], objects: Collection[str], days: Sequence[tuple[str, str]]
) -> str:
    """Spots of records, of these days, that hold a key as a whole field, or a part of an object's key in one.

    A test of one column is a SELECT of its own where that saves reading the spots of all rows.
    """
    tests: list[str] = []
    if keys:
        tests += [_in("accessKeyId", keys), _in("issuedKey", keys)]
    named = [text for text in (*keys, *objects) if is_mentioned(text)]
    if named:
        mentions = quoted_name(MENTIONS)
        some = _any([dialect.contains(mentions, quoted(text)) for text in named])
        tests.append(f"{mentions} IS NOT NULL AND {some}")
    anywhere = _anywhere([key for key in keys if not is_mentioned(key)], dialect, part=False)
    anywhere += _anywhere([text for text in objects if not is_mentioned(text)], dialect, part=True)
    tests += [_any(anywhere)] if anywhere else []
    within = _days(days)
    tests = tests if dialect.many_selects else [_any(tests)]
    return "\nUNION ALL ".join(
        f"SELECT {columns(SPOT)} FROM {relation} WHERE {within} AND {test}"  # noqa: S608 - quoted literals
        for test in tests
    )


def rows(relation: str, dialect: Dialect, spots: Collection[Spot]) -> str:
    """The rows at some spots, whole; of those without eventID all of the days concerned."""
    named = [(event, name, day) for event, name, day in spots if event is not None and name is not None]
    nameless = sorted({day for event, name, day in spots if event is None or name is None})
    some = [[spot for spot in named if spot[2] == day] for day in sorted({day for *_, day in named})]
    tests = [_at(group) for group in (some if dialect.many_selects else [named] if named else [])]
    if nameless:
        tests.append(f'{_in(DAY, nameless)} AND ("eventID" IS NULL OR "eventName" IS NULL)')
    # Apart from one another: an engine skips what it need not read by plain conditions alone.
    return "\nUNION ALL ".join(f"SELECT {columns()} FROM {relation} WHERE {test}" for test in tests)  # noqa: S608 - quoted literals


def _at(spots: Collection[tuple[str, str, str]]) -> str:
    events, names, days = (sorted(set(column)) for column in zip(*spots, strict=True))
    return f"{_in(DAY, days)} AND {_in('eventName', names)} AND {_in('eventID', events)}"


def lines(relation: str, dialect: Dialect, texts: Collection[str], days: Sequence[tuple[str, str]]) -> str:
    """Lines of access logs, of these days, that hold a text."""
    held = _any([dialect.contains('"line"', quoted(text)) for text in texts])
    return f'SELECT "line", {quoted_name(DAY)} FROM {relation} WHERE {_days(days)} AND {held}'  # noqa: S608 - quoted literals


def lines_of(relation: str, dialect: Dialect, texts: Sequence[tuple[str, bool]]) -> str:
    """Lines of access logs that hold one of some texts, each with whether case does not count."""
    line = quoted_name("line")
    held = _any(
        [
            dialect.contains(dialect.folded(line, fold(text)), quoted(fold(text)))
            if caseless
            else dialect.contains(line, quoted(text))
            for text, caseless in texts
        ]
    )
    return f"SELECT {line}, {quoted_name(DAY)} FROM {relation} WHERE {held}"  # noqa: S608 - quoted literals


def by_place_and_day(relation: str) -> str:
    """How many rows there are by account, Region and day."""
    by = columns(("recipientAccountId", "awsRegion", DAY))
    return f"SELECT {by}, count(*) FROM {relation} GROUP BY {by}"  # noqa: S608 - names of ours


def edge(relation: str, day: str, last: bool) -> str:
    """The first or the last eventTime of a day."""
    which = "max" if last else "min"
    return f'SELECT {which}("eventTime") FROM {relation} WHERE {quoted_name(DAY)} = {quoted(day)}'  # noqa: S608 - a quoted literal


def _days(spans: Sequence[tuple[str, str]]) -> str:
    day = quoted_name(DAY)
    found = [f"{day} BETWEEN {quoted(first)} AND {quoted(last)}" for first, last in joined(spans)]
    return _any([*found, f"{day} = {quoted(UNKNOWN_DAY)}"])


def joined(spans: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Spans of days without those that another one holds or begins in."""
    kept: list[tuple[str, str]] = []
    for first, last in sorted(spans):
        if kept and first <= kept[-1][1]:
            kept[-1] = kept[-1][0], max(last, kept[-1][1])
        else:
            kept.append((first, last))
    return kept


def _anywhere(texts: Sequence[str], dialect: Dialect, part: bool) -> list[str]:
    """Tests of every column, for texts of which nothing is known."""
    tests: list[str] = []
    for text in texts:
        written = _json(text)[1:-1] if part else _json(text)
        tests += [dialect.contains(quoted_name(name), quoted(written)) for name in (*JSON_COLUMNS, REST)]
        tests += [_held(name, text, dialect, part) for name in TEXT_COLUMNS]
    return tests


def _held(name: str, text: str, dialect: Dialect, part: bool) -> str:
    """A NUL cannot stand in a literal: the longest piece without one must be there then."""
    if part or "\0" in text:
        return dialect.contains(quoted_name(name), quoted(max(text.split("\0"), key=len)))
    return f"{quoted_name(name)} = {quoted(text)}"


def _in(name: str, values: Collection[str]) -> str:
    return f"{quoted_name(name)} IN ({', '.join(map(quoted, values))})"


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _any(tests: Sequence[str]) -> str:
    return f"({' OR '.join(tests)})"
