"""What it costs to read logs in a bucket, before they are read: requests, retrieval and transfer at list prices."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass
class Reading:
    """What reading objects once takes; filled object by object."""

    objects: int = 0
    gets: int = 0
    size: int = 0
    usd: float = 0.0
    """Requests and retrieval."""

    def add(self, storage: str, gets: int, size: int) -> None:
        """An object of a storage class, read by so many requests. A class that is not known costs as the dearest."""
        self.objects += 1
        self.gets += gets
        self.size += size
        self.usd += gets * GET.get(storage, max(GET.values())) + size / GB * RETRIEVAL.get(storage, 0.0)


class Estimate(Frozen):
    """What reading costs at most, at list prices, in US dollars."""

    objects: int
    size: int
    """Bytes of all of them, read once."""
    listed: int
    """LIST requests, which are made already."""
    gets: int
    """GET requests that read each object once."""
    passes: int
    """How often each is read at most: a hunt reads what exports concern a second time, a validation all of them once more."""
    digests: int = 0
    """Digest files that a validation reads: once, and they are in no other number but the sums."""
    digest_gets: int = 0
    in_region: bool
    listing_usd: float
    reading_usd: float
    """Requests and retrieval, of all passes."""
    transfer_usd: float
    """Of all passes."""
    prices: str = PRICES

    @computed_field
    @property
    def usd(self) -> float:
        """The sum."""
        return round(self.listing_usd + self.reading_usd + self.transfer_usd, 6)

    def sentence(self) -> str:
        """For a person."""
        moved = "in-Region transfer is free"
        if not self.in_region:
            free = "free in the bucket's Region: VMEXPORT_HUNT_S3_IN_REGION=true"
            moved = f"{dollars(self.transfer_usd)} of it is transfer ({free})"
        requests = f"{self.listed:,} LIST and at most {self.passes * self.gets + self.digest_gets:,} GET requests"
        digests = f" and {self.digests:,} digest file(s)" if self.digests else ""
        return (
            f"{self.objects:,} object(s){digests}, {size_words(self.size)}; {requests}. At most {dollars(self.usd)}; {moved}. "
            f"{self.prices[0].upper()}{self.prices[1:]}."
        )


def dollars(amount: float) -> str:
    """With cents; less than a cent with as much as tells it from nothing."""
    return f"${amount:,.2f}" if amount >= 0.01 or not amount else f"${amount:.6f}"


def estimate(listed: int, read: Reading, passes: int, in_region: bool, digests: Reading) -> Estimate:
    """`listed`: LIST requests made; `read`: what each pass reads; `digests`: what is read once."""
    return Estimate(
        objects=read.objects,
        size=read.size,
        listed=listed,
        gets=read.gets,
        passes=passes,
        digests=digests.objects,
        digest_gets=digests.gets,
        in_region=in_region,
        listing_usd=listed * LIST,
        reading_usd=passes * read.usd + digests.usd,
        transfer_usd=0.0 if in_region else (passes * read.size + digests.size) / GB * TRANSFER,
    )
