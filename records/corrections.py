"""What an alert said when it was read again where it came from: kept in the case, and known from then on."""

from __future__ import annotations

from collections.abc import Sequence

from decisions.case import ALERT_READ_AGAIN
from decisions.export import ExportEvent
from decisions.grouping import dedupe_keys, grouping_keys
from records import ledger
from records.assignment import remember
from records.database import transaction


def read_again(case_id: str, told: ExportEvent, truth: ExportEvent, differences: Sequence[str], by: str) -> None:
    """Let what the alert says stand in for what its body told; once for each alert, a second call changes nothing.

    Whoever tells of the true export later is told this case, as one who repeats the body is. Raises SQLAlchemyError.
    """
    said = {
        "alert_id": told.alert_id,
        "told": told.event_id,
        "event": truth.model_dump(mode="json"),
        "differences": list(differences),
    }
    with transaction() as connection:
        ledger.append_within(connection, case_id, ALERT_READ_AGAIN, by, said, key=key(told))
        remember(connection, case_id, "dedupe", dedupe_keys(truth), truth)
        remember(connection, case_id, "grouping", grouping_keys(truth), truth)


def key(told: ExportEvent) -> str:
    """The key of the ledger's entry: one for each export that an alert told of."""
    return f"read-again:{told.alert_id}:{told.event_id}"
