"""Asks Elasticsearch about alerts that told not enough, and hands what it says to the intake."""

from __future__ import annotations

from records import hints, intake
from records.hints import Asked
from settings.elastic import elasticsearch
from tasks.elastic.alerts import resolve
from tasks.elastic.client import Unanswered, connected

NOT_CONFIGURED = (
    "it must be asked about again, and no Elasticsearch is configured: "
    "set VMEXPORT_ELASTICSEARCH_URL (or _CLOUD_ID) and a key, and hand it in once more"
)


def ask_again() -> tuple[str, ...]:
    """Ask about the hints whose time has come; the cases that their exports opened or joined.

    Raises SQLAlchemyError or OrganizationUnusable; the hints then come again after their lease.
    """
    due = hints.claim()
    if not due:
        return ()
    if not elasticsearch().configured:
        for asked in due:
            intake.give_up(asked, NOT_CONFIGURED)
        return ()
    cases: list[str] = []
    for asked in due:
        cases += _ask(asked)
    return tuple(dict.fromkeys(cases))


def _ask(asked: Asked) -> tuple[str, ...]:
    try:
        with connected() as es:
            found = resolve(es, asked.hint, asked.received_at)
    except Unanswered as why:
        return intake.settle(asked, (), (str(why),), (), complete=False)
    return intake.settle(asked, found.events, found.problems, found.alerts, complete=found.complete)
