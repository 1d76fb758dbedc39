"""Writing into Kibana: once whatever dies, nothing taken for done that was not, and never a secret in a message."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from pydantic import SecretStr

from lab.kibana import Running, serve
from lab.kibana_alerts import STATUS, TAGS
from lab.kibana_state import Fault
from settings import elastic
from settings.elastic import OUR_RULE, KibanaSettings
from tasks.elastic.kibana import Alert, Kibana, KibanaFailed, Place, open_kibana

TAG = "soar:VMX-20260302-ABCD"
MARK = "vmexport VMX-20260302-ABCD/verdict:7"
CASE = ("VMX-20260302-ABCD: EC2 exported as VM", "about", ("vm-export", TAG), "high")


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """A Kibana with the spaces default and production."""
    with serve("production") as running:
        yield running


@pytest.fixture
def lab(server: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """The same, empty; our spaces are both of its spaces."""
    monkeypatch.setenv("VMEXPORT_ELASTICSEARCH_SPACES", "default,production")
    elastic.elasticsearch.cache_clear()
    kept = (server.state.cases, server.state.comments, server.alerts.kept, server.state.faults, server.state.requests)
    for part in kept:
        part.clear()
    yield server
    elastic.elasticsearch.cache_clear()


def settings(lab: Running, **change: object) -> KibanaSettings:
    given = {"url": lab.url, "api_key": SecretStr(lab.state.api_key)}
    return KibanaSettings(**(given | change))


@pytest.fixture
def kibana(lab: Running) -> Iterator[Kibana]:
    with open_kibana(settings(lab)) as opened:
        yield opened


def alert(n: int, rule: str = "r1", space: str = "production") -> Alert:
    index = f".internal.alerts-security.alerts-{space}-000001"
    return Alert(space=space, index=index, id=f"a{n}", status="open", rule=rule, rule_name=f"Rule {rule}")


def test_alerts_are_found_by_id_and_by_event_in_every_space(lab: Running, kibana: Kibana) -> None:
    about = {"rule_uuid": "u1", "rule_name": "Export", "rule_id": OUR_RULE}
    lab.alerts.put("production", "a1", **about, event_id="e1")
    lab.alerts.put("default", "a2", **about, event_id="e1")
    lab.alerts.put("default", "a3", rule_uuid="u2", rule_name="Else", rule_id="not-ours", event_id="e1")
    lab.alerts.put("default", "a4", **about, event_id="e1", kibana__alert__building_block_type="default")
    found = kibana.alerts(["a1", "gone"], ["e1"])
    assert {(a.space, a.id, a.rule, a.rule_name, a.status) for a in found} == {
        ("production", "a1", "u1", "Export", "open"), ("default", "a2", "u1", "Export", "open"),
    }  # fmt: skip


def test_status_and_tags_are_set_in_the_alerts_own_space(lab: Running, kibana: Kibana) -> None:
    for space, name in (("production", "a1"), ("default", "a2")):
        lab.alerts.put(space, name, **{TAGS.replace(".", "__"): ["mine"]})
    found = kibana.alerts(["a1", "a2"], [])
    kibana.change_status(found, "closed", "expected_activity")
    kibana.add_tags(found, ["vm-export", TAG])
    for source in lab.alerts.kept.values():
        assert (source[STATUS], source["kibana.alert.workflow_reason"]) == ("closed", "expected_activity")
        assert source[TAGS] == ["mine", "vm-export", TAG]


def test_a_kibana_that_knows_no_reasons_closes_without_one(
    lab: Running, kibana: Kibana, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab.state, "knows_reasons", False)
    lab.alerts.put("production", "a1")
    kibana.change_status(kibana.alerts(["a1"], []), "closed", "expected_activity")
    assert lab.alerts.kept["production", "a1"][STATUS] == "closed"


def test_two_hundred_is_no_success_where_nothing_was_updated(kibana: Kibana) -> None:
    with pytest.raises(KibanaFailed, match="0 of 1 alerts") as failed:
        kibana.change_status([alert(1)], "acknowledged")
    assert failed.value.again


def test_a_case_is_opened_once(lab: Running, kibana: Kibana) -> None:
    lab.state.faults.append(Fault(method="POST", path="/api/cases", after=True))
    with pytest.raises(KibanaFailed):
        kibana.open_case("production", *CASE)
    again = kibana.open_case("production", *CASE)
    assert again.space == "production"
    assert len(lab.state.cases) == 1, "the answer was lost, the case was not"


def test_a_comment_is_written_once_among_many(lab: Running, kibana: Kibana) -> None:
    case = kibana.open_case("production", *CASE)
    lab.state.faults.append(Fault(method="POST", path="/comments", after=True))
    with pytest.raises(KibanaFailed):
        kibana.comment(case, MARK, f"Malicious.\n\n`{MARK}`\n")
    for n in range(120):
        kibana._ask(
            "POST", f"/api/cases/{case.id}/comments", "production",
            body={"type": "user", "comment": f"another {n}", "owner": "securitySolution"},
        )  # fmt: skip
    kibana.comment(case, MARK, f"Malicious.\n\n`{MARK}`\n")
    texts = [c["comment"] for c in lab.state.comments[case.id]]
    assert sum(MARK in text for text in texts) == 1
    kibana.comment(case, MARK + "1", f"Other.\n\n`{MARK}1`\n")
    assert len(lab.state.comments[case.id]) == 122, "a marker that begins like another one is another one"


def test_alerts_are_attached_by_rule_once_and_up_to_the_limit(lab: Running, kibana: Kibana) -> None:
    case = kibana.open_case("production", *CASE)
    assert kibana.add_alerts(case, [alert(1), alert(2, "r2"), alert(3)]) == ()
    assert kibana.add_alerts(case, [alert(1), alert(3), alert(9, space="default")]) == ()
    attached = [(c["rule"]["id"], c["alertId"]) for c in lab.state.comments[case.id]]
    assert attached == [("r1", ["a1", "a3"]), ("r2", ["a2"])]
    left = kibana.add_alerts(case, [alert(n) for n in range(1, 1006)])
    assert [a.id for a in left] == [f"a{n}" for n in range(1001, 1006)]
    assert lab.state.cases["production", case.id]["totalAlerts"] == 1000


def test_a_case_that_changed_meanwhile_is_read_again(lab: Running, kibana: Kibana) -> None:
    case = kibana.open_case("production", *CASE)
    mine, theirs = lab.state.cases["production", case.id], iter((True, False))
    ask = kibana._connection.request

    def request(method, path, **rest):
        if method == "PATCH" and next(theirs):
            mine["version"] = lab.state.next_version()
        return ask(method, path, **rest)

    kibana._connection.request = request
    kibana.change_case(case, status="closed")
    assert mine["status"] == "closed"
    kibana.change_case(case, status="closed")
    patches = [r for r in lab.state.requests if r[0] == "PATCH"]
    assert len(patches) == 2, "one refused, one taken; what is so already is not written"


@pytest.mark.parametrize(("fault", "again", "words"), [
    (Fault(kind="503"), True, "HTTP 503"), (Fault(kind="429"), True, "HTTP 429"), (Fault(kind="html"), True, "sign-in page"),
    (Fault(kind="401"), True, "API_KEY"), (Fault(kind="400"), False, "HTTP 400"), (Fault(kind="404"), False, "HTTP 404"),
    (Fault(kind="slow", delay_s=1.5), True, "had no answer"),
])  # fmt: skip
def test_a_failure_says_whether_it_may_work_later(lab: Running, fault: Fault, again: bool, words: str) -> None:
    lab.state.faults.append(fault)
    with (
        open_kibana(settings(lab), timedelta(seconds=0.5)) as kibana,
        pytest.raises(KibanaFailed, match=words) as failed,
    ):
        kibana.find_case(TAG)
    assert failed.value.again is again
    assert failed.value.wait == (timedelta(seconds=1) if fault.kind == "429" else None)


def test_no_secret_is_in_a_message(lab: Running) -> None:
    for change in ({"api_key": SecretStr("d3Jvbmctc2VjcmV0")}, {"url": "http://127.0.0.1:9"}):
        with open_kibana(settings(lab, **change)) as kibana, pytest.raises(KibanaFailed) as failed:
            kibana.open_case("production", *CASE)
        assert "d3Jvbmctc2VjcmV0" not in repr(failed.value)
        assert lab.state.api_key not in f"{failed.value!r} {failed.value.__cause__!r}"


def test_a_space_that_is_not_there_may_be_there_later(lab: Running, kibana: Kibana) -> None:
    with pytest.raises(KibanaFailed, match="space/nowhere") as failed:
        kibana.open_case("nowhere", *CASE)
    assert failed.value.again
    with pytest.raises(KibanaFailed, match="not found") as failed:
        kibana.change_case(Place("production", "gone"), status="closed")
    assert not failed.value.again
