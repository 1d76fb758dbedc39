"""The questions of the playbook to whatever log stores are configured, as reads: `Known[LogAnswer]` with its gaps.

A question that a store could not search whole is still an answer: its coverage says what is missing.
"""

from __future__ import annotations

from decisions.activity import LogAnswer
from tasks.actions.base import Clients
from tasks.logs.combined import store, with_gaps
from tasks.logs.interface import ObjectPlace, Scope
from tasks.reading import read

LOOKUP = ("cloudtrail:LookupEvents",)


@read(step="triage.5b", source="logs: activity of access keys", permissions=LOOKUP)
def activity(aws: Clients, access_key_ids: tuple[str, ...], scope: Scope) -> LogAnswer:
    """What was called with the actor's access keys."""
    return store(aws).activity(access_key_ids, scope)


@read(step="investigation.3b", source="logs: calls of a principal", permissions=LOOKUP)
def by_principal(aws: Clients, principals: tuple[str, ...], scope: Scope) -> LogAnswer:
    """What the actor called with other keys and sessions."""
    return store(aws).by_principal(principals, scope)


@read(step="investigation.3c", source="logs: permission changes", permissions=LOOKUP)
def permission_changes(aws: Clients, scope: Scope) -> LogAnswer:
    """Who changed identities, policies and bucket access before the export."""
    return store(aws).permission_changes(scope)


@read(step="investigation.3d", source="logs: export requests", permissions=LOOKUP)
def exports(aws: Clients, scope: Scope) -> LogAnswer:
    """Exports of the account, earlier ones and refused ones included."""
    return store(aws).exports(scope)


@read(step="triage.5c", source="logs: reads of the object", permissions=LOOKUP)
def object_reads(aws: Clients, place: ObjectPlace, scope: Scope, gaps: tuple[str, ...]) -> LogAnswer:
    """Who read the exported object; `gaps`: what is known not to be recorded for this bucket."""
    return with_gaps(store(aws).object_reads(place, scope), gaps)


@read(step="investigation.3a", source="logs: origin of a credential", permissions=LOOKUP)
def credential_origin(aws: Clients, access_key_id: str, scope: Scope) -> LogAnswer:
    """The sign-in or role change that gave out a temporary key."""
    return store(aws).credential_origin(access_key_id, scope)


@read(step="investigation.3a", source="logs: sign-ins and role changes", permissions=LOOKUP)
def authentication(aws: Clients, principals: tuple[str, ...], scope: Scope) -> LogAnswer:
    """How the actors signed in and changed roles within the period, refused attempts included."""
    return store(aws).authentication(principals, scope)


@read(step="triage.2", source="logs: origin of an image", permissions=LOOKUP)
def image_origin(aws: Clients, image_id: str, scope: Scope) -> LogAnswer:
    """The call that made the exported image, and so the instance behind it."""
    return store(aws).image_origin(image_id, scope)
