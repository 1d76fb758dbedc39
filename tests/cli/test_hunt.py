"""`vmexport hunt` as a person and a script meet it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hunting.logs_of import compact, event, export, write


def hunt(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command in a pipe, without any setting."""
    command = [str(Path(sys.executable).with_name("vmexport")), "hunt", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={"PATH": "/usr/bin:/bin"}
    )


def test_something_found_is_exit_1_with_page_and_coverage(tmp_path: Path) -> None:
    """The page tells the export and what was searched, without any colour."""
    write(tmp_path, compact([event(1), export(2), event(3, "GetObject", eventSource="s3.amazonaws.com")]))
    done = hunt(tmp_path)
    assert done.returncode == 1
    assert "Found 1 export" in done.stdout
    assert "i-0123456789abcdef0" in done.stdout
    assert "Searched 1 of 1 files" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


def test_nothing_found_is_exit_0_and_still_says_what_was_searched(tmp_path: Path) -> None:
    """An empty answer has its coverage."""
    write(tmp_path, compact([event(1)]))
    done = hunt(tmp_path)
    assert done.returncode == 0
    assert "Nothing found in what was searched" in done.stdout
    assert "Searched 1 of 1 files" in done.stdout


def test_nothing_searched_is_no_answer(tmp_path: Path) -> None:
    """No file, or none that can be read: exit 2."""
    assert hunt(tmp_path).returncode == 2
    write(tmp_path, b"no log")
    done = hunt(tmp_path)
    assert done.returncode == 2
    assert "could be searched" in done.stderr
    assert "Nothing was searched" in done.stdout


@pytest.mark.parametrize(
    "wrong",
    [["/not/there"], ["s3://bucket/AWSLogs"], [".", "--since", "soon"], [".", "--since", "2026-03-02", "--until", "2026-03-01"], [".", "--rules", "/not/there"]],
)  # fmt: skip
def test_wrong_usage_is_a_sentence(wrong: list[str]) -> None:
    """Exit 2 with the next step, never a traceback."""
    done = hunt(*wrong)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().endswith(".")


def test_json_holds_findings_and_coverage(tmp_path: Path) -> None:
    """One document, in ASCII, with ids that are the same in every run."""
    write(tmp_path, compact([export(2, userAgent="\u202e\x1b[31m")]))
    first, second = hunt(tmp_path, "--json"), hunt(tmp_path, "--json")
    told = json.loads(first.stdout)
    assert first.stdout == second.stdout
    assert first.stdout.isascii()
    assert told["found"] is True
    assert [finding["id"] for finding in told["findings"]] == ["vm-export:1:00000002-0000-4000-8000-000000000000"]
    assert told["coverage"]["files_searched"] == 1


def test_hostile_values_cannot_steer_the_terminal(tmp_path: Path) -> None:
    """Names of files and values of records are shown as text."""
    hostile = "x\x1b]0;owned\x07\u202e"
    place = {"s3Bucket": "exports"}
    request = {"instanceId": "i-0123456789abcdef0", "exportToS3": place}
    identity = {"type": "IAMUser", "arn": f"arn:aws:iam::111122223333:user/{hostile}", "principalId": hostile}
    write(tmp_path, compact([export(2, userIdentity=identity, requestParameters=request)]))
    write(tmp_path, b"no log", name="bad\x1b[2J.json.gz")
    done = hunt(tmp_path)
    assert done.returncode == 1
    assert not {"\x1b", "\x07", "\u202e"} & set(done.stdout)


def test_who_exported(tmp_path: Path) -> None:
    """The base line is a table; it is no alarm."""
    write(tmp_path, compact([export(2), export(3), export(4, errorCode="Client.UnauthorizedOperation")]))
    done = hunt(tmp_path, "--who-exported", "--json")
    assert done.returncode == 0
    rows = json.loads(done.stdout)["who_exported"]
    assert [(row["count"], row["outcomes"]) for row in rows] == [(3, {"accepted": 2, "denied": 1})]


def test_rules_are_asked_as_well(tmp_path: Path) -> None:
    """What a rule matches is a finding; a rule that cannot be used is named."""
    rules = tmp_path / "rules"
    write(tmp_path / "logs", compact([event(1, "StopLogging", eventSource="cloudtrail.amazonaws.com")]))
    rules.mkdir()
    (rules / "a.yml").write_text(
        "title: Logging stopped\nid: a\nlevel: high\nlogsource: {product: aws, service: cloudtrail}\n"
        "detection:\n  s: {eventName: StopLogging}\n  condition: s\n"
    )
    (rules / "b.yml").write_text("title: no rule\n")
    done = hunt(tmp_path / "logs", "--rules", rules)
    assert done.returncode == 1
    assert "Logging stopped" in done.stdout
    assert "b.yml" in done.stdout
