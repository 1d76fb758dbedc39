"""The HTTP door: what it answers, and that it loses nothing. Real PostgreSQL, no Prefect."""

from __future__ import annotations

import gzip
import json

import pytest
from fastapi.testclient import TestClient

from records import inbox, ledger
from records.database import engine
from records.intake import catch_up
from settings.receiver import receiver as settings
from tests.records_of import cloudtrail_record

SECRET = "a-shared-secret-of-this-test"


@pytest.fixture
def door(database, monkeypatch):
    monkeypatch.setenv("VMEXPORT_RECEIVER_SECRET", SECRET)
    monkeypatch.setenv("VMEXPORT_RECEIVER_BODY_LIMIT_BYTES", "100000")
    settings.cache_clear()
    from receiver.app import app  # without its background task: no Prefect is needed here

    app.state.wake = type("Wake", (), {"set": staticmethod(lambda: None)})()
    yield TestClient(app)
    settings.cache_clear()


def post(door, body, secret=SECRET, **headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return door.post(
        "/alerts/elastic", content=content, headers={"X-VMExport-Secret": secret, **headers} if secret else headers
    )


def test_an_alert_opens_a_case_and_the_answer_names_it(door):
    said = post(door, cloudtrail_record())
    assert said.status_code == 202
    case = said.json()["case"]
    assert case.startswith("VMX-20260302-")
    kinds = [e.kind for e in ledger.entries(case)]
    assert kinds[:2] == ["case-opened", "alert-joined"]


def test_the_same_alert_twice_is_one_case_and_one_export(door):
    first, second = post(door, cloudtrail_record()), post(door, cloudtrail_record())
    assert first.json()["case"] == second.json()["case"]
    assert len(ledger.entries(first.json()["case"], "alert-joined")) == 1


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET + "x", "é"])
def test_without_the_secret_nothing_is_taken(door, secret):
    said = door.post(
        "/alerts/elastic", content=b"{}", headers={"X-VMExport-Secret": secret.encode()} if secret is not None else {}
    )
    assert said.status_code == 401
    assert inbox.pending() == ()
    assert inbox.quarantined() == ()


@pytest.mark.parametrize(
    "body", [b"{", b"", b"\xff\xfe", b"[]", b"null", b'"text"', b"[[[[", b'{"text": "no alert in here"}']
)
def test_what_cannot_be_decoded_is_quarantined_and_shown_never_lost(door, body):
    said = post(door, body)
    assert said.status_code == 202
    assert said.json()["quarantined"] is True
    assert said.json()["problems"]
    assert [q.body for q in inbox.quarantined()] == [body]


def test_a_body_over_the_cap_is_refused_whether_it_declares_its_length_or_not(door):
    assert post(door, b"x" * 100001).status_code == 413
    streamed = door.post(
        "/alerts/elastic", content=iter([b"x" * 60000, b"x" * 60000]), headers={"X-VMExport-Secret": SECRET}
    )
    assert streamed.status_code == 413


def test_a_gzip_bomb_is_stopped_at_the_cap(door):
    said = post(door, gzip.compress(b"0" * 50_000_000), **{"Content-Encoding": "gzip"})
    assert said.status_code == 413


def test_a_gzip_body_is_read_and_a_false_one_quarantined(door):
    assert post(door, gzip.compress(json.dumps(cloudtrail_record()).encode()), **{"Content-Encoding": "gzip"}).json()[
        "case"
    ]
    assert post(door, b"not gzip", **{"Content-Encoding": "gzip"}).json()["quarantined"] is True


def test_a_hundred_exports_by_one_key_are_one_case(door, monkeypatch):
    monkeypatch.setenv("VMEXPORT_RECEIVER_BODY_LIMIT_BYTES", "10000000")
    settings.cache_clear()
    records = [cloudtrail_record(event_id=f"event-{n}", task=f"export-i-{n:017x}") for n in range(100)]
    said = post(door, {"Records": records}).json()
    assert "cases" not in said
    assert len(ledger.entries(said["case"], "alert-joined")) == 100


def test_fifty_megabytes_are_refused_with_a_sentence_by_the_limit_that_is_set_by_default(door, monkeypatch):
    monkeypatch.delenv("VMEXPORT_RECEIVER_BODY_LIMIT_BYTES")
    settings.cache_clear()
    said = post(door, b"x" * 50 * 1024 * 1024)
    assert said.status_code == 413
    assert "send fewer alerts" in said.json()["error"]
    assert inbox.quarantined() == ()


def test_a_body_that_also_holds_something_else_opens_its_case_and_the_rest_is_told(door):
    said = post(door, [cloudtrail_record(), {"text": "no alert in here"}]).json()
    assert said["case"]
    assert said["problems"]
    assert [q.why for q in inbox.quarantined()] == ["; ".join(said["problems"])]


def test_without_a_usable_organization_an_alert_waits_in_the_inbox_until_there_is_one(door, monkeypatch, tmp_path):
    from settings import organization as ours

    monkeypatch.setenv("VMEXPORT_ORGANIZATION", str(tmp_path / "none.toml"))
    ours.organization.cache_clear()
    said = post(door, cloudtrail_record())
    assert (said.status_code, said.json()["pending"]) == (202, True)
    with pytest.raises(ours.OrganizationUnusable):
        catch_up()

    monkeypatch.setenv("VMEXPORT_ORGANIZATION", str(ours.EXAMPLE))
    (case,) = catch_up()
    assert len(ledger.entries(case, "alert-joined")) == 1
    assert inbox.pending() == ()


def test_a_case_that_was_opened_gets_its_run_though_a_later_alert_cannot_be_assigned(door, monkeypatch, tmp_path):
    from receiver.background import _waiting
    from settings import organization as ours

    case = post(door, cloudtrail_record()).json()["case"]
    monkeypatch.setenv("VMEXPORT_ORGANIZATION", str(tmp_path / "none.toml"))
    ours.organization.cache_clear()
    assert post(door, cloudtrail_record(event_id="another")).json()["pending"] is True
    assert _waiting() == (case,)


def test_when_the_inbox_cannot_be_written_the_sender_is_told_to_send_again(door, monkeypatch):
    from sqlalchemy import create_engine

    from records import database

    dead = create_engine("postgresql+psycopg://nobody@/gone?host=/nonexistent")
    monkeypatch.setattr(database, "engine", lambda: dead)
    monkeypatch.setattr(inbox, "engine", lambda: dead, raising=False)
    said = post(door, cloudtrail_record())
    assert said.status_code == 503
    assert said.headers["Retry-After"]


def test_health_and_readiness(door):
    assert door.get("/healthz").json() == {"status": "ok"}
    assert door.get("/readyz").json() == {"status": "ready"}
    assert engine() is not None
