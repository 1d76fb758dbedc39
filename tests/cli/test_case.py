"""`vmexport case`, `verify` and `report`: the same case for people and machines, and a next step for every mistake."""

from __future__ import annotations

import json

import pytest

from decisions.review import WHAT
from records import evidence, ledger, outbox
from tasks import case_facts
from tests.decisions.story import CASE, JUDGED, OPENED, entries, facts, findings, known, triaged

HOSTILE = "\x1b[31mred\u202e | </script>"


@pytest.fixture
def case(database):
    """A judged case with the investigation's facts and a report; its instance has a hostile tag."""
    for entry in entries(*(h for h in (*OPENED, *JUDGED) if h[0] != "evidence-collected")):
        ledger.append(CASE, entry.kind, entry.by, entry.data)
    machine = facts().instance.value.model_copy(update={"tags": {"Name": HOSTILE}})
    case_facts.keep(findings(exports=(facts(instance=known(machine)),)))
    for media_type, text in (("text/markdown", "# old"), ("text/markdown", "# Report"), ("text/html", "<html>")):
        evidence.store(CASE, WHAT, "test", text.encode(), media_type)
    return CASE


def test_list_shows_every_case_and_says_when_there_is_none(vmexport, database):
    assert vmexport("case", "list").out == "There are no cases.\n"
    ledger.append(CASE, "case-opened", "test", {"event_id": "e"})
    shown = vmexport("case", "list")
    assert (shown.code, CASE in shown.out) == (0, True)
    assert [c["case"] for c in json.loads(vmexport("case", "list", "--json").out)] == [CASE]


def test_list_open_leaves_closed_cases_out(vmexport, case):
    ledger.append(CASE, "case-closed", "test", {"verdict": "malicious"})
    assert vmexport("case", "list", "--open").out == "No case is open.\n"
    assert CASE in vmexport("case", "list").out


def test_show_tells_every_entry(vmexport, case):
    shown = vmexport("case", "show", CASE)
    assert shown.code == 0
    assert "Verdict: malicious" in shown.out
    told = json.loads(vmexport("case", "show", CASE, "--json").out)
    assert [e["seq"] for e in told["ledger"]] == list(range(1, len(ledger.entries(CASE)) + 1))
    assert told["head"] == ledger.head(CASE)[1]


def test_show_tells_what_kibana_was_told_and_what_waits(vmexport, case):
    assert "Kibana" not in vmexport("case", "show", CASE).out, "nothing was to be written"
    outbox.enqueue("kibana", CASE, [("case", {}), ("verdict:7", {}), ("assessed:9", {})])
    first, second, _ = outbox.take_due("kibana", CASE)
    outbox.done(first, {"space": "default", "id": "c-1"})
    outbox.failed(second, f"Kibana is away {HOSTILE}", again=True)
    shown = vmexport("case", "show", CASE).out
    assert "1 of 3 notes are written, 2 wait, 0 were given up." in shown
    assert "verdict:7 waiting until" in shown
    assert "Kibana is away" in shown
    assert "\x1b[31m" not in shown
    notes = json.loads(vmexport("case", "show", CASE, "--json").out)["kibana"]
    assert [(n["key"], n["state"]) for n in notes] == [
        ("case", "done"),
        ("verdict:7", "waiting"),
        ("assessed:9", "waiting"),
    ]


def test_card_shows_severity_facts_and_next_step(vmexport, case):
    shown = vmexport("case", "card", CASE).out
    assert "HIGH, malicious" in shown
    assert "i-0123456789abcdef0" in shown
    assert "Next step" in shown
    assert json.loads(vmexport("case", "card", CASE, "--json").out)["facts"]["verdict"] == "malicious"


def test_a_hostile_tag_cannot_steer_the_terminal(vmexport, case):
    for words in (
        ("case", "card", CASE),
        ("case", "show", CASE),
        ("case", "timeline", CASE, "--all"),
        ("case", "list"),
    ):
        shown = vmexport(*words).out
        assert all(c.isprintable() for c in shown.replace("\n", "")), words
    assert "\\x1b[31mred\\u202e" in vmexport("case", "card", CASE).out


@pytest.mark.parametrize("command", ["card", "timeline"])
def test_facts_of_another_release_are_named(vmexport, case, command):
    evidence.store(CASE, case_facts.INVESTIGATION, "test", b'{"old": 1}', "application/json")
    answer = vmexport("case", command, CASE)
    assert (answer.code, answer.out) == (2, "")
    assert "another release" in answer.err


def test_before_the_investigation_the_card_is_drawn_from_triage(vmexport, database):
    for entry in entries(*OPENED):
        ledger.append(CASE, entry.kind, entry.by, entry.data)
    assert "what the alerts say" in vmexport("case", "card", CASE).out
    case_facts.keep(triaged())
    assert "what the alerts say" not in vmexport("case", "card", CASE).out


def test_facts_that_did_not_change_are_kept_once(case):
    before = len(evidence.listing(CASE))
    again = case_facts.latest(CASE)
    assert again is not None
    case_facts.keep(again)
    assert len(evidence.listing(CASE)) == before


def test_timeline_shows_what_matters_and_with_all_everything(vmexport, case):
    short, whole = vmexport("case", "timeline", CASE).out, vmexport("case", "timeline", CASE, "--all").out
    assert "PutBucketPolicy" in short
    assert "DescribeInstances" not in short
    assert "more moments" in short
    assert "DescribeInstances" in whole
    moments = json.loads(vmexport("case", "timeline", CASE, "--json").out)
    assert [m["time"] for m in moments] == sorted(m["time"] for m in moments)


def test_export_writes_a_folder_that_verify_finds_whole_and_damage_is_named(vmexport, case, tmp_path):
    folder = tmp_path / "export"
    written = vmexport("case", "export", CASE, "--to", str(folder))
    assert written.code == 0
    head = ledger.head(CASE)[1]
    assert head in written.out
    whole = vmexport("verify", str(folder), "--head", head)
    assert (whole.code, "is whole" in whole.out) == (0, True)
    path = folder / "ledger.jsonl"
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b"malicious", b"expected_", 1))
    broken = vmexport("verify", str(folder), "--json")
    assert broken.code == 1
    assert json.loads(broken.out)["whole"] is False
    assert "NOT whole" in broken.err


def test_verify_of_a_case_reads_the_case_store(vmexport, case):
    assert vmexport("verify", CASE).code == 0
    other = vmexport("verify", CASE, "--head", "0" * 64)
    assert other.code == 1
    assert "not " + "0" * 64 in other.out


def test_report_is_the_newest_in_the_form_that_was_asked_for(vmexport, case, tmp_path):
    assert vmexport("report", CASE).out == "# Report"
    assert vmexport("report", CASE, "--format", "html", "--to", str(tmp_path / "r.html")).code == 0
    assert (tmp_path / "r.html").read_text() == "<html>"


def test_a_case_without_a_report_is_a_finding(vmexport, case):
    answer = vmexport("report", CASE, "--format", "json")
    assert answer.code == 1
    assert "vmexport case card" in answer.err


def test_a_report_that_was_changed_is_not_handed_out(vmexport, case):
    from pathlib import Path

    path = Path(evidence.location(evidence.listing(CASE)[-2]))
    path.chmod(0o600)
    path.write_text("# Forged")
    answer = vmexport("report", CASE)
    assert (answer.code, answer.out) == (1, "")
    assert "vmexport verify" in answer.err


@pytest.mark.parametrize("words", [
    ("case", "show", "VMX-20260302-NONE"), ("case", "card", "VMX-20260302-NONE"), ("case", "timeline", "VMX-20260302-NONE"),
    ("case", "export", "VMX-20260302-NONE", "--to", "/nonexistent/x"), ("verify", "VMX-20260302-NONE"), ("report", "VMX-20260302-NONE"),
])  # fmt: skip
def test_a_case_that_does_not_exist_ends_with_the_next_step(vmexport, database, words):
    answer = vmexport(*words)
    assert (answer.code, answer.out) == (2, "")
    assert "vmexport case list" in answer.err
    assert "Traceback" not in answer.err


def test_a_folder_that_is_not_empty_is_not_written_into(vmexport, case, tmp_path):
    (tmp_path / "mine").write_text("x")
    answer = vmexport("case", "export", CASE, "--to", str(tmp_path))
    assert answer.code == 2
    assert "new folder" in answer.err


def test_without_a_database_the_next_step_is_said(vmexport, monkeypatch, database):
    from tests.postgres import forget_settings

    monkeypatch.setenv("VMEXPORT_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    forget_settings()
    answer = vmexport("case", "list")
    assert answer.code == 2
    assert "VMEXPORT_DATABASE_URL" in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("words", [
    ("case", "list"), ("case", "show"), ("case", "card"), ("case", "timeline"), ("case", "export"), ("verify",), ("report",),
    ("approver", "add"), ("approver", "list"), ("approver", "remove"),
])  # fmt: skip
def test_every_command_shows_an_example_in_its_help(vmexport, words):
    answer = vmexport(*words, "--help")
    assert answer.code == 0
    assert f"Example: vmexport {' '.join(words)}" in " ".join(answer.out.split())
