"""Other alerts of the days around an export that share its actor, bucket or account: what a rule saw that we did not ask for.

Of an alert's document only the ECS fields can be searched; access key and bucket are read from the document itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import AwareDatetime

from decisions.ecs import first, scalars
from decisions.evidence import Coverage, Frozen
from decisions.java_map import Ambiguous, parse
from decisions.reading import clean, moment

CONCEALMENT = {
    "1aa8fa52-44a7-4dae-b058-f3333b91c8d7": "a CloudTrail trail was suspended",
    "a6788d4b-b241-4bf0-8986-a3b4315c5b70": "the access logging of a bucket was switched off",
}
"""Rules of Elastic whose alerts tell that traces are being avoided: rule_id -> what it sees (notes/elastic.md 3.4)."""
GRAVE = frozenset({"high", "critical"})


class Shared(Frozen):
    """By what an alert can belong to a case."""

    accounts: tuple[str, ...] = ()
    access_keys: tuple[str, ...] = ()
    principal_arns: tuple[str, ...] = ()
    principal_ids: tuple[str, ...] = ()
    buckets: tuple[str, ...] = ()


class RelatedAlert(Frozen):
    """One alert that shares something with a case."""

    alert_id: str
    rule_id: str | None
    rule_name: str
    severity: str | None
    created: AwareDatetime
    event_time: AwareDatetime | None
    action: str | None
    actor: bool
    """It is about an actor of the case."""
    bucket: str | None
    """The bucket of the case that it is about."""
    account: str | None
    """The account of the case that it is about; the caller's or the owner's."""

    @property
    def conceals(self) -> bool:
        """Whether its rule sees somebody avoiding traces."""
        return self.rule_id in CONCEALMENT


class RelatedAlerts(Frozen):
    """The alerts, oldest first, and how far the search reached."""

    alerts: tuple[RelatedAlert, ...]
    coverage: Coverage

    @property
    def concealing(self) -> tuple[RelatedAlert, ...]:
        """Those about an actor or bucket of the case whose rule sees somebody avoiding traces."""
        return tuple(a for a in self.alerts if a.conceals and (a.actor or a.bucket))


def related_alert(alert_id: str, document: Mapping[str, Any], shared: Shared) -> RelatedAlert | None:
    """The alert, if it shares an actor or bucket with the case, or hides something in one of its accounts; else None.

    Raises ValueError when it has no creation time.
    """
    keys = _texts(document, "aws.cloudtrail.user_identity.access_key_id")
    arns = _texts(document, "aws.cloudtrail.user_identity.arn")
    ids = _texts(document, "user.id")
    accounts = _texts(document, "aws.cloudtrail.recipient_account_id") + _texts(document, "cloud.account.id")
    rule_id = _one(first(document, ("kibana.alert.rule.rule_id", "signal.rule.rule_id")))
    actor = bool(
        set(keys) & set(shared.access_keys)
        or set(arns) & set(shared.principal_arns)
        or set(ids) & set(shared.principal_ids)
    )
    bucket = next((b for b in _buckets(document) if b in shared.buckets), None)
    account = next((a for a in accounts if a in shared.accounts), None)
    if not actor and bucket is None and (account is None or rule_id not in CONCEALMENT):
        return None
    created = moment(_one(scalars(document, "@timestamp")) or "")
    if created is None:
        raise ValueError(f"alert {alert_id[:80]!a} has no creation time")
    return RelatedAlert(
        alert_id=alert_id,
        rule_id=rule_id,
        rule_name=_one(first(document, ("kibana.alert.rule.name", "signal.rule.name"))) or "a rule without a name",
        severity=_one(scalars(document, "kibana.alert.severity")),
        created=created,
        event_time=moment(_one(scalars(document, "kibana.alert.original_time")) or ""),
        action=_one(first(document, ("event.action", "kibana.alert.original_event.action"))),
        actor=actor,
        bucket=bucket,
        account=account,
    )


def by_rule(alerts: Collection[RelatedAlert]) -> str:
    """`AWS EC2 AMI Shared (2), …`: the five rules with most alerts; names come from whoever wrote the rules."""
    counted = Counter(a.rule_name[:80] for a in alerts)
    more = f" and {len(counted) - 5} more" if len(counted) > 5 else ""
    return ", ".join(f"{name} ({n})" for name, n in counted.most_common(5)) + more


def _buckets(document: Mapping[str, Any]) -> list[str]:
    """Every bucket that the alert's call names, in whichever form its parameters are there."""
    found = _texts(document, "aws.cloudtrail.flattened.request_parameters.bucketName")
    for text in _texts(document, "aws.cloudtrail.request_parameters"):
        try:
            named = parse(text).get("bucketName")
        except Ambiguous:
            continue  # a text that can be read in two ways names nothing; the call is still known by its actor
        found += [named] if isinstance(named, str) else []
    arns = _texts(document, "aws.cloudtrail.resources.arn")
    return found + [arn.removeprefix("arn:aws:s3:::").partition("/")[0] for arn in arns if ":s3:::" in arn]


def _texts(document: Mapping[str, Any], path: str) -> list[str]:
    return [clean(value) for value in scalars(document, path) if isinstance(value, str)]


def _one(values: list[Any]) -> str | None:
    return next((clean(v) for v in values if isinstance(v, str)), None)
