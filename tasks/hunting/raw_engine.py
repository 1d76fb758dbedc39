"""The scanner of raw log files as an engine: fixtures are written as AWS writes files, and looked for in them."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from decisions.access_log_schema import LINE, NUMBER_COLUMNS, TEXT_COLUMNS, TIME
from decisions.sigma import Rule
from tasks.hunting import searches
from tasks.hunting.fixtures import FixturesUnusable
from tasks.hunting.layout import ACCESS, CLOUDTRAIL, LogFile
from tasks.hunting.line_scanner import fields_of
from tasks.hunting.scanned import TIRED
from tasks.hunting.scanner import Scanner
from tasks.logs.access_line import TAIL, NotALine
from tasks.logs.text import mended

Record = Mapping[str, Any]
ORDER = (
    "bucket_owner", "bucket", TIME, "remote_ip", "requester", "request_id", "operation", "key", "request_uri",
    "http_status", "error_code", "bytes_sent", "object_size", "total_time", "turn_around_time", "referrer", "user_agent",
    *TAIL,
)  # fmt: skip
"""The fields of a line as AWS writes them."""
A_FILE = TIRED // 2
"""Records of one file, so few that no rule tires of them and every hit is kept."""
MAX_BYTES = 64 * 1024 * 1024


class Raw:
    """The scanner, one of its two ways through a file: records cut out of a compact file, or the whole file parsed.

    Rules without a literal are asked by themselves, as with one of them every record of a file is parsed for all.
    """

    def __init__(self, whole: bool = False) -> None:
        self._whole = whole
        self.name = "raw parsed whole" if whole else "raw"

    def refused(self, rules: Iterable[Rule]) -> Mapping[str, str]:
        """It refuses none."""
        return {}

    def matched(self, rules: Sequence[Rule], records: Sequence[Record]) -> list[set[str]]:
        """For each record the ids of the rules that match it; what is no record of CloudTrail and no line matches none."""
        kinds = [CLOUDTRAIL if is_record(one) else ACCESS if is_line(one) else "" for one in records]
        found: list[set[str]] = [set() for _ in records]
        for costly in (False, True):
            if not (looked_for := searches.rules([rule for rule in rules if rule.costly == costly])):
                continue
            scanner = Scanner(looked_for, MAX_BYTES)
            for kind in (CLOUDTRAIL, ACCESS):
                numbers = [number for number, its in enumerate(kinds) if its == kind]
                for at in range(0, len(numbers), A_FILE):
                    some = numbers[at : at + A_FILE]
                    for number, ids in self._asked(scanner, kind, {n: records[n] for n in some}):
                        found[number] |= ids
        return found

    def _asked(self, scanner: Scanner, kind: str, records: Mapping[int, Record]) -> Iterable[tuple[int, set[str]]]:
        """One file of them; equal records have equal answers."""
        texts = {number: _line(one) if kind == ACCESS else _json(one) for number, one in records.items()}
        numbers: defaultdict[str, list[int]] = defaultdict(list)
        for number, text in texts.items():
            numbers[text].append(number)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "log"
            path.write_bytes(self._written(kind, list(numbers)))
            told = scanner.scan(LogFile(str(path), path.stat().st_size, kind))
        for hit in told.hits:
            text = hit.raw.decode() if kind == ACCESS else _compact(json.loads(hit.raw))
            for number in numbers[text]:
                yield number, set(hit.searches)

    def _written(self, kind: str, texts: Sequence[str]) -> bytes:
        if kind == ACCESS:
            return ("\n".join(texts) + "\n").encode()
        if self._whole:
            return "\n".join(json.dumps(json.loads(text), indent=1) for text in texts).encode()
        return gzip.compress(f'{{"Records":[{",".join(texts)}]}}'.encode(), 1)


def is_record(record: Record) -> bool:
    """Whether files may hold it: every record of CloudTrail has a name."""
    return isinstance(record.get("eventName"), str)


def is_line(record: Record) -> bool:
    """Whether it is the fields of a line of an access log."""
    return "eventName" not in record and isinstance(record.get("operation"), str)


def _json(record: Record) -> str:
    """As CloudTrail writes it: the version first; null, which is no value, for what every record has."""
    return _compact({"eventVersion": None} | dict(mended(record)) | {"eventSource": record.get("eventSource")})


def _compact(record: Record) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


def _line(record: Record) -> str:
    """A line with these fields. Raises FixturesUnusable when no line can have them."""
    if isinstance(record.get(LINE), str):
        return str(record[LINE])
    time = datetime.fromisoformat(str(record.get(TIME) or "1970-01-01T00:00:00Z"))
    words = {name: "-" if record.get(name) is None else str(record[name]) for name in (*TEXT_COLUMNS, *NUMBER_COLUMNS)}
    quoted = ("request_uri", "referrer", "user_agent")
    words |= {name: f'"{words[name]}"' for name in quoted} | {TIME: f"[{time:%d/%b/%Y:%H:%M:%S %z}]"}
    text = " ".join(words[name] for name in ORDER)
    try:
        read = fields_of(text)
    except NotALine as error:
        raise FixturesUnusable(f"no line of an access log has the fields {dict(record)}: {error}") from error
    if other := [name for name, value in record.items() if read.get(name) != value]:
        raise FixturesUnusable(f"a line of an access log with the fields {dict(record)} has another {', '.join(other)}")
    return text
