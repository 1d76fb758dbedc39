"""What a hunt's statements in Athena have scanned, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass

from decisions.hunt import size_words

MEGABYTE = 2**20
LEAST = 10 * MEGABYTE
"""What a statement is charged for at least; the next whole megabyte otherwise."""
PRICES = "https://aws.amazon.com/athena/pricing/"


@dataclass
class Spent:
    """What the statements of a hunt have scanned, and what it costs."""

    limit: int
    price_per_tb: float
    statements: int = 0
    scanned: int = 0
    charged: int = 0

    def add(self, scanned: int, failed: bool = False) -> None:
        """A statement that has ended; Athena charges for a cancelled one, and not for one that failed."""
        self.statements += 1
        self.scanned += scanned
        if scanned and not failed:
            self.charged += max(LEAST, -(-scanned // MEGABYTE) * MEGABYTE)

    def sentence(self) -> str:
        """For the answer's notes."""
        cost = self.charged / 1e12 * self.price_per_tb
        return (
            f"Athena scanned {size_words(self.scanned)} in {self.statements} statements, of {size_words(self.limit)} that a hunt "
            f"may scan: about {cost:.4f} US dollars at {self.price_per_tb:.2f} a TB (VMEXPORT_HUNT_ATHENA_PRICE_PER_TB; {PRICES})."
        )
