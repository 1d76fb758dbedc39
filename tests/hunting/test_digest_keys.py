"""CloudTrail's public keys, asked of AWS and kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from decisions.digest_keys import KEYS_MAX, NoKeys, keys_of
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


def test_keys_that_cannot_be_had_are_said_and_hashes_are_compared(tmp_path: Path) -> None:
    """One account or Region that may not be asked, which the name of a planted file may tell, does not end the others."""
    mine = trail(tmp_path / "logs")
    aws = OneClient()
    aws.stub.add_client_error("list_public_keys", "AccessDeniedException", "not authorized")
    told = validated(mine.root, Period(), 1 << 24, AwsKeys(aws, NOW))
    (found,) = told.breaks
    assert found.kind == "no-keys"
    assert "not authorized" in found.why
    assert (told.logs_proven, told.logs_matching) == (0, 16)
    assert "NOT known" in told.headline()
    assert told.broken


def test_more_keys_than_are_read_are_refused() -> None:
    """Left out ones would look like keys of a stranger."""
    with pytest.raises(NoKeys, match="more than"):
        keys_of({"PublicKeyList": [{}] * (KEYS_MAX + 1)})


def test_a_key_under_another_fingerprint_is_refused() -> None:
    """The fingerprint is the key's own: a swapped entry would check digests with somebody else's key."""
    one, other = Signer(), Signer()
    swapped = one.public_keys()
    swapped["PublicKeyList"][0]["Value"] = other.public_keys()["PublicKeyList"][0]["Value"]
    with pytest.raises(NoKeys, match="another fingerprint"):
        keys_of(swapped)


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
