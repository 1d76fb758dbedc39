"""Links into Kibana: an alert, a case, and Discover with the question already asked (notes/elastic.md §3.2, §3.3).

A value of a stranger is escaped for KQL, then for rison, then for the address; a link that would be too long for a chat
message is left out. A timeline has no link: Kibana opens one only by the id of a saved object, which we do not make.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from decisions.document import Block, Code, Heading, Inline, Line, Link, Table
from decisions.evidence import Frozen, Known
from decisions.export import ExportApi, ExportEvent
from decisions.findings import ExportFacts

LONGEST = 2000
"""Characters of a link; Slack and others cut longer ones."""
ALERT_ID = re.compile(r"[0-9A-Za-z-]{1,128}")
BEFORE, AFTER = timedelta(hours=12), timedelta(hours=24)
"""Of the actor's activity around an export."""
EXPORTS_BEFORE, READS_AFTER = timedelta(days=30), timedelta(days=7)
MOST = 12
"""Links in one table."""
COLUMNS = ("event.action", "event.outcome", "user.name", "source.address", "cloud.region")


class KibanaPlace(Frozen):
    """Where people's browsers find Kibana."""

    base: str
    """`https://kibana.example.com`, with a base path if it has one."""
    space: str = "default"
    data_view: str = "logs-*"
    """Saved-object id of the data view that Discover opens."""

    def url(self, path: str) -> str:
        """The address of an app in the space; the default space has no prefix."""
        prefix = "" if self.space == "default" else f"/s/{quote(self.space, safe='')}"
        return f"{self.base.rstrip('/')}{prefix}{path}"


def alert_link(place: KibanaPlace, alert_id: str, created: datetime | None) -> str | None:
    """An alert's page; None for what cannot be an alert's id."""
    if not ALERT_ID.fullmatch(alert_id):
        return None
    index = quote(f".alerts-security.alerts-{place.space}", safe="")
    when = f"&timestamp={quote(_moment(created), safe='')}" if created else ""
    return place.url(f"/app/security/alerts/redirect/{alert_id}?index={index}{when}")


def case_link(place: KibanaPlace, kibana_case_id: str) -> str:
    """A case's page, by the id that Kibana gave it."""
    return place.url(f"/app/security/cases/{quote(kibana_case_id, safe='')}")


def equals(field: str, value: str) -> str:
    """KQL: the field is exactly this value. In quotes nothing but `\\` and `"` means anything, `*` included."""
    return f'{field} : "{value.replace(chr(92), chr(92) * 2).replace(chr(34), chr(92) + chr(34))}"'


def discover_link(place: KibanaPlace, kql: str, since: datetime, until: datetime) -> str | None:
    """Discover with this question about this time; None where it would be too long or no text that an address can hold."""
    time = {"from": _moment(since), "to": _moment(until)}
    shown = {
        "columns": COLUMNS,
        "dataSource": {"dataViewId": place.data_view, "type": "dataView"},
        "filters": (),
        "interval": "auto",
        "query": {"language": "kuery", "query": kql},
        "sort": (("@timestamp", "desc"),),
    }
    try:
        parts = [
            f"{name}={quote(rison(value), safe='!:,@*~.-_')}" for name, value in (("_g", {"time": time}), ("_a", shown))
        ]
    except UnicodeEncodeError:  # half of a surrogate pair: no log holds such a value
        return None
    url = place.url(f"/app/discover#/?{'&'.join(parts)}")
    return url if len(url) <= LONGEST else None


Rison = str | bool | Mapping[str, "Rison"] | Sequence["Rison"]


def rison(value: Rison) -> str:
    """The value in rison, Kibana's form of JSON for addresses; every text is in quotes, so that none is read as a number."""
    match value:
        case bool():
            return "!t" if value else "!f"
        case str():
            return "'" + value.replace("!", "!!").replace("'", "!'") + "'"
        case Mapping():
            return "(" + ",".join(f"{_name(name)}:{rison(inner)}" for name, inner in sorted(value.items())) + ")"
        case _:
            return "!(" + ",".join(rison(inner) for inner in value) + ")"


def looks(place: KibanaPlace, exports: Sequence[ExportFacts | ExportEvent]) -> tuple[tuple[Line, str], ...]:
    """What to look at in Kibana: what it shows, and its address; the first exports first, each address once."""
    found: dict[str, Line] = {}
    for export in exports:
        for label, url in _of_export(place, export):
            if url is not None:
                found.setdefault(url, label)
    return tuple((label, url) for url, label in list(found.items())[:MOST])


def kibana_table(place: KibanaPlace | None, exports: Sequence[ExportFacts | ExportEvent]) -> list[Block]:
    """The table "Look in Kibana"; nothing where there is no Kibana, or nothing to look at."""
    found = looks(place, exports) if place else ()
    if not found:
        return []
    rows: tuple[tuple[Line, Line], ...] = tuple((label, Link("open", url)) for label, url in found)
    return [Heading(2, "Look in Kibana"), Table(("What", ""), rows)]


def _of_export(place: KibanaPlace, export: ExportFacts | ExportEvent) -> list[tuple[Line, str | None]]:
    event = export.event if isinstance(export, ExportFacts) else export
    at, found = event.event_time, list[tuple[Line, str | None]]()
    if event.alert_id:
        found.append((("The alert ", Code(event.alert_id)), alert_link(place, event.alert_id, event.alert_created)))
    actor = (
        ("access key", "aws.cloudtrail.user_identity.access_key_id", event.access_key_id),
        ("caller", "aws.cloudtrail.user_identity.arn", event.principal_arn),
    )
    for what, field, value in actor:
        if value:
            label: list[Inline] = [f"All calls of the {what} ", Code(value)]
            found.append((label, discover_link(place, equals(field, value), at - BEFORE, at + AFTER)))
    if account := event.recipient_account:
        link = discover_link(place, _exports_of(account), at - EXPORTS_BEFORE, at + AFTER)
        found.append((("Exports of the account ", Code(account)), link))
    bucket, key = _object(export)
    if bucket and key:
        link = discover_link(place, _reads_of(bucket, key), at, at + READS_AFTER)
        found.append((("Reads of ", Code(f"s3://{bucket}/{key}")), link))
    return found


def _exports_of(account: str) -> str:
    calls = " or ".join(f'"{api}"' for api in ExportApi)
    by_account = equals("aws.cloudtrail.recipient_account_id", account)
    return f"{equals('event.provider', 'ec2.amazonaws.com')} and event.action : ({calls}) and {by_account}"


def _reads_of(bucket: str, key: str) -> str:
    named = "aws.cloudtrail.flattened.request_parameters"
    in_trail = f"{equals(f'{named}.bucketName', bucket)} and {equals(f'{named}.key', key)}"
    in_access_log = f"{equals('aws.s3access.bucket', bucket)} and {equals('aws.s3access.key', key)}"
    return f"({in_trail}) or ({in_access_log})"


def _object(export: ExportFacts | ExportEvent) -> tuple[str | None, str | None]:
    """Bucket and exact key, as far as they are known; a prefix would need a pattern, which a value must not be."""
    if isinstance(export, ExportEvent):
        return export.bucket, export.object_key
    bucket = export.bucket.value if isinstance(export.bucket, Known) else None
    return bucket, export.key.value if isinstance(export.key, Known) and not export.key_is_prefix else None


def _name(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][\w.]*", name, re.ASCII) else rison(name)


def _moment(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"
