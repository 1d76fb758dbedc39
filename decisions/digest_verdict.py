"""What a validation of log files answers: the digest chains, what breaks them, and how far the log files are proven."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from pydantic import AwareDatetime, Field

from decisions.evidence import Frozen, utc

NAMED = 20
"""Breaks of one kind that a page names; how many more there are is said."""

BreakKind = Literal[
    "changed-digest",
    "missing-digest",
    "planted-digest",
    "other-trail",
    "unknown-key",
    "no-keys",
    "unread-digest",
    "no-digests",
    "changed-log",
    "missing-log",
    "planted-log",
    "moved-log",
    "unread-log",
    "unlisted",
]
WORDS: dict[BreakKind, str] = {
    "changed-digest": "digest file(s) changed",
    "missing-digest": "digest file(s) or hours of them missing",
    "planted-digest": "digest file(s) that are not of the chain",
    "other-trail": "digest file(s) that name one of another trail as the one before",
    "unknown-key": "digest file(s) signed with a key that is not among the keys given",
    "no-keys": "chain(s) of digest files whose public keys could not be had",
    "unread-digest": "digest file(s) that could not be read",
    "no-digests": "place(s) with log files and without any digest file",
    "changed-log": "log file(s) changed",
    "missing-log": "log file(s) missing",
    "planted-log": "log file(s) planted: no digest names them, though their hour is covered",
    "moved-log": "log file(s) in the folder of another day",
    "unread-log": "log file(s) that could not be read",
    "unlisted": "folder(s) that could not be looked into",
}
KINDS = tuple(WORDS)
LOOK = "look for StopLogging, UpdateTrail, DeleteTrail"
NOT_KNOWN = frozenset[BreakKind]({"no-keys", "unread-digest", "unread-log", "unlisted"})
"""They hide what CloudTrail delivered, and do not show that it was changed."""


class Break(Frozen):
    """One thing that is not as CloudTrail delivered it, or of which that is not known."""

    kind: BreakKind
    place: str
    """Account, Region and trail."""
    name: str
    """The file, as the digest or the folder names it: text of a stranger."""
    why: str
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    """The hours that are not covered because of it."""


class ChainStart(Frozen):
    """Where a chain begins anew: the trail, its logging or its validation was switched on then."""

    place: str
    at: AwareDatetime
    off_since: AwareDatetime | None = None
    """The end of the digest before, if there is one: nothing is proven from then to `at`."""


class Chain(Frozen):
    """The digest files of one account, Region and trail."""

    place: str
    since: AwareDatetime
    until: AwareDatetime
    digests: int
    signed: int
    """Signature checked, or named by one whose signature was."""
    linked: int
    """Named with the right hash by the digest after, whose signature was not checked."""
    unsigned: tuple[str, ...] = ()
    """Nothing here vouches for them: the newest of a chain, as its signature is in no file."""
    bad: int = 0
    late_for: AwareDatetime | None = None
    """The beginning of the time asked for, if the oldest digest begins after it and names one before, which is not here."""
    short_of: AwareDatetime | None = None
    """The end of the time asked for, if the newest digest ends hours before it."""
    copied: int = 0
    """In a bucket: those that say that they were written to another bucket or key, and are believed."""
    copied_from: str = ""
    """Where the first of them says it was: text of a stranger."""


class Integrity(Frozen):
    """The answer of a validation. Counts of logs are of files."""

    keys: int | None
    """Public keys given; None: signatures were not checked."""
    chains: tuple[Chain, ...] = ()
    starts: tuple[ChainStart, ...] = ()
    breaks: tuple[Break, ...] = ()
    logs_proven: int = 0
    """Hash as in a digest with a checked signature."""
    logs_matching: int = 0
    """Hash as in a digest whose own signature is not known or was not checked."""
    logs_unproven: dict[str, int] = Field(default_factory=dict)
    """Log files that no digest proves, by the reason; they may be as delivered or not."""
    hashed_bytes: int = 0
    """Unpacked."""

    @property
    def broken(self) -> bool:
        """Whether something is not as CloudTrail delivered it, or could not be looked at."""
        return bool(self.breaks)

    @property
    def changed(self) -> bool:
        """Whether something is not as CloudTrail delivered it."""
        return any(one.kind not in NOT_KNOWN for one in self.breaks)

    @property
    def complete(self) -> bool:
        """Whether nothing is broken, and no chain was interrupted or ends early."""
        interrupted = any(start.off_since for start in self.starts) or any(
            chain.short_of or chain.late_for for chain in self.chains
        )
        return not self.breaks and not interrupted

    def headline(self) -> str:
        """The answer in one sentence."""
        kinds: Counter[BreakKind] = Counter(one.kind for one in self.breaks)
        told = ", ".join(f"{count:,} {WORDS[kind]}" for kind, count in kinds.items())
        if self.breaks and not self.changed:
            return f"It is NOT known whether the log files are as CloudTrail delivered them: {told}."
        if not self.chains:
            return "There is no digest file here: no log file could be validated."
        if self.breaks:
            return f"The log files are NOT as CloudTrail delivered them: {told}."
        if not self.complete:
            return (
                "No file was changed, but a chain of digests was interrupted, or does not reach the ends of the time asked for: "
                "logging or validation was off, or digests are gone."
            )
        if self.keys is None:
            return (
                "No change was found by hashes. Signatures were not checked, so whoever rewrote all of it is not found."
            )
        return "No change was found."

    def sentences(self) -> tuple[str, ...]:
        """What was checked and how far it proves anything; breaks are not among them."""
        digests = sum(chain.digests for chain in self.chains)
        signed = sum(chain.signed for chain in self.chains)
        linked = sum(chain.linked for chain in self.chains)
        unsigned = sum(len(chain.unsigned) for chain in self.chains)
        told = [
            f"{digests:,} digest files in {len(self.chains):,} chain(s): {signed:,} proven by signature, {linked:,} by hash only."
        ]
        if self.keys is None:
            told.append(
                "Signatures were NOT checked: name CloudTrail's public keys with --digest-keys. "
                "Without them hashes find a change here and there, not a chain that was rewritten to its end."
            )
        if unsigned:
            told.append(
                f"{unsigned:,} digest file(s) are vouched for by nothing here: the last of a chain, or before a break. "
                "A digest's signature is in the metadata of its S3 object, and the digest after repeats it."
            )
        if copied := [chain for chain in self.chains if chain.copied]:
            told.append(
                f"{sum(chain.copied for chain in copied):,} digest file(s) are copies: they were not written to where they lie, "
                f"the first of them to {copied[0].copied_from[:300]}."
            )
        told.append(f"{self.logs_proven:,} log files proven, {self.logs_matching:,} with the hash of such a digest.")
        told += [f"{count:,} log files not proven: {why}." for why, count in sorted(self.logs_unproven.items())]
        told += self._interruptions()
        if begun := [start.at for start in self.starts if not start.off_since]:
            when = f"at {utc(min(begun))}" if len(set(begun)) == 1 else f"from {utc(min(begun))} to {utc(max(begun))}"
            told.append(
                f"{len(begun):,} chain(s) start here, {when}: nothing before is proven, for there was no validation."
            )
        return tuple(told)

    def _interruptions(self) -> list[str]:
        """Where a chain has holes or ends that are no breaks."""
        off = [(start, start.off_since) for start in self.starts if start.off_since]
        told = [
            f"{start.place}: a new chain starts at {utc(start.at)}; the one before ends at {utc(since)}. "
            f"Logging or validation was off between: {LOOK}."
            for start, since in off
        ]
        told += [
            f"{chain.place}: the newest digest file ends at {utc(chain.until)}, and what was asked for at {utc(chain.short_of)}. "
            f"Logging or validation was off since, or later ones were deleted with their log files: {LOOK}."
            for chain in self.chains
            if chain.short_of
        ]
        told += [
            f"{chain.place}: the oldest digest file here begins at {utc(chain.since)}, and what was asked for at "
            f"{utc(chain.late_for)}. It names one before it, which is not here: not copied, expired, or deleted."
            for chain in self.chains
            if chain.late_for
        ]
        more = [f"{len(told) - NAMED:,} more interruptions: --json names them."] if len(told) > NAMED else []
        return told[:NAMED] + more
