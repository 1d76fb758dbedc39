"""Runs `vmexport` as a person does: words in, text and exit code out."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from cli.main import main


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str


@pytest.fixture
def vmexport(monkeypatch, capsys):
    """A function that runs the command with these words."""

    def run(*words: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["vmexport", *words])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return Answer(int(end.value.code or 0), said.out, said.err)

    return run
