"""The alert behind an export, read again where it came from, as a read of the case."""

from __future__ import annotations

from decisions.export import ExportEvent
from tasks.actions.base import Clients
from tasks.elastic.alerts import truth_of
from tasks.elastic.client import Unanswered
from tasks.reading import NotThere, read


@read(step="triage.1", source="Elasticsearch: the alert", permissions=())
def alert_again(aws: Clients, told: ExportEvent) -> ExportEvent:
    """The export as its alert tells it in Elasticsearch. Raises NotThere and Unanswered."""
    truth = truth_of(told)
    if truth.event is not None:
        return truth.event
    why = f"alert {ascii(str(told.alert_id)[:80])[1:-1]}: {truth.why}"
    raise NotThere(why) if truth.answered else Unanswered(why)
