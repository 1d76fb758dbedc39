"""The fields of one export as they are found, source after source: checked, contradictions refused, origins kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from decisions.export import ExportApi, ExportEvent, Outcome
from decisions.ledger import canonical_sha256

STRING = "string"
"""The source that a caller can forge: it fills what no other source tells, and never contradicts one."""
MAX_TEXT = 4096
DECISIVE = frozenset({"recipient_account", "region", "instance_id", "image_id", "bucket", "task_id", "object_key"})
"""Fields that say what is to be contained: of two values that contradict each other neither is taken."""

_OF_DELIVERY = {"event_id", "alert_id", "alert_rule", "alert_created", "ingested", "sources", "warnings"}

Check = Callable[[str], Any]


class Incomplete(ValueError):
    """Too little was found to speak of an export; the message says what is missing."""


class Reading:
    """Collects the fields of one ExportEvent. The first source that has a field gives it; nothing is guessed."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.sources: dict[str, str] = {}
        self.warnings: list[str] = []
        self._refused: set[str] = set()

    def take(self, field: str, found: Sequence[Any], source: str) -> None:
        """Offer what a source says of a field: nothing, one value, or several that contradict each other."""
        told = [item for item in found if item is not None and item != ""]
        checked = [value for item in told if (value := self._check(field, item, source)) is not None]
        distinct = [value for n, value in enumerate(checked) if value not in checked[:n]]
        if len(distinct) > 1:
            self._refuse(field, f"{_words(field)} has several values in {source}; none was taken", source)
        elif distinct:
            self._set(field, distinct[0], source)

    def event(self, api: ExportApi, outcome: Outcome) -> ExportEvent:
        """The export, with what looked wrong as warnings. Raises Incomplete when it has no time."""
        self._check_key(api)
        if "event_time" not in self.values:
            raise Incomplete("it does not tell when the call was made")
        found = ExportEvent.model_validate({"event_id": "", "api": api, "outcome": outcome} | self.values)
        event_id = found.event_id
        if not event_id:
            event_id = f"sha256:{canonical_sha256(found.model_dump(mode='json', exclude=_OF_DELIVERY))}"
            self.warnings.append("it bears no event id; the hash of its content stands for it")
        warnings = tuple(dict.fromkeys(self.warnings))
        return found.model_copy(update={"event_id": event_id, "sources": dict(self.sources), "warnings": warnings})

    def _check(self, field: str, value: Any, source: str) -> Any:
        checked = _CHECKS[field](value) if isinstance(value, str) else None
        if checked is None:
            why = f"{_words(field)} in {source} is {_shown(value)}, which cannot be one; it was not taken"
            self._refuse(field, why, source)
        return checked

    def _set(self, field: str, value: Any, source: str) -> None:
        if field in self._refused:
            return
        if field not in self.values:
            self.values[field], self.sources[field] = value, source
        elif self.values[field] != value and field in DECISIVE:
            said = f"{self.sources[field]} and {source} name different values for {_words(field)}"
            taken = f"{source} can be forged and was not taken" if source == STRING else "neither was taken"
            self._refuse(field, f"{said}; {taken}", source)

    def _refuse(self, field: str, why: str, source: str) -> None:
        self.warnings.append(why)
        forged = source == STRING and self.sources.get(field, STRING) != STRING
        if field in DECISIVE and not forged:
            self._refused.add(field)
            self.values.pop(field, None)
            self.sources.pop(field, None)

    def _check_key(self, api: ExportApi) -> None:
        """EC2 puts the task's id into the key, or the image's for store tasks: a key without it was misread."""
        key, last = self.values.get("object_key"), self.values.get("image_id" if api is ExportApi.STORE else "task_id")
        if key and (last is None or last not in key):
            why = f"the object key {_shown(key)} does not hold the id of its task; it was not taken"
            self._refuse("object_key", why, self.sources["object_key"])


def moment(value: str) -> datetime | None:
    """A plausible moment in UTC from ISO 8601 text (without an offset: UTC, as Elasticsearch reads it); else None."""
    try:
        parsed = datetime.fromisoformat(value)
        parsed = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return parsed if 2006 <= parsed.year <= 9998 else None  # EC2 began in 2006


def clean(value: str) -> str:
    """Text that can be stored anywhere: unpaired surrogates replaced, longer than 4096 characters cut."""
    whole = value.encode("utf-8", "replace").decode()
    return whole if len(whole) <= MAX_TEXT else f"{whole[: MAX_TEXT - 1]}…"


def _matching(pattern: str, flags: re.RegexFlag = re.ASCII) -> Check:
    compiled = re.compile(pattern, flags)
    return lambda value: value if compiled.fullmatch(value) else None


def _one_of(*words: str) -> Check:
    known = {word.lower(): word for word in words}
    return lambda value: known.get(value.lower())


def _bucket(value: str) -> str | None:
    return value if re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", value) and ".." not in value else None


def _key(value: str) -> str | None:
    whole = clean(value)
    return value if value == whole and len(value.encode()) <= 1024 else None


_ACCOUNT = _matching(r"\d{12}")
_ID = r"[0-9a-f]{8,17}"
_CHECKS: dict[str, Check] = {
    "event_id": _matching(r"[\w.:/+=@-]{1,200}"),
    "event_time": moment,
    "alert_created": moment,
    "ingested": moment,
    "recipient_account": _ACCOUNT,
    "caller_account": _ACCOUNT,
    "region": _matching(r"[a-z]{2}(-[a-z]+){1,3}-\d{1,2}"),
    "principal_type": _matching(r"[A-Za-z]{1,64}"),
    "principal_arn": _matching(r"arn:aws[\w-]*:(iam|sts)::\d{12}:[\x21-\x7e]{1,1024}"),
    "issuer_arn": _matching(r"arn:aws[\w-]*:(iam|sts)::\d{12}:[\x21-\x7e]{1,1024}"),
    "access_key_id": _matching(r"[A-Z0-9]{16,128}"),
    "instance_id": _matching(rf"i-{_ID}"),
    "image_id": _matching(rf"ami-{_ID}"),
    "task_id": _matching(r"export-(i|ami)-[0-9a-z]{8,17}"),
    "bucket": _bucket,
    "prefix": _key,
    "object_key": _key,
    "disk_format": _one_of("VMDK", "RAW", "VHD"),
    "container_format": _one_of("ova"),
    "target_environment": _one_of("citrix", "vmware", "microsoft"),
    "role_name": _matching(r"[\w+=,.@-]{1,64}"),
    **dict.fromkeys(("principal_id", "source_identity", "invoked_by", "source_address", "user_agent"), clean),
    **dict.fromkeys(("error_code", "description", "alert_id", "alert_rule"), clean),
}


def _words(field: str) -> str:
    return "the " + field.replace("_", " ")


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str | int | float | bool) else f"a {type(value).__name__}"
    return ascii(text)[1:-1] if len(text) <= 80 else f"{ascii(text[:77])[1:-1]}…"
