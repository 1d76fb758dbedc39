"""Elasticsearch: what can be asked of it; see tasks/elastic/coverage.py for what that means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cli.checks.check import Check, ago, length, listed, not_configured, ok, problem, warning

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

    from tasks.elastic.coverage import AccountCoverage
    from tasks.elastic.fields import Field

QUIET = timedelta(hours=6)
"""An account in use has events of AWS's own services at least that often."""
LATE = timedelta(minutes=30)
"""CloudTrail delivers within about 15 minutes, and the integration polls every five."""
ACCESS_LOGS_QUIET = timedelta(days=2)
SEE = "See docs/elastic.md."


def elasticsearch() -> Iterator[Check]:
    """Version, fields, the logs of each account, access logs, alerts."""
    from settings.elastic import elasticsearch as settings
    from tasks.elastic.client import Unanswered, connected
    from tasks.elastic.coverage import server_version

    own = settings()
    if not own.configured:
        yield not_configured(
            "Elasticsearch", "VMEXPORT_ELASTICSEARCH_URL is not set: alerts are believed as they come, and none is polled",
            f"Set it, if your alerts and logs are there. {SEE}",
        )  # fmt: skip
        return
    try:
        with connected(own) as es:
            version = server_version(es)
            yield ok(
                "Elasticsearch", f"version {version} answers" if version else "it answers, and does not say its version"
            )
            yield from _logs(es)
            for space in own.spaces:
                yield from _alerts(es, space)
    except Unanswered as why:
        yield problem("Elasticsearch", str(why), SEE)


def _logs(es: Elasticsearch) -> Iterator[Check]:
    from settings.elastic import elasticsearch as settings
    from tasks.elastic.client import Unanswered
    from tasks.elastic.fields import ACCESS_LOGS, CLOUDTRAIL

    own = settings()
    faults = list(_fields(es, "CloudTrail fields", own.cloudtrail_indices, CLOUDTRAIL))
    yield from faults
    try:
        yield from _accounts(es, own.cloudtrail_indices)
    except Unanswered as why:
        yield problem("CloudTrail in Elasticsearch", str(why), SEE)
    yield from _access_logs(es, own.access_log_indices, ACCESS_LOGS)


def _fields(es: Elasticsearch, name: str, indices: Sequence[str], fields: Sequence[Field]) -> Iterator[Check]:
    from tasks.elastic.client import Unanswered
    from tasks.elastic.coverage import field_faults

    try:
        faults = field_faults(es, indices, fields)
    except Unanswered as why:
        yield problem(name, str(why), SEE)
        return
    for fault in faults:
        made = problem if fault.serious else warning
        yield made(name, fault.sentence, f"Correct the mapping of {', '.join(indices)} or the integration's settings.")
    if not faults:
        yield ok(name, f"all {len(fields)} that we query can be searched in {', '.join(indices)}")


def _accounts(es: Elasticsearch, indices: Sequence[str]) -> Iterator[Check]:
    from settings.organization import OrganizationUnusable, organization
    from tasks.elastic import coverage
    from tasks.elastic.fields import CLOUDTRAIL

    try:
        names = {account.id: account.name for account in organization().accounts}
    except OrganizationUnusable:
        yield problem(
            "logs by account", "not looked at: it is not known which accounts are ours", "See organization.toml."
        )
        return
    by = [field for field in CLOUDTRAIL if field.name in (coverage.ACCOUNT, "@timestamp")]
    if any(fault.serious for fault in coverage.field_faults(es, indices, by)):
        sentence = f"unknown: {coverage.ACCOUNT} or @timestamp cannot be searched"
        yield problem("logs by account", sentence, "Correct the mapping first.")
        return
    now = datetime.now(UTC)
    for one in coverage.accounts(es, indices, tuple(names), now):
        yield _account(f"logs of {one.account} {names[one.account]}", one, now)
        yield _data_events(f"data events of {one.account}", one)


def _account(name: str, one: AccountCoverage, now: datetime) -> Check:
    from tasks.elastic.coverage import PERIOD

    if one.last_event is None:
        sentence = f"no CloudTrail event within {PERIOD.days} days: nothing that happens there is seen"
        return problem(name, sentence, "See that its trail reaches this cluster.")
    delay = "unknown delay" if one.delay is None else f"delay {length(one.delay)}"
    told = f"last event {ago(one.last_event, now)}, {one.events_per_day:.1f} events a day, {delay}"
    if now - one.last_event > QUIET:
        return warning(name, told, "It is late, or very quiet: see the integration's own logs.")
    if one.delay is not None and one.delay > LATE:
        return warning(
            name, told, "Events come late: an answer of no activity is worth less. See the integration's queue."
        )
    return ok(name, told)


def _data_events(name: str, one: AccountCoverage) -> Check:
    if one.data_events:
        return ok(name, f"on for {len(one.data_buckets)} bucket(s): {listed(one.data_buckets, 3)}")
    return warning(
        name, "none has come: reads of objects are seen in access logs only, if anywhere",
        "Switch data events on for buckets that exports may go to (trail, advanced event selectors).",
    )  # fmt: skip


def _access_logs(es: Elasticsearch, indices: Sequence[str], fields: Sequence[Field]) -> Iterator[Check]:
    from tasks.elastic.client import Unanswered
    from tasks.elastic.coverage import last_event

    try:
        last = last_event(es, indices)
    except Unanswered as why:
        yield warning("access logs in Elasticsearch", str(why), f"Reads of an export may stay unknown. {SEE}")
        return
    yield from _fields(es, "access log fields", indices, fields)
    now = datetime.now(UTC)
    if last is None:
        yield warning("access logs in Elasticsearch", "the index is empty", "See the integration.")
    elif now - last > ACCESS_LOGS_QUIET:
        yield warning("access logs in Elasticsearch", f"the last is from {ago(last, now)}", "See the integration.")
    else:
        yield ok("access logs in Elasticsearch", f"the last is from {ago(last, now)}")


def _alerts(es: Elasticsearch, space: str) -> Iterator[Check]:
    from settings.elastic import elasticsearch as settings
    from tasks.elastic.client import Unanswered
    from tasks.elastic.coverage import last_alert
    from tasks.elastic.fields import ALERTS

    own, name = settings(), f"alerts in space {space}"
    try:
        last = last_alert(es, own.alerts_index(space), own.rule_ids)
    except Unanswered as why:
        yield problem(name, str(why), f"Check VMEXPORT_ELASTICSEARCH_SPACES and the key's rights. {SEE}")
        return
    yield from _fields(es, f"alert fields in space {space}", [own.alerts_index(space)], ALERTS)
    told = f"the last of our rules is from {ago(last, datetime.now(UTC))}" if last else "our rules have raised none yet"
    yield ok(name, told)
