"""`vmexport rules check` and `backtest`: what a detection engineer sees, and the exit code."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.console import UsageProblem
from cli.rules import app
from decisions.sigma import load_rules
from decisions.sigma_backtest import Tally, refused_for_scheduling
from tests.hunting.logs_of import compact, event, write
from tests.hunting.test_access_rules import NAME, line

RULE = """title: Exports
id: exports
name: exports
logsource: {product: aws, service: cloudtrail}
detection:
  call: {eventName: ExportImage}
  failed: {errorCode|exists: true}
  condition: call and not failed
"""
MATCH = {"about": "accepted", "match": ["exports"], "record": {"eventName": "ExportImage"}}
NO_MATCH = {"about": "denied", "match": [], "record": {"eventName": "ExportImage", "errorCode": "AccessDenied"}}


def written(folder: Path, *fixtures: object, rule: str = RULE) -> Path:
    (folder / "exports.yml").write_text(rule)
    (folder / "exports.fixtures.jsonl").write_text("".join(json.dumps(one) + "\n" for one in fixtures))
    return folder


def run(*arguments: str | Path):
    return CliRunner().invoke(app, [str(one) for one in arguments])


def test_a_right_pack_is_good(tmp_path: Path):
    told = run("check", written(tmp_path, MATCH, NO_MATCH))
    assert told.exit_code == 0, told.output
    assert "all engines agree" in told.output
    assert "trino" in told.output  # what was not asked is said


def test_a_wrong_fixture_is_named_by_its_line_and_engine(tmp_path: Path):
    told = run("check", written(tmp_path, MATCH, NO_MATCH | {"match": ["exports"]}))
    assert told.exit_code == 1
    assert "exports.fixtures.jsonl:2: duckdb: exports does not match and must: denied" in told.output
    assert "exports.fixtures.jsonl:2: reference" in told.output


ACCESS = RULE.replace("service: cloudtrail", "service: s3access").replace("eventName: ExportImage", "operation: REST.GET.OBJECT").replace(
    "errorCode|", "error_code|"
)  # fmt: skip
READ = {"time": "2026-03-02T10:00:00Z", "operation": "REST.GET.OBJECT", "key": "vms/export-i-1.ova", "http_status": 200}


def test_a_rule_about_access_logs_is_asked_of_lines_with_the_fields_of_its_fixtures(tmp_path: Path):
    read = {"about": "read", "match": ["exports"], "record": READ}
    denied = {"about": "denied", "match": [], "record": READ | {"http_status": 403, "error_code": "AccessDenied"}}
    call = {"about": "a call", "match": [], "record": {"eventName": "GetObject", "operation": "REST.GET.OBJECT"}}
    told = run("check", written(tmp_path, read, denied, call, rule=ACCESS))
    assert told.exit_code == 0, told.output
    told = run("check", written(tmp_path, denied | {"match": ["exports"]}, rule=ACCESS))
    assert "exports.fixtures.jsonl:1: raw: exports does not match and must: denied" in told.output
    impossible = read | {"record": READ | {"user_agent": "-"}}
    problem = run("check", written(tmp_path, impossible, rule=ACCESS)).exception
    assert isinstance(problem, UsageProblem)
    assert "has another user_agent" in str(problem)


def test_a_fixture_of_a_rule_that_is_not_there_is_wrong(tmp_path: Path):
    told = run("check", written(tmp_path, MATCH | {"match": ["exports", "export"]}))
    assert told.exit_code == 1
    assert "there is no rule 'export'" in told.output


def test_a_rule_that_cannot_be_used_is_a_failure(tmp_path: Path):
    told = run("check", "--json", written(tmp_path, rule=RULE.replace("errorCode|exists", "errorCode|windash")))
    assert told.exit_code == 1
    assert "windash" in json.loads(told.output)["refused"][0][1]


def test_a_folder_without_rules_is_wrong_usage(tmp_path: Path):
    assert isinstance(run("check", tmp_path).exception, UsageProblem)


def test_a_backtest_tells_rate_and_noisiest_values_and_refuses_a_noisy_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from settings.hunting import hunting

    records = [
        {"eventSource": "x", "eventName": "ExportImage" if n % 4 == 0 else "GetObject", "sourceIPAddress": "192.0.2.7"}
        for n in range(40)
    ]
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.json.gz").write_bytes(gzip.compress(json.dumps({"Records": records}).encode()))
    (logs / "b.json.gz").write_bytes(gzip.compress(b'{"Records": [')[:-8])
    told = run("backtest", logs, "--rules", written(tmp_path, MATCH), "--json")
    assert told.exit_code == 1
    page = json.loads(told.output)
    assert (page["events"], page["coverage"]["files_searched"]) == (40, 1)
    assert "b.json.gz" in page["coverage"]["quarantined"][0]["path"]
    (line,) = page["rules"]
    assert (line["hits"], line["rate"], line["parsed"], line["costly"]) == (10, 0.25, 10, False)
    assert ["sourceIPAddress", "192.0.2.7", 10] in line["noisiest"]
    assert "25.00%" in line["not_for_schedule"]
    monkeypatch.setenv("VMEXPORT_HUNT_RULE_RATE_MAX", "0.5")
    hunting.cache_clear()
    try:
        assert run("backtest", logs, "--rules", tmp_path).exit_code == 0
    finally:
        hunting.cache_clear()


def test_a_backtest_reads_every_shape_of_file_and_each_rule_its_own_kind_of_log(tmp_path: Path):
    logs, rules = tmp_path / "logs", tmp_path / "rules"
    rules.mkdir()
    written(rules, MATCH)
    (rules / "reads.yml").write_text(ACCESS.replace("exports", "reads"))
    records = [event(n, "ExportImage" if n % 4 == 0 else "RunInstances") for n in range(8)]
    write(logs, compact(records))
    write(logs, "\n".join(map(json.dumps, records)).encode(), "lines.jsonl", packed=False)
    write(logs, json.dumps([*records, "x"], indent=2).encode(), "list.json", packed=False)
    write(logs, compact(records)[:-300], "cut.json.gz")
    reads = [line(n, status="200 - 1" if n else "403 AccessDenied 1") for n in range(5)]
    write(logs, "\n".join([*reads, "no line"]).encode(), NAME, "access", packed=False)
    told = run("backtest", logs, "--rules", rules, "--json")
    page = json.loads(told.output)
    by_rule = {one["id"]: one for one in page["rules"]}
    assert (by_rule["exports"]["hits"], by_rule["exports"]["events"]) == (8, 31)
    assert (by_rule["reads"]["hits"], by_rule["reads"]["events"], by_rule["reads"]["rate"]) == (4, 5, 0.8)
    assert (page["events"], page["coverage"]["files_searched"], page["coverage"]["quarantined"]) == (36, 5, [])
    damaged = {Path(one["path"]).name for one in page["coverage"]["damaged"]}
    assert damaged == {"cut.json.gz", "list.json", NAME}
    assert "Searched 5 of 5 files" in run("backtest", logs, "--rules", rules).output


def test_a_backtest_says_what_it_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from settings.hunting import hunting

    for n in range(3):
        write(tmp_path / "logs", compact([event(n), event(10 + n)]), f"{n}.json.gz")
    monkeypatch.setenv("VMEXPORT_HUNT_BACKTEST_EVENTS_MAX", "3")
    hunting.cache_clear()
    try:
        told = run("backtest", tmp_path / "logs", "--rules", written(tmp_path, MATCH))
    finally:
        hunting.cache_clear()
    assert "Only the first 3 events of each kind of log were looked at." in told.output
    assert "1 file(s) were not opened" in told.output
    assert "Searched 2 of 3 files" in told.output
    nothing = run("backtest", tmp_path / "nowhere", "--rules", tmp_path)
    assert isinstance(nothing.exception, UsageProblem)
    assert "cannot be listed" in str(nothing.exception)


def test_a_rule_whose_rate_is_unknown_is_not_scheduled():
    (rule,) = load_rules({"r": RULE}).rules
    assert "unknown" in (refused_for_scheduling(Tally(rule), 1.0) or "")
    assert refused_for_scheduling(Tally(rule, 10), 0.001) is None
