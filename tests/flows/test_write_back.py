"""A case as Kibana shows it; and that Kibana, dead or mad, stops nothing and loses nothing."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL
from sqlalchemy import text

from deployments import bootstrap
from flows.write_back import PATIENCE, _write_back, _write_waiting, write_back
from lab.kibana import serve
from lab.kibana_alerts import STATUS, TAGS
from lab.kibana_state import Fault
from records import ledger, outbox
from records.database import transaction
from settings import elastic
from settings.elastic import OUR_RULE
from tests.decisions.story import ASKED, CASE, CONTAINED, JUDGED, OPENED, _json, at
from tests.postgres import forget_settings

REPORT = ("report-written", {"html": "h", "markdown": "m", "metrics": {"exposure_s": None}}, at(59))
CLOSED = ("case-closed", {"verdict": "malicious", "why": "The playbook was followed to its end."}, at(60))
RULE = {"rule_uuid": "u1", "rule_name": "AWS EC2 Exported as VM", "rule_id": OUR_RULE}


def happen(*happened):
    for kind, data, _ in happened:
        ledger.append(CASE, kind, "flow", _json(data))


def point_to(monkeypatch, url, key="a2V5OnNlY3JldA=="):
    monkeypatch.setenv("VMEXPORT_KIBANA_URL", url)
    monkeypatch.setenv("VMEXPORT_KIBANA_API_KEY", key)
    monkeypatch.setenv("VMEXPORT_ELASTICSEARCH_SPACES", "default,production")
    forget()


def forget():
    elastic.kibana.cache_clear()
    elastic.elasticsearch.cache_clear()


@pytest.fixture(autouse=True)
def _settings():
    forget()
    yield
    forget()


@pytest.fixture
def kibana(database, monkeypatch):
    with serve("production") as running:
        running.alerts.put("production", "alert-1", **RULE, event_id="event-1")
        running.alerts.put("production", "alert-of-a-clone", **RULE, event_id="event-1")
        running.alerts.put("production", "not-mine", **RULE, event_id="event-9")
        point_to(monkeypatch, running.url, running.state.api_key)
        yield running


def states():
    return {item.key: item.state for item in outbox.items("kibana", CASE)}


def due_again():
    with transaction() as connection:
        connection.execute(text("update outbox set next_at = next_at - interval '2 hours'"))


def comments(kibana):
    return [c for kept in kibana.state.comments.values() for c in kept if c["type"] == "user"]


def test_a_case_is_told_from_its_opening_to_its_end(kibana):
    happen(*OPENED)
    assert _write_back(CASE) is None
    (case,) = kibana.state.cases.values()
    mine = [kibana.alerts.kept["production", name] for name in ("alert-1", "alert-of-a-clone")]
    assert ("production", case["id"]) in kibana.state.cases, "it opens where its alerts are"
    assert [(a[STATUS], a[TAGS]) for a in mine] == [("acknowledged", ["vm-export", f"soar:{CASE}"])] * 2
    assert case["totalAlerts"] == 2
    happen(*CONTAINED[len(OPENED) :], REPORT, CLOSED)
    assert _write_back(CASE) is None
    assert (case["status"], case["severity"]) == ("closed", "high")
    assert [(a[STATUS], a["kibana.alert.workflow_reason"]) for a in mine] == [("closed", "issue_resolved")] * 2
    assert len(comments(kibana)) == 7
    assert kibana.alerts.kept["production", "not-mine"][STATUS] == "open"
    assert _write_back(CASE) is None
    assert len(comments(kibana)) == 7, "telling it again writes nothing"


def test_a_person_who_closed_an_alert_is_not_overruled(kibana):
    kibana.alerts.put("production", "alert-1", **RULE, **{STATUS.replace(".", "__"): "closed"})
    happen(*OPENED)
    _write_back(CASE)
    assert kibana.alerts.kept["production", "alert-1"][STATUS] == "closed"


def test_an_alert_that_no_space_has_is_said(kibana):
    kibana.alerts.kept.clear()
    happen(*OPENED)
    assert _write_back(CASE) is None
    (told,) = [i for i in outbox.items("kibana", CASE) if i.key.startswith("alerts:")]
    assert (told.state, told.why) == ("done", "No space of ours has alert-1.")


@pytest.mark.parametrize("path", ["/api/cases", "/comments", "/status", "/tags"])
def test_an_answer_that_is_lost_makes_no_second_case_and_no_second_comment(kibana, path):
    happen(*OPENED, *JUDGED, *ASKED)
    kibana.state.faults.append(Fault(method="POST", path=path, after=True))
    assert "503" in _write_back(CASE)
    assert "waiting" in states().values()
    due_again()
    assert _write_waiting() is None
    assert set(states().values()) == {"done"}
    assert len(kibana.state.cases) == 1
    texts = [c["comment"] for c in comments(kibana)]
    assert len(texts) == len(set(texts)) == 3
    (case,) = kibana.state.cases.values()
    assert case["totalAlerts"] == sum(
        len(c["alertId"]) for c in kibana.state.comments[case["id"]] if c["type"] == "alert"
    )


def test_a_sender_that_died_between_sending_and_marking_sends_nothing_twice(kibana, monkeypatch):
    happen(*OPENED, *JUDGED)
    killed = pytest.MonkeyPatch()
    done = outbox.done

    def die_after(item, answer, but=None):
        if item.body["do"] == "comment":
            raise KeyboardInterrupt  # what no `except Exception` takes, as little as a kill
        done(item, answer, but)

    killed.setattr(outbox, "done", die_after)
    with pytest.raises(KeyboardInterrupt):
        _write_back(CASE)
    killed.undo()
    before = len(comments(kibana))
    assert before == 1
    assert _write_back(CASE) is None
    assert len(comments(kibana)) == before, "still on the dead sender's lease"
    due_again()
    assert _write_waiting() is None
    assert len(comments(kibana)) == 2
    assert set(states().values()) == {"done"}


def test_what_kibana_will_never_take_is_given_up_and_the_rest_goes_on(kibana):
    happen(*OPENED, *JUDGED)
    kibana.state.faults.append(Fault(method="POST", path="/comments", kind="400", times=2))
    assert _write_back(CASE) is None
    assert sorted(states().values()).count("given-up") == 2
    assert len(comments(kibana)) == 1


def test_a_dead_kibana_costs_a_moment_and_loses_nothing(kibana):
    happen(*OPENED, *JUDGED)
    kibana.state.faults.append(Fault(times=None))
    assert "503" in _write_back(CASE)
    asked = sum(f.struck for f in kibana.state.faults)
    happen(*ASKED)
    for _ in range(5):
        _write_back(CASE)
    assert sum(f.struck for f in kibana.state.faults) == asked, "while it waits nobody asks"
    kibana.state.faults.clear()
    due_again()
    assert _write_waiting() is None
    assert len(comments(kibana)) == 3


def test_a_kibana_that_answers_nonsense_holds_nothing_up(kibana, monkeypatch):
    happen(*OPENED)
    kibana.state.alerts, mad = MadAlerts(), kibana.state.alerts
    assert "could not be read" in _write_back(CASE)
    kibana.state.alerts = mad
    due_again()
    assert _write_waiting() is None


class MadAlerts:
    """Answers searches with what no Kibana answers."""

    def search(self, space, body):
        return {"hits": "none"}


async def test_what_waits_is_sent_every_minute_where_a_kibana_is_configured(prefect, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", PREFECT_API_URL.value())

    async def active():
        async with get_client() as client:
            there = await client.read_deployment_by_name("write-back/write-back")
            return [s.active for s in await client.read_deployment_schedules(there.id)]

    await bootstrap.bootstrap()
    assert await active() == [False], "no Kibana, no runs that do nothing"
    point_to(monkeypatch, "https://kibana.example.com")
    await bootstrap.bootstrap()
    assert await active() == [True]


@flow(name="a response", persist_result=False)
async def response():
    await write_back(CASE)
    return "went on"


async def test_the_response_goes_on_without_kibana(prefect, database, monkeypatch):
    happen(*OPENED)
    assert await response() == "went on"
    assert not outbox.items("kibana", CASE), "not configured: nothing is noted down"
    point_to(monkeypatch, "http://127.0.0.1:9")
    began = time.monotonic()
    assert await response() == "went on"
    assert timedelta(seconds=time.monotonic() - began) < PATIENCE
    waiting = outbox.items("kibana", CASE)[0]
    assert waiting.state == "waiting"
    assert "had no answer" in (waiting.why or "")

    monkeypatch.setenv("VMEXPORT_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/nowhere")
    forget_settings()
    assert await response() == "went on", "not even the outbox can be had"
