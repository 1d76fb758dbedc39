"""Validation of log files by digest files: each kind of tampering is found, and exactly what was tampered with is named."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from pathlib import Path

import pytest

from decisions.digest_logs import DOUBTED, UNCOVERED
from lab.trail_digests import HOUR, Signer, write_digest
from tasks.hunting.coverage import Period
from tasks.hunting.digest_keys import FileKeys
from tasks.hunting.digests import validated
from tests.hunting.logs_of import compact, event
from tests.hunting.trails_of import FIRST, HOURS, PLACE, Trail, breaks, log_file, trail


def test_an_untouched_trail_is_whole_but_for_the_newest_signature(mine: Trail) -> None:
    """All log files but those of the newest digest are proven; that one's signature is in no file."""
    told = mine.validated()
    assert told.complete
    assert not told.broken
    assert (told.logs_proven, told.logs_matching, told.logs_unproven) == (2 * (HOURS - 1), 2, {})
    (chain,) = told.chains
    assert chain.unsigned == (mine.name(mine.digests[-1].path),)
    assert (chain.digests, chain.signed, chain.linked, chain.bad) == (HOURS + 1, HOURS, 0, 0)


def test_the_newest_signature_may_be_kept_beside_the_digest(mine: Trail) -> None:
    """Then the newest is proven, too; a wrong one is a break."""
    newest = mine.digests[-1]
    beside = newest.path.with_name(f"{newest.path.name}.signature")
    beside.write_text(f'"{newest.signature}"\n')
    told = mine.validated()
    assert told.logs_proven == 2 * HOURS
    assert told.chains[0].unsigned == ()
    mine.edit(HOURS - 1, lambda digest: digest["logFiles"].clear())
    assert ("changed-digest", mine.name(newest.path)) in breaks(mine.validated())


def test_without_keys_hashes_are_compared_and_signatures_are_not(mine: Trail) -> None:
    """A change in the middle is still found; the answer says what was not checked."""
    told = mine.validated(signed=False)
    assert told.keys is None
    assert (told.logs_proven, told.logs_matching) == (0, 2 * HOURS)
    assert any("Signatures were NOT checked" in line for line in told.sentences())
    mine.edit(3, lambda digest: digest.update(newestEventTime=None))
    assert breaks(mine.validated(signed=False)) == {("changed-digest", mine.name(mine.digests[3].path))}


def test_a_chain_that_was_signed_anew_with_another_key_is_found(mine: Trail, tmp_path: Path) -> None:
    """Whoever rewrites all digests can sign them with his own key only: under CloudTrail's fingerprint, or his own."""
    forger = Signer()
    forged = trail(tmp_path / "forged", forger)
    mine.key_file()
    told = validated(forged.root, Period(), 1 << 24, FileKeys([mine.key_file()]))
    before_the_newest = {forged.name(path) for path in digest_paths(forged)[:-1]}
    assert breaks(told) == {("unknown-key", name) for name in before_the_newest}
    assert told.logs_proven == 0
    (tmp_path / "renamed.json").write_text(json.dumps(mine.signer.public_keys()))
    again = trail(tmp_path / "again", _Impostor(key=forger.key, of=mine.signer.fingerprint))
    told = validated(again.root, Period(), 1 << 24, FileKeys([tmp_path / "renamed.json"]))
    assert breaks(told) == {("changed-digest", again.name(path)) for path in digest_paths(again)[:-1]}


class _Impostor(Signer):
    """Signs with one key and names another."""

    def __init__(self, key: object, of: str) -> None:
        super().__init__(key=key)  # type: ignore[arg-type] - an RSA key of another Signer
        self._of = of

    @property
    def fingerprint(self) -> str:
        return self._of


def digest_paths(mine: Trail) -> list[Path]:
    """All digest files, the oldest first."""
    return sorted(mine.root.glob("**/*_CloudTrail-Digest_*"))


def test_a_restart_is_no_break_and_is_named_with_the_time_between(tmp_path: Path) -> None:
    """Whoever stops logging is seen where the chain starts anew, and log files of the hours between prove nothing."""
    restarted = trail(tmp_path / "logs", restarts=[FIRST + timedelta(hours=5)])
    for hour in (2, 3):
        restarted.digests[hour].path.unlink()  # nobody names the last digest before logging was stopped
    told = restarted.validated()
    assert not told.broken
    assert not told.complete
    first, again = told.starts
    assert first.off_since is None
    begin = FIRST + timedelta(minutes=1, seconds=31)
    assert (again.off_since, again.at) == (begin + 2 * HOUR, begin + 4 * HOUR)
    assert told.logs_unproven == {UNCOVERED: 4}
    assert any("StopLogging" in line for line in told.sentences())


def test_an_older_digest_under_the_newest_name_is_found(mine: Trail) -> None:
    """Nothing vouches for the newest, but each digest says which it is."""
    mine.digests[-1].path.write_bytes(mine.digests[2].path.read_bytes())
    told = mine.validated()
    assert breaks(told) == {("changed-digest", mine.name(mine.digests[-1].path))}
    assert "it says that it is" in told.breaks[0].why


def test_a_digest_that_nobody_names_is_planted(mine: Trail) -> None:
    """One between two others, though it names the one before rightly."""
    at = mine.digests[3]
    end = FIRST + timedelta(hours=4, minutes=31)
    region = mine.root / PLACE.rsplit("/", 3)[0]
    planted = write_digest(mine.root, region, Signer(), end - HOUR / 2, end, [], at)
    assert breaks(mine.validated()) == {("planted-digest", mine.name(planted.path))}
    assert breaks(mine.validated(signed=False)) == {("planted-digest", mine.name(planted.path))}


def test_backfill_digests_vouch_for_log_files_as_well(mine: Trail) -> None:
    """A log file that came late is named by a backfill digest only, which has a chain of its own."""
    path = log_file(mine.root / PLACE, FIRST + timedelta(hours=2, minutes=30), "BBBBBBBBBBBBBBBB", compact([event(3)]))
    assert breaks(mine.validated()) == {("planted-log", mine.name(path))}
    region = mine.root / PLACE.rsplit("/", 3)[0]
    end = FIRST + timedelta(hours=3, minutes=1, seconds=31)
    late = write_digest(mine.root, region, mine.signer, end - HOUR, end, [path], None, backfill=True)
    told = mine.validated()
    assert not told.broken
    assert told.logs_matching == 3
    late.path.with_name(f"{late.path.name}.signature").write_text(late.signature)
    assert mine.validated().logs_matching == 2


def test_names_in_a_digest_are_never_opened(mine: Trail, tmp_path: Path) -> None:
    """A digest may name anything: it is looked for among the names found, and missing."""
    secret = tmp_path / "secret.json"
    secret.write_text("{}")
    entry = {"s3Bucket": "b", "hashValue": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "hashAlgorithm": "SHA-256"}  # fmt: skip
    names = ["../../secret.json", str(secret.with_name("other.json")), "../" * 20 + "etc/passwd", "\x1b[2J|`x`"]
    mine.edit(HOURS - 1, lambda told: told["logFiles"].extend(entry | {"s3Object": name} for name in names))
    assert breaks(mine.validated()) == {("missing-log", name) for name in names}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[]", "no JSON object"),
        (b"[" * 100_000, "no JSON"),
        (b'{"digestSignatureAlgorithm": "SHA1withRSA"}', "SHA256withRSA"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b"\xff\xfe", "no JSON"),
    ],
)
def test_a_digest_that_is_none_is_changed(mine: Trail, content: bytes, why: str) -> None:
    """Whatever lies under the name of a digest is named with the reason, and hides no other."""
    mine.digests[2].path.write_bytes(gzip.compress(content))
    told = mine.validated()
    assert breaks(told) == {("changed-digest", mine.name(mine.digests[2].path))}
    assert why in told.breaks[0].why
    assert told.logs_unproven == {UNCOVERED: 2}


@pytest.mark.parametrize(
    "field",
    ["logFiles", "digestEndTime", "previousDigestSignature", "previousDigestHashValue", "digestS3Object"],
)
def test_a_digest_that_lacks_a_field_is_changed(mine: Trail, field: str) -> None:
    """AWS writes all of them always, as null at the start of a chain."""
    mine.edit(2, lambda told: told.pop(field))
    assert breaks(mine.validated()) == {("changed-digest", mine.name(mine.digests[2].path))}


def test_log_files_of_a_changed_digest_are_not_proven(mine: Trail) -> None:
    """Its list may be the attacker's: neither what it names nor what it leaves out is believed."""
    mine.edit(4, lambda told: told["logFiles"].pop())
    told = mine.validated()
    assert breaks(told) == {("changed-digest", mine.name(mine.digests[4].path))}
    assert told.logs_unproven == {DOUBTED: 1, UNCOVERED: 1}
