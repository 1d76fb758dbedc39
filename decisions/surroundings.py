"""What stands around an export: how its actors signed in before it, and what other detection rules saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from decisions.activity import LogRecord
from decisions.evidence import Known, utc
from decisions.findings import Finding
from decisions.hostile import hostile_source
from decisions.related_alerts import CONCEALMENT, GRAVE, RelatedAlert, by_rule
from decisions.statements import ALERTS, AUTHENTICATION, Investigated, say

CONSOLE = "ConsoleLogin"
MANY_FAILED = 3
"""Sign-ins refused before one that succeeds: somebody guessed."""


def about_authentication(case: Investigated) -> Iterator[Finding]:
    """How the actors signed in and changed roles in the period."""
    records, cited = case.records(AUTHENTICATION), case.evidence.get(AUTHENTICATION, ())
    if not records:
        return
    addresses = tuple(dict.fromkeys(r.source_address for r in records if r.source_address))
    often = ", ".join(f"{name} ({n})" for name, n in Counter(r.event_name for r in records).most_common(5))
    shown = ", ".join(addresses[:5]) + (f" and {len(addresses) - 5} more" if len(addresses) > 5 else "")
    yield say(
        f"{len(records)} sign-ins and role changes of the actors from {utc(records[0].time)} to "
        f"{utc(records[-1].time)}, from {shown or 'addresses that are not told'}: {often}.",
        cited,
    )
    for record in records:
        if record.event_name == CONSOLE and not failed(record) and record.additional.get("MFAUsed") == "No":
            outside = hostile_source(record, case.organization)
            yield say(
                f"{_who(record)} signed in to the console without a second factor at {utc(record.time)} from "
                f"{record.source_address or 'an address that is not told'}"
                f"{', outside our networks' if outside else ''}.",
                cited,
                "medium" if outside else "low",
                concern=outside,
            )
    yield from _about_guessing(records, cited)


def _about_guessing(records: Sequence[LogRecord], cited: Sequence[str]) -> Iterator[Finding]:
    refused: Counter[str] = Counter()
    for record in records:
        if record.event_name != CONSOLE:
            continue
        who = _who(record)
        if failed(record):
            refused[who] += 1
            continue
        if refused[who] >= MANY_FAILED:
            yield say(
                f"{who} signed in at {utc(record.time)} after {refused[who]} refused sign-ins.", cited, "medium", True
            )
        refused[who] = 0


def failed(record: LogRecord) -> bool:
    """Whether a sign-in was refused; ConsoleLogin says so in its answer, not by an error code alone."""
    return bool(record.error_code or record.error_message or record.response_elements.get("ConsoleLogin") == "Failure")


def _who(record: LogRecord) -> str:
    return record.user_name or record.principal_arn or record.principal_id or "Somebody"


def about_alerts(case: Investigated) -> Iterator[Finding]:
    """What other rules of Elastic saw of the actors, the buckets and the accounts."""
    if not isinstance(case.alerts, Known):
        return
    cited, found = case.evidence.get(ALERTS, ()), case.alerts.value.alerts
    hiding = [a for a in found if a.conceals]
    for alert in hiding:
        ours = alert.actor or alert.bucket is not None
        yield say(
            f"An alert says that {CONCEALMENT[str(alert.rule_id)]} at {utc(alert.event_time or alert.created)}, "
            f"{_shared(alert)}.",
            cited,
            "high" if alert.actor else "medium",
            concern=ours,
        )
    others = [a for a in found if a not in hiding]
    if others:
        grave = [a for a in others if a.severity in GRAVE]
        yield say(
            f"{len(others)} alerts of other rules are about the same actors or buckets: {by_rule(others)}.",
            cited,
            "medium",
            concern=bool(grave),
        )


def _shared(alert: RelatedAlert) -> str:
    if alert.actor:
        return "done by an actor of this case"
    if alert.bucket is not None:
        return f"on the bucket {alert.bucket} of this case"
    return f"in the account {alert.account} of this case, by somebody else"
