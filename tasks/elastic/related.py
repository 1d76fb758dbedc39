"""Other alerts around an export. Of an alert only the ECS fields are indexed, so the rest is compared here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import AwareDatetime

from decisions.evidence import Coverage
from decisions.related_alerts import RelatedAlert, RelatedAlerts, Shared, related_alert
from settings.elastic import ElasticsearchSettings, elasticsearch
from tasks.actions.base import Clients
from tasks.elastic.client import Pages, Unanswered, connected
from tasks.reading import read

SOURCE = (
    "@timestamp", "user", "user.*", "cloud", "cloud.*", "aws", "aws.*", "event", "event.*", "signal.rule",
    "kibana.alert.rule.rule_id", "kibana.alert.rule.name", "kibana.alert.severity", "kibana.alert.original_time",
    "kibana.alert.original_event.action", "kibana.alert.rule", "kibana.alert.original_event",
)  # fmt: skip
"""What is fetched of an alert: both ways in which its fields may be keyed."""
AT_MOST = 500
"""Alerts kept; a case with more than that has one story many times."""


@read(step="investigation.3b", source="Elasticsearch: alerts", permissions=())
def related_alerts(
    aws: Clients, shared: Shared, since: AwareDatetime, until: AwareDatetime, own: tuple[str, ...]
) -> RelatedAlerts:
    """Alerts of other rules that share an actor or bucket with the case, or hide something in its accounts.

    `own`: ids of the alerts that the case already is about. Raises Unanswered where nothing is configured.
    """
    return search(elasticsearch(), shared, since, until, own)


def search(
    settings: ElasticsearchSettings, shared: Shared, since: datetime, until: datetime, own: tuple[str, ...]
) -> RelatedAlerts:
    """The same without a case. Every space is asked; one without an alerts index is a gap."""
    found: list[RelatedAlert] = []
    gaps: list[str] = []
    unreadable = 0
    with connected(settings) as es:
        for space in settings.spaces:
            pages = Pages(es, [settings.alerts_index(space)], question(shared, since, until, own), source=SOURCE)
            try:
                for hit in pages:
                    try:
                        alert = related_alert(str(hit["_id"]), hit["_source"], shared)
                    except ValueError:
                        unreadable += 1
                        continue
                    found += [alert] if alert else []
            except Unanswered as why:  # what was found until then still counts
                gaps.append(str(why))
            gaps += pages.gaps
    once = sorted({a.alert_id: a for a in found}.values(), key=lambda a: (a.created, a.alert_id))
    if len(once) > AT_MOST:
        gaps.append(f"{len(once)} alerts are related; the {len(once) - AT_MOST} oldest were left out.")
    if unreadable:
        gaps.append(f"{unreadable} alert(s) could not be read.")
    coverage = Coverage(
        searched_from=since, searched_to=min(until, datetime.now(UTC)), complete=not gaps, gaps=tuple(gaps)
    )
    return RelatedAlerts(alerts=tuple(once[-AT_MOST:]), coverage=coverage)


def question(shared: Shared, since: datetime, until: datetime, own: tuple[str, ...]) -> Mapping[str, Any]:
    """The alerts that may be related: of AWS's logs, of an account of the case, or of one of its actors."""
    return {
        "bool": {
            "filter": [{"range": {"@timestamp": {"gte": since.isoformat(), "lte": until.isoformat()}}}],
            "must_not": [{"exists": {"field": "kibana.alert.building_block_type"}}, {"ids": {"values": list(own)}}],
            "should": [
                {"term": {"event.module": "aws"}},
                {"terms": {"cloud.account.id": list(shared.accounts)}},
                {"terms": {"user.id": list(shared.principal_ids)}},
            ],
            "minimum_should_match": 1,
        }
    }
