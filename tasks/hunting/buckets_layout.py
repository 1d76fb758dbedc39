"""Which folders of a bucket hold days, and which of those a period needs. Pure: names in, names out."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from tasks.hunting.coverage import LATE, Period
from tasks.hunting.layout import ACCESS, ACCESS_LOG, CLOUDTRAIL

REGION = re.compile(r"(?:^|/)\d{12}/(?P<kind>CloudTrail[\w-]*)/[a-z0-9-]+/$", re.ASCII)
"""Below it are years, months and days of CloudTrail files, digests or Insights."""
DATED = re.compile(
    r"(?:^|/)\d{12}/(?:(?P<kind>CloudTrail)[\w-]*/[a-z0-9-]+|[a-z0-9-]+/[^/]+)/(?P<y>\d{4})/(?:(?P<m>\d\d)/(?:(?P<d>\d\d)/)?)?$",
    re.ASCII,
)
"""A year, month or day of CloudTrail, or of access logs that are partitioned by date (ACCOUNT/REGION/BUCKET/YYYY/MM/DD/)."""
KNOWN = re.compile(
    r"(?:^|/)(?:AWSLogs/(?:o-[a-z0-9]+/)?|\d{12}/(?:CloudTrail[\w-]*/)?|\d{12}/[a-z0-9-]+/(?:[^/]+/)?)$", re.ASCII
)
"""On the way to days; however many there are, the prefix is right."""
OTHERS = re.compile(
    r"(?:^|/)AWSLogs/(?:o-[a-z0-9]+/)?\d{12}/"
    r"(?:Config|elasticloadbalancing|GuardDuty|network-firewall|redshift|vpcdnsquerylogs|vpcflowlogs|vpn-logs|WAFLogs)/$",
    re.ASCII,
)
"""Logs of other services, which lie beside CloudTrail's."""


@dataclass(frozen=True)
class Days:
    """The days of delivery that a period needs, by kind of file; `bounded` is false where the period has no beginning."""

    period: Period
    now: datetime
    around: bool = False
    """Digest files are read, not only counted: those of the day before and the day after tell of the period's own."""

    @property
    def bounded(self) -> bool:
        """Whether the days can be counted off."""
        return self.period.since is not None

    def span(self, kind: str) -> tuple[date, date]:
        """First and last; to tomorrow at most, as clocks differ."""
        first = self.period.since.astimezone(UTC).date() if self.period.since else date.min
        last = (self.now.astimezone(UTC) + timedelta(days=1)).date()
        if self.period.until:
            last = min(last, (self.period.until.astimezone(UTC) + LATE[kind]).date())
        return first, last

    def each(self, kind: str) -> Iterator[date]:
        """Every day, in order."""
        day, last = self.span(kind)
        while day <= last:
            yield day
            day += timedelta(days=1)

    def below(self, begin: str, kind: str) -> list[str]:
        """Beginnings of keys: a Region's folder of CloudTrail, or the stem of access logs, with whole months as one and days."""
        first, last = self.span(kind)
        month, rest = ("%Y/%m/", "%d/") if kind == CLOUDTRAIL else ("%Y-%m-", "%d")
        found: dict[str, None] = {}
        for day in self.each(kind):
            whole = first <= day.replace(day=1) and day.replace(day=monthrange(day.year, day.month)[1]) <= last
            found[begin + day.strftime(month if whole else month + rest)] = None
        return list(found)

    def months(self, folder: str, kind: str) -> list[str]:
        """Month folders below a Region's: for what is only counted, or is little."""
        days = [*self.each(kind)]
        if self.around and days:
            days = [days[0] - timedelta(days=1), *days, days[-1] + timedelta(days=1)]
        return list(dict.fromkeys(f"{folder}{day:%Y/%m/}" for day in days))

    def covers(self, dated: re.Match[str]) -> bool | None:
        """Whether a folder of DATED lies in the days wholly (true), in part (None) or not at all."""
        first, last = self.span(CLOUDTRAIL if dated["kind"] else ACCESS)
        year, month, day = (int(dated[name]) if dated[name] else None for name in "ymd")
        try:
            begin = date(year or 1, month or 1, day or 1)
            end = date(year or 1, month or 12, day or monthrange(year or 1, month or 12)[1])
        except ValueError:
            return None  # no day of the calendar: looked into, like any folder
        if end < first or last < begin:
            return False
        return True if first <= begin and end <= last else None


def stem(key: str) -> str | None:
    """What stands before the day in the key of an access log; None for other keys."""
    name = key.rpartition("/")[2]
    found = ACCESS_LOG.search(name)
    return key[: len(key) - len(name) + found.start(1)] if found and found[1].startswith("2") else None
