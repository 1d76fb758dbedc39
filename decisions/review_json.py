"""The report for machines: the same content as the page, as JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from decisions.document import Line, parts
from decisions.evidence import utc
from decisions.lessons import Reviewed, not_done, recommendations
from decisions.review import summary
from decisions.timeline import as_json


def review_json(of: Reviewed) -> dict[str, Any]:
    """One JSON object; times in UTC, seconds as numbers, null where something is not known."""
    case = of.case
    return {
        "case": case.id,
        "drawn_at": utc(of.now),
        "summary": _texts(summary(of)),
        "severity": case.severity,
        "reasons": list(case.assessment.reasons) if case.assessment else [],
        "undecided": list(case.assessment.undecided) if case.assessment else [],
        "verdict": case.verdict,
        "verdict_reasons": list(of.verdict_reasons),
        "metrics": of.metrics.figures() | {"basis": of.metrics.model_dump(mode="json")},
        "exports": [e.event.model_dump(mode="json") for e in of.findings.exports],
        "findings": [f.model_dump(mode="json") for f in of.findings.statements],
        "receipts": [r.model_dump(mode="json") for r in case.receipts],
        "not_done": _texts(not_done(of.entries)),
        "missing": list(dict.fromkeys((*case.missing, *of.findings.missing))),
        "approvals": [a.model_dump(mode="json") for a in (*case.approvals, *case.declined)],
        "recommendations": _texts(recommendations(of)),
        "timeline": [as_json(m) for m in of.moments],
        "evidence": [e.model_dump(mode="json") for e in case.evidence],
        "ledger": {"entries": case.seq, "head": case.head},
        "run": of.run_url,
    }


def _texts(lines: Sequence[Line]) -> list[str]:
    return ["".join(p if isinstance(p, str) else p.text for p in parts(line)) for line in lines]
