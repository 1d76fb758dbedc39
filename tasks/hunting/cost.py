"""What it costs to read logs in a bucket, before they are read: requests, retrieval and transfer at list prices."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import computed_field

from decisions.evidence import Frozen
from decisions.hunt import size_words

PRICES = (
    "list prices of S3 in us-east-1, looked up on 2026-11-24; other Regions differ, and what KMS takes is not in it"
)
LIST = 5.00 / 1e6
"""US dollars a request; HEAD counts as a GET."""
GET = {
    "STANDARD": 0.40 / 1e6, "INTELLIGENT_TIERING": 0.40 / 1e6, "STANDARD_IA": 1.00 / 1e6, "ONEZONE_IA": 1.00 / 1e6,
    "GLACIER_IR": 10.00 / 1e6, "GLACIER": 0.40 / 1e6, "DEEP_ARCHIVE": 0.40 / 1e6, "REDUCED_REDUNDANCY": 0.40 / 1e6,
}  # fmt: skip
RETRIEVAL = {"STANDARD_IA": 0.01, "ONEZONE_IA": 0.01, "GLACIER_IR": 0.03}
"""US dollars a GB, of storage classes that charge for reading."""
TRANSFER = 0.09
"""US dollars a GB out of AWS (first 10 TB a month). Into a machine in the bucket's Region it is free."""
GB = 1e9


class Estimate(Frozen):
    """What reading costs at most. Each object is read once; what an export concerns, a second time."""

    listed: int
    """LIST requests, which are made already."""
    gets: int
    """Requests that read every object once."""
    objects: int
    size: int
    """Bytes of all objects, read once."""
    in_region: bool
    listing_usd: float
    reading_usd: float
    """Requests and retrieval, of reading once."""
    transfer_usd: float
    """Of reading once."""
    prices: str = PRICES

    @computed_field
    @property
    def usd(self) -> float:
        """At most, were every object read twice."""
        return round(self.listing_usd + 2 * (self.reading_usd + self.transfer_usd), 4)

    def sentence(self) -> str:
        """For a person."""
        moved = (
            "in-Region transfer is free"
            if self.in_region
            else f"transfer out of the Region ${2 * self.transfer_usd:.2f} (free when this runs in it: VMEXPORT_HUNT_S3_IN_REGION=true)"
        )
        return (
            f"{self.objects:,} objects, {size_words(self.size)}: {self.listed:,} LIST and {self.gets:,} GET requests a pass. "
            f"At most ${self.usd:.2f} for two passes over all of it; {moved}. ({self.prices}.)"
        )


def estimate(listed: int, classes: Mapping[str, tuple[int, int, int]], in_region: bool) -> Estimate:
    """`classes`: storage class -> objects, GET requests, bytes."""
    objects, gets, size = (sum(told[n] for told in classes.values()) for n in range(3))
    dearest = max(GET.values())
    reading = sum(
        requests * GET.get(name, dearest) + held / GB * RETRIEVAL.get(name, 0.0)
        for name, (_, requests, held) in classes.items()
    )
    return Estimate(
        listed=listed,
        gets=gets,
        objects=objects,
        size=size,
        in_region=in_region,
        listing_usd=listed * LIST,
        reading_usd=reading,
        transfer_usd=0.0 if in_region else size / GB * TRANSFER,
    )
