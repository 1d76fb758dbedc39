"""Cuts records out of CloudTrail's compact JSON without parsing it.

A raw quote cannot stand inside a JSON string, so `},{"eventVersion"` separates objects; that these are records and not objects
within one is proved by parsing what stands before: an object that was cut off within a record leaves that record's head as
a piece that is no JSON, and no record is larger than `LARGEST`.
"""

from __future__ import annotations

from collections.abc import Iterator

Text = bytes | bytearray

HEAD = b'{"Records":[{"eventVersion"'
FIRST = len(b'{"Records":[')
LIST = b'[{"eventVersion"'
TAIL = b"}]}"
BETWEEN = b'},{"eventVersion"'
LARGEST = 320 * 1024
"""CloudTrail writes records of at most 256 KB, and leaves out parameters of more than 100 KB."""
COUNTED = 32 * 1024


def compact(text: Text) -> bool:
    """Whether a file is written as CloudTrail writes it, from its first byte to its last."""
    return text.startswith(HEAD) and text.endswith(TAIL)


def around(text: Text, at: int) -> tuple[int, int]:
    """Where the record that holds the byte at `at` begins and ends, in a compact file."""
    begin = text.rfind(BETWEEN, 0, at)
    end = text.find(BETWEEN, at)
    return (FIRST if begin < 0 else begin + 2), (len(text) - 2 if end < 0 else end + 1)


def pieces(text: Text, begin: int = FIRST) -> Iterator[tuple[int, int]]:
    """Beginning and end of every record of a compact file, from one beginning on."""
    while True:
        stop = text.find(BETWEEN, begin)
        if stop < 0:
            yield begin, len(text) - 2
            return
        yield begin, stop + 1
        begin = stop + 2


def lookalikes(text: Text) -> bool:
    """Whether there is a list of what looks like records, beside the list of records."""
    return text.find(LIST, FIRST) >= 0


def before(text: Text, begin: int) -> int:
    """Where to begin parsing to prove what begins at `begin`: the first record within `LARGEST` before it."""
    if begin - LARGEST <= FIRST:
        return FIRST
    return text.find(BETWEEN, begin - LARGEST) + 2


def about_how_many(text: Text) -> int:
    """Records of a compact file: exact up to 32 KB, for larger ones as dense as there."""
    if len(text) <= COUNTED:
        return text.count(BETWEEN) + 1
    return round((text.count(BETWEEN, 0, COUNTED) or 1) * len(text) / COUNTED)
