"""`vmexport hunt --trino` and `--athena` where they cannot be asked: a sentence with the next step, and exit 2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = str(Path(sys.executable).with_name("vmexport"))
ATHENA = {"VMEXPORT_ATHENA_ACCOUNT": "111122223333", "VMEXPORT_ATHENA_DATABASE": "hunting"}


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        (["--trino"], {}, "set VMEXPORT_TRINO_URL"),
        (["--trino"], {"VMEXPORT_TRINO_URL": "nonsense"}, "write https://host:port"),
        (["--trino"], {"VMEXPORT_TRINO_URL": "http://127.0.0.1:9"}, "that the coordinator runs"),
        (["--trino"], {"VMEXPORT_TRINO_URL": "http://127.0.0.1:9", "VMEXPORT_TRINO_PASSWORD": "hunter2"}, "must be https"),
        (["--athena"], {}, "VMEXPORT_ATHENA_DATABASE"),
        (["--athena"], {"VMEXPORT_ATHENA_ACCOUNT": "111122223333"}, "go together"),
        (["--athena"], ATHENA | {"VMEXPORT_ORGANIZATION": "/none.toml"}, "there is no /none.toml"),
        (["--trino", "--athena"], {}, "got --trino and --athena"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_told(
    tmp_path: Path, arguments: list[str], settings: dict[str, str], said: str
) -> None:
    """Never a traceback, and never a secret."""
    env = {"PATH": "/usr/bin:/bin", "VMEXPORT_HOME": str(tmp_path)} | settings
    done = subprocess.run(
        [COMMAND, "hunt", *arguments], capture_output=True, text=True, timeout=60, check=False, env=env
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr + done.stdout
