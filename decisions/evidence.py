"""What was collected, and what could not be.

A lookup that failed is not a lookup that found nothing: a read answers `Known(value)` or `Unknown(why)`,
and everything downstream passes the unknown on by name. An unknown may raise severity, never lower it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Generic, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict

T = TypeVar("T")
V = TypeVar("V")


class Frozen(BaseModel):
    """Base of every model in decisions: immutable, and it refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Known(Frozen, Generic[T]):
    """An answer, with the call that gave it and when it was asked (UTC)."""

    known: Literal[True] = True
    value: T
    source: str
    asked_at: AwareDatetime


class Unknown(Frozen):
    """No answer, and why: the name of the call, the error code, what would make it answerable."""

    known: Literal[False] = False
    why: str
    source: str
    asked_at: AwareDatetime


def ask(answer: Known[V] | Unknown, holds: Callable[[V], bool]) -> bool | None:
    """Whether the answer has a property; None when there is no answer."""
    return None if isinstance(answer, Unknown) else holds(answer.value)


class Coverage(Frozen):
    """What part of the question a search really covered."""

    searched_from: AwareDatetime
    searched_to: AwareDatetime
    complete: bool
    gaps: tuple[str, ...] = ()
    """One sentence for each hole; empty only when `complete`."""


class Evidence(Frozen):
    """One collected artefact: its bytes are in the evidence store under `sha256`."""

    id: str
    """`EV-0001`, in order of collection within the case."""
    what: str
    source: str
    coverage: Coverage | None = None
    sha256: str
    size_bytes: int
    media_type: str = "application/json"
    stored_at: str
    """Path inside the store, relative to the store's root."""
    collected_at: AwareDatetime


def utc(moment: datetime) -> str:
    """ISO 8601 in UTC with `Z`, seconds precision, as every page of ours prints time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
