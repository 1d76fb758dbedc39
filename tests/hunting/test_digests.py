"""Validation of log files by digest files: each kind of tampering is found, and exactly what was tampered with is named."""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.digest_keys import keys_of
from decisions.digest_logs import DOUBTED, LATER, UNCOVERED
from lab.trail_digests import HOUR, Signer, write_digest, write_digests
from tasks.hunting.coverage import Period
from tasks.hunting.digest_keys import FileKeys
from tasks.hunting.digests import validated
from tests.hunting.logs_of import ACCOUNT, REGION, compact, event, export
from tests.hunting.trails_of import FIRST, HOURS, PLACE, Trail, breaks, log_file, trail

BOMB = gzip.compress(b"\0" * (70 * 1024 * 1024), 9)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Trail:
    """Made once: each test works on a copy."""
    return trail(tmp_path_factory.mktemp("trail") / "logs")


@pytest.fixture
def mine(untouched: Trail, tmp_path: Path) -> Trail:
    """A copy to tamper with."""
    return untouched.copy(tmp_path / "logs")


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


def test_digests_missing_at_the_end_are_found_by_log_files_that_came_later(mine: Trail) -> None:
    """The last hours' digests are named by nobody; that log files were delivered after them shows it."""
    for digest in mine.digests[-3:]:
        digest.path.unlink()
    told = mine.validated()
    assert breaks(told) == {("missing-digest", f"{ACCOUNT} {REGION}")}
    assert told.logs_unproven == {LATER: 6}


def test_a_place_without_any_digest_is_a_break(mine: Trail) -> None:
    """Whoever deletes all digests of a Region is seen, as validation writes them every hour for each Region."""
    other = mine.root / PLACE.replace(REGION, "eu-west-1")
    path = log_file(other, FIRST, "CCCCCCCCCCCCCCCC", compact([event(1)]))
    path.rename(path.with_name(path.name.replace(REGION, "eu-west-1")))
    assert breaks(mine.validated()) == {("no-digests", f"{ACCOUNT} eu-west-1")}
    shutil.rmtree(mine.root / f"AWSLogs/{ACCOUNT}/CloudTrail-Digest")
    told = mine.validated()
    assert ("no-digests", f"{ACCOUNT} {REGION}") in breaks(told)
    assert "no digest file" in told.headline()


def test_a_file_with_another_name_in_the_folder_of_log_files_is_planted(mine: Trail) -> None:
    """It would be searched as any other."""
    (mine.root / PLACE / "extra.json").write_bytes(compact([export(1)]))
    assert breaks(mine.validated()) == {("planted-log", f"{PLACE}/extra.json")}


@pytest.mark.parametrize("stamp", ["00010101T0000Z", "99991231T2359Z", "20261332T2561Z"])
def test_names_of_no_plausible_time_are_no_names_of_cloudtrail(mine: Trail, stamp: str) -> None:
    """Somebody may give a file any name."""
    (mine.root / PLACE / f"{ACCOUNT}_CloudTrail_{REGION}_{stamp}_DDDDDDDDDDDDDDDD.json.gz").write_bytes(b"")
    digest = mine.digests[2].path
    shutil.copy(digest, digest.with_name(f"{ACCOUNT}_CloudTrail-Digest_{REGION}_t_{REGION}_{stamp[:13]}59Z.json.gz"))
    assert {kind for kind, _ in breaks(mine.validated())} == {"planted-log"}


def test_a_copy_of_some_days_is_whole(tmp_path: Path) -> None:
    """The first digest of a copy names the one before, and log files of the evening before: neither is missing here."""
    place = tmp_path / "logs" / f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}"
    for number in range(8):
        at = FIRST.replace(day=1, hour=21, minute=40) + number * HOUR
        log_file(place / f"{at:%Y/%m/%d}", at, f"{number:016X}", compact([event(number)]))
    mine = Trail(tmp_path / "logs", signer := Signer(), [])
    write_digests(mine.root, signer)
    whole = mine.validated()
    assert not whole.broken
    shutil.rmtree(place / "2026/03/01")
    shutil.rmtree(place.parents[0].parent / f"CloudTrail-Digest/{REGION}/2026/03/01")
    told = mine.validated()
    assert not told.broken
    assert sum(told.logs_unproven.values()) == 1
    period = Period(FIRST.replace(hour=0), FIRST.replace(hour=23))
    assert not mine.validated(period=period).broken


def test_a_period_is_validated_with_what_its_neighbours_know(tmp_path: Path) -> None:
    """Only digests and log files of the period are judged; the digest after the last is read for its signature."""
    place = tmp_path / "logs" / f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}"
    for number in range(5 * 24):
        at = FIRST + number * HOUR
        log_file(place / f"{at:%Y/%m/%d}", at, f"{number:016X}", compact([event(number)]))
    mine = Trail(tmp_path / "logs", Signer(), [])
    digests = write_digests(mine.root, mine.signer)
    digests[-1].path.write_bytes(b"")
    sorted(place.glob("2026/03/06/*"))[0].write_bytes(b"")
    assert len(breaks(mine.validated())) == 2
    told = mine.validated(period=Period(FIRST, FIRST + 24 * HOUR))
    assert not told.broken
    assert told.chains[0].unsigned == ()
    assert told.logs_matching == 0


def test_aws_own_keys_and_a_signature_of_theirs_are_of_the_form_that_is_checked() -> None:
    """From AWS's documentation: the public key 31e8… and the signature in its sample digest file.

    The text that was signed is not published; but the signature opens under the key to the SHA-256 of some text, padded as
    we check it, and the fingerprint is the key's MD5. No genuine set of digest files was to be had.
    """
    (key,) = keys_of(
        {"PublicKeyList": [{"Fingerprint": "31e8b5433410dfb61a9dc45cc65b22ff", "Value": AWS_KEY}]}
    ).values()
    opened = key.recover_data_from_signature(bytes.fromhex(AWS_SIGNATURE), PKCS1v15(), SHA256())
    assert len(opened) == 32


AWS_KEY = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAqlzPJbvZJ42UdcmLfPUqXYNfOs6I8lCfao/tOs8CmzPOEdtLWugB9xoIUz78qVHdKIqxbaG4jWHf"
    "JBiOSSFBM0lt8cdVo4TnRa7oG9io5pysS6DJhBBAeXsicufsiFJR+wrUNh8RSLxL4k6G1+BhLX20tJkZ/erT97tDGBujAelqseGg3vPZbTx9SMfOLN65PdLF"
    "udLP7Gat0Z9p5jw/rjpclKfo9Bfc3heeBxWGKwBBOKnFAaN9V57pOaosCvPKmHd9bg7jsQkI9Xp22IzGLsTFJZYVA3KiTAElDMu80iFXPHEq9hKNbt9e4URF"
    "am+1utKVEiLkR2disdCmPTK0VQIDAQAB"
)
AWS_SIGNATURE = (
    "50887ccffad4c002b97caa37cc9dc626e3c680207d41d27fa5835458e066e0d3652fc4dfc30937e4d5f4cc7f796e7a258fb50a43ac427f2237f6e505"
    "d4efaf373d156e15e3b68dea9f58111d395b62628d6bd367a9024d2183b5c5f6e19466d3a996b92df705bc997b8a0e13430f241d733cf95df4e41bb6"
    "c304c3f58363043572ea57a27085639ce187e679c0d81c7519b1184fa77fb7ab0b0e40a32dace6e1eefc3995c5ae182da49b62b26398cebb52a2201a"
    "6387b75b89c83e5570bcb9bba6c34a80f2f00a1c6ebe07d1ff149eccd812dc805bb3eeff6657db32a6cb48d2d096404eb76181877bc6ebb8cd0b23f8"
    "23200155b2fd8848d428e46e8456328a"
)
