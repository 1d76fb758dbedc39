"""What the scanner is told to look for: exports, texts that name a key or an object, and Sigma rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from decisions.sigma_evaluate import holds
from decisions.sigma_literals import Literal
from tasks.hunting.search import Group, Search

if TYPE_CHECKING:
    from decisions.sigma import Rule  # it reads YAML, which a process that scans need not

EXPORT_CALLS = ("CreateInstanceExportTask", "ExportImage", "CreateStoreImageTask")
"""decisions.export.ExportApi has the same names; workers do without it, as it brings 20 MB with it."""
EC2 = "ec2.amazonaws.com"
PLAIN = re.compile(r"[\w.:-]+", re.ASCII)
KEY = re.compile(r"[A-Z0-9]{16,}")
TASK, IMAGE = re.compile(r"export-(?:i|ami)-"), re.compile(r"ami-[0-9a-f]{8,}\.bin")


@dataclass(frozen=True)
class IsExport:
    """Whether a record is a request to export."""

    def __call__(self, record: Mapping[str, Any]) -> bool:
        """By name and source."""
        return record.get("eventName") in EXPORT_CALLS and record.get("eventSource") in (EC2, None)


@dataclass(frozen=True)
class Mentions:
    """Whether one of some texts stands in a field of a record."""

    texts: frozenset[str]
    part: bool = False
    """Whether a part of a field is enough."""

    def __call__(self, record: Mapping[str, Any]) -> bool:
        """Anywhere in the record."""
        return any(map(self._in, _texts(record)))

    def _in(self, text: str) -> bool:
        return any(wanted in text for wanted in self.texts) if self.part else text in self.texts


@dataclass(frozen=True)
class Matches:
    """Whether a record is as a rule says."""

    rule: Rule

    def __call__(self, record: Mapping[str, Any]) -> bool:
        """By the reference evaluator."""
        return holds(self.rule.detection, record)


def exports(name: str = "exports") -> Search:
    """Requests to export, whatever came of them."""
    # Hyperscan looks for the ends of texts: those of the names stand in many others, what is before them does not.
    return Search(
        name,
        (tuple((f'"{call[:-1]}'.encode(), False) for call in EXPORT_CALLS),),
        IsExport(),
        proved=True,
        counted=True,
    )


def keys(name: str, texts: Iterable[str]) -> Search:
    """Records in which an access key stands as a whole field."""
    wanted = frozenset(texts)
    return Search(name, _quickest(wanted, _of_key), Mentions(wanted), proved=True)


def objects(name: str, texts: Iterable[str]) -> Search:
    """Records and access log lines in which the unmistakable part of an object's key stands."""
    wanted = frozenset(texts)
    return Search(name, _quickest(wanted, _of_object), Mentions(wanted, part=True), lines=True, proved=True)


def _quickest(texts: Iterable[str], pattern: Callable[[str], str]) -> tuple[Group, ...] | None:
    patterns = sorted({pattern(text) for text in texts})
    return (tuple((one.encode(), False) for one in patterns),) if all(patterns) else None


def _of_key(text: str) -> str:
    """A quote ends too many texts, and a key is like nothing else anyway."""
    return text if KEY.fullmatch(text) else _as_json(text, whole=True)


def _of_object(text: str) -> str:
    """Likewise: hexadecimal digits end too many, and what begins like an export is rare enough."""
    if task := TASK.match(text):
        return re.escape(task[0])
    return text.removesuffix(".bin") if IMAGE.fullmatch(text) else _as_json(text)


def _as_json(text: str, whole: bool = False) -> str:
    """What must stand in the bytes of whatever holds the text, which anybody may have chosen; empty: nothing need to."""
    if PLAIN.fullmatch(text):
        return f'"{re.escape(text)}"' if whole else re.escape(text)
    piece = max(re.findall(r"[ -~]+", text), key=len, default="")
    return Literal(piece, None, False).pattern.decode()


def rules(found: Sequence[Rule]) -> list[Search]:
    """Rules about CloudTrail's records or about lines of access logs, each with the groups of its literals."""
    return [
        Search(rule.id, _groups(rule), Matches(rule), rule.service == "cloudtrail", lines=rule.service == "s3access")
        for rule in found
    ]


def _groups(rule: Rule) -> tuple[Group, ...] | None:
    if rule.literals is None:
        return None
    return tuple(tuple(dict.fromkeys((_pattern(one), one.caseless) for one in group)) for group in rule.literals)


def _pattern(literal: Literal) -> bytes:
    """Without the name before the text: nearly every record has the name, and what stands elsewhere is sorted out later."""
    return Literal(literal.text, None, literal.caseless, literal.whole).pattern if literal.text else literal.pattern


def _texts(record: Mapping[str, Any]) -> Iterable[str]:
    rest: list[Any] = [record]
    while rest:
        value = rest.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            rest += value.values()
        elif isinstance(value, list):
            rest += value
