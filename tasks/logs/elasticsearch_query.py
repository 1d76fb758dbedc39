"""The investigation's questions as Elasticsearch's query DSL: term, terms, prefix, range, exists and bool, nothing else.

Each finds every document that may answer, and some that do not: `Query.matches` decides on the record. Where a document
lacks the field that is searched, because the integration did not keep it or because a value was too long, it is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tasks.logs.interface import ObjectPlace, Query, Scope

Dsl = dict[str, Any]

_IDENTITY = "aws.cloudtrail.user_identity"
ARN, _KEY = f"{_IDENTITY}.arn", f"{_IDENTITY}.access_key_id"
RECIPIENT = "aws.cloudtrail.recipient_account_id"
REGION = "cloud.region"
ACTION = "event.action"
REQUEST, RESPONSE, ADDITIONAL = (
    f"aws.cloudtrail.flattened.{name}" for name in ("request_parameters", "response_elements", "additional_eventdata")
)
RESOURCES = "aws.cloudtrail.resources.arn"
FAILED: Dsl = {"term": {"event.kind": "pipeline_error"}}
"""Documents that the ingest pipeline could not parse: what it read of them is no guide, and `@timestamp` is the ingest's."""
COPIES = ("CopyObject", "UploadPartCopy", "CreateRestoreImageTask")
"""Their resources need not name what is read."""
NAMED_IN_ADDITIONAL = ("UserAuthentication", "CredentialChallenge", "CredentialVerification", "Federate")
"""Sign-ins to Identity Center, whose person stands in additionalEventData."""
SHORT = 256
"""Values longer than this may not have been indexed."""


def of_query(query: Query, scope: Scope, sessions: Sequence[str] = (), keys: Sequence[str] = ()) -> Dsl:
    """Events that may answer. `sessions`, `keys`: ARNs and access keys that stand for the query's names (`names_of`)."""
    filters = [*within(scope), period(scope.since, scope.until)]
    filters += [terms(_KEY, query.access_key_ids)] if query.access_key_ids else []
    filters += [terms(ACTION, query.event_names)] if query.event_names else []
    filters += [_by(query.principals, sessions, keys)] if query.principals else []
    filters += [_mentioning(query.mentions)] if query.mentions else []
    filters += [_about(query.place)] if query.place else []
    return {"bool": {"filter": filters, "must_not": [FAILED]}}


def exact(query: Query) -> bool:
    """Whether every event that `of_query` finds answers, so that nothing has to be decided on the record."""
    return not (query.principals or query.mentions or query.place)


def within(scope: Scope) -> list[Dsl]:
    """The accounts and Regions of a scope; a document that names none may be of any."""
    return [
        any_of(terms(RECIPIENT, scope.accounts), absent(RECIPIENT)),
        any_of(terms(REGION, scope.regions), absent(REGION)),
    ]


def period(since: datetime, until: datetime) -> Dsl:
    """A period, its ends included."""
    return {"range": {"@timestamp": {"gte": since.isoformat(), "lte": until.isoformat()}}}


def terms(field: str, values: Sequence[str]) -> Dsl:
    """One of several values."""
    return {"terms": {field: list(values)}}


def absent(field: str) -> Dsl:
    """Without a field."""
    return {"bool": {"must_not": [{"exists": {"field": field}}]}}


def any_of(*clauses: Dsl) -> Dsl:
    """At least one of several."""
    return {"bool": {"should": list(clauses), "minimum_should_match": 1}}


def names_of(query: Query) -> tuple[str, ...]:
    """The principals that are no ARN: they stand at the end of ARNs, where no exact term finds them."""
    return tuple(p for p in query.principals if not p.startswith("arn:"))


def _by(principals: Sequence[str], sessions: Sequence[str], keys: Sequence[str]) -> Dsl:
    return any_of(
        terms(ARN, [*principals, *sessions]),
        terms(f"{_IDENTITY}.session_context.session_issuer.arn", principals),
        terms(_KEY, keys),
        terms("user.name", principals),
        terms(f"{ADDITIONAL}.UserName", principals),
        {"bool": {"filter": [terms(ACTION, NAMED_IN_ADDITIONAL), absent(ADDITIONAL)]}},
    )


def _mentioning(values: Sequence[str]) -> Dsl:
    if any(len(value) > SHORT for value in values):
        return {"match_all": {}}
    # A flattened field's own name finds a value at any depth of it.
    return any_of(terms(REQUEST, values), terms(RESPONSE, values), absent(REQUEST), absent(RESPONSE))


def _about(place: ObjectPlace) -> Dsl:
    bucket = f"arn:aws:s3:::{place.bucket}"
    key = {"prefix": {RESOURCES: f"{bucket}/{place.key[:SHORT]}"}}
    copied = [{"prefix": {f"{REQUEST}.x-amz-copy-source": start + place.bucket + "/"}} for start in ("", "/")]
    # A key that was too long to be indexed still stands beside its bucket. Where no object of parameters was kept, the
    # resources tell; where they do not either, only the document itself does.
    unknown = {"bool": {"must_not": [{"exists": {"field": REQUEST}}, {"exists": {"field": RESOURCES}}]}}
    copies = {"bool": {"filter": [terms(ACTION, COPIES), absent(REQUEST)]}}
    return any_of({"term": {REQUEST: place.bucket}}, *copied, {"term": {RESOURCES: bucket}}, key, unknown, copies)
