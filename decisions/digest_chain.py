"""Judges the digest files of one chain: which are as CloudTrail wrote them, which are not, which are missing.

A digest tells the hash and the signature of the one before. So each is vouched for by the next, and the newest by nothing
that lies in a file: its own signature is in the metadata of its S3 object. From the newest to the oldest: what a digest that
is bad itself says of another is not believed, but a signature proves itself wherever it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from decisions.digest import Digest, DigestName, digest_name, stem, text_to_sign
from decisions.digest_keys import Keys, fits
from decisions.digest_verdict import Break, BreakKind, Chain, ChainStart

State = Literal["signed", "linked", "unsigned", "bad"]


@dataclass(frozen=True, slots=True)
class Held:
    """A digest file as it was found."""

    path: str
    name: DigestName
    digest: Digest | None
    damage: str = ""
    """Why there is no digest."""
    signature: str | None = None
    """Its own, from the metadata of its object or a file beside it."""
    unread: bool = False
    """It could not be had: nothing is known of what is in it."""
    beyond: bool = False
    """Read only for what it says of the one before: it is of another period."""

    @property
    def stem(self) -> str:
        """How others name it."""
        return stem(self.path)


@dataclass
class Judged:
    """What came of one chain; states in the order of what was judged, the oldest first."""

    held: list[Held]
    states: list[State] = field(default_factory=list[State])
    breaks: list[Break] = field(default_factory=list[Break])
    starts: list[ChainStart] = field(default_factory=list[ChainStart])
    first_of_copy: Held | None = None
    """The oldest digest of the folder, if the one before it was written and is not here."""

    def believed(self) -> Iterator[tuple[Held, Digest, State]]:
        """Digests that were not found bad, of the period."""
        for held, state in zip(self.held, self.states, strict=True):
            if held.digest and state != "bad" and not held.beyond:
                yield held, held.digest, state


def judged(held: Sequence[Held], there: Mapping[str, datetime], keys: Keys | None) -> Judged:
    """Judge the digest files of one place. `there`: all of its digest files that were found by stem, with their ends."""
    return _Judge(sorted(held, key=lambda one: (one.name.end, one.stem)), there, keys).judge()


def summary(chain: Judged) -> Chain | None:
    """What is told of a chain; None: it has no digest in the period."""
    mine = [(one, state) for one, state in zip(chain.held, chain.states, strict=True) if not one.beyond]
    if not mine:
        return None
    starts = [one.digest.start for one, _ in mine if one.digest]
    copied = [said for one, digest, _ in chain.believed() if (said := _written_to(one, digest))]
    return Chain(
        place=str(mine[0][0].name.place),
        since=min(starts, default=mine[0][0].name.end),
        until=mine[-1][0].name.end,
        digests=len(mine),
        signed=sum(state == "signed" for _, state in mine),
        linked=sum(state == "linked" for _, state in mine),
        unsigned=tuple(one.path for one, state in mine if state == "unsigned"),
        bad=sum(state == "bad" for _, state in mine),
        copied=len(copied),
        copied_from=copied[0] if copied else "",
    )


def _written_to(one: Held, digest: Digest) -> str:
    """Where a digest in a bucket says that it lies, if it does not; of a folder nothing tells what the bucket was."""
    said = f"s3://{digest.bucket}/{digest.key}"
    return said if one.path.startswith("s3://") and one.path != said else ""


class _Judge:
    def __init__(self, held: list[Held], there: Mapping[str, datetime], keys: Keys | None) -> None:
        self._held, self._there, self._keys = held, there, keys
        self._states: list[State] = ["unsigned"] * len(held)
        self._next: int | None = None
        """The nearest digest after the one being judged that may be of the chain."""
        self._last_foreign = False
        self._found = Judged(held)
        self._after: dict[str, list[int]] = {}
        """By stem: the digests that name it as the one before them."""
        for at, one in enumerate(held):
            if one.digest and one.digest.previous:
                self._after.setdefault(stem(one.digest.previous.key), []).append(at)

    def judge(self) -> Judged:
        for at in reversed(range(len(self._held))):
            self._states[at] = self._state(at)
            if not self._last_foreign:
                self._next = at
        for at, one in enumerate(self._held):
            if one.digest and self._states[at] != "bad" and not one.beyond:
                self._before(one, one.digest)
        self._found.states = self._states
        self._found.breaks.sort(key=lambda one: (one.since is None, one.since or one.name, one.name))
        return self._found

    def _state(self, at: int) -> State:
        one = self._held[at]
        self._last_foreign = False
        if one.digest is None:
            return self._bad(one, one.damage, "unread-digest" if one.unread else "changed-digest")
        digest = one.digest
        if stem(digest.key) != one.stem:
            return self._bad(one, f"it says that it is {digest.key}")
        if digest.previous and not self._earlier(digest.previous.key, one):
            return self._bad(one, f"it names {digest.previous.key}, which is no earlier digest, as the one before")
        said = [self._held[i] for i in self._after.get(one.stem, ())]
        trusted = [i for i in self._after.get(one.stem, ()) if i > at and self._states[i] != "bad"]
        fitting = [i for i in trusted if self._hash_by(i) == digest.sha256]
        signed = self._signed(one, digest, said)
        if signed:
            for i in [i for i in trusted if i not in fitting and self._states[i] != "signed"]:
                self._states[i] = self._bad(self._held[i], f"it tells another hash of {one.stem} than was signed")
            return "signed"
        if trusted and not fitting:
            return self._bad(one, f"{self._held[trusted[0]].stem} has it with another hash")
        if signed is False:
            return self._bad(one, "its signature does not fit")
        if any(self._states[i] == "signed" for i in fitting):
            return "signed"  # whoever vouches for it is proven, with another key perhaps
        if self._keys is not None and digest.fingerprint.lower() not in self._keys and (fitting or one.signature):
            self._break("unknown-key", one, f"the key {digest.fingerprint} is not among the keys given")
            return "unsigned"
        if fitting:
            return "linked"
        self._last_foreign = self._foreign(one)
        return self._bad(one, "no digest after it names it", "planted-digest") if self._last_foreign else "unsigned"

    def _signed(self, one: Held, digest: Digest, said: Sequence[Held]) -> bool | None:
        """Whether a signature of it fits; None: there is none, or no key for it."""
        key = (self._keys or {}).get(digest.fingerprint.lower())
        signatures = {h.digest.previous.signature for h in said if h.digest and h.digest.previous}
        signatures |= {one.signature} if one.signature else set()
        if key is None or not signatures:
            return None
        text = text_to_sign(digest)
        return any(fits(key, signature, text) for signature in signatures)

    def _hash_by(self, at: int) -> str | None:
        digest = self._held[at].digest
        return digest.previous.sha256 if digest and digest.previous else None

    def _earlier(self, key: str, one: Held) -> bool:
        """Whether a key names a digest that ends before another; of another trail it may, which is said elsewhere."""
        name = digest_name(key)
        return name is None or name.place != one.name.place or name.end < one.name.end

    def _foreign(self, one: Held) -> bool:
        """Whether the digest after one, which is to name it, names another that is there."""
        i = self._next
        while i is not None and i < len(self._held) and self._held[i].stem == one.stem:
            i += 1  # a second copy of it
        if i is None or i >= len(self._held) or self._states[i] == "bad":
            return False
        after = self._held[i].digest
        return after is not None and after.previous is not None and stem(after.previous.key) in self._there

    def _before(self, one: Held, digest: Digest) -> None:
        """What a digest that is believed tells of the one before: that it is there, missing, or that there is none."""
        place, before = one.name.place, digest.previous
        if before is None:
            if not place.backfill:  # backfills follow no hours
                start = ChainStart(place=str(place), at=digest.start, off_since=self._earlier_end(one))
                self._found.starts.append(start)
            return
        named = digest_name(before.key)
        if named is None or named.place._replace(backfill=place.backfill) != place:
            self._break("other-trail", one, f"it names {before.key} as the one before")
        elif stem(before.key) in self._there or named.place != place:
            return
        elif earlier := self._earlier_end(one):
            why = f"{one.stem} names it as the one before"
            hours = {"since": min(earlier, digest.start), "until": digest.start}
            self._found.breaks.append(Break(kind="missing-digest", place=str(place), name=before.key, why=why, **hours))
        else:
            self._found.first_of_copy = one

    def _earlier_end(self, one: Held) -> datetime | None:
        """Where the digest file before one ends, whichever it is."""
        return max((end for end in self._there.values() if end < one.name.end), default=None)

    def _bad(self, one: Held, why: str, kind: BreakKind = "changed-digest") -> State:
        self._break(kind, one, why)
        return "bad"

    def _break(self, kind: BreakKind, one: Held, why: str) -> None:
        if not one.beyond:
            self._found.breaks.append(Break(kind=kind, place=str(one.name.place), name=one.path, why=why[:600]))
