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

from decisions.sigma import Rule
from decisions.sigma_elasticsearch import NotConvertible, query
from tasks.hunting.searches import EXPORT_CALLS, IsExport, Matches
from tasks.hunting.source import EXPORTS
from tasks.logs.elasticsearch_query import ACTION, FAILED, RECIPIENT, RESOURCES, absent, any_of, terms

Dsl = dict[str, Any]
FAILED_NAME = "not parsed"
"""Names the clause of documents that the pipeline could not parse."""
ORIGINAL = "preserve_original_event"
"""The tag without which the integration throws `event.original` away; that field itself cannot be searched."""
_TRAIL = "aws.cloudtrail"
_KEY = f"{_TRAIL}.user_identity.access_key_id"
_OBJECTS = ("request_parameters", "response_elements", "additional_eventdata", "service_event_details")
TEXTS = tuple(f"{_TRAIL}.{name}" for name in _OBJECTS)
FLATTENED = tuple(f"{_TRAIL}.flattened.{name}" for name in _OBJECTS)
WORDS = (f"{_TRAIL}.error_message", f"{_TRAIL}.user_identity.arn", "user_agent.original", RESOURCES)
"""Other keywords that may hold an object's name: a denial names what it denies."""
ACCESS = tuple(f"aws.s3access.{name}" for name in ("key", "request_uri", "referrer", "user_agent"))
NOT_PARSED: Dsl = {"bool": {"filter": [FAILED], "_name": FAILED_NAME}}
BARE: Dsl = {"bool": {"must_not": [{"exists": {"field": field}} for field in (*TEXTS, *FLATTENED)]}}
"""Documents without anything that was asked or answered."""
TOGETHER = 50
"""Texts of one search: each is a wildcard in some fields, which costs."""


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


def surroundings(
    keys: Sequence[str], objects: Sequence[str], buckets: Iterable[str], accounts: Iterable[str] | None
) -> Dsl:
    """Documents that may name a key, or hold an object's text.

    `buckets`: where the objects lie, as far as that is known. accounts None: of any.
    """
    may = [*_naming(keys)] if keys else []
    may += [*_holding(objects, sorted(buckets))] if objects else []
    # Nothing of such a document but its original text tells what was asked.
    may.append({"bool": {"filter": [{"term": {"tags": ORIGINAL}}, BARE]}})
    filters = [any_of(*may)]
    if accounts is not None:
        filters.append(any_of(terms(RECIPIENT, sorted(accounts)), absent(RECIPIENT)))
    return any_of(NOT_PARSED, {"bool": {"filter": filters}})


def access(objects: Sequence[str]) -> Dsl:
    """Documents of access logs that may hold an object's text."""
    fields = [clause for field in ACCESS for clause in (*(_part(field, text) for text in objects), _ignored(field))]
    return any_of(NOT_PARSED, *fields)


def _naming(keys: Sequence[str]) -> Iterable[Dsl]:
    yield terms(_KEY, keys)
    for text, flattened in zip(TEXTS, FLATTENED, strict=True):
        yield terms(flattened, keys)  # a flattened field's own name finds a value at any depth of it
        for key in keys:
            yield {"bool": {"filter": [_part(text, key), absent(flattened)]}}
        yield {"bool": {"filter": [_ignored(text), absent(flattened)]}}


def _holding(objects: Sequence[str], buckets: Sequence[str]) -> Iterable[Dsl]:
    for field in (*WORDS, *TEXTS):
        yield from (_part(field, text) for text in objects)
        yield _ignored(field)
    for text, flattened in zip(TEXTS, FLATTENED, strict=True):
        # Where the text beside it was not kept, only whole values and their beginnings can be found: the object's bucket.
        copied = [{"prefix": {flattened: f"{start}{bucket}/"}} for bucket in buckets for start in ("", "/")]
        whole = terms(flattened, [*objects, *buckets])
        yield {"bool": {"filter": [any_of(whole, *copied), absent(text)]}}


def _part(field: str, text: str) -> Dsl:
    return {"wildcard": {field: {"value": "*" + re.sub(r"([\\*?])", r"\\\1", text) + "*"}}}


def _ignored(field: str) -> Dsl:
    """Documents of which the field was too long to be indexed."""
    return {"term": {"_ignored": field}}
