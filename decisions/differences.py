"""Where an alert and what is true tell different things of one export: EC2's task, and the alert as it is read again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from decisions.evidence import utc
from decisions.export import ExportEvent, ExportTask

COMPARED = {
    "instance_id": "the instance",
    "image_id": "the image",
    "bucket": "the bucket",
    "object_key": "the object key",
    "prefix": "the prefix",
    "disk_format": "the disk format",
    "container_format": "the container format",
}
READ_AGAIN = COMPARED | {
    "event_id": "the event id",
    "api": "the call",
    "outcome": "the outcome",
    "event_time": "the time of the call",
    "recipient_account": "the account",
    "caller_account": "the caller's account",
    "region": "the Region",
    "principal_arn": "the principal",
    "principal_id": "the principal's id",
    "access_key_id": "the access key",
    "source_address": "the source address",
    "user_agent": "the user agent",
    "task_id": "the task",
}


def differences(event: ExportEvent, task: ExportTask) -> tuple[str, ...]:
    """A sentence for each field that both tell and that differs; letter case of formats does not count. EC2 wins."""
    return tuple(
        f"The alert says that {words} is {said}; EC2 says {is_}. EC2 wins."
        for words, said, is_ in _differing(COMPARED, event, task)
    )


def same_event(told: ExportEvent, read: ExportEvent) -> tuple[str, ...]:
    """A sentence for each field that a body told otherwise than the alert that is read again; none: they are the same event.

    Whoever wrote the template, or a field that it shows, has a hand in the body: Elasticsearch wins.
    """
    return tuple(
        f"The body said that {words} is {said}; Elasticsearch says {is_}. Elasticsearch wins."
        for words, said, is_ in _differing(READ_AGAIN, told, read)
    )


def _differing(compared: dict[str, str], one: Any, other: Any) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    for name, words in compared.items():
        said, is_ = getattr(one, name), getattr(other, name)
        if said is None or is_ is None or said == is_:
            continue
        if not (name.endswith("format") and said.lower() == is_.lower()):
            found.append((words, _shown(said), _shown(is_)))
    return found


def _shown(value: Any) -> str:
    return utc(value) if isinstance(value, datetime) else ascii(str(value)[:200])
