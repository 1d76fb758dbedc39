"""Whom the findings put in the chain behind the export, and who else would feel it if they were cut off."""

from __future__ import annotations

from decisions.activity import LogRecord
from decisions.evidence import Unknown, utc
from decisions.findings import Findings
from decisions.organization import Organization
from decisions.resources import PrincipalState
from tasks.actions.protected import untouchable

SHOWN = 3
"""How many names a sentence bears."""


def suspected(findings: Findings, organization: Organization, kind: str) -> tuple[PrincipalState, ...]:
    """The `user`s or `role`s of the chain that may be changed; unknown ones stand in `findings.missing`.

    Those where the credentials began come first: whoever is cut off last can no longer make new sessions of the others.
    """
    known = (answer.value for answer in findings.principals.values() if not isinstance(answer, Unknown))
    mine = (p for p in known if p.type == kind and not untouchable(p, organization))
    return tuple(sorted(mine, key=lambda p: -_hops(p.arn, findings)))


def _hops(arn: str, findings: Findings) -> int:
    """How far back in a chain the principal stands: 0 made the export itself."""
    chains = ((export.actor, *export.actor.chain) for export in findings.exports)
    return max((n for chain in chains for n, hop in enumerate(chain) if hop.iam_arn == arn), default=0)


def exports_evidence(findings: Findings) -> tuple[str, ...]:
    """Ids of the evidence that the exports rest on, each once."""
    return tuple(dict.fromkeys(i for export in findings.exports for i in export.evidence))


def keys_of(principal: PrincipalState, findings: Findings) -> tuple[str, ...]:
    """The access keys, temporary ones included, with which this principal took part in the exports."""
    used = [
        identity.access_key_id
        for export in findings.exports
        for identity in (export.actor, *export.actor.chain)
        if identity.access_key_id and identity.iam_arn == principal.arn
    ]
    return tuple(dict.fromkeys((*used, *(k.access_key_id for k in principal.access_keys))))


def blast_radius(principal: PrincipalState, findings: Findings) -> str:
    """Who else used this principal, as far as the activity records that were read tell."""
    answers = [a.value for a in findings.activity.values() if not isinstance(a, Unknown)]
    if not answers:
        return f"Who else uses {principal.name} is not known: no activity records could be read."
    suspect = set(keys_of(principal, findings))
    others: dict[str, LogRecord] = {}
    for record in (r for answer in answers for r in answer.records):
        if principal.arn in (record.issuer_arn, record.principal_arn) and record.access_key_id not in suspect:
            others[_who(record)] = record
    since = utc(min(a.coverage.searched_from for a in answers))
    if not others:
        return f"The activity records read since {since} show nobody else using {principal.name}."
    last = utc(max(r.time for r in others.values()))
    names = ", ".join(sorted(others)[:SHOWN]) + (" and more" if len(others) > SHOWN else "")
    return f"{len(others)} other session(s) used {principal.name} since {since}, last at {last}: {names}."


def _who(record: LogRecord) -> str:
    return (record.principal_arn or record.principal_id or record.access_key_id or "an unnamed caller").rsplit("/", 1)[
        -1
    ]
