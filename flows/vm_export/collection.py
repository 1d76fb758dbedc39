"""Asks questions for a case and keeps what was answered: evidence for an answer, a gap in the ledger for none.

One look at the world asks each question once. An answer equal to one that is already kept is not stored again, so a plan
that is made anew from an unchanged world rests on the same evidence. How far a log search reached is part of its answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, ParamSpec, TypeVar

from pydantic import BaseModel, TypeAdapter

from decisions.activity import LogAnswer
from decisions.case import GAP
from decisions.evidence import Known, Unknown
from records import evidence, ledger
from tasks.reading import Read

P = ParamSpec("P")
T = TypeVar("T")

REQUEST = re.compile(r" \(request [^)]*\)")
AT_ONCE = 16
"""Questions under way at the same time."""


@dataclass(frozen=True)
class Collected(Generic[T]):
    """An answer and the ids of the evidence that holds it; none for an unknown."""

    answer: Known[T] | Unknown
    evidence: tuple[str, ...]


@dataclass
class Collection:
    """One look at the world for a case."""

    case_id: str
    _kept: dict[tuple[str, str], str]
    """(what, SHA-256) -> evidence id."""
    _asked: dict[tuple[str, str], asyncio.Task[Collected[Any]]] = field(default_factory=dict)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    @classmethod
    async def open(cls, case_id: str) -> Collection:
        """A new look; answers of earlier ones are known."""
        listed = await asyncio.to_thread(evidence.listing, case_id)
        return cls(case_id, {(e.what, e.sha256): e.id for e in listed})

    async def ask(self, what: str, read: Read[P, T], *args: P.args, **kwargs: P.kwargs) -> Collected[T]:
        """The answer to `read`, kept under the sentence `what`; the same question twice is asked once."""
        key = (read.name, json.dumps([args, kwargs], default=_plain, sort_keys=True))
        if key not in self._asked:
            self._asked[key] = asyncio.ensure_future(self._ask(what, read, *args, **kwargs))
        return await self._asked[key]

    async def _ask(self, what: str, read: Read[P, T], *args: P.args, **kwargs: P.kwargs) -> Collected[T]:
        async with self._slots:
            answer = await read(self.case_id, *args, **kwargs)
        if isinstance(answer, Unknown):
            await asyncio.to_thread(self._note_gap, what, answer)
            return Collected(answer, ())
        return Collected(answer, (await asyncio.to_thread(self._keep, what, answer),))

    async def keep(self, what: str, answer: Known[Any]) -> tuple[str, ...]:
        """What is known without asking, as evidence under the sentence `what`; the evidence's id."""
        return (await asyncio.to_thread(self._keep, what, answer),)

    def _keep(self, what: str, answer: Known[Any]) -> str:
        content = json.dumps(TypeAdapter(Any).dump_python(answer.value, mode="json"), indent=1, sort_keys=True).encode()
        key = (what, hashlib.sha256(content).hexdigest())
        if key not in self._kept:
            coverage = answer.value.coverage if isinstance(answer.value, LogAnswer) else None
            kept = evidence.store(self.case_id, what, answer.source, content, "application/json", coverage)
            self._kept[key] = kept.id
        return self._kept[key]

    def _note_gap(self, what: str, unknown: Unknown) -> None:
        why = REQUEST.sub("", unknown.why)
        told = hashlib.sha256(f"{what}\n{why}".encode()).hexdigest()[:32]
        said = {"what": what, "why": unknown.why, "source": unknown.source}
        ledger.append(self.case_id, GAP, "collection", said, key=f"gap:{told}")


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a question cannot have a {type(value).__name__} for a parameter")
