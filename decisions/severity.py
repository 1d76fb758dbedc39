"""Runs a severity table: which rules held, which could not be decided, and the level that follows.

The highest level of a rule that held wins. Low has to be shown: with nothing held, or with a rule of a higher level
undecided for want of a fact, the level is medium. So an unknown fact may raise the level, and never lowers it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from decisions.evidence import Known, Unknown
from decisions.findings import Assessment, Severity

F = TypeVar("F")

ORDER = (Severity.HIGH, Severity.MEDIUM, Severity.LOW)


@dataclass(frozen=True)
class Rule(Generic[F]):
    """One criterion of the written playbook."""

    id: str
    """`<level>.<criterion>`."""
    level: Severity
    sentence: str
    """What is the case when it holds."""
    holds: Callable[[F], bool | None]
    """None: the facts do not tell."""
    rests_on: Callable[[F], Iterable[Known[Any] | Unknown]]
    """The answers that decide it; the unknown ones say why it could not be decided."""


def assess(facts: F, rules: Sequence[Rule[F]]) -> Assessment:
    """The level that the rules give the facts, with reasons, what could not be decided, and what would change it."""
    answers = [(rule, rule.holds(facts)) for rule in sorted(rules, key=lambda r: ORDER.index(r.level))]
    held = [rule for rule, answer in answers if answer]
    undecided = [(rule, _why(rule, facts)) for rule, answer in answers if answer is None]
    level = _level(held, [rule for rule, _ in undecided])
    higher = [(r, why) for r, why in undecided if ORDER.index(r.level) < ORDER.index(level)]
    return Assessment(
        level=level,
        held=tuple(r.id for r in held),
        reasons=tuple(r.sentence for r in held) or ("Nothing shows that it is harmless.",),
        undecided=tuple(f"{r.id}: {why}" for r, why in undecided),
        would_change=tuple(f"It is {r.level} if: {r.sentence} Find out: {why}" for r, why in higher)
        + _would_lower(level, held, undecided),
    )


def _level(held: Sequence[Rule[F]], undecided: Sequence[Rule[F]]) -> Severity:
    levels = {r.level for r in held}
    if Severity.HIGH in levels:
        return Severity.HIGH
    open_ = {r.level for r in undecided} - {Severity.LOW}
    if Severity.MEDIUM in levels or open_ or not levels:
        return Severity.MEDIUM
    return Severity.LOW


def _would_lower(level: Severity, held: Sequence[Rule[F]], undecided: Sequence[tuple[Rule[F], str]]) -> tuple[str, ...]:
    """Where only missing facts keep it at medium."""
    if level is not Severity.MEDIUM or any(r.level is Severity.MEDIUM for r in held):
        return ()
    if any(r.level is Severity.LOW for r in held):
        asked = ", ".join(r.id for r, _ in undecided if r.level is not Severity.LOW)
        return (f"It is low if none of these holds: {asked}.",)
    return ("It is low if the export is shown to be authorized, documented or without sensitive content.",)


def _why(rule: Rule[F], facts: F) -> str:
    reasons = [answer.why for answer in rule.rests_on(facts) if isinstance(answer, Unknown)]
    return " ".join(dict.fromkeys(reasons)) or "what is known does not tell."
