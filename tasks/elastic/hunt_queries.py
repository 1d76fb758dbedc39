"""A hunt's questions as Elasticsearch's query DSL; each finds every document that may answer, and the document decides.

Values stand in term, terms, prefix and wildcard clauses alone, the last with its signs escaped; none is ever part of a query
text. What no index holds (a value within a flattened object, a text too long to be indexed) is found by what is known to be
missing, and decided on the document (notes/elastic.md 4.1, 7).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from decisions.sigma import Rule
from decisions.sigma_elasticsearch import ONLY_ORIGINAL, NotConvertible, query
from tasks.elastic.hunt_sought import Sought
from tasks.hunting.searches import EXPORT_CALLS, IsExport, Matches
from tasks.hunting.source import EXPORTS
from tasks.logs.elasticsearch_query import ACTION, FAILED, RECIPIENT, RESOURCES, absent, any_of, terms

Dsl = dict[str, Any]
FAILED_NAME = "not parsed"
"""Names the clause of documents that the pipeline could not parse."""
_TRAIL = "aws.cloudtrail"
_KEY = f"{_TRAIL}.user_identity.access_key_id"
_OBJECTS = ("request_parameters", "response_elements", "additional_eventdata", "service_event_details")
TEXTS = tuple(f"{_TRAIL}.{name}" for name in _OBJECTS)
FLATTENED = tuple(f"{_TRAIL}.flattened.{name}" for name in _OBJECTS)
WORDS = tuple(f"{field}.text" for field in TEXTS)
"""Where the integration indexes the words of those texts."""
ACCESS_KEY, ACCESS_BUCKET = "aws.s3access.key", "aws.s3access.bucket"
NOT_PARSED: Dsl = {"bool": {"filter": [FAILED], "_name": FAILED_NAME}}
BARE: Dsl = {"bool": {"must_not": [{"exists": {"field": field}} for field in (*TEXTS, *FLATTENED)] + [ONLY_ORIGINAL]}}
"""Documents without anything that was asked or answered, whatever the reason."""
LONGEST = 200
"""Characters of a text that are looked for within values."""
TOGETHER = 20
"""Keys, and objects, of one search: an object is some forty clauses."""


@dataclass(frozen=True)
class Asked:
    """One thing that documents are asked, and what decides on them."""

    name: str
    query: Dsl
    test: Callable[[Mapping[str, Any]], bool]
    title: str = ""
    limited: bool = True
    """Whether only some are read where very many answer."""

    @property
    def identity(self) -> tuple[Any, ...]:
        """What it is, for a checkpoint: query and test."""
        return self.name, self.query, repr(self.test)


def exports() -> Asked:
    """Requests to export, whatever came of them."""
    return Asked(EXPORTS, terms(ACTION, EXPORT_CALLS), IsExport(), limited=False)


def asked_of(rules: Sequence[Rule]) -> tuple[list[Asked], list[tuple[str, str]]]:
    """What is asked for rules, and the rules (their file) that cannot be asked, each with the reason."""
    asked: list[Asked] = []
    refused: list[tuple[str, str]] = []
    for rule in rules:
        if rule.service != "cloudtrail":
            refused.append((rule.source, "rules about access logs are not asked of Elasticsearch"))
            continue
        try:
            asked.append(Asked(rule.id, query(rule.detection), Matches(rule), rule.title))
        except NotConvertible as error:
            refused.append((rule.source, f"not asked of Elasticsearch: {error}"))
    return asked, refused


def between(begin: datetime, end: datetime) -> Dsl:
    """From a moment on, before another."""
    return {"range": {"@timestamp": {"gte": begin.isoformat(), "lt": end.isoformat()}}}


def named(asked: Iterable[Asked], begin: datetime, end: datetime) -> Dsl:
    """Documents that may answer any of these, each saying which; those that could not be parsed may answer all."""
    should = [{"bool": {"filter": [one.query], "_name": one.name}} for one in asked]
    return {"bool": {"filter": [between(begin, end), any_of(*should, NOT_PARSED)]}}


def surroundings(keys: Sequence[str], objects: Sequence[Sought], accounts: Iterable[str] | None, words: bool) -> Dsl:
    """Documents that may name a key, or hold an object's text.

    accounts None: of any. `words`: whether the texts of parameters have their words indexed.
    """
    may: list[Dsl] = [ONLY_ORIGINAL]
    may += [*_naming(keys, words)] if keys else []
    may += [*_holding(objects, words)] if objects else []
    filters = [any_of(*may)]
    if accounts is not None:
        filters.append(any_of(terms(RECIPIENT, sorted(accounts)), absent(RECIPIENT)))
    return any_of(NOT_PARSED, {"bool": {"filter": filters}})


def access(objects: Sequence[Sought]) -> Dsl:
    """Documents of access logs that may hold an object's text: of its key, or of a call on its whole bucket."""
    may: list[Dsl] = [NOT_PARSED, _ignored(ACCESS_KEY)]
    for one in objects:
        may += [{"prefix": {ACCESS_KEY: start}} for start in one.beginnings]
        may += [{"prefix": {ACCESS_KEY: quote(start)}} for start in one.beginnings if "%" in start]
        of_bucket = terms(ACCESS_BUCKET, one.buckets)
        may.append({"bool": {"filter": [of_bucket, absent(ACCESS_KEY)]}} if one.certain else of_bucket)
        may += [] if one.certain else [_part(ACCESS_KEY, one.text)]
    return any_of(*may)


def _naming(keys: Sequence[str], words: bool) -> Iterable[Dsl]:
    yield terms(_KEY, keys)
    for text, flattened in zip(TEXTS, FLATTENED, strict=True):
        yield terms(flattened, keys)  # a flattened field's own name finds a value at any depth of it
        indexed = [key for key in keys if words and key.isascii() and key.isalnum()]
        yield terms(f"{text}.text", [key.lower() for key in indexed])
        yield from _within(text, [key for key in keys if key not in indexed])


def _holding(objects: Sequence[Sought], words: bool) -> Iterable[Dsl]:
    yield _ignored(RESOURCES)
    for one in objects:
        yield from ({"prefix": {RESOURCES: arn}} for arn in one.arns)
        yield from ({"prefix": {FLATTENED[0]: start}} for start in one.places)
        yield from ({"prefix": {field: start}} for field in FLATTENED for start in one.beginnings)
        if not one.certain:
            yield _part(RESOURCES, one.text)
            yield terms(FLATTENED[0], one.buckets)
    for text in TEXTS:
        indexed = {one.text: word for one in objects if words and (word := _word(one.text))}
        yield from ({"prefix": {f"{text}.text": word}} for word in indexed.values())
        yield from _within(text, [one.text for one in objects if one.text not in indexed])


def _within(field: str, texts: Sequence[str]) -> Iterable[Dsl]:
    """Without words, all values that there are have to be gone through."""
    yield from (_part(field, text) for text in texts)
    yield from [_ignored(field)] if texts else []


def _word(text: str) -> str | None:
    """How the word begins that only this object's name has: the analyzer breaks at hyphens, and not always at dots."""
    found = re.fullmatch(r"(?:[a-z]+-)+([0-9a-z]{8,})(?:\.[a-z]+)?", text)
    return found[1] if found else None


def _part(field: str, text: str) -> Dsl:
    # What is longer than any key is hostile; all of it would be too complex for the server, and the hunt without an answer.
    return {"wildcard": {field: {"value": "*" + re.sub(r"([\\*?])", r"\\\1", text[:LONGEST]) + "*"}}}


def _ignored(field: str) -> Dsl:
    """Documents of which the field was too long to be indexed."""
    return {"term": {"_ignored": field}}
