"""Promises about the house itself: what may import what, what every action has, what the documents claim."""

from __future__ import annotations

import importlib
import importlib.metadata
import ipaddress
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
RINGS = ("flows", "tasks", "decisions", "records", "receiver", "cli", "settings", "lab")
DOCUMENTED_ACCOUNTS = {"111122223333", "444455556666", "777788889999", "123456789012", "210987654321", "000000000000"}


def tracked(*suffixes: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [ROOT / name for name in listed if name.endswith(suffixes) and (ROOT / name).exists()]


def test_imports_go_one_way():
    done = subprocess.run([ROOT / ".venv/bin/lint-imports"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


def test_every_deployment_entrypoint_loads_as_one_module():
    for deployment in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]:
        module, _, name = deployment["entrypoint"].rpartition(".")
        assert ":" not in deployment["entrypoint"], "a path entrypoint loads the module twice"
        flow = getattr(importlib.import_module(module), name)
        assert flow.fn.__module__ == module


def test_no_installed_distribution_ships_our_names():
    for distribution in importlib.metadata.distributions():
        if distribution.metadata["Name"] == "ec2-vm-export-response":
            continue
        top = {Path(str(f)).parts[0] for f in distribution.files or () if str(f).endswith(".py")}
        assert not top & set(RINGS), f"{distribution.metadata['Name']} ships {top & set(RINGS)}"


STEP = re.compile(r'(?:step(?:: ClassVar\[str\])? ?= ?"|"step:)([a-z-]+\.\d+[a-z]?)"')
DECIDED = re.compile(r"^Carries out `([a-z-]+\.\d+[a-z]?)`", re.M)
"""A step that asks nobody anything is a decision; its module says so."""


def claims() -> dict[str, set[str]]:
    """Step of the playbook -> the files that carry it out."""
    found: dict[str, set[str]] = {}
    for pattern, ring in ((STEP, "tasks"), (STEP, "flows"), (DECIDED, "decisions")):
        for path in ROOT.glob(f"{ring}/**/*.py"):
            for step in pattern.findall(path.read_text()):
                found.setdefault(step, set()).add(path.relative_to(ROOT).as_posix())
    return found


def test_every_playbook_step_is_claimed_by_the_code_or_done_by_hand():
    playbook = (ROOT / "flows/vm_export/PLAYBOOK.md").read_text()
    steps = set(
        re.findall(r"`((?:triage|investigation|containment|eradication|recovery|post-incident)\.\d+[a-z]?)`", playbook)
    )
    by_hand = set(re.findall(r"`([a-z-]+\.\d+[a-z]?)`[^\n]*\(by hand\)", playbook))
    claimed = set(claims())
    assert steps, "PLAYBOOK.md names no steps"
    assert claimed - steps == set(), "the code claims steps that the playbook does not have"
    assert steps - claimed - by_hand == set(), "steps that no code claims and that are not marked (by hand)"


def test_the_table_of_steps_names_the_files_that_carry_them_out():
    playbook = (ROOT / "flows/vm_export/PLAYBOOK.md").read_text()
    steps = re.findall(r"^- `([a-z-]+\.\d+[a-z]?)`", playbook, re.M)
    rows = re.findall(r"^\| `([a-z0-9.-]+)` \|[^|]*\|([^|]*)\|", (ROOT / "docs/playbook.md").read_text(), re.M)
    assert [step for step, _ in rows] == steps
    assert {step: set(re.findall(r"`([^`]+)`", files)) for step, files in rows} == {
        s: claims().get(s, set()) for s in steps
    }


def test_every_file_that_the_documents_name_exists():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = page.read_text()
        named = set(re.findall(rf"`((?:{'|'.join(RINGS)}|deployments|docs|tests)/[\w./-]*)`", text))
        linked = {n for n in re.findall(r"\]\(((?!https?:)[^)#]+)\)", text) if not n.endswith(".png")}
        missing = {n for n in named if not (ROOT / n).exists()} | {n for n in linked if not (page.parent / n).exists()}
        assert not missing, f"{page.relative_to(ROOT)} names {sorted(missing)}"


def test_the_policies_of_our_roles_and_their_page_are_what_the_code_declares():
    from tasks.actions.permissions import files

    stale = [path for path, text in files().items() if not path.exists() or path.read_text() != text]
    assert not stale, f"out of date: {stale}. Run: make permissions"


def test_only_gates_suspends():
    for path in tracked(".py"):
        if path.parts[len(ROOT.parts)] == "tests" or path.name == "gates.py":
            continue
        assert "suspend_flow_run" not in path.read_text(), path
        assert "pause_flow_run" not in path.read_text(), path


def test_only_actions_write_to_aws():
    writes = re.compile(
        r"\.(put|delete|update|create|attach|detach|cancel|modify|copy|upload|abort|complete|set)_[a-z_]+\("
    )
    ours = re.compile(
        r"\.(create_default_context|set_inheritable|create_task|create_engine|create_all|update_automation|create_automation|create_work_pool|create_flow_run\w*|create_markdown\w*|create_table\w*)\("
    )
    for path in ROOT.glob("tasks/**/*.py"):
        if "actions" in path.parts:
            continue
        for line in path.read_text().splitlines():
            assert not writes.search(ours.sub("(", line)), f"{path}: {line.strip()}"


def test_one_module_makes_boto3_sessions():
    made = [
        p
        for ring in ("flows", "tasks", "receiver", "records", "cli")
        for p in ROOT.glob(f"{ring}/**/*.py")
        if re.search(r"\bboto3\.(Session|client|resource)\(", p.read_text())
    ]
    assert [p.relative_to(ROOT).as_posix() for p in made] in (["tasks/sts.py"], [])


def test_the_product_never_imports_the_lab():
    for ring in ("flows", "tasks", "receiver", "records", "decisions", "settings"):
        for path in ROOT.glob(f"{ring}/**/*.py"):
            assert not re.search(r"^\s*(from|import) lab\b", path.read_text(), re.M), path


def test_documents_and_fixtures_name_no_real_account_or_address():
    for path in tracked(".py", ".md", ".toml", ".json", ".yaml", ".jsonl"):
        text = path.read_text(errors="replace")
        for account in re.findall(r"(?<![\w.-])(\d{12})(?![\w.-])", text):
            assert account in DOCUMENTED_ACCOUNTS, f"{path}: account {account}"
        for address in re.findall(r"(?<![\w.])(\d{1,3}(?:\.\d{1,3}){3})(?![\w.]|/[0-8]\b)", text):
            try:
                ip = ipaddress.ip_address(address)
            except ValueError:
                continue
            documentation = any(
                ip in ipaddress.ip_network(n) for n in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
            )
            assert documentation or ip.is_private or ip.is_loopback or ip.is_unspecified, f"{path}: address {address}"


def test_no_index_address_stands_in_a_file():
    for path in tracked(".lock", ".toml", ".in", ".cfg", "Makefile"):
        assert not re.search(r"--(extra-)?index-url|https?://[^ ]*(pypi|pythonhosted)", path.read_text()), path


def test_every_command_that_the_readme_shows_exists():
    from typer.testing import CliRunner

    from cli.main import app

    shown: set[str] = set()
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        shown |= set(
            re.findall(r"vmexport ([a-z][a-z-]+(?: (?:list|show|card|timeline|export|add|remove))?)", page.read_text())
        )
    assert shown, "the README shows no command"
    for command in sorted(shown):
        result = CliRunner().invoke(app, [*command.split(), "--help"])
        assert result.exit_code == 0, f"`vmexport {command}` is documented and does not exist: {result.output}"


def test_every_make_target_that_the_readme_shows_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        assert set(re.findall(r"`make ([a-z]+)", page.read_text())) <= targets, page


def test_help_answers_without_importing_prefect_or_boto3():
    code = "import sys, cli.main; print([m for m in ('prefect', 'boto3', 'moto', 'altair', 'sqlalchemy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", sorted(ROOT.glob("*/__init__.py")), ids=lambda p: p.parent.name)
def test_package_files_are_empty(path):
    assert path.read_text() == ""
