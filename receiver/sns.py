"""What SNS sends: who signed it, and what may be believed of it. Its signature is the authentication; there is no secret.

Checked: the topic is listed; the certificate comes over TLS from `sns.<region>.amazonaws.com`, names SNS, is valid today,
and signed exactly these fields; certificates that come with it issued each other. Not checked: the chain up to Amazon's
root, because SNS serves its certificate without the authority's. What vouches for it is the TLS of the host it comes from.
"""

from __future__ import annotations

import binascii
import re
import time
from base64 import b64decode
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import httpx
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

HOST = re.compile(r"sns\.([a-z]{2,4}(?:-[a-z]+)+-\d{1,2})\.amazonaws\.com(\.cn)?", re.ASCII)
CERTIFICATE_PATH = re.compile(r"/[A-Za-z0-9_.-]{1,200}\.pem", re.ASCII)
CONFIRM = "SubscriptionConfirmation"
SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    CONFIRM: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
DIGESTS: dict[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303 - SNS's version 1 is SHA-1
FRESH = timedelta(hours=1)
FETCH_SECONDS, FETCH_BYTES = 5.0, 64 * 1024
MOST_CERTIFICATES = 32

Fetch = Callable[[str], bytes]
"""GET of an address of SNS: the body of a 200. Raises httpx.HTTPError."""


class Refused(Exception):
    """It is not what a topic of ours sent; str() says why."""


@dataclass(frozen=True)
class SnsMessage:
    """What SNS vouches for."""

    type: str
    topic: str
    message: str
    subscribe_url: str | None
    late: bool
    """It was published more than an hour ago: SNS tried again for so long, or somebody sends it once more."""


def is_envelope(value: Any) -> bool:
    """Whether a JSON value is what SNS sends; raw delivery sends the inner message alone."""
    return isinstance(value, dict) and value.get("Type") in SIGNED and "TopicArn" in value and "Signature" in value


@dataclass
class SnsDoor:
    """Checks messages; keeps the certificates that it has fetched."""

    fetch: Fetch
    _known: dict[str, bytes] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def verified(self, envelope: Mapping[str, Any], topics: Collection[str], now: datetime) -> SnsMessage:
        """The message that SNS signed. Raises Refused, or httpx.HTTPError where its certificate cannot be fetched now."""
        told = {name: value for name, value in envelope.items() if isinstance(value, str)}
        topic = told.get("TopicArn", "")
        if topic not in topics:
            raise Refused("this topic is not listed in VMEXPORT_RECEIVER_SNS_TOPICS")
        digest = DIGESTS.get(told.get("SignatureVersion", ""))
        if digest is None:
            raise Refused("the signature's version is neither 1 nor 2")
        try:
            sent = datetime.fromisoformat(told.get("Timestamp", ""))
            late = now - sent > FRESH
        except (ValueError, TypeError):  # TypeError: a time without a zone
            raise Refused("its Timestamp is no time") from None
        address = told.get("SigningCertURL", "")
        certificate = _checked(self._certificate(address), address, now)
        _check_signature(certificate, told, digest)
        return SnsMessage(told["Type"], topic, told.get("Message", ""), told.get("SubscribeURL"), late)

    def confirm(self, message: SnsMessage) -> None:
        """Confirm the subscription of a message that was verified. Raises Refused, httpx.HTTPError."""
        if message.late:
            raise Refused("the subscription was asked for more than an hour ago; subscribe again")
        url = message.subscribe_url or ""
        _region(url)
        self.fetch(url)

    def _certificate(self, url: str) -> bytes:
        _region(url)
        parts = urlsplit(url)
        if not CERTIFICATE_PATH.fullmatch(parts.path) or parts.query or parts.fragment:
            raise Refused("its SigningCertURL is no certificate of SNS")
        with (
            self._lock
        ):  # one fetch at a time: whoever sends a thousand addresses waits, and we do not ask a thousand times
            if url not in self._known:
                fetched = self.fetch(url)
                if len(self._known) >= MOST_CERTIFICATES:
                    self._known.clear()
                self._known[url] = fetched
            return self._known[url]


def get(url: str) -> bytes:
    """GET over TLS, without redirects, within five seconds and 64 KiB. Raises httpx.HTTPError."""
    end = time.monotonic() + FETCH_SECONDS
    body = bytearray()
    with httpx.stream("GET", url, timeout=FETCH_SECONDS, follow_redirects=False) as answer:
        if answer.status_code != 200:
            raise httpx.HTTPError(f"HTTP {answer.status_code}")
        for chunk in answer.iter_bytes(8192):
            body += chunk
            if len(body) > FETCH_BYTES or time.monotonic() > end:
                raise httpx.HTTPError("the answer is too large or too slow")
    return bytes(body)


def _region(url: str) -> tuple[str, str]:
    """Host and Region of an address of SNS. Raises Refused for any other."""
    try:
        parts = urlsplit(url)
        host, port = parts.netloc, parts.port
    except ValueError:
        raise Refused("an address in it is none") from None
    found = HOST.fullmatch(host)  # the whole of it: no user, no port
    plain = url.isascii() and url.isprintable() and " " not in url  # urlsplit takes line ends out, httpx refuses them
    if not plain or parts.scheme != "https" or found is None or port is not None:
        raise Refused("an address in it is not at https://sns.<region>.amazonaws.com")
    return host, found[1]


def _checked(pem: bytes, url: str, now: datetime) -> x509.Certificate:
    """SNS's certificate, valid now. Raises Refused."""
    host, region = _region(url)
    try:
        leaf, *others = x509.load_pem_x509_certificates(pem)
        for issued, issuer in zip((leaf, *others), others, strict=False):
            issued.verify_directly_issued_by(issuer)
        names = {str(a.value) for a in leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)}
    except (ValueError, TypeError, InvalidSignature):
        raise Refused("the certificate at its SigningCertURL cannot be read, or was not issued as it says") from None
    if not names & _names(host, region):
        raise Refused("the certificate at its SigningCertURL does not name SNS")
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        raise Refused("the certificate at its SigningCertURL is not valid now")
    return leaf


def _names(host: str, region: str) -> set[str]:
    """Common names that AWS gives to the certificates of a Region, as its SDK for Java lists them."""
    gov = {"sns-us-gov-west-1.amazonaws.com"} if region.startswith("us-gov-") else set[str]()
    china = {f"sns-{region}.amazonaws.com.cn"} if host.endswith(".cn") else set[str]()
    return {"sns.amazonaws.com", host, f"sns-signing.{region}.amazonaws.com"} | gov | china


def _check_signature(certificate: x509.Certificate, told: Mapping[str, str], digest: hashes.HashAlgorithm) -> None:
    """Raises Refused unless the certificate's key signed the fields."""
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < 2048:
        raise Refused("the certificate at its SigningCertURL holds no RSA key of 2048 bits")
    signed = "".join(f"{name}\n{told[name]}\n" for name in SIGNED[told["Type"]] if name in told)
    try:
        key.verify(b64decode(told.get("Signature", ""), validate=True), signed.encode(), padding.PKCS1v15(), digest)
    except (InvalidSignature, binascii.Error, UnicodeEncodeError):
        raise Refused("its signature is not that of SNS") from None
