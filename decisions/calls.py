"""What the log records of a case say: the actor's calls, permission changes, other exports, reads of the image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from decisions.access import is_public, outsiders
from decisions.activity import LogRecord
from decisions.cloudtrail import export_event
from decisions.evidence import Known, utc
from decisions.export import ExportApi
from decisions.facts import approved_exporter
from decisions.findings import Finding
from decisions.hostile import concealed, hostile_source, shared_with
from decisions.statements import EXPORTS, KEYS, PERMISSIONS, Investigated, say

REFUSED = ("AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation", "UnauthorizedOperation")
MANY_REFUSED = 3
BUCKET_CALLS = ("Bucket", "AccessPoint")


def about_activity(case: Investigated) -> Iterator[Finding]:
    """What else was called with the actors' keys."""
    records, cited = case.records(KEYS), case.evidence.get(KEYS, ())
    if not records:
        return
    addresses = tuple(dict.fromkeys(r.source_address for r in records if r.source_address))
    yield say(
        f"{len(records)} calls with the actors' keys from {utc(records[0].time)} to {utc(records[-1].time)}, from "
        f"{_listed(addresses)}; most often {_common(records)}.",
        cited,
    )
    foreign = tuple(dict.fromkeys(str(r.source_address) for r in records if hostile_source(r, case.organization)))
    if foreign:
        yield say(f"Calls came from outside our networks: {_listed(foreign)}.", cited, "medium", concern=True)
    refused = [r for r in records if r.error_code in REFUSED]
    if len(refused) >= MANY_REFUSED:
        yield say(f"{len(refused)} calls were refused: {_common(refused)}.", cited, "medium", concern=True)
    for record in (r for r in records if concealed(r)):
        yield say(f"{record.event_name} at {utc(record.time)} hides what is done.", cited, "high", concern=True)
    yield from _about_shares(case, records, cited)
    yield from _about_doors(records, cited)


def _about_shares(case: Investigated, records: Sequence[LogRecord], cited: Sequence[str]) -> Iterator[Finding]:
    for record in records:
        for grantee in shared_with(record):
            outside = not case.organization.owns(grantee)
            what = str(record.request_parameters.get("imageId") or record.request_parameters.get("snapshotId") or "")
            yield say(
                f"{record.event_name} at {utc(record.time)} shared {what or 'a disk'} with {grantee}"
                f"{': outside the organization' if outside else ''}.",
                cited,
                "high" if outside else "low",
                concern=outside,
            )


def _about_doors(records: Sequence[LogRecord], cited: Sequence[str]) -> Iterator[Finding]:
    """Somebody who is refused at one export API and tries the next."""
    refused = {r.event_name for r in records if r.event_name in set(ExportApi) and r.error_code}
    tried = {r.event_name for r in records if r.event_name in set(ExportApi)}
    if refused and len(tried) > 1:
        names = ", ".join(sorted(tried))
        yield say(
            f"Refused by {', '.join(sorted(refused))}, the actor tried another way: {names}.", cited, "medium", True
        )


def about_permissions(case: Investigated) -> Iterator[Finding]:
    """Who made it possible: changes of the bucket and of the actors' own permissions."""
    cited = case.evidence.get(PERMISSIONS, ())
    done = [r for r in case.records(PERMISSIONS) if r.error_code is None]
    open_now = {
        name
        for name, answer in case.buckets.items()
        if isinstance(answer, Known) and (is_public(answer.value) or outsiders(answer.value, case.organization))
    }
    for record in done:
        bucket = record.request_parameters.get("bucketName")
        if bucket not in case.buckets or not any(word in record.event_name for word in BUCKET_CALLS):
            continue
        own = case.by_actor(record)
        who = "The actor" if own else record.principal_arn or "Somebody"
        yield say(
            f"{who} called {record.event_name} on {bucket} at {utc(record.time)}"
            f"{', and strangers can read it now' if own and bucket in open_now else ''}.",
            cited,
            "high" if own and bucket in open_now else "medium" if own else "low",
            concern=own,
        )
    yield from _about_own_rights(case, done, cited)


def _about_own_rights(case: Investigated, done: Sequence[LogRecord], cited: Sequence[str]) -> Iterator[Finding]:
    """Rights that an actor gave itself, or that somebody gave to one who is not approved, are a concern."""
    hops = [h for e in case.exports for h in (e.actor, *e.actor.chain)]
    names = {n for h in hops for n in (h.user_name, h.role_name) if n}
    approved = all(approved_exporter(e.actor, case.organization) for e in case.exports)
    for record in done:
        asked = record.request_parameters
        target = asked.get("userName") or asked.get("roleName") or record.user_name  # without a name: the caller's own
        if record.event_source != "iam.amazonaws.com" or target not in names:
            continue
        own = case.by_actor(record)
        who = "the actor" if own else record.principal_arn or "somebody"
        yield say(
            f"The rights of {target} were changed by {who}: {record.event_name} at {utc(record.time)}.",
            cited,
            "medium" if own else "low",
            concern=own or not approved,
        )


def about_history(case: Investigated) -> Iterator[Finding]:
    """Whether the actor has exported before, and what EC2 knows of that no record tells."""
    cited = case.evidence.get(EXPORTS, ())
    mine = {e.event.event_id for e in case.exports}
    callers = {h.iam_arn for e in case.exports for h in (e.actor,) if h.iam_arn}
    before = [r for r in case.records(EXPORTS) if r.event_id not in mine]
    same = [r for r in before if (r.issuer_arn or r.principal_arn) in callers and r.error_code is None]
    if isinstance(case.activity.get(EXPORTS), Known):
        yield say(
            f"{len(same)} earlier export(s) by the same users or roles, {len(before)} by anybody, in the period searched.",
            cited,
            "medium",
        )
    for other in dict.fromkeys(case.elsewhere.values()):
        yield say(f"Further exports by the same actor belong to case {other}.", cited, "low")
    yield from _about_tasks(case)


def _about_tasks(case: Investigated) -> Iterator[Finding]:
    events = [e for r in case.records(EXPORTS) if (e := export_event(r))] + [e.event for e in case.exports]
    recorded = {i for e in events for i in (e.task_id, e.image_id) if i}
    for question, answer in case.tasks.items():
        for task in answer.value if isinstance(answer, Known) else ():
            if task.task_id not in recorded and task.running:
                yield say(
                    f"{task.task_id} exports to {task.bucket} ({task.state}), and no record tells who began it.",
                    case.evidence.get(question, ()),
                    "medium",
                    concern=True,
                )


def _common(records: Sequence[LogRecord]) -> str:
    return ", ".join(f"{name} ({n})" for name, n in Counter(r.event_name for r in records).most_common(5))


def _listed(values: Sequence[str]) -> str:
    return ", ".join(values[:5]) + (f" and {len(values) - 5} more" if len(values) > 5 else "")
