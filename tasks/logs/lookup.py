"""CloudTrail's event history by LookupEvents: management events of 90 days, one account and Region at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from decisions.activity import LogAnswer, LogRecord
from decisions.cloudtrail import parse_record
from tasks import cloudtrail
from tasks.actions.base import Clients
from tasks.logs.interface import IMAGE_CALLS, Query, Scope, Searching, answer
from tasks.logs.text import parse

KEPT = timedelta(days=90)
AT_ONCE = 4
NO_ROLES = "LookupEvents finds sessions by their own names only, not by their role."
NO_DATA_EVENTS = "LookupEvents holds no data events: object reads are not in it."


class EventHistory(Searching):
    """What every account keeps by itself, for each account where our read role stands."""

    def __init__(self, aws: Clients, max_pages: int, max_records: int) -> None:
        self._aws, self._max_pages, self._max_records = aws, max_pages, max_records

    def search(self, query: Query, scope: Scope) -> LogAnswer:
        """The records that match; one call a page, for each account, Region and value asked for."""
        now = datetime.now(UTC)
        gaps = [NO_DATA_EVENTS] if query.data else []
        gaps += [NO_ROLES] if any(":role/" in p for p in query.principals) else []
        if scope.since < now - KEPT:
            gaps.append("LookupEvents reaches back 90 days only.")
        places = [(account, region) for account in scope.accounts for region in scope.regions]
        with ThreadPoolExecutor(AT_ONCE) as askers:  # the rate is limited for each account and Region by itself
            answers = list(askers.map(lambda place: self._place(*place, query, scope), places))
        gaps += [gap for _, told in answers for gap in told]
        return answer((r for records, _ in answers for r in records), scope, gaps, now, self._max_records)

    def _place(self, account: str, region: str, query: Query, scope: Scope) -> tuple[list[LogRecord], list[str]]:
        """What one account and Region answers, and why that is not whole."""
        found: list[LogRecord] = []
        for attribute, value in _attributes(query):
            if why := self._ask(account, region, attribute, value, query, scope, found):
                return found, [why]
        return found, []

    def _ask(
        self, account: str, region: str, attribute: str, value: str, query: Query, scope: Scope, found: list[LogRecord]
    ) -> str | None:
        """Why the answer is not whole, or None; what was found is added to `found`."""
        broken, pages = 0, 0
        try:
            for page in cloudtrail.events(self._aws, account, region, attribute, value, scope.since, scope.until):
                pages += 1
                for event in page:
                    try:
                        record = parse_record(parse(event["CloudTrailEvent"]), f"LookupEvents {account}/{region}")
                    except (ValueError, KeyError, AttributeError, RecursionError):
                        broken += 1
                        continue
                    if scope.covers(record.time) and query.matches(record):
                        found.append(record)
                if pages >= self._max_pages:
                    return f"LookupEvents of {account}/{region} for {value} has more than {pages} pages: the oldest are not read."
        except (ClientError, BotoCoreError) as error:
            return f"LookupEvents of {account}/{region} could not be asked: {str(error)[:300]}"
        return f"{broken} event(s) of {account}/{region} could not be read." if broken else None


def _attributes(query: Query) -> list[tuple[str, str]]:
    """What to ask for: one attribute is allowed a call, so the most selective one that the query has."""
    if query.access_key_ids:
        return [("AccessKeyId", v) for v in query.access_key_ids]
    if query.mentions:
        return [("ResourceName", v) for v in query.mentions]
    if query.principals:
        return [("Username", v) for v in dict.fromkeys(p.rpartition("/")[2] for p in query.principals)]
    # Two calls a second are allowed, so nothing is asked that cannot be there: of the reads of an object, all data events
    # but the call that makes an image of it.
    names = set(query.event_names) & set(IMAGE_CALLS) if query.data else query.event_names
    return [("EventName", v) for v in names]
