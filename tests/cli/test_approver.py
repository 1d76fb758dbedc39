"""`vmexport approver`: a person is enrolled with a code that their authenticator reads, shown once."""

from __future__ import annotations

import json
import re

import pyotp

from cli.approver import RESET, qr_code
from records import approvers
from tests.decisions.story import at


def secret_shown(text: str) -> str:
    found = re.search(r"^ {4}((?:[A-Z2-7]{4} ?)+)$", text, re.M)
    assert found, text
    return found[1].replace(" ", "")


def test_the_key_that_is_printed_gives_codes_that_count(vmexport, database):
    answer = vmexport("approver", "add", "Alice@example.com")
    assert answer.code == 0
    assert "█" in answer.out
    assert "\x1b" not in answer.out
    code = pyotp.TOTP(secret_shown(answer.out)).at(at(0))
    assert isinstance(approvers.verify("alice@example.com", code, now=at(0)), approvers.Verified)


def test_the_uri_for_machines_is_the_same_enrolment(vmexport, database):
    told = json.loads(vmexport("approver", "add", "alice@example.com", "--json").out)
    code = pyotp.parse_uri(told["provisioning_uri"]).at(at(0))
    assert isinstance(approvers.verify(told["address"], code, now=at(0)), approvers.Verified)


def test_a_terminal_gets_the_code_in_colours_of_its_own_that_end_with_each_line():
    lines = qr_code("otpauth://totp/x", coloured=True).split("\n")
    assert all(line.startswith("\x1b[") and line.endswith(RESET) for line in lines)


def test_who_is_enrolled_already_or_has_no_address_is_told_what_to_do(vmexport, database):
    vmexport("approver", "add", "alice@example.com")
    again, nobody = vmexport("approver", "add", "alice@example.com"), vmexport("approver", "add", "alice")
    assert (again.code, nobody.code) == (2, 2)
    assert "remove it first" in again.err
    assert "not an address" in nobody.err
    assert "█" not in again.out + nobody.out


def test_list_and_remove(vmexport, database):
    assert vmexport("approver", "list").code == 1
    vmexport("approver", "add", "alice@example.com")
    listed = vmexport("approver", "list")
    assert (listed.code, "alice@example.com" in listed.out) == (0, True)
    assert vmexport("approver", "remove", "alice@example.com").code == 0
    gone = vmexport("approver", "list", "--json")
    assert json.loads(gone.out)[0]["removed_at"]
    assert gone.code == 1
    assert vmexport("approver", "remove", "alice@example.com").code == 2
