"""CloudTrail's public keys, asked of AWS and kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from decisions.digest_keys import NoKeys, keys_of
from lab.trail_digests import Signer
from tasks.hunting.coverage import Period
from tasks.hunting.digest_keys import AwsKeys, FileKeys
from tasks.hunting.digests import validated
from tests.hunting.logs_of import ACCOUNT, REGION
from tests.hunting.trails_of import FIRST, trail

NOW = datetime(2026, 3, 3, tzinfo=UTC)


class OneClient:
    """A client whose answers botocore checks against AWS's model (moto has no ListPublicKeys)."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self._client = boto3.client("cloudtrail", REGION, aws_access_key_id="x", aws_secret_access_key="x")
        self.asked: list[tuple[str, str, str, str | None]] = []
        self.stub = Stubber(self._client)
        for answer in answers:
            self.stub.add_response("list_public_keys", answer)
        self.stub.activate()

    def client(self, service: str, *, account: str, tier: str, region: str | None = None) -> Any:
        self.asked.append((service, account, tier, region))
        return self._client


def answer(signer: Signer, **more: str) -> dict[str, Any]:
    """As AWS answers."""
    one = {"Fingerprint": signer.fingerprint, "Value": signer.der, "ValidityStartTime": FIRST, "ValidityEndTime": NOW}
    return {"PublicKeyList": [one], **more}


def test_keys_of_aws_prove_a_trail_and_once_kept_prove_it_again(tmp_path: Path) -> None:
    """Asked with the read role in the digests' Region, all pages; what is kept is what --digest-keys reads."""
    mine = trail(tmp_path / "logs")
    aws = OneClient(answer(Signer(), NextToken="more"), answer(mine.signer))
    keys = AwsKeys(aws, NOW)
    told = validated(mine.root, Period(), 1 << 24, keys)
    assert not told.broken
    assert told.keys == 2
    assert told.logs_proven == 14
    assert aws.asked == [("cloudtrail", ACCOUNT, "read", REGION)]
    aws.stub.assert_no_pending_responses()
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps(keys.document()))
    again = validated(mine.root, Period(), 1 << 24, FileKeys([kept]))
    assert (again.logs_proven, again.keys) == (14, 2)


def test_a_key_under_another_fingerprint_is_refused() -> None:
    """The fingerprint is the key's own: a swapped entry would check digests with somebody else's key."""
    one, other = Signer(), Signer()
    swapped = one.public_keys()
    swapped["PublicKeyList"][0]["Value"] = other.public_keys()["PublicKeyList"][0]["Value"]
    with pytest.raises(NoKeys, match="another fingerprint"):
        keys_of(swapped)
