"""The case card: one page for a tired person. How bad and why, the facts of triage, what is not known, what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from decisions.case import CASE_REOPENED, Case, fold
from decisions.document import Block, Bullets, Code, Heading, Inline, Line, Link, Page, Paragraph, Strong, Table, parts
from decisions.evidence import Known, Unknown, utc
from decisions.export import ExportEvent, Outcome
from decisions.findings import ExportFacts, Findings, Triaged
from decisions.kibana_links import KibanaPlace, kibana_table
from decisions.ledger import LedgerEntry
from decisions.story import caller_words

SHOWN = 3
"""Exports that are told fact by fact; a hundred by one key are one case, and one page."""
SAID = 8
"""Sentences of one list; how many more there are is said."""


def card_page(
    entries: Sequence[LedgerEntry],
    facts: Triaged | Findings | None,
    run_url: str | None,
    now: datetime,
    kibana: KibanaPlace | None = None,
) -> Page:
    """The card as the ledger and what was read tell it; without `facts` (before triage) as the alerts tell it."""
    case = fold(entries)
    exports: Sequence[ExportFacts | ExportEvent] = facts.exports if facts else case.exports
    return (
        Heading(1, headline(case)),
        *(Paragraph(sentence(export)) for export in exports[:SHOWN]),
        Table(("", ""), (*_state(case, entries, run_url, now),)),
        *_why(case, entries),
        Heading(2, "Facts"),
        *(block for export in exports[:SHOWN] for block in card_facts(export, len(exports) > 1)),
        *([Paragraph(more_exports(len(exports) - SHOWN).strip())] if len(exports) > SHOWN else []),
        *kibana_table(kibana, exports[:SHOWN]),
        *_unknown(case, exports, facts),
    )


def in_brief(entries: Sequence[LedgerEntry]) -> tuple[Line, ...]:
    """The case in two lines, for the form of a gate: what happened, how bad it is and why."""
    case = fold(entries)
    more = more_exports(len(case.exports) - 1)
    happened: list[Line] = [(*parts(sentence(case.exports[0])), more)] if case.exports else []
    reasons = " ".join(case.assessment.reasons[:SHOWN]) if case.assessment else ""
    verdict = f", verdict {case.verdict}" if case.verdict else ""
    severity = case.severity.upper() if case.severity else "not yet judged"
    return (*happened, ("Severity ", Strong(f"{severity}{verdict}"), f". {reasons}"))


def more_exports(count: int) -> str:
    """How many exports are not told one by one; nothing for none."""
    if count < 1:
        return ""
    return " 1 more export is in the case." if count == 1 else f" {count} more exports are in the case."


def headline(case: Case) -> str:
    """`VMX-20260302-ABCD: HIGH, malicious`."""
    severity = case.severity.upper() if case.severity else "NOT YET JUDGED"
    return f"{case.id}: {severity}" + (f", {case.verdict}" if case.verdict else "")


def sentence(export: ExportFacts | ExportEvent) -> Line:
    """Who did what, where and when, in one sentence."""
    event = export.event if isinstance(export, ExportFacts) else export
    did = {Outcome.ACCEPTED: "exported", Outcome.DRY_RUN: "tried out an export of"}.get(
        event.outcome, "tried to export"
    )
    return (
        f"At {utc(event.event_time)} ", *_person(export), f" {did} ", *_machine(export), f" of account {_account(export)} ",
        f"in {event.region or 'an unknown Region'} to ", _place(export), f" ({event.api}, {event.outcome}).",
    )  # fmt: skip


def next_step(entries: Sequence[LedgerEntry], now: datetime) -> Line:
    """What a person should do now."""
    kinds = [e.kind for e in since_reopened(entries)]
    if waiting := open_gate(entries, now):
        gate, case = waiting.data["gate"], waiting.case
        return (
            Strong(f"Answer the gate {gate}"), f" until {waiting.data['until'][:16]} UTC: open the run, menu at the top "
            "right, Resume; or ", Code(f"vmexport approve {case}/{gate} --as YOUR-ADDRESS"),
        )  # fmt: skip
    if "report-written" in kinds or "case-closed" in kinds:
        return ("Nothing: the response is finished. Read the report: ", Code(f"vmexport report {entries[0].case}"))
    if "run-started" not in kinds:
        return ("Wait for the run. If none starts within a minute, look at the receiver: ", Code("vmexport serve"))
    if "verdict" in kinds:
        return "Wait: the response is at work. A gate will ask before anything is changed."
    return "Wait for the verdict of the investigation. Nothing is changed anywhere before a person agrees."


def since_reopened(entries: Sequence[LedgerEntry]) -> Sequence[LedgerEntry]:
    """The entries of the response that is under way: those since the case was last opened again, else all."""
    again = max((n for n, e in enumerate(entries) if e.kind == CASE_REOPENED), default=0)
    return entries[again:]


def open_gate(entries: Sequence[LedgerEntry], now: datetime) -> LedgerEntry | None:
    """The question that waits for an answer now; None if there is none, or its time is over."""
    asked: LedgerEntry | None = None
    for entry in entries:
        if entry.kind == "gate-asked":
            asked = entry
        elif entry.kind in {"gate-answered", "gate-refused", "plan-carried-out", "plan-stale", "report-written"}:
            asked = None
    return asked if asked and datetime.fromisoformat(asked.data["until"]) > now else None


def _state(case: Case, entries: Sequence[LedgerEntry], run_url: str | None, now: datetime) -> list[tuple[Line, Line]]:
    rows: list[tuple[Line, Line]] = [
        ("Severity", Strong(case.severity.upper()) if case.severity else "not yet judged"),
        ("Verdict", Strong(case.verdict) if case.verdict else "not yet known"),
        ("State", f"{case.state}, {len(case.receipts)} actions in force, {len(case.evidence)} pieces of evidence"),
        ("Next step", next_step(entries, now)),
    ]
    if run_url:
        rows.append(("Run", Link("open it in Prefect", run_url)))
    return [*rows, ("As of", utc(now))]


def _why(case: Case, entries: Sequence[LedgerEntry]) -> list[Block]:
    blocks: list[Block] = []
    if case.assessment:
        blocks += [Heading(2, f"Why {case.assessment.level}"), bullets(case.assessment.reasons)]
    told = next((e for e in reversed(entries) if e.kind == "verdict"), None)
    if told and case.verdict:
        blocks += [Heading(2, f"Why {case.verdict}"), bullets(tuple(map(str, told.data.get("reasons", ()))))]
    return blocks


def bullets(sentences: Sequence[Line], otherwise: str = "No reason is recorded.", most: int = SAID) -> Block:
    """A list of at most `most` sentences, and how many more there are."""
    if not sentences:
        return Paragraph(otherwise)
    more = (f"… and {len(sentences) - most} more.",) if len(sentences) > most else ()
    return Bullets((*sentences[:most], *more))


def card_facts(export: ExportFacts | ExportEvent, several: bool) -> list[Block]:
    """The nine facts of the playbook's triage, then what the instance's tags say."""
    event = export.event if isinstance(export, ExportFacts) else export
    form = [x for x in (event.disk_format, event.container_format, event.target_environment) if x]
    rows: list[tuple[Line, Line]] = [
        ("Outcome", _outcome(export)),
        ("Exported", _machine(export)),
        ("To", _place(export)),
        ("Format", Code(", ".join(form)) if form else "not told"),
        ("Account, Region", f"{_account(export)}, {event.region or 'unknown'}"),
        ("Caller", _value(event.principal_arn)),
        ("user.id", _value(event.principal_id)),
        ("User agent", _value(event.user_agent)),
        ("Access key, from", (_value(event.access_key_id), ", ", _value(event.source_address))),
        ("Person", _person_fact(export)),
    ]
    if isinstance(export, ExportFacts):
        rows.append(("Tags", _tags(export)))
        rows += [("Alert differs", difference) for difference in export.differences]
    title: list[Block] = [Heading(3, event.task_id or event.event_id)] if several else []
    return [*title, Table(("", ""), tuple(rows))]


def _outcome(export: ExportFacts | ExportEvent) -> Line:
    event = export.event if isinstance(export, ExportFacts) else export
    asked = f"request {event.outcome}" + (f" ({event.error_code})" if event.error_code else "")
    if isinstance(export, ExportEvent):
        return f"{asked}; the task was not read yet"
    if isinstance(export.task, Unknown):
        return (f"{asked}; task ", Strong("unknown"), f": {export.task.why}")
    task = export.task.value
    return (f"{asked}; task ", Code(task.task_id), " is ", Strong(task.state), f", read {utc(export.task.asked_at)}")


def _machine(export: ExportFacts | ExportEvent) -> list[Inline]:
    event = export.event if isinstance(export, ExportFacts) else export
    instance = event.instance_id
    if isinstance(export, ExportFacts):
        instance = export.instance_id.value if isinstance(export.instance_id, Known) else None
    if instance and event.image_id:
        return [Code(instance), " (as image ", Code(event.image_id), ")"]
    if instance or event.image_id:
        return [Code(instance or event.image_id or "")]
    return ["an unknown machine"]


def _place(export: ExportFacts | ExportEvent) -> Inline:
    if isinstance(export, ExportEvent):
        return Code(f"s3://{export.bucket}/{export.prefix or ''}") if export.bucket else "an unknown bucket"
    if isinstance(export.bucket, Unknown):
        return f"an unknown bucket ({export.bucket.why})"
    key = export.key.value if isinstance(export.key, Known) else "(key unknown)"
    return Code(f"s3://{export.bucket.value}/{key}{'…' if export.key_is_prefix else ''}")


def _account(export: ExportFacts | ExportEvent) -> str:
    if isinstance(export, ExportEvent):
        return export.recipient_account or "unknown"
    if isinstance(export.account, Known):
        account = export.account.value
        told = dict.fromkeys((str(account.name), str(account.sensitivity)))
        return f"{account.id} ({', '.join(told)})"
    return f"{export.event.recipient_account or 'unknown'} (sensitivity unknown)"


def _person(export: ExportFacts | ExportEvent) -> list[Inline]:
    event = export.event if isinstance(export, ExportFacts) else export
    arn = event.principal_arn or event.principal_id or event.access_key_id
    return caller_words(arn) if arn else ["an unknown caller"]


def _person_fact(export: ExportFacts | ExportEvent) -> Line:
    if isinstance(export, ExportEvent):
        return _value(export.source_identity)
    hops = (export.actor, *export.actor.chain)
    named = next(((h.person, h.person_from) for h in hops if h.person), None)
    who: list[Inline] = [Code(named[0] or ""), f" (from {named[1]})"] if named else ["not told by the credential"]
    return [*who, f". {export.actor.cut.how}"]


def _tags(export: ExportFacts) -> Line:
    if isinstance(export.instance, Unknown):
        return f"unknown: {export.instance.why}"
    tags = sorted(export.instance.value.tags.items())
    found: list[Inline] = []
    for name, value in tags[:12]:
        found += [" ", Code(f"{name[:60]}={value[:120]}")]
    return [*found[1:], f" and {len(tags) - 12} more" if len(tags) > 12 else ""] if found else "the instance has none"


def _value(text: str | None) -> Inline:
    return Code(text) if text else "not told"


def _unknown(case: Case, exports: Sequence[Any], facts: Triaged | Findings | None) -> list[Block]:
    blocks: list[Block] = []
    if case.assessment and case.assessment.undecided:
        blocks += [Heading(2, "Undecided rules"), bullets(case.assessment.undecided)]
    if case.assessment and case.assessment.would_change:
        blocks += [Heading(2, "What would change the severity"), bullets(case.assessment.would_change)]
    missing = tuple(dict.fromkeys((*case.missing, *(f"{g.get('what')}: {g.get('why')}" for g in case.gaps))))
    blocks += [Heading(2, "What is missing"), bullets(missing, "Nothing that was asked for is missing.")]
    if facts is None:
        blocks.append(Paragraph("Triage has not read anything yet: this page tells what the alerts say."))
    return blocks
