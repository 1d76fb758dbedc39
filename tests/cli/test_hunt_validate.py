"""`vmexport hunt --validate` as a person and a script meet it."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.test_hunt import hunt
from tests.hunting.logs_of import compact, export
from tests.hunting.trails_of import Trail, trail


@pytest.fixture
def mine(tmp_path: Path) -> Trail:
    """A signed trail without an export."""
    return trail(tmp_path / "logs")


def checked(mine: Trail, *more: object) -> subprocess.CompletedProcess[str]:
    """The command with the trail's keys."""
    return hunt(mine.root, "--validate", "--digest-keys", mine.key_file(), *more)


def test_an_untouched_trail_is_exit_0_and_said_so(mine: Trail) -> None:
    """What was proven is told before anything else, and what was not."""
    done = checked(mine)
    assert done.returncode == 0, done.stderr
    assert "No change was found." in done.stdout
    assert "14 log files proven, 2 with the hash of such a digest" in done.stdout
    assert "newest" in done.stdout or "last of a chain" in done.stdout


def test_a_changed_log_file_is_exit_1_on_the_first_lines_and_in_json(mine: Trail) -> None:
    """Though nothing was found in it: whoever changed it saw to that."""
    mine.log(3).write_bytes(gzip.compress(compact([])))
    done = checked(mine)
    assert done.returncode == 1
    head = done.stdout[: done.stdout.index("What was searched")]
    assert "Nothing found, and the log files are NOT as they were delivered" in head
    assert mine.log(3).name[:40] in head
    assert "\x1b" not in done.stdout
    told = json.loads(checked(mine, "--json").stdout)
    assert told["found"] is False
    (found,) = told["coverage"]["integrity"]["breaks"]
    assert (found["kind"], found["name"]) == ("changed-log", mine.name(mine.log(3)))
    assert checked(mine, "--who-exported").returncode == 1


def test_what_a_digest_names_cannot_steer_the_terminal(mine: Trail) -> None:
    """Names in digest files are text of strangers."""
    entry = {"s3Bucket": "b", "s3Object": "\x1b[2J\u202e`|x", "hashValue": "0" * 64, "hashAlgorithm": "SHA-256"}
    mine.edit(7, lambda told: told["logFiles"].append(entry))
    done = checked(mine)
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
    assert "\\x1b[2J" in done.stdout


def test_findings_and_breaks_are_told_together(tmp_path: Path) -> None:
    """An export in logs that were changed elsewhere."""
    mine = trail(tmp_path / "logs")
    mine.log(2).write_bytes(gzip.compress(compact([export(1)])))
    done = checked(mine)
    assert done.returncode == 1
    assert "Found 1 export, and the log files are NOT as they were delivered" in done.stdout


def test_without_keys_it_is_said_that_signatures_were_not_checked(mine: Trail) -> None:
    """Exit 0: hashes hold."""
    done = hunt(mine.root, "--validate")
    assert done.returncode == 0
    assert "Signatures were not checked" in done.stdout
    assert "--digest-keys" in done.stdout


def test_without_validate_nothing_is_told_of_it(mine: Trail) -> None:
    """A hunt is no validation."""
    mine.log(3).write_bytes(gzip.compress(compact([])))
    done = hunt(mine.root, "--json")
    assert json.loads(done.stdout)["coverage"]["integrity"] is None


@pytest.mark.parametrize(
    "wrong",
    [
        ["--digest-keys", "keys.json"],
        ["--validate", "--digest-keys", "/not/there.json"],
        ["--validate", "--digest-keys", "aws", "--digest-keys", "keys.json"],
        ["--validate", "--keep-keys", "kept.json"],
    ],
)
def test_wrong_usage_is_a_sentence(mine: Trail, wrong: list[str]) -> None:
    """Exit 2 with the next step, never a traceback."""
    done = hunt(mine.root, *wrong)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "--" in done.stderr


def test_keys_that_are_none_are_refused(mine: Trail, tmp_path: Path) -> None:
    """A damaged key file is no reason to go on without keys."""
    wrong = mine.signer.public_keys()
    wrong["PublicKeyList"][0]["Fingerprint"] = "0" * 32
    path = tmp_path / "wrong.json"
    for text in ("", "[]", '{"PublicKeyList": [{}]}', '{"PublicKeyList": [{"Fingerprint": "a", "Value": "*"}]}', json.dumps(wrong)):  # fmt: skip
        path.write_text(text)
        done = hunt(mine.root, "--validate", "--digest-keys", path)
        assert done.returncode == 2, text
        assert "Traceback" not in done.stderr
        assert "list-public-keys" in done.stderr


def test_a_store_cannot_be_validated_and_says_what_to_do() -> None:
    """Digest files lie beside log files."""
    done = hunt("--store", "/tmp", "--validate")
    assert done.returncode == 2
    assert "CloudTrail-Digest" in done.stderr
