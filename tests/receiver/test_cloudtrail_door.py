"""The door for CloudTrail: EventBridge with a secret, SNS with its signature, and nobody else. Real PostgreSQL and RSA."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from fastapi.testclient import TestClient

from receiver.sns import SnsDoor
from records import inbox, ledger
from settings.receiver import receiver as settings
from tests.records_of import cloudtrail_record

SECRET = "a-shared-secret-of-this-test"
TOPIC = "arn:aws:sns:us-east-1:111122223333:exports"
CERTIFICATE = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
CONFIRM = f"https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=0123"
EVENT = {
    "version": "0", "id": "7bf73129-1428-4cd3-a780-95db273d1602", "detail-type": "AWS API Call via CloudTrail",
    "source": "aws.ec2", "account": "111122223333", "time": "2026-03-02T10:03:30Z", "region": "us-east-1",
    "resources": [], "detail": cloudtrail_record(),
}  # fmt: skip
FIELDS = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


def certificate_of(key, name="sns.amazonaws.com", days=(-1, 30)):
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number())
    made = made.not_valid_before(now + timedelta(days=days[0])).not_valid_after(now + timedelta(days=days[1]))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


KEY = rsa.generate_private_key(65537, 2048)
OTHER_KEY = rsa.generate_private_key(65537, 2048)


class Sns:
    """What stands at SNS's addresses, and which of them were visited."""

    def __init__(self):
        self.pages = {CERTIFICATE: certificate_of(KEY), CONFIRM: b"<ConfirmSubscriptionResponse/>"}
        self.visited = []

    def get(self, url):
        self.visited.append(url)
        if url not in self.pages:
            raise httpx.ConnectError("nothing there")
        return self.pages[url]


@pytest.fixture
def aws():
    return Sns()


@pytest.fixture
def door(database, monkeypatch, aws):
    monkeypatch.setenv("VMEXPORT_RECEIVER_SECRET", SECRET)
    monkeypatch.setenv("VMEXPORT_RECEIVER_SNS_TOPICS", f"{TOPIC}, arn:aws:sns:us-east-1:111122223333:other")
    settings.cache_clear()
    from receiver.app import app  # without its background task: no Prefect is needed here

    app.state.wake = type("Wake", (), {"set": staticmethod(lambda: None)})()
    before, app.state.sns = app.state.sns, SnsDoor(aws.get)
    yield TestClient(app)
    app.state.sns = before
    settings.cache_clear()


def signed(version="1", key=KEY, **change):
    """A message of SNS. `change`: fields that differ from a notification about an export; None leaves one out."""
    message = {
        "Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": TOPIC,
        "Subject": "an export\nwith é", "Message": json.dumps(EVENT), "SignatureVersion": version,
        "Timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"), "SigningCertURL": CERTIFICATE,
        "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
    } | change  # fmt: skip
    message = {name: value for name, value in message.items() if value is not None}
    text = "".join(f"{name}\n{message[name]}\n" for name in FIELDS if name in message)
    digest = {"1": hashes.SHA1(), "2": hashes.SHA256()}.get(version, hashes.SHA256())
    return message | {"Signature": base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), digest)).decode()}


def confirmation(**change):
    return signed(Type="SubscriptionConfirmation", Subject=None, Token="0123", SubscribeURL=CONFIRM, **change)


def post(door, value, **headers):
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    headers = {"Content-Type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": "Notification", **headers}
    return door.post("/alerts/cloudtrail", content=content, headers=headers)


def nothing_stored():
    return inbox.pending() == inbox.quarantined() == inbox.resolving() == ledger.cases() == ()


@pytest.mark.parametrize("version", ["1", "2"])
def test_what_sns_signed_opens_the_case_of_the_record_inside(door, version):
    said = post(door, signed(version))
    assert said.status_code == 202
    (joined,) = ledger.entries(said.json()["case"], "alert-joined")
    assert joined.data["event"]["event_id"] == cloudtrail_record()["eventID"]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (signed() | {"Message": "{}"}, "signature"),
        (signed() | {"Timestamp": "2026-03-02T10:03:31.000Z"}, "signature"),
        (signed(key=OTHER_KEY), "signature"),
        (signed() | {"Signature": "AAAA"}, "signature"),
        (signed() | {"Signature": "not base64!"}, "signature"),
        (signed() | {"SignatureVersion": "2"}, "signature"),
        (signed("3"), "neither 1 nor 2"),
        (signed(TopicArn="arn:aws:sns:us-east-1:444455556666:exports"), "not listed"),
        (signed(Timestamp="yesterday"), "Timestamp"),
        (confirmation() | {"Type": "Notification"}, "signature"),
    ],
)
def test_what_sns_did_not_sign_for_a_listed_topic_is_refused_and_nothing_is_stored(door, value, why):
    said = post(door, value, **{"X-VMExport-Secret": SECRET})
    assert said.status_code == 403
    assert why in said.json()["error"]
    assert nothing_stored()


@pytest.mark.parametrize(
    "url",
    [
        "https://sns.us-east-1.amazonaws.com.example.com/a.pem",
        "https://example.com/sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com@example.com/a.pem",
        "https://example.com\\@sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com:8443/a.pem",
        "https://sns.us-east-1.amazonaws.com:x/a.pem",
        "http://sns.us-east-1.amazonaws.com/a.pem",
        "https://s3.us-east-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com.cn.example.com/a.pem",
        "https://sns.us-east-1.amazonaws.com/a.pem\n",
        "https://sns.us-east-1.amazonaws.com /a.pem",
        "https://sns.us-east-1.amazonaws.com/a.pem?x=1",
        "https://sns.us-east-1.amazonaws.com/a.txt",
        "https://sns.us-east-1.amazonaws.com/../a.pem/b",
        "https://[::1/a.pem",
        "",
    ],
)
def test_a_certificate_from_anywhere_but_sns_is_not_even_fetched(door, aws, url):
    aws.pages[url] = certificate_of(OTHER_KEY)
    said = post(door, signed(key=OTHER_KEY, SigningCertURL=url))
    assert (said.status_code, aws.visited) == (403, [])
    assert nothing_stored()


@pytest.mark.parametrize(
    "certificate",
    [
        certificate_of(KEY, "example.com"),
        certificate_of(KEY, "sns-signing.eu-west-1.amazonaws.com"),
        certificate_of(KEY, days=(-30, -1)),
        certificate_of(KEY, days=(1, 30)),
        certificate_of(KEY) + certificate_of(OTHER_KEY),
        b"no certificate",
        b"",
    ],
)
def test_a_certificate_that_is_not_that_of_sns_today_vouches_for_nothing(door, aws, certificate):
    aws.pages[CERTIFICATE] = certificate
    said = post(door, signed())
    assert said.status_code == 403
    assert "certificate" in said.json()["error"]
    assert nothing_stored()


def test_the_certificate_is_fetched_once(door, aws):
    for n in range(3):
        assert post(door, signed(Message=json.dumps(cloudtrail_record(event_id=f"event-{n}")))).status_code == 202
    assert aws.visited == [CERTIFICATE]


def test_when_the_certificate_cannot_be_fetched_sns_is_told_to_try_again(door, aws):
    aws.pages.clear()
    assert post(door, signed()).status_code == 503
    assert nothing_stored()
    aws.pages[CERTIFICATE] = certificate_of(KEY)
    assert post(door, signed()).json()["case"]


def test_a_message_that_sns_could_not_deliver_for_hours_is_taken_in_and_one_sent_again_is_not_stored_again(door):
    late = signed(Timestamp="2026-03-02T10:03:31.000Z")
    first, again = post(door, late), post(door, late)
    assert first.json()["case"]
    assert again.status_code == 202
    assert again.json() == {"inbox": first.json()["inbox"], "repeated": True}
    assert len(ledger.entries(first.json()["case"], "alert-joined")) == 1


def test_a_subscription_of_a_listed_topic_is_confirmed(door, aws):
    assert post(door, confirmation()).json() == {"taken": "SubscriptionConfirmation"}
    assert aws.visited == [CERTIFICATE, CONFIRM]
    assert nothing_stored()


@pytest.mark.parametrize(
    "change",
    [
        {"TopicArn": "arn:aws:sns:us-east-1:444455556666:exports"},
        {"SubscribeURL": "https://example.com/?Action=ConfirmSubscription"},
        {"SubscribeURL": "http://169.254.169.254/latest/meta-data/"},
        {"Timestamp": "2026-03-02T10:03:31.000Z"},
        {"key": OTHER_KEY},
    ],
)
def test_no_other_subscription_is_confirmed_and_no_other_address_visited(door, aws, change):
    url = change.pop("SubscribeURL", CONFIRM)
    message = signed(Type="SubscriptionConfirmation", Subject=None, Token="0123", SubscribeURL=url, **change)
    assert post(door, message).status_code == 403
    assert set(aws.visited) <= {CERTIFICATE}


def test_that_somebody_ended_a_subscription_is_logged_and_changes_nothing(door, aws, caplog):
    message = signed(Type="UnsubscribeConfirmation", Subject=None, Token="0123", SubscribeURL=CONFIRM)
    assert post(door, message).status_code == 202
    assert aws.visited == [CERTIFICATE]
    assert "UnsubscribeConfirmation" in caplog.text


@pytest.mark.parametrize(
    "headers",
    [{"X-VMExport-Secret": SECRET}, {"Authorization": f"Bearer {SECRET}"}, {"X-Api-Key": SECRET}],
)
def test_eventbridge_hands_in_an_event_with_the_secret(door, monkeypatch, headers):
    monkeypatch.setenv("VMEXPORT_RECEIVER_SECRET_HEADER", "x-api-key")
    settings.cache_clear()
    said = post(door, EVENT, **headers)
    assert said.status_code == 202
    assert said.json()["case"].startswith("VMX-20260302-")


def test_a_gzip_body_of_any_content_type_is_read(door):
    body = gzip.compress(json.dumps({"Records": [cloudtrail_record()]}).encode())
    headers = {"Content-Encoding": "gzip", "X-VMExport-Secret": SECRET, "Content-Type": "application/x-anything"}
    assert post(door, body, **headers).json()["case"]


@pytest.mark.parametrize(
    "headers", [{}, {"X-VMExport-Secret": "wrong"}, {"Authorization": f"Basic {SECRET}"}, {"X-Api-Key": SECRET}]
)
@pytest.mark.parametrize("value", [EVENT, {"Type": "Notification", "SigningCertURL": CERTIFICATE}, b"{", b""])
def test_without_secret_and_signature_nothing_is_taken(door, headers, value):
    assert post(door, value, **headers).status_code == 401
    assert nothing_stored()


def test_who_has_no_secret_is_not_listened_to_for_long(door):
    assert post(door, b"x" * 2_000_000).status_code == 413
    assert post(door, b"x" * 2_000_000, **{"X-VMExport-Secret": SECRET}).status_code == 202


def test_when_the_database_is_away_sns_and_eventbridge_are_told_to_send_again(door, monkeypatch):
    from sqlalchemy import create_engine

    from records import database

    dead = create_engine("postgresql+psycopg://nobody@/gone?host=/nonexistent")
    monkeypatch.setattr(database, "engine", lambda: dead)
    for said in (post(door, signed()), post(door, EVENT, **{"X-VMExport-Secret": SECRET})):
        assert said.status_code == 503
        assert said.headers["Retry-After"]
