"""One-time codes: whose they are, that each is good once, and that guessing ends."""

from __future__ import annotations

import logging
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from sqlalchemy import text

from records import approvers
from records.database import transaction
from records.secret_key import KeyProblem

NOW = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
ALICE = "alice@example.com"


@pytest.fixture
def alice(database):
    """Enrolled; her authenticator."""
    return pyotp.parse_uri(approvers.add("Alice@Example.com "))


def seconds(n):
    return NOW + timedelta(seconds=n)


def test_a_code_of_now_and_of_the_step_before_and_after_is_taken_once(alice):
    for step in (0, 30, -30):
        assert approvers.verify(ALICE, alice.at(seconds(step)), now=NOW) == approvers.Verified(ALICE)
        again = approvers.verify(" ALICE@example.com", alice.at(seconds(step)), now=NOW)
        assert isinstance(again, approvers.Refused)
        assert "used already" in again.why


@pytest.mark.parametrize("step", [-90, -60, 60, 90])
def test_a_code_that_is_older_or_newer_is_refused(alice, step):
    assert isinstance(approvers.verify(ALICE, alice.at(seconds(step)), now=NOW), approvers.Refused)


@pytest.mark.parametrize("code", ["", "000", "abcdef", "१२३४५६", "0" * 10000, "\x00", "\ud800", "' or 1=1"])
def test_what_is_no_code_is_refused(alice, code):
    assert isinstance(approvers.verify(ALICE, code, now=NOW), approvers.Refused)


def test_of_twenty_that_hand_in_one_code_at_once_one_is_taken(alice):
    code = alice.at(NOW)
    with ThreadPoolExecutor(20) as pool:
        said = list(pool.map(lambda _: approvers.verify(ALICE, code, now=NOW), range(20)))
    assert sum(isinstance(s, approvers.Verified) for s in said) == 1


def test_guessing_ends_after_five_wrong_codes_even_at_once_and_begins_anew_after_five_minutes(alice):
    wrong = f"{(int(alice.at(NOW)) + 500000) % 1000000:06d}"
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda _: approvers.verify(ALICE, wrong, now=NOW), range(12)))
    assert sum("too many" in s.why for s in said) == 7
    stopped = approvers.verify(ALICE, alice.at(seconds(60)), now=seconds(60))
    assert isinstance(stopped, approvers.Refused)
    assert "10:35:00" in stopped.why
    assert approvers.verify(ALICE, alice.at(seconds(301)), now=seconds(301)) == approvers.Verified(ALICE)


def test_wrong_codes_of_one_person_do_not_stop_another(alice):
    bob = pyotp.parse_uri(approvers.add("bob@example.com"))
    for _ in range(6):
        approvers.verify(ALICE, "x", now=NOW)
    assert approvers.verify("bob@example.com", bob.at(NOW), now=NOW) == approvers.Verified("bob@example.com")
    assert isinstance(approvers.verify(ALICE, bob.at(NOW), now=NOW), approvers.Refused)


def test_the_unknown_and_the_removed_are_refused_and_a_new_enrolment_ends_old_codes(alice):
    for stranger in ("mallory@example.com", "alice\x00@example.com", "", "policy"):
        assert "not enrolled" in approvers.verify(stranger, "123456", now=NOW).why
    approvers.remove(ALICE)
    assert "no longer" in approvers.verify(ALICE, alice.at(NOW), now=NOW).why
    renewed = pyotp.parse_uri(approvers.add(ALICE))
    assert isinstance(approvers.verify(ALICE, alice.at(NOW), now=NOW), approvers.Refused)
    assert approvers.verify(ALICE, renewed.at(NOW), now=NOW) == approvers.Verified(ALICE)


def test_nobody_takes_over_an_address_by_enrolling_it_again(alice):
    with pytest.raises(approvers.NotEnrolled, match="already"):
        approvers.add(ALICE)
    assert approvers.verify(ALICE, alice.at(NOW), now=NOW) == approvers.Verified(ALICE)
    with pytest.raises(approvers.NotEnrolled):
        approvers.remove("bob@example.com")
    assert [(a.address, a.removed_at) for a in approvers.listing()] == [(ALICE, None)]


@pytest.mark.parametrize(
    "address", ["policy", "", "@example.com", "a b@example.com", "a@b@c", "alice@example.com\nx", "é@example.com"]
)
def test_only_addresses_are_enrolled(database, address):
    with pytest.raises(approvers.NotEnrolled):
        approvers.add(address)


def test_the_secret_lies_encrypted_and_its_key_apart_with_mode_0600(alice, tmp_path):
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600
    with transaction() as connection:
        stored = bytes(connection.execute(text("select secret from approver")).scalar_one())
    assert alice.secret.encode() not in stored
    assert (tmp_path / "secret.key").read_bytes() not in stored


def test_a_secret_copied_to_another_row_is_useless_there(alice):
    approvers.add("bob@example.com")
    with transaction() as connection:
        connection.execute(
            text("update approver set secret = (select secret from approver where address like 'alice%')")
        )
    said = approvers.verify("bob@example.com", alice.at(NOW), now=NOW)
    assert isinstance(said, approvers.Refused)
    assert "bob@example.com was not encrypted with the key" in said.why


def test_a_lost_key_is_said_and_never_quietly_replaced(alice, tmp_path):
    (tmp_path / "secret.key").unlink()
    assert "restore it" in approvers.verify(ALICE, alice.at(NOW), now=NOW).why
    with pytest.raises(KeyProblem, match="restore it"):
        approvers.add("bob@example.com")
    assert not (tmp_path / "secret.key").exists()


@pytest.mark.parametrize(("mode", "content", "words"), [(0o644, None, "chmod 600"), (0o600, b"short", "5 bytes")])
def test_a_key_file_that_is_open_or_broken_is_refused(alice, tmp_path, mode, content, words):
    path = tmp_path / "secret.key"
    if content is not None:
        path.write_bytes(content)
    path.chmod(mode)
    assert words in approvers.verify(ALICE, alice.at(NOW), now=NOW).why


def test_codes_and_secrets_are_not_logged(alice, caplog):
    caplog.set_level(logging.DEBUG)
    code = alice.at(NOW)
    approvers.verify(ALICE, code, now=NOW)
    approvers.verify(ALICE, code, now=NOW)
    assert code not in caplog.text
    assert alice.secret not in caplog.text
