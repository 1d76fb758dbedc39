"""A hunt's finding as an alert: the export that it tells of, read as strictly as any body that comes from outside."""

from __future__ import annotations

from typing import Any, cast

from pydantic import ValidationError

from decisions.export import ExportEvent
from decisions.hunt import HuntFinding
from decisions.reading import Reading, clean

HUNT_FINDING = "hunt_finding"
"""The one name in such a body; its value is a HuntFinding as JSON."""
SOURCE = "hunt"
"""Of such bodies in the inbox, and of the fields that are read from them."""
MAX_WARNINGS = 20
FIELDS = tuple(
    name for name in ExportEvent.model_fields
    if name not in {"api", "outcome", "sources", "warnings", "alert_id", "alert_rule", "alert_created", "ingested"}
)  # fmt: skip
"""What an export says of itself. Nothing of an alert is taken: a hunt has none, and who names one is asked about it."""


def is_finding(document: dict[str, Any]) -> bool:
    """Whether it is a hunt's finding."""
    return isinstance(document.get(HUNT_FINDING), dict)


def finding_body(finding: HuntFinding) -> dict[str, Any]:
    """The finding as the inbox takes it; `read_finding` reads it."""
    return {HUNT_FINDING: finding.model_dump(mode="json", exclude_none=True)}


def read_finding(document: dict[str, Any]) -> ExportEvent:
    """The export of a finding. Raises ValueError with a sentence for one that is none, or is not whole."""
    try:
        finding = HuntFinding.model_validate(cast("dict[str, Any]", document[HUNT_FINDING]))
    except ValidationError as error:
        wrong = "; ".join(
            ".".join(map(str, e["loc"])) for e in error.errors(include_url=False, include_input=False)[:5]
        )
        raise ValueError(
            f"it is no finding of a hunt as this release writes them ({ascii(wrong)[1:-1][:200]})"
        ) from error
    export = finding.export
    if finding.kind != "export" or export is None:
        raise ValueError(f"it is a finding of kind {finding.kind}, which opens no case by itself")
    reading = Reading()
    told = export.model_dump(mode="json", include=set(FIELDS), exclude_none=True)
    for field, value in told.items():
        reading.take(field, [value], SOURCE)
    reading.warnings += [clean(warning) for warning in export.warnings[:MAX_WARNINGS]]
    return reading.event(export.api, export.outcome)
