"""One line of an S3 server access log: up to 27 fields of which three may hold unescaped quotes, written by whoever calls.

It imports little: the processes that scan log files have it, too.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

HEAD = re.compile(
    r"(?P<bucket_owner>\S+) (?P<bucket>\S+) \[(?P<time>[^\]]+)\] (?P<remote_ip>\S+) (?P<requester>\S+) "
    r"(?P<request_id>\S+) (?P<operation>\S+) (?P<key>\S+) "
    # A request target holds no blank, whatever quotes it holds: so its end is certain.
    r'(?:"(?P<request_uri>[A-Z]+ \S* HTTP/\d(?:\.\d)?|-)"|-) '
    r"(?P<http_status>\d{3}|-) (?P<error_code>\S+) (?P<bytes_sent>\d{1,20}|-) (?P<object_size>\d{1,20}|-) "
    r'(?P<total_time>\d{1,20}|-) (?P<turn_around_time>\d{1,20}|-) (?:"|(?=-))'
)
TAIL = (
    "version_id", "host_id", "signature_version", "cipher_suite", "authentication_type", "host_header", "tls_version",
    "access_point_arn", "aclrequired", "source_region",
)  # fmt: skip
"""Fields after the user agent; old lines have fewer, future ones more. None of them holds a quote."""
NUMBERS = ("http_status", "bytes_sent", "object_size", "total_time", "turn_around_time")


class NotALine(ValueError):
    """The text is no line of an access log."""


def parse_line(line: str) -> dict[str, Any]:
    """The fields of one line by the names of Elastic's integration; `-` is None, numbers are int. Raises NotALine.

    Referer and user agent are the caller's text and may hold quotes: where one ends and the other begins can then be
    uncertain; every other field is certain.
    """
    head = HEAD.match(line)
    if head is None:
        raise NotALine("the fields up to the referer are not those of an access log")
    rest = line[head.end() - 1 :].rstrip("\r")
    referer, agent, tail = _quoted(rest)
    fields: dict[str, Any] = {name: None if value == "-" else value for name, value in head.groupdict().items()}
    fields |= {name: int(fields[name]) for name in NUMBERS if fields[name] is not None}
    fields |= {"time": _time(head["time"]), "referrer": referer, "user_agent": agent}
    return fields | {name: None if value == "-" else value for name, value in zip(TAIL, tail.split(), strict=False)}


def _quoted(rest: str) -> tuple[str | None, str | None, str]:
    """Referer, user agent and what follows: the last quote of the line closes the user agent."""
    if rest.startswith(" - - "):
        return None, None, rest[5:]
    end = rest.rfind('" ')
    if not rest.startswith('"') or end <= 0:
        raise NotALine("referer and user agent are not quoted")
    referer, between, agent = rest[1:end].partition('" "')
    if not between:
        raise NotALine("there is no user agent")
    return (None if referer == "-" else referer), (None if agent == "-" else agent), rest[end + 2 :]


def _time(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%d/%b/%Y:%H:%M:%S %z").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise NotALine(f"{text} is no time") from error
