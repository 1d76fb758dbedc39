"""`vmexport elastic`: rule and connector as code, against a Kibana that refuses what Kibana refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from decisions.alert import decode
from decisions.export import ExportApi
from lab import kibana_rules
from lab.kibana import serve
from lab.kibana_state import Fault
from settings import elastic as elastic_settings
from settings import receiver as receiver_settings
from settings.elastic import OUR_RULE
from tasks.elastic import rule_files

SECRET = "the-receivers-shared-secret"
SPACE = "production"


def forget_settings():
    for read in (elastic_settings.elasticsearch, elastic_settings.kibana, receiver_settings.receiver):
        read.cache_clear()


@pytest.fixture
def kibana(monkeypatch):
    with serve(SPACE, "other") as running:
        for name, value in {
            "VMEXPORT_KIBANA_URL": running.url,
            "VMEXPORT_KIBANA_API_KEY": running.state.api_key,
            "VMEXPORT_ELASTICSEARCH_SPACES": SPACE,
            "VMEXPORT_RECEIVER_PUBLIC_URL": "https://vmexport.example.com/",
            "VMEXPORT_RECEIVER_SECRET": SECRET,
        }.items():
            monkeypatch.setenv(name, value)
        forget_settings()
        yield running
    forget_settings()


def rule_of(kibana, space=SPACE):
    return kibana.state.rules.rules[space, OUR_RULE]


def connectors_of(kibana, space=SPACE):
    return [c for (there, _), c in kibana.state.rules.connectors.items() if there == space]


def writes(kibana):
    return [request for request in kibana.state.requests if request[0] != "GET"]


def test_apply_installs_rule_and_connector_and_a_second_time_changes_nothing(vmexport, kibana):
    assert vmexport("elastic", "diff").code == 1
    first = vmexport("elastic", "apply")
    assert (first.code, first.err) == (0, "")
    assert "connector vmexport receiver: created" in first.out
    assert f"rule {OUR_RULE}: created and switched on" in first.out
    (connector,) = connectors_of(kibana)
    assert connector["config"]["url"] == "https://vmexport.example.com/alerts/elastic"
    assert connector["config"]["headers"] == {"Content-Type": "application/json"}
    secrets = kibana.state.rules.secrets[SPACE, connector["id"]]
    assert secrets == {"secretHeaders": {"X-VMExport-Secret": SECRET}}
    rule = rule_of(kibana)
    assert rule["enabled"]
    assert [action["id"] for action in rule["actions"]] == [connector["id"]]
    before = len(writes(kibana))
    second = vmexport("elastic", "apply")
    assert second.code == 0
    assert "nothing to change" in second.out
    assert len(writes(kibana)) == before
    assert vmexport("elastic", "diff").code == 0


def test_the_rule_tells_of_every_outcome_and_of_plain_filebeat_documents(vmexport, kibana):
    vmexport("elastic", "apply")
    rule = rule_of(kibana)
    assert {"logs-aws.cloudtrail-*", "filebeat-*"} <= set(rule["index"])
    assert "outcome" not in rule["query"]
    assert "data_stream" not in rule["query"], "a Filebeat document has none"
    assert all(api in rule["query"] for api in ("CreateInstanceExportTask", "ExportImage", "CreateStoreImageTask"))
    assert (rule["timestamp_override"], rule["interval"], rule["from"]) == ("event.ingested", "5m", "now-35m")
    assert "alert_suppression" not in rule


def test_diff_shows_the_line_that_differs_and_apply_puts_it_back(vmexport, kibana):
    vmexport("elastic", "apply")
    rule_of(kibana)["query"] = 'event.action:"ExportImage"'
    rule_of(kibana)["alert_suppression"] = {"group_by": ["user.name"]}
    told = vmexport("elastic", "diff")
    assert told.code == 1
    assert '-  "query": "event.action:' in told.out
    assert '+  "query": "event.provider:' in told.out
    assert '+  "alert_suppression": null' in told.out
    assert f"rule {OUR_RULE}: updated" in vmexport("elastic", "apply").out
    assert "alert_suppression" not in rule_of(kibana)
    assert vmexport("elastic", "diff").code == 0


def test_what_people_set_stays_and_is_said(vmexport, kibana):
    vmexport("elastic", "apply")
    rule = rule_of(kibana)
    exceptions = [{"id": "e", "list_id": "l", "type": "rule_default", "namespace_type": "single"}]
    own_action = {
        "id": "theirs",
        "action_type_id": ".slack",
        "group": "default",
        "params": {"message": "x"},
        "uuid": "u",
    }
    kibana.state.rules.connectors[SPACE, "theirs"] = {"id": "theirs", "name": "soc", "connector_type_id": ".slack"}
    rule |= {"enabled": False, "exceptions_list": exceptions, "severity": "low", "timeline_id": "t"}
    rule["actions"].append(own_action)
    told = vmexport("elastic", "apply")
    assert told.code == 0, told.err
    now = rule_of(kibana)
    assert (now["enabled"], now["exceptions_list"], now["timeline_id"]) == (False, exceptions, "t")
    (kept, ours) = now["actions"]
    assert (kept["id"], ours["action_type_id"]) == ("theirs", ".webhook")
    assert now["severity"] == "medium"
    assert "switched off" in told.out
    assert "has exceptions" in told.out


def test_a_basic_licence_gets_the_index_connector_and_a_sentence(vmexport, kibana, monkeypatch):
    kibana.state.licence = "basic"
    missing = vmexport("elastic", "apply")
    assert missing.code == 2
    assert "VMEXPORT_ELASTICSEARCH_CONNECTOR_INDEX" in missing.err
    assert writes(kibana) == []
    monkeypatch.setenv("VMEXPORT_ELASTICSEARCH_CONNECTOR_INDEX", "vmexport-inbox")
    forget_settings()
    told = vmexport("elastic", "apply")
    assert told.code == 0, told.err
    assert "no webhook connector (Gold or higher has)" in told.out
    (connector,) = connectors_of(kibana)
    assert (connector["connector_type_id"], connector["config"]["index"]) == (".index", "vmexport-inbox")
    assert rule_of(kibana)["actions"][0]["params"]["documents"][0]["schema"] == "vmexport-alert/1"


def test_a_better_licence_later_replaces_the_index_action(vmexport, kibana, monkeypatch):
    monkeypatch.setenv("VMEXPORT_ELASTICSEARCH_CONNECTOR_INDEX", "vmexport-inbox")
    forget_settings()
    kibana.state.licence = "basic"
    vmexport("elastic", "apply")
    kibana.state.licence = "gold"
    assert vmexport("elastic", "apply").code == 0
    assert [action["action_type_id"] for action in rule_of(kibana)["actions"]] == [".webhook"]


def test_a_wrong_key_is_one_sentence_with_the_next_step(vmexport, kibana, monkeypatch):
    monkeypatch.setenv("VMEXPORT_KIBANA_API_KEY", "d3Jvbmc6a2V5")
    forget_settings()
    for words in (("elastic", "diff"), ("elastic", "apply")):
        told = vmexport(*words)
        assert (told.code, told.out) == (2, "")
        assert "VMEXPORT_KIBANA_API_KEY" in told.err
        assert "d3Jvbmc6a2V5" not in told.err
        assert len(told.err.splitlines()) == 1


def test_no_kibana_is_a_missing_thing(vmexport, kibana, monkeypatch):
    monkeypatch.delenv("VMEXPORT_KIBANA_URL")
    forget_settings()
    told = vmexport("elastic", "diff")
    assert told.code == 2
    assert "VMEXPORT_KIBANA_URL" in told.err


def test_a_kibana_that_does_not_answer_and_a_sign_in_page_are_said(vmexport, kibana, monkeypatch):
    kibana.state.faults.append(Fault(kind="html"))
    assert "sign-in page" in vmexport("elastic", "diff").err
    monkeypatch.setenv("VMEXPORT_KIBANA_URL", "http://127.0.0.1:9")
    forget_settings()
    told = vmexport("elastic", "diff")
    assert told.code == 2
    assert "VMEXPORT_KIBANA_URL" in told.err


def test_an_unknown_space_is_said(vmexport, kibana):
    told = vmexport("elastic", "apply", "--space", "nowhere")
    assert told.code == 2
    assert "space/nowhere" in told.err


@pytest.mark.parametrize("words", [("diff",), ("diff", "--json"), ("apply", "--json"), ("apply", "--renew-secret")])
def test_the_secret_is_never_shown(vmexport, kibana, words, caplog):
    caplog.set_level("DEBUG")
    told = vmexport("elastic", *words)
    assert SECRET not in told.out + told.err + caplog.text


def test_a_secret_that_kibana_refuses_is_not_in_the_error(vmexport, kibana, monkeypatch):
    monkeypatch.setitem(kibana_rules.SECRETS, ".webhook", {"user", "password"})  # as Kibanas before secret headers
    told = vmexport("elastic", "apply")
    assert told.code == 2
    assert "secretHeaders" in told.err
    assert SECRET not in told.err


def test_renewing_sends_the_secret_again(vmexport, kibana, monkeypatch):
    vmexport("elastic", "apply")
    monkeypatch.setenv("VMEXPORT_RECEIVER_SECRET", "a-new-secret-of-the-receiver")
    forget_settings()
    assert "nothing to change" in vmexport("elastic", "apply").out
    assert "connector vmexport receiver: updated" in vmexport("elastic", "apply", "--renew-secret").out
    (secrets,) = kibana.state.rules.secrets.values()
    assert secrets["secretHeaders"]["X-VMExport-Secret"] == "a-new-secret-of-the-receiver"


def test_apply_without_the_receivers_secret_writes_nothing(vmexport, kibana, monkeypatch):
    monkeypatch.delenv("VMEXPORT_RECEIVER_SECRET")
    forget_settings()
    told = vmexport("elastic", "apply")
    assert told.code == 2
    assert "VMEXPORT_RECEIVER_SECRET" in told.err
    assert writes(kibana) == []


def test_each_space_is_its_own(vmexport, kibana):
    told = vmexport("elastic", "apply", "--space", SPACE, "--space", "other", "--json")
    assert [one["space"] for one in json.loads(told.out)] == [SPACE, "other"]
    assert rule_of(kibana)["id"] != rule_of(kibana, "other")["id"]


def test_json_is_for_machines(vmexport, kibana):
    told = json.loads(vmexport("elastic", "diff", "--json").out)
    assert [(part["there"], part["same"]) for part in told[0]["parts"]] == [(False, False), (False, False)]
    vmexport("elastic", "apply")
    assert json.loads(vmexport("elastic", "diff", "--json").out)[0]["same"]


def test_two_connectors_of_our_name_are_for_a_person(vmexport, kibana):
    vmexport("elastic", "apply")
    (connector,) = connectors_of(kibana)
    kibana.state.rules.connectors[SPACE, "copy"] = connector | {"id": "copy"}
    told = vmexport("elastic", "apply")
    assert told.code == 2
    assert "copy" in told.err


def test_what_stands_in_kibana_cannot_steer_the_terminal(vmexport, kibana):
    vmexport("elastic", "apply")
    rule_of(kibana)["name"] = "\x1b]0;owned\x07"
    assert "\x1b" not in vmexport("elastic", "diff").out


ALERT = Path(__file__).parents[1] / "alerts" / "nested.json"


def rendered(template, *alerts):
    """What Kibana makes of a template here: a list as its items joined by commas, each as JSON; nothing of the rest."""
    text = template.replace("{{{context.alerts}}}", ",".join(json.dumps(alert) for alert in alerts))
    return re.sub(r"\{\{[\w.]+\}\}", "text", text)


@pytest.mark.parametrize("times", [1, 2])
def test_what_the_actions_send_is_what_the_receiver_reads(times):
    alert = json.loads(ALERT.read_text())
    expected = decode(ALERT.read_bytes()).events
    assert expected
    body = rendered(rule_files.action("webhook", "c")["params"]["body"], *[alert] * times)
    assert {e.event_id for e in decode(body.encode()).events} == {e.event_id for e in expected}
    (document,) = rule_files.action("index", "c")["params"]["documents"]
    written = {name: rendered(value, *[alert] * times) for name, value in document.items()}
    assert {e.event_id for e in decode(json.dumps(written).encode()).events} == {e.event_id for e in expected}


def test_the_rule_names_the_calls_that_the_product_knows():
    asked = re.findall(r'"(\w+)"', rule_files.rule()["query"].partition("event.action:")[2])
    assert set(asked) == {api.value for api in ExportApi}


def test_no_secret_stands_in_a_file_and_the_workflow_is_yaml():
    for file in rule_files.FOLDER.iterdir():
        assert not re.search(r"ApiKey |Bearer |password", file.read_text()), file
    workflow = yaml.safe_load((rule_files.FOLDER / "workflow.yaml").read_text())
    assert [trigger["type"] for trigger in workflow["triggers"]] == ["alert"]
    assert workflow["steps"][0]["with"]["body"]["schema"] == "vmexport-alert/1"
