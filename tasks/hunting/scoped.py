"""A source of which only some accounts and Regions count: what else it finds is left out, what follows from it is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from decisions.activity import LogRecord
from decisions.hunt import HuntCoverage
from decisions.sigma import Rule
from tasks.hunting.source import EXPORTS, Followed, Found, Source


@dataclass
class Scoped:
    """The source, for exports and rules within the accounts and Regions; empty is all of them.

    A record that tells neither counts: not known is not elsewhere. Who read an exported object is looked for everywhere.
    """

    source: Source
    accounts: Collection[str] = ()
    regions: Collection[str] = ()
    _counts: Counter[str] = field(default_factory=Counter[str])

    def first(self, rules: Sequence[Rule]) -> Sequence[Found]:
        """What the source finds, within the scope."""
        kept = [one for one in self.source.first(rules) if self._holds(one.record)]
        self._counts = Counter(name for one in kept for name in one.searches if name != EXPORTS)
        return kept

    def second(self, followed: Followed) -> Sequence[Found]:
        """As the source."""
        return self.source.second(followed)

    def counts(self) -> Mapping[str, int]:
        """By rule, of what was kept."""
        return self._counts if self.accounts or self.regions else self.source.counts()

    def unasked(self) -> Sequence[tuple[str, str]]:
        """As the source."""
        return self.source.unasked()

    def coverage(self, gaps: Sequence[str]) -> HuntCoverage:
        """As the source, that others were left out, and of which accounts there was nothing to be searched."""
        coverage = self.source.coverage(gaps)
        if not (self.accounts or self.regions):
            return coverage
        places = " and ".join(
            f"{what} {', '.join(sorted(names))}"
            for what, names in (("accounts", self.accounts), ("Regions", self.regions))
            if names
        )
        said = f"Only {places} were asked about; the numbers above are of all that lies here."
        absent = sorted(set(self.accounts) - set(coverage.accounts)) if coverage.accounts is not None else []
        nothing = (
            f"Nothing of account {account} is among what was searched: it did nothing, or its logs lie elsewhere."
            for account in absent
        )
        return coverage.model_copy(update={"gaps": (*coverage.gaps, *nothing), "notes": (*coverage.notes, said)})

    def _holds(self, record: LogRecord) -> bool:
        account = record.recipient_account or (record.caller_account if record.category != "access-log" else None)
        return (not self.accounts or account is None or account in self.accounts) and (
            not self.regions or record.region is None or record.region in self.regions
        )
