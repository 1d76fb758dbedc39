"""CloudTrail's public keys, and whether a digest's signature fits: RSA, PKCS #1 v1.5, SHA-256, in hex.

Source: AWS's ListPublicKeys and "Custom implementations of CloudTrail log file integrity validation". A fingerprint is the
MD5 of the key's DER bytes as AWS gives them: not documented, but so for each of the four keys in AWS's own examples.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any, cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

Keys = Mapping[str, RSAPublicKey]
"""By fingerprint."""
KEYS_MAX = 10_000


class NoKeys(ValueError):
    """A document holds no public keys that can be used; the sentence says why."""


def keys_of(document: object) -> dict[str, RSAPublicKey]:
    """The keys of an answer of ListPublicKeys as the AWS CLI prints it (`Value` in base64). Raises NoKeys."""
    named = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    listed = named.get("PublicKeyList", named.get("publicKeyList"))
    if not isinstance(listed, list):
        raise NoKeys("it has no PublicKeyList")
    keys: dict[str, RSAPublicKey] = {}
    keys_told = cast("list[object]", listed)
    if len(keys_told) > KEYS_MAX:
        raise NoKeys(f"it has more than {KEYS_MAX} keys")
    for one in keys_told:
        said = cast("dict[str, Any]", one) if isinstance(one, dict) else {}
        fingerprint, value = said.get("Fingerprint"), said.get("Value")
        if not isinstance(fingerprint, str) or not isinstance(value, str):
            raise NoKeys("a key in it has no Fingerprint or no Value")
        try:
            keys[fingerprint] = public_key(fingerprint, base64.b64decode(value, validate=True))
        except binascii.Error as error:
            raise NoKeys(f"the Value of the key {fingerprint[:64]} is no base64") from error
    return keys


def public_key(fingerprint: str, der: bytes) -> RSAPublicKey:
    """A key from its DER bytes: PKCS #1, or SubjectPublicKeyInfo as AWS gave them, too. Raises NoKeys."""
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise NoKeys(f"the key {fingerprint[:64]} cannot be read ({str(error)[:100]})") from error
    if not isinstance(key, RSAPublicKey):
        raise NoKeys(f"the key {fingerprint[:64]} is no RSA key")
    if fingerprint_of(der) != fingerprint.lower():
        raise NoKeys(f"the key under {fingerprint[:64]} has another fingerprint, {fingerprint_of(der)}")
    return key


def fingerprint_of(der: bytes) -> str:
    """How CloudTrail names a key."""
    return hashlib.md5(der, usedforsecurity=False).hexdigest()


def fits(key: RSAPublicKey, signature: str, text: bytes) -> bool:
    """Whether a signature in hex is the key's for a text."""
    try:
        key.verify(bytes.fromhex(signature), text, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True
