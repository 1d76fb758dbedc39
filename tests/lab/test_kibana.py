"""The pretended Kibana refuses what Kibana refuses, so that a client that passes here is not one that only we accept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from lab.kibana import Running, serve
from lab.kibana_state import Fault

CASE: dict[str, Any] = {
    "title": "t", "description": "d", "tags": ["vm-export"], "owner": "securitySolution", "severity": "high",
    "connector": {"id": "none", "name": "none", "type": ".none", "fields": None}, "settings": {"syncAlerts": False},
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """A Kibana with the spaces default and production."""
    with serve("production") as running:
        yield running


@pytest.fixture
def kibana(server: Running) -> Iterator[Running]:
    """The same, with nothing in it."""
    for kept in (server.state.cases, server.state.comments, server.alerts.kept, server.state.faults):
        kept.clear()
    return server


def client(kibana: Running, **headers: str) -> httpx.Client:
    """A client with the right key, xsrf and version, unless other headers are given."""
    given = {"authorization": f"ApiKey {kibana.state.api_key}", "kbn-xsrf": "true", "elastic-api-version": "2023-10-31"}
    return httpx.Client(base_url=kibana.url, headers={k: v for k, v in (given | headers).items() if v})


def test_who_has_no_key_or_a_wrong_one_is_not_let_in(kibana: Running) -> None:
    for key in ("", "ApiKey d3Jvbmc="):
        assert client(kibana, authorization=key).get("/api/cases/_find").status_code == 401


def test_headers_and_spaces_are_checked(kibana: Running) -> None:
    refused = client(kibana, **{"kbn-xsrf": ""}).post("/api/cases", json=CASE)
    assert (refused.status_code, refused.json()["message"]) == (400, "Request must contain a kbn-xsrf header.")
    assert client(kibana, **{"elastic-api-version": "2020-01-01"}).post("/api/cases", json=CASE).status_code == 400
    assert client(kibana).post("/s/nowhere/api/cases", json=CASE).status_code == 404
    made = client(kibana).post("/s/production/api/cases", json=CASE).json()
    assert client(kibana).get(f"/s/production/api/cases/{made['id']}").status_code == 200
    assert client(kibana).get(f"/api/cases/{made['id']}").status_code == 404, "a case of another space is not seen"


@pytest.mark.parametrize(
    "change",
    [
        {"colour": "red"}, {"title": "x" * 161}, {"description": "x" * 30_001}, {"severity": "urgent"}, {"owner": None},
        {"connector": {"id": "none"}}, {"settings": {"syncAlerts": "no"}}, {"tags": ["x" * 257]}, {"tags": None},
    ],
)  # fmt: skip
def test_a_case_with_a_wrong_field_is_refused(kibana: Running, change: dict[str, Any]) -> None:
    body = {k: v for k, v in (CASE | change).items() if v is not None}
    assert client(kibana).post("/api/cases", json=body).status_code == 400


def test_a_case_is_changed_by_its_newest_version_only(kibana: Running) -> None:
    http = client(kibana)
    made = http.post("/api/cases", json=CASE).json()
    comment = {"type": "user", "comment": "seen", "owner": "securitySolution"}
    newer = http.post(f"/api/cases/{made['id']}/comments", json=comment).json()
    assert newer["version"] != made["version"]

    def close(version: str) -> httpx.Response:
        return http.patch("/api/cases", json={"cases": [{"id": made["id"], "version": version, "status": "closed"}]})

    assert close(made["version"]).status_code == 409
    assert close(newer["version"]).json()[0]["status"] == "closed"


def test_attached_alerts_are_counted_and_checked(kibana: Running) -> None:
    http = client(kibana)
    path = f"/api/cases/{http.post('/api/cases', json=CASE).json()['id']}/comments"

    def attach(ids: list[str], indices: list[str], rule: Any) -> int:
        body = {"type": "alert", "alertId": ids, "index": indices, "rule": rule, "owner": "securitySolution"}
        return http.post(path, json=body).status_code

    rule = {"id": "r", "name": "n"}
    assert attach(["a", "b"], ["i"], rule) == 400
    assert attach(["a"], ["i"], {"id": ["r"], "name": "n"}) == 400
    assert attach([f"a{n}" for n in range(1000)], ["i"] * 1000, rule) == 200
    assert attach(["a1000"], ["i"], rule) == 400
    text = {"type": "user", "comment": "x" * 30_001, "owner": "securitySolution"}
    assert http.post(path, json=text).status_code == 400
    assert http.post(path, json=text | {"comment": "x", "owner": "observability"}).status_code == 400


def test_the_status_of_an_alert_that_is_not_there_is_not_changed(kibana: Running) -> None:
    kibana.alerts.put("production", "a1")
    path, http = "/s/production/api/detection_engine/signals/status", client(kibana)
    assert http.post(path, json={"signal_ids": ["a2"], "status": "closed"}).json()["updated"] == 0
    assert http.post(path, json={"signal_ids": ["a1"], "status": "done"}).status_code == 400
    assert http.post(path, json={"signal_ids": ["a1"], "status": "closed", "reason": "bored"}).status_code == 400
    assert http.post(path, json={"signal_ids": ["a1"], "status": "closed", "colour": "red"}).status_code == 400
    done = http.post(path, json={"signal_ids": ["a1"], "status": "closed", "reason": "duplicate"})
    assert done.json()["updated"] == 1
    source = kibana.alerts.kept["production", "a1"]
    assert (source["kibana.alert.workflow_status"], source["kibana.alert.workflow_reason"]) == ("closed", "duplicate")


def test_it_fails_as_it_is_asked_to(kibana: Running) -> None:
    kibana.state.faults[:] = [Fault(kind="429"), Fault(kind="html"), Fault(kind="503", method="POST", after=True)]
    http = client(kibana)
    assert http.get("/api/cases/_find").headers["retry-after"] == "1"
    assert http.get("/api/cases/_find").text.startswith("<!doctype html>")
    assert http.post("/api/cases", json=CASE).status_code == 503
    assert http.get("/api/cases/_find").json()["total"] == 1, "the case was made, and only the answer was lost"
