"""`vmexport hunt --elasticsearch` where there is none that answers: a sentence with the next step, and exit 2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = str(Path(sys.executable).with_name("vmexport"))
NOBODY = {"VMEXPORT_ELASTICSEARCH_URL": "http://127.0.0.1:9", "VMEXPORT_ELASTICSEARCH_RETRIES": "0"}


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        ([], {}, "set VMEXPORT_ELASTICSEARCH_URL"),
        ([], NOBODY, "the connection failed"),
        ([], NOBODY | {"VMEXPORT_ELASTICSEARCH_PASSWORD": "hunter2"}, "_USERNAME and _PASSWORD go together"),
        ([], NOBODY | {"VMEXPORT_HOME": "/dev/null/x"}, "Set VMEXPORT_HOME"),
        (["/srv/logs"], NOBODY, "Name one place to hunt in"),
    ],
)
def test_what_cannot_be_asked_is_told(
    tmp_path: Path, arguments: list[str], settings: dict[str, str], said: str
) -> None:
    """Never a traceback, and never a secret."""
    env = {"PATH": "/usr/bin:/bin", "VMEXPORT_HOME": str(tmp_path)} | settings
    done = subprocess.run(
        [COMMAND, "hunt", "--elasticsearch", *arguments],
        capture_output=True, text=True, timeout=60, check=False, env=env,
    )  # fmt: skip
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr + done.stdout
    assert "goes on from there" not in done.stderr, "nothing was finished"
