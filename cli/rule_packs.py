"""A pack of Sigma rules as it is named on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from decisions.sigma import Loaded


def pack(folder: Path) -> Loaded:
    """The rules of a folder or a file. Raises UsageProblem where none of them can be used."""
    from cli.console import UsageProblem
    from tasks.hunting.fixtures import FixturesUnusable, load

    try:
        loaded = load(folder)
    except (FixturesUnusable, OSError) as error:
        raise UsageProblem(f"{error}. Name a folder of Sigma rules, `hunts` for example.") from error
    if not loaded.rules:
        why = "; ".join(f"{name}: {reason}" for name, reason in loaded.refused[:3])
        raise UsageProblem(f"no rule in {folder} can be used ({why}).")
    return loaded
