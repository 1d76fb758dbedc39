"""The pretended Kibana's rules and connectors refuse what Kibana refuses, and never show a secret again."""

from __future__ import annotations

import httpx
import pytest

from lab.kibana import serve

RULES, CONNECTOR, CONNECTORS = "/api/detection_engine/rules", "/api/actions/connector", "/api/actions/connectors"
RULE = {"rule_id": "r", "name": "n", "description": "d", "risk_score": 47, "severity": "medium", "type": "query"}
WEBHOOK = {
    "name": "receiver",
    "connector_type_id": ".webhook",
    "config": {"url": "https://vmexport.example.com/alerts/elastic", "hasAuth": False},
    "secrets": {"secretHeaders": {"X-VMExport-Secret": "not-to-be-shown"}},
}


@pytest.fixture
def kibana():
    with serve("production") as running:
        yield running


@pytest.fixture
def http(kibana):
    headers = {"Authorization": f"ApiKey {kibana.state.api_key}", "kbn-xsrf": "true"}
    with httpx.Client(base_url=kibana.url, headers=headers) as client:
        yield client


def test_a_rule_is_created_once_and_found_by_its_rule_id(http):
    assert http.get(RULES, params={"rule_id": "r"}).status_code == 404
    made = http.post(RULES, json=RULE).json()
    assert (made["enabled"], made["max_signals"], made["rule_source"]) == (False, 100, {"type": "internal"})
    again = http.post(RULES, json=RULE)
    assert (again.status_code, again.json()["message"]) == (409, 'rule_id: "r" already exists')
    assert http.get(RULES, params={"rule_id": "r"}).json() == made


def test_a_put_resets_what_it_does_not_say_and_a_patch_does_not(http):
    http.post(RULES, json=RULE | {"tags": ["a"], "enabled": True})
    assert http.patch(RULES, json={"rule_id": "r", "severity": "low"}).json()["tags"] == ["a"]
    put = http.put(RULES, json=RULE).json()
    assert (put["tags"], put["severity"], put["revision"]) == ([], "medium", 2)


@pytest.mark.parametrize(
    "change",
    [
        {"querry": "x"},
        {"severity": "awful"},
        {"risk_score": 101},
        {"interval": "often"},
        {"max_signals": 0},
        {"actions": [{"id": "absent", "action_type_id": ".webhook", "params": {"body": ""}}]},
    ],
)
def test_a_rule_that_kibana_does_not_take_is_refused(http, change):
    assert http.post(RULES, json=RULE | change).status_code == 400


@pytest.mark.parametrize("name", ["name", "description", "risk_score", "severity", "type"])
def test_a_rule_needs_its_fields(http, name):
    assert http.post(RULES, json={k: v for k, v in RULE.items() if k != name}).status_code == 400


def test_an_action_must_be_of_its_connectors_type_and_have_its_parameters(http):
    id_ = http.post(CONNECTOR, json=WEBHOOK).json()["id"]
    action = {"id": id_, "action_type_id": ".webhook", "params": {"body": "{}"}}
    assert http.post(RULES, json=RULE | {"actions": [action | {"action_type_id": ".index"}]}).status_code == 400
    assert http.post(RULES, json=RULE | {"actions": [action | {"params": {"boddy": "{}"}}]}).status_code == 400
    assert http.post(RULES, json=RULE | {"actions": [action]}).status_code == 200


def test_secrets_are_taken_and_never_shown(http):
    made = http.post(CONNECTOR, json=WEBHOOK)
    id_ = made.json()["id"]
    shown = [made, http.get(f"{CONNECTOR}/{id_}"), http.get(CONNECTORS)]
    shown.append(http.put(f"{CONNECTOR}/{id_}", json={n: WEBHOOK[n] for n in ("name", "config", "secrets")}))
    for answer in shown:
        assert answer.status_code == 200
        assert "not-to-be-shown" not in answer.text


@pytest.mark.parametrize(
    "change",
    [
        {"config": {"url": "https://example.com", "hasAuth": False, "verb": "post"}},
        {"secrets": {"header": {}}},
        {"config": {"url": "not a url"}},
        {"connector_type_id": ".carrier-pigeon"},
        {"id": "chosen"},
    ],
)
def test_a_connector_that_kibana_does_not_take_is_refused(http, change):
    assert http.post(CONNECTOR, json=WEBHOOK | change).status_code == 400


def test_an_update_may_not_say_the_type(http):
    id_ = http.post(CONNECTOR, json=WEBHOOK).json()["id"]
    assert http.put(f"{CONNECTOR}/{id_}", json=WEBHOOK).status_code == 400


def test_a_basic_licence_has_no_webhook(kibana, http):
    kibana.state.licence = "basic"
    refused = http.post(CONNECTOR, json=WEBHOOK)
    assert refused.status_code == 403
    assert "your basic license does not support it" in refused.json()["message"]
    types = {t["id"]: t["enabled_in_license"] for t in http.get("/api/actions/connector_types").json()}
    assert (types[".webhook"], types[".index"]) == (False, True)


def test_the_gate_of_kibana_stands_before_rules_too(kibana, http):
    with httpx.Client(base_url=kibana.url, headers={"Authorization": f"ApiKey {kibana.state.api_key}"}) as bare:
        assert "kbn-xsrf" in bare.post(RULES, json=RULE).json()["message"]
    assert http.post(RULES, json=RULE, headers={"elastic-api-version": "1999-01-01"}).status_code == 400
    assert http.post(f"/s/nowhere{RULES}", json=RULE).status_code == 404
    assert http.post(RULES, json=RULE, headers={"Authorization": "ApiKey d3Jvbmc="}).status_code == 401


def test_a_space_does_not_see_another(http):
    http.post(f"/s/production{RULES}", json=RULE)
    assert http.get(RULES, params={"rule_id": "r"}).status_code == 404
    assert http.get(f"/s/production{RULES}", params={"rule_id": "r"}).status_code == 200
