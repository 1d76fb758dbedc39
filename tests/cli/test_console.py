"""Whatever is missing or wrong, a command says it in a sentence with the next step, and exits with 2; never a traceback."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import typer.main

from cli.main import app
from records import inbox, ledger
from settings.home import home
from settings.organization import organization
from settings.receiver import receiver
from tests.decisions.story import ASKED, CASE, JUDGED, OPENED, entries
from tests.postgres import forget_settings

ALERTS = Path(__file__).parent.parent / "alerts"
GATE = "VMX-20260302-ABCD/containment"
ASK_THE_STORE = (
    ("case", "list"), ("case", "show", "X"), ("case", "card", "X"), ("case", "timeline", "X"), ("gates",), ("verify", "X"),
    ("approve", GATE, "--as", "alice@example.com"), ("decline", GATE, "--as", "alice@example.com"), ("report", "X"),
    ("release", "X", "--as", "alice@example.com", "--reason", "r"), ("approver", "list"),
    ("inbox",), ("inbox", "show", "1"), ("inbox", "retry", "1"),
    ("inbox", "acknowledge", "1", "--as", "alice@example.com", "--reason", "r"),
)  # fmt: skip


def forget():
    forget_settings()
    home.cache_clear()
    receiver.cache_clear()


@pytest.fixture
def run(vmexport, monkeypatch, tmp_path):
    """A function that runs the command where nothing but these variables is set."""

    def with_only(*words, **environment):
        for name in [n for n in os.environ if n.startswith(("VMEXPORT_", "PREFECT_"))]:
            monkeypatch.delenv(name)
        for name, value in {"VMEXPORT_HOME": str(tmp_path), **environment}.items():
            monkeypatch.setenv(name, value)
        forget()
        return vmexport(*words)

    yield with_only
    monkeypatch.undo()
    forget()


def commands(group=None, path=()):
    """Every command by its words, as the help lists them."""
    for name, command in (group or typer.main.get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


@pytest.mark.parametrize(("words", "command"), [pytest.param(w, c, id=" ".join(w)) for w, c in commands()])
def test_every_command_has_an_example_that_names_it(words, command):
    assert f"Example: {'' if words[0] != 'serve' else 'VMEXPORT_RECEIVER_SECRET='}" in command.help
    assert f"vmexport {' '.join(words)}" in command.help


@pytest.mark.parametrize("words", ASK_THE_STORE, ids=" ".join)
def test_without_a_database_the_next_step_is_named(run, words):
    answer = run(*words)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("no database: set VMEXPORT_DATABASE_URL, or run `vmexport serve`")
    assert len(answer.err.splitlines()) == 1


@pytest.mark.parametrize(("words", "environment", "said"), [
    (("serve",), {}, "VMEXPORT_RECEIVER_SECRET is not set"),
    (("serve",), {"VMEXPORT_RECEIVER_SECRET": "tooshort"}, "VMEXPORT_RECEIVER_SECRET cannot be used"),
    (("gates",), {"VMEXPORT_DATABASE_URL": "nonsense"}, "VMEXPORT_DATABASE_URL is not a URL"),
    (("gates",), {"VMEXPORT_DATABASE_URL": "postgresql://127.0.0.1:1/x"}, "the case store does not answer"),
    (("case", "list"), {"VMEXPORT_PREFECT_PORT": "abc"}, "VMEXPORT_PREFECT_PORT cannot be used"),
    (("rules", "check"), {"VMEXPORT_TRINO_JWT": "tooshort"}, "VMEXPORT_TRINO_URL must be https:// where there is"),
    (("rules", "check"), {"VMEXPORT_TRINO_URL": "ftp://x"}, "VMEXPORT_TRINO_URL cannot be used: write https://host:port"),
])  # fmt: skip
def test_a_setting_that_is_missing_or_wrong_is_named_and_its_value_is_not_shown(run, words, environment, said):
    answer = run(*words, **environment)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert "tooshort" not in answer.err


def test_wrong_words_are_answered_without_frames_or_colours(run):
    for words in (("nonsense",), ("approve",), ("report", "X", "--format", "pdf"), ("approve", "--help"), ()):
        answer = run(*words, FORCE_COLOR="1", GITHUB_ACTIONS="true")
        assert answer.code == (0 if "--help" in words else 2)
        assert not set("\x1b│╭") & set(answer.out + answer.err)


def test_a_defect_of_ours_keeps_its_traceback():
    code = "import cli.main as m; m.app = lambda: 1 / 0; m.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, "ZeroDivisionError" in done.stderr) == (1, True)


def test_ingest_takes_in_no_more_than_the_receiver_would(run, tmp_path):
    bomb, fits = tmp_path / "bomb.gz", tmp_path / "fits"
    bomb.write_bytes(gzip.compress(b" " * 2000))
    fits.write_bytes(b" " * 1999)
    answer = run("ingest", str(bomb), VMEXPORT_RECEIVER_BODY_LIMIT_BYTES="1999")
    assert (answer.code, answer.out) == (2, "")
    assert "larger than 1999 bytes" in answer.err
    assert "no database" in run("ingest", str(fits), VMEXPORT_RECEIVER_BODY_LIMIT_BYTES="1999").err


def test_a_folder_that_is_no_exported_case_is_not_called_damaged(run, tmp_path):
    answer = run("verify", str(tmp_path))
    assert answer.code == 2
    assert "is not an exported case" in answer.err


def test_an_alert_that_cannot_be_assigned_yet_is_kept_and_said_to_be(vmexport, database, monkeypatch, tmp_path):
    monkeypatch.setenv("VMEXPORT_ORGANIZATION", str(tmp_path / "none.toml"))
    organization.cache_clear()
    answer = vmexport("ingest", str(ALERTS / "search_hit.json"))
    assert (answer.code, answer.out) == (2, "")
    assert "organization.example.toml" in answer.err
    assert "The alert is kept as item" in answer.err
    assert [item.source for item in inbox.pending()] == ["cli"]


def test_a_gate_is_answered_only_where_it_waits_and_a_code_may_come_from_a_pipe(vmexport, case_at_gate, monkeypatch):
    waiting = vmexport("gates").out
    assert f"{CASE}/containment" in waiting
    assert f"vmexport approve {CASE}/containment --as ADDRESS" in waiting
    unknown = vmexport("approve", CASE, "--as", "alice@example.com", "--leave-out", "s3.lock-export:typo")
    assert (unknown.code, "no action s3.lock-export:typo" in unknown.err) == (2, True)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    silent = vmexport("approve", CASE, "--as", "alice@example.com")
    assert (silent.code, "no one-time code" in silent.err) == (2, True)
    monkeypatch.setattr("sys.stdin", io.StringIO("123456\n"))
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    unheard = vmexport("approve", CASE, "--as", "alice@example.com")
    assert (unheard.code, "no Prefect server answers at http://127.0.0.1:9/api" in unheard.err) == (2, True)


@pytest.fixture
def case_at_gate(database):
    """A case whose containment waits for an answer."""
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    run = str(UUID(int=1))
    for entry in entries(*(h for h in (*OPENED, *JUDGED, *ASKED) if h[0] != "evidence-collected")):
        later = {"until": until, "run": run} if entry.kind == "gate-asked" else {}
        ledger.append(CASE, entry.kind, entry.by, entry.data | later)
    return CASE
