"""What an investigation concludes: statements, verdict, and what could not be found out. Pure.

Expected is what can be shown: an approved exporter, an approved bucket, a documented change, EC2's own word for it, and
nothing that speaks against it in a complete record of the actor's calls. What lacks a fact for that is not expected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from decisions.calls import about_activity, about_history, about_permissions
from decisions.evidence import Known, Unknown
from decisions.facts import approved_exporter, documented, left
from decisions.findings import Assessment, ExportFacts, Finding, Findings, Verdict
from decisions.reads import about_reads, unexplained
from decisions.statements import KEYS, Investigated, about_actors, about_buckets, about_exports, about_machines
from decisions.surroundings import about_alerts, about_authentication

ABOUT: tuple[Callable[[Investigated], Iterator[Finding]], ...] = (
    about_exports, about_machines, about_buckets, about_actors, about_authentication, about_activity, about_permissions,
    about_history, about_reads, about_alerts,
)  # fmt: skip


def conclude(case: Investigated, assessment: Assessment) -> Findings:
    """Everything that plans are made from."""
    statements = tuple(dict.fromkeys(s for about in ABOUT for s in about(case)))
    verdict, reasons = judge(case, statements)
    return Findings(
        case_id=case.case_id,
        exports=case.exports,
        buckets=case.buckets,
        objects=case.objects,
        principals=case.principals,
        scps=case.scps,
        activity=case.activity,
        reads=case.reads,
        alerts=case.alerts,
        statements=statements,
        assessment=assessment,
        verdict=verdict,
        verdict_reasons=reasons,
        missing=missing(case),
        as_of=case.as_of,
    )


def judge(case: Investigated, statements: tuple[Finding, ...]) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict with its reasons: a concern that no honest export has, any concern, or nothing against it."""
    certain = tuple(s.statement for s in statements if s.concern and s.confidence == "high")
    if certain:
        return Verdict.MALICIOUS, certain
    concerns = tuple(s.statement for s in statements if s.concern)
    if concerns:
        return Verdict.SUSPICIOUS, concerns
    shown = (why for export in case.exports for why in _not_shown(case, export))
    lacking = tuple(dict.fromkeys((*shown, *unexplained(case))))
    if lacking or not case.exports:
        return Verdict.UNDETERMINED, lacking or ("The case has no exports.",)
    return Verdict.EXPECTED, (
        "An approved exporter made it, to an approved bucket, under a change ticket, as EC2 itself tells; "
        "nothing in the complete record of the actor's calls speaks against it.",
    )


def _not_shown(case: Investigated, export: ExportFacts) -> Iterator[str]:
    """What expected asks for and is not known."""
    ours = case.organization
    if isinstance(export.task, Unknown):
        yield f"The task is not known: {export.task.why}"
    if not isinstance(export.bucket, Known) or export.bucket.value not in ours.approved_buckets:
        yield "It is not known that the bucket is an approved one."
    elif isinstance(state := case.buckets[export.bucket.value], Unknown):
        yield f"Who may read the bucket is not known: {state.why}"
    if approved_exporter(export.actor, ours) is not True:
        yield "It is not known that the caller is an approved exporter."
    if not documented(export, ours):
        yield "It is not known that the export is documented."
    activity = case.activity.get(KEYS)
    if not isinstance(activity, Known):
        yield f"What else the actor did is not known: {activity.why if activity else 'nobody asked'}"
    elif not activity.value.coverage.complete:
        yield f"What else the actor did is not wholly known: {' '.join(activity.value.coverage.gaps)}"


def missing(case: Investigated) -> tuple[str, ...]:
    """A sentence for every fact that could not be had, and for every gap in what was searched."""
    found: list[str] = []
    for export in case.exports:
        name = export.event.task_id or export.event.image_id or export.event.event_id
        asked = {"instance": export.instance, "account": export.account, "bucket": export.bucket}
        asked |= {"task": export.task, "object key": export.key} if left(export) else {}
        found += [f"{what} of {name}: {a.why}" for what, a in asked.items() if isinstance(a, Unknown)]
        found += [f"origin of the credentials: {h.why}" for h in export.actor.chain if h.why]
    groups = {
        "bucket": case.buckets, "public access block of account": case.account_blocks, "objects in": case.objects,
        "principal": case.principals, "SCPs over": case.scps, "log question": case.activity, "reads of": case.reads,
        "export tasks": case.tasks, "organization": {"accounts": case.accounts},
    }  # fmt: skip
    for what, answers in groups.items():
        found += [f"{what} {name}: {a.why}" for name, a in answers.items() if isinstance(a, Unknown)]
    found += [f"reads of {place}: {gap}" for place, gaps in case.read_gaps.items() for gap in gaps]
    for question, answer in case.activity.items():
        gaps = answer.value.coverage.gaps if isinstance(answer, Known) else ()
        found += [f"log question {question}: {gap}" for gap in gaps]
    if isinstance(case.alerts, Unknown):
        found.append(f"alerts of other rules: {case.alerts.why}")
    elif case.alerts is not None:
        found += [f"alerts of other rules: {gap}" for gap in case.alerts.value.coverage.gaps]
    return tuple(dict.fromkeys((*found, *_unlisted(case))))


def _unlisted(case: Investigated) -> Iterator[str]:
    """Accounts of the organisation that organization.toml does not have: their reads would count as outside."""
    if isinstance(case.accounts, Known):
        ours = {a.id for a in case.organization.accounts}
        lacking = [a.id for a in case.accounts.value if a.id not in ours]
        if lacking:
            some = ", ".join(lacking[:5]) + (" and more" if len(lacking) > 5 else "")
            yield f"organization.toml lacks {len(lacking)} account(s) of the organization ({some}): add them."
