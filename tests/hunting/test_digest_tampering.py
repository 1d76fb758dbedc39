"""Any combination of tampering with a trail, against what can be known after it."""

from __future__ import annotations

import gzip
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hunting.logs_of import compact, event, export
from tests.hunting.trails_of import FIRST, HOURS, PLACE, Trail, breaks, log_file, trail

BOMB = gzip.compress(b"\0" * (70 * 1024 * 1024), 9)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Trail:
    """Made once: each test works on a copy."""
    return trail(tmp_path_factory.mktemp("trail") / "logs")


DIGEST_TAMPERS = ("edited", "deleted", "empty", "bomb", "swapped")
LOG_TAMPERS = ("changed", "deleted", "planted", "moved", "recompressed", "unpacked", "twice", "two members")


@settings(max_examples=60, deadline=None)
@given(
    digests=st.dictionaries(st.integers(1, HOURS - 2), st.sampled_from(DIGEST_TAMPERS), max_size=3),
    logs=st.dictionaries(st.integers(0, HOURS - 1), st.sampled_from(LOG_TAMPERS), max_size=4),
)
def test_what_was_tampered_with_is_named_and_nothing_else(
    untouched: Trail, digests: dict[int, str], logs: dict[int, str]
) -> None:
    """Any combination of tampering with digests and with log files, against what can be known after it."""
    if sum(how == "swapped" for how in digests.values()) != 2:
        digests = {hour: how for hour, how in digests.items() if how != "swapped"}
    with tempfile.TemporaryDirectory() as folder:
        mine = untouched.copy(Path(folder) / "logs")
        expected = tamper_digests(mine, digests)
        doubted = {hour for hour, how in digests.items() if how != "edited" or readable(digests, hour + 1)}
        for hour, how in logs.items():
            expected |= {one for one in tamper_log(mine, hour, how) if hour not in doubted}
        assert breaks(mine.validated()) == expected


def readable(digests: dict[int, str], hour: int) -> bool:
    """Whether the signature of the digest before is still told by one, wherever it lies."""
    return digests.get(hour, "edited") in {"edited", "swapped"}


def tamper_digests(mine: Trail, digests: dict[int, str]) -> set[tuple[str, str]]:
    """Do it; what must be found."""
    expected: set[tuple[str, str]] = set()
    swapped = [hour for hour, how in digests.items() if how == "swapped"]
    if swapped:
        one, other = (mine.digests[hour].path for hour in swapped)
        packed = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(packed)
    for hour, how in digests.items():
        digest = mine.digests[hour]
        bad = ("changed-digest", mine.name(digest.path))
        if how == "deleted":
            digest.path.unlink()
            after = digests.get(hour + 1)
            if after is None or (after == "edited" and not readable(digests, hour + 2)):
                expected.add(("missing-digest", digest.key))
        elif how == "edited":
            mine.edit(hour, lambda told: told.update(newestEventTime="2026-03-02T09:00:00Z"))
            expected |= {bad} if readable(digests, hour + 1) else set()
        else:
            if how != "swapped":
                digest.path.write_bytes(BOMB if how == "bomb" else b"")
            expected.add(bad)
    return expected


def tamper_log(mine: Trail, hour: int, how: str) -> set[tuple[str, str]]:
    """Do it; what must be found."""
    path = mine.log(hour)
    name, content = mine.name(path), gzip.decompress(path.read_bytes())
    if how == "changed":
        path.write_bytes(gzip.compress(content.replace(b"DescribeInstances", b"DescribeInstancez")))
    elif how == "two members":
        path.write_bytes(path.read_bytes() + gzip.compress(compact([export(5)])))
        how = "changed"
    elif how == "deleted":
        path.unlink()
        how = "missing"
    elif how == "planted":
        at = FIRST + timedelta(hours=hour, minutes=31)
        name = mine.name(log_file(path.parent, at, "AAAAAAAAAAAAAAAA", compact([event(7)])))
    elif how == "moved":
        to = mine.root / PLACE.replace("03/02", "02/01") / path.name
        to.parent.mkdir(parents=True, exist_ok=True)
        name = mine.name(path.rename(to))
    elif how == "recompressed":
        path.write_bytes(gzip.compress(content, 1))
        return set()
    elif how == "unpacked":
        path.unlink()
        path.with_suffix("").write_bytes(content)
        return set()
    else:
        (mine.root / "again").mkdir(exist_ok=True)
        shutil.copy(path, mine.root / "again" / path.name)
        return set()
    return {(f"{how}-log", name)}
