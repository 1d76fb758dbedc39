"""How an actor signed in: whatever name the record gives the person, and nothing that other people did."""

from __future__ import annotations

import gzip
import json

import pytest

from tasks.logs.files import CloudTrailFiles
from tests.records_of import cloudtrail_record
from tests.tasks.logs.test_files import SCOPE

PERSON = "jo.contractor@example.com"
SESSION = f"arn:aws:sts::111122223333:assumed-role/platform-admin/{PERSON}"
CONSOLE = {"eventName": "ConsoleLogin", "eventSource": "signin.amazonaws.com"}
SAML = {"type": "SAMLUser", "principalId": f"idp:{PERSON}", "userName": PERSON}
CENTER = {"type": "IdentityCenterUser", "accountId": "111122223333"}
SIGN_INS = {
    "console": CONSOLE,
    "refused": CONSOLE | {"errorMessage": "Failed authentication", "responseElements": {"ConsoleLogin": "Failure"}},
    "saml": {"eventName": "AssumeRoleWithSAML", "eventSource": "sts.amazonaws.com", "userIdentity": SAML},
    "center": {
        "eventName": "CredentialVerification",
        "eventSource": "signin.amazonaws.com",
        "userIdentity": CENTER,
        "additionalEventData": {"UserName": PERSON},
    },
    "chain": {"eventName": "AssumeRole", "eventSource": "sts.amazonaws.com"},
}
OTHERS = {
    "export": {},
    "other": SIGN_INS["center"] | {"additionalEventData": {"UserName": "someone.else@example.com"}},
    "strange": SIGN_INS["center"] | {"additionalEventData": {"UserName": [PERSON]}},
}


@pytest.fixture
def store(tmp_path):
    day = tmp_path / "AWSLogs" / "111122223333" / "CloudTrail" / "us-east-1" / "2026" / "03" / "02"
    day.mkdir(parents=True)
    records = [cloudtrail_record(name, **change) for name, change in (SIGN_INS | OTHERS).items()]
    (day / "a.json.gz").write_bytes(gzip.compress(json.dumps({"Records": records}).encode()))
    return CloudTrailFiles(tmp_path, 1_000_000, 100)


def test_every_way_in_is_found_by_the_name_of_the_person(store):
    found = store.authentication([PERSON], SCOPE)
    assert {r.event_id for r in found.records} == set(SIGN_INS)
    assert found.coverage.complete


def test_a_session_is_found_by_its_arn(store):
    assert {r.event_id for r in store.authentication([SESSION], SCOPE).records} == {"console", "refused", "chain"}
