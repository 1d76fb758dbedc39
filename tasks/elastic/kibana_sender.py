"""Sends the notes of a case from the outbox into Kibana, in their order; what fails stays there, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter

from decisions.document import Heading, Page, Paragraph, codes, parts
from decisions.kibana_comments import drawn
from decisions.kibana_notes import CloseAlerts, Comment, Deed, OpenCase, SetCase, TakeAlerts, marker, notes_of
from records import ledger, outbox
from records.outbox import OutboxItem
from tasks.elastic.kibana import MOST_ATTACHED, Alert, Kibana, KibanaFailed, Place
from tasks.elastic.place import kibana_place

SYSTEM = "kibana"
CASE = "case"
"""Key of the note that opens the case; its answer holds space and id."""
NAMED = 40
"""Alerts named one by one in a comment or a reason."""
_DEED: TypeAdapter[Deed] = TypeAdapter(Deed)


def note_down(case_id: str) -> int:
    """Put into the outbox what the ledger says by now; how many notes are new."""
    notes = notes_of(ledger.entries(case_id), kibana_place())
    return outbox.enqueue(SYSTEM, case_id, ((n.key, n.deed.model_dump(mode="json")) for n in notes))


def send(kibana: Kibana, case_id: str) -> str | None:
    """Send what is due; the reason why not all of it went, or None.

    The first note that must wait holds up the rest of its case: comments stand in the order in which things happened.
    """
    taken = outbox.take_due(SYSTEM, case_id)
    for n, item in enumerate(taken):
        try:
            answer, but = _send(kibana, case_id, item)
        except KibanaFailed as failed:
            outbox.failed(item, str(failed), again=failed.again, wait=failed.wait)
            if failed.again:
                outbox.release(taken[n + 1 :])
                return str(failed)
        except Exception as broken:  # noqa: BLE001 - an answer of a form that we do not know must not lose the lease's notes
            why = f"What Kibana answered could not be read ({type(broken).__name__})."
            outbox.failed(item, why, again=True)
            outbox.release(taken[n + 1 :])
            return why
        else:
            outbox.done(item, answer, but)
    return None


def _send(kibana: Kibana, case_id: str, item: OutboxItem) -> tuple[dict[str, Any], str | None]:
    """Do what the note says; what Kibana answered, and what people should know all the same."""
    match _DEED.validate_python(item.body):
        case OpenCase() as deed:
            return _open(kibana, deed), None
        case TakeAlerts() as deed:
            return _take(kibana, case_id, deed)
        case SetCase() as deed:
            kibana.change_case(_place(case_id), **deed.model_dump(exclude={"do"}, exclude_none=True))
            return {}, None
        case Comment() as deed:
            kibana.comment(_place(case_id), deed.marker, deed.text)
            return {}, None
        case CloseAlerts() as deed:
            found = kibana.alerts(deed.alert_ids, deed.event_ids)
            kibana.change_status([a for a in found if a.status != "closed"], "closed", deed.reason)
            return {"alerts": [a.id for a in found]}, _missing(deed.alert_ids, found)


def _open(kibana: Kibana, deed: OpenCase) -> dict[str, Any]:
    found = {a.id: a.space for a in kibana.alerts(deed.alert_ids, ())}
    space = next((found[i] for i in deed.alert_ids if i in found), kibana.spaces[0])
    place = kibana.open_case(space, deed.title, deed.description, deed.tags, deed.severity)
    return {"space": place.space, "id": place.id}


def _take(kibana: Kibana, case_id: str, deed: TakeAlerts) -> tuple[dict[str, Any], str | None]:
    """What a person closed stays closed."""
    place, found = _place(case_id), kibana.alerts(deed.alert_ids, deed.event_ids)
    kibana.change_status([a for a in found if a.status == "open"], "acknowledged")
    kibana.add_tags(found, deed.tags)
    left = kibana.add_alerts(place, found)
    elsewhere = tuple(a for a in found if a.space != place.space)
    for key, why, alerts in (
        ("over-limit", f"A case holds {MOST_ATTACHED} alerts at most; not attached are", left),
        (
            "elsewhere",
            f"Alerts of other spaces than {place.space} cannot hang on this case; these belong to it",
            elsewhere,
        ),
    ):
        if alerts:
            mark = marker(case_id, key)
            kibana.comment(place, mark, drawn(_named(why, alerts), mark))
    problems = [_missing(deed.alert_ids, found), f"{len(left)} alerts had no room in the case." if left else None]
    return {"alerts": [a.id for a in found]}, " ".join(p for p in problems if p) or None


def _named(why: str, alerts: Sequence[Alert]) -> Page:
    names = tuple(f"{a.space}/{a.id}" for a in alerts[:NAMED])
    more = f" and {len(alerts) - NAMED} more" if len(alerts) > NAMED else ""
    return (Heading(3, "Alerts that are not attached"), Paragraph((f"{why}: ", *parts(codes(names)), f"{more}.")))


def _missing(asked: Sequence[str], found: Sequence[Alert]) -> str | None:
    gone = sorted(set(asked) - {a.id for a in found})
    return f"No space of ours has {', '.join(gone[:5])}{' …' if len(gone) > 5 else ''}." if gone else None


def _place(case_id: str) -> Place:
    """The case in Kibana, by the answer to the note that opened it; it went before every other note of the case."""
    opened = next((i for i in outbox.items(SYSTEM, case_id) if i.key == CASE), None)
    if opened is None or opened.answer is None:
        raise KibanaFailed("There is no case in Kibana to write to: opening it was given up.", again=False)
    return Place(opened.answer["space"], opened.answer["id"])
