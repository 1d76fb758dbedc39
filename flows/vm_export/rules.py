"""The severity table of the written playbook as data: each criterion a row, each row a sentence. Pure.

`decisions/severity.py` runs it. A criterion about data that left asks for an export that was accepted; one about the
actor holds for an attempt as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from decisions.access import is_public, outsiders
from decisions.evidence import Known, Unknown, ask
from decisions.facts import CaseFacts, approved_exporter, classification, documented, left
from decisions.findings import ExportFacts, Severity
from decisions.hostile import concealed, hostile_source
from decisions.resources import BucketState
from decisions.severity import Rule

Answer = Known[Any] | Unknown
Holds = Callable[[CaseFacts, ExportFacts], bool | None]


def any_export(holds: Holds, only_accepted: bool = True) -> Callable[[CaseFacts], bool | None]:
    """True if it holds for one export; None if for none, and for one it is not known."""

    def over(facts: CaseFacts) -> bool | None:
        asked = [holds(facts, e) for e in facts.exports if left(e) or not only_accepted]
        return True if True in asked else None if None in asked else False

    return over


def every_export(holds: Holds) -> Callable[[CaseFacts], bool | None]:
    """True only if it holds for all: what speaks for harmlessness must hold for each of them."""

    def over(facts: CaseFacts) -> bool | None:
        asked = [holds(facts, e) for e in facts.exports]
        return False if False in asked or not asked else None if None in asked else True

    return over


def _sensitivity(*levels: str) -> Holds:
    return lambda facts, export: ask(export.account, lambda account: account.sensitivity in levels)


def _classified(level: str) -> Holds:
    def holds(facts: CaseFacts, export: ExportFacts) -> bool | None:
        if isinstance(export.instance, Unknown):
            return None
        told = classification(export.instance.value, facts.organization)
        return None if told is None else told == level

    return holds


def _public(facts: CaseFacts, export: ExportFacts) -> bool | None:
    bucket = _bucket(facts, export)
    return None if isinstance(bucket, Unknown) else is_public(bucket.value)


def _outside(facts: CaseFacts, export: ExportFacts) -> bool | None:
    return ask(_bucket(facts, export), lambda bucket: bool(outsiders(bucket, facts.organization)))


def _unapproved_bucket(facts: CaseFacts, export: ExportFacts) -> bool | None:
    return ask(export.bucket, lambda bucket: bucket not in facts.organization.approved_buckets)


def _stranger(facts: CaseFacts, export: ExportFacts) -> bool | None:
    actor = export.actor
    if actor.principal_type == "Root" or hostile_source(export.event, facts.organization):
        return True
    return None if actor.account is None else not facts.organization.owns(actor.account)


def _approved(facts: CaseFacts, export: ExportFacts) -> bool | None:
    return approved_exporter(export.actor, facts.organization)


def _unapproved(facts: CaseFacts, export: ExportFacts) -> bool | None:
    approved = _approved(facts, export)
    return None if approved is None else not approved


def _both(*tests: Holds) -> Holds:
    def holds(facts: CaseFacts, export: ExportFacts) -> bool | None:
        asked = [test(facts, export) for test in tests]
        return False if False in asked else None if None in asked else True

    return holds


def _documented(facts: CaseFacts, export: ExportFacts) -> bool:
    return documented(export, facts.organization)


def _approved_bucket(facts: CaseFacts, export: ExportFacts) -> bool | None:
    return ask(export.bucket, lambda bucket: bucket in facts.organization.approved_buckets)


def _concealed(facts: CaseFacts) -> bool | None:
    if any(concealed(export.event) for export in facts.exports):
        return True
    if isinstance(facts.alerts, Known) and facts.alerts.value.concealing:
        return True
    if isinstance(facts.activity, Unknown):
        return None
    found = any(concealed(record) for record in facts.activity.value.records)
    return True if found else False if facts.activity.value.coverage.complete else None


def _bucket(facts: CaseFacts, export: ExportFacts) -> Known[BucketState] | Unknown:
    if isinstance(export.bucket, Unknown):
        return export.bucket
    return facts.buckets[export.bucket.value]


def _accounts(facts: CaseFacts) -> Iterator[Answer]:
    return (e.account for e in facts.exports)


def _instances(facts: CaseFacts) -> Iterator[Answer]:
    return (e.instance for e in facts.exports if left(e))


def _names(facts: CaseFacts) -> Iterator[Answer]:
    return (e.bucket for e in facts.exports)


def _states(facts: CaseFacts) -> Iterator[Answer]:
    return (_bucket(facts, e) for e in facts.exports if left(e))


def _activity(facts: CaseFacts) -> Iterator[Answer]:
    if isinstance(facts.activity, Known) and not facts.activity.value.coverage.complete:
        gaps = " ".join(facts.activity.value.coverage.gaps)
        yield Unknown(why=gaps, source=facts.activity.source, asked_at=facts.activity.asked_at)
    yield facts.activity


def _nothing(facts: CaseFacts) -> Iterator[Answer]:
    return iter(())


HIGH, MEDIUM, LOW = Severity.HIGH, Severity.MEDIUM, Severity.LOW
SEVERITY_RULES: tuple[Rule[CaseFacts], ...] = (
    Rule("high.production", HIGH, "The export is from a production or sensitive account.",
         any_export(_sensitivity("production", "sensitive")), _accounts),
    Rule("high.sensitive-data", HIGH, "The instance's tags say that it holds sensitive data.",
         any_export(_classified("sensitive")), _instances),
    Rule("high.public-bucket", HIGH, "The bucket that the image goes to is public.",
         any_export(_public), _states),
    Rule("high.outside-bucket", HIGH, "The bucket that the image goes to lets an account outside the organization read.",
         any_export(_outside), _states),
    Rule("high.suspicious-actor", HIGH, "The caller is a root user, of another organization, or came from an address outside our networks.",
         any_export(_stranger, only_accepted=False), _nothing),
    Rule("high.concealment", HIGH, "Somebody hid what was done: logging was stopped or changed, or parameters were left out as too large.",
         _concealed, _activity),
    Rule("medium.non-production", MEDIUM, "The export is from an account that is not production, and not for development either.",
         any_export(_sensitivity("internal")), _accounts),
    Rule("medium.internal-data", MEDIUM, "The instance's tags say that it holds internal data.",
         any_export(_classified("internal")), _instances),
    Rule("medium.unapproved-exporter", MEDIUM, "The caller is not an approved exporter.",
         any_export(_unapproved, only_accepted=False), _nothing),
    Rule("medium.unapproved-bucket", MEDIUM, "The bucket is not one that exports are approved for.",
         any_export(_unapproved_bucket, only_accepted=False), _names),
    Rule("medium.undocumented", MEDIUM, "No change ticket stands in the export's description.",
         any_export(lambda facts, export: not _documented(facts, export), only_accepted=False), _nothing),
    Rule("medium.attempt", MEDIUM, "An export was asked for and not made: it is an attempt.",
         any_export(lambda facts, export: not left(export), only_accepted=False), _nothing),
    Rule("low.development", LOW, "An approved exporter exported from a development account.",
         every_export(_both(_sensitivity("development"), _approved)), _accounts),
    Rule("low.no-sensitive-data", LOW, "The instance's tags say that it holds nothing that needs protection.",
         every_export(_classified("public")), _instances),
    Rule("low.documented", LOW, "The export is a documented one: approved bucket, change ticket.",
         every_export(_both(_documented, _approved_bucket)), _names),
)  # fmt: skip
