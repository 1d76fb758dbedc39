"""Scheduled hunts as tests run them: a hunts.toml, runs of the deployment's flow, its summaries and cases; what any source must do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from decisions.case import Case, fold
from flows.retro_hunt import Hunted, retro_hunt
from records import hunt_lock, hunts, ledger
from records.database import transaction
from settings import hunts as hunts_settings
from tasks.hunting.coverage import Period
from tasks.hunting.file_source import FileSource
from tasks.hunting.hunt import hunt
from tests.hunting.logs_of import compact, event, export, write

FIRST = 'first = "9000d"'
"""The records of tests are of March 2026, and no test may end with that year."""
EXPORT = export(1)
NOW = datetime.now(UTC) - timedelta(hours=1)
RECENT = event(9, eventTime=f"{NOW:%Y-%m-%dT%H:%M:%SZ}")
"""Something that a run which begins yesterday can search: a source that holds nothing of its time is no answer."""
OTHERS = "444455556666"
"""An account that exported nothing."""


@contextmanager
def forgetting(*cached: Callable[[], object]) -> Iterator[None]:
    """Settings, hunts.toml among them, are read again within the block, and after it."""
    every = (hunts_settings.hunts, *cached)
    for one in every:
        one.cache_clear()  # type: ignore[attr-defined]  # each is an lru_cache
    try:
        yield
    finally:
        for one in every:
            one.cache_clear()  # type: ignore[attr-defined]  # as above


def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A hunts.toml of this text. Whoever calls forgets it at the end."""
    (tmp_path / "hunts.toml").write_text(text)
    monkeypatch.setenv("VMEXPORT_HUNTS", str(tmp_path / "hunts.toml"))
    hunts_settings.hunts.cache_clear()


def run(source: str, **asked: Any) -> Hunted:
    """One run of the deployment's flow, to its end."""
    hunted = asyncio.run(retro_hunt(source=source, **asked))
    assert isinstance(hunted, Hunted)
    return hunted


def summaries(key: str) -> list[str]:
    """Every version of the artifact, oldest first, without the escapes of Markdown."""

    async def read() -> list[str]:
        async with get_client() as client:
            found = await client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))
        return [str(one.data) for one in sorted(found, key=lambda artifact: artifact.created or artifact.id)]

    return [text.replace("\\", "") for text in asyncio.run(read())]


def case_of(hunted: Hunted) -> Case:
    """The one case that a run opened or joined."""
    [case_id] = hunted.cases
    return fold(ledger.entries(case_id))


def ids_from_files(tmp_path: Path) -> set[str]:
    """The ids under which a hunt in files finds the export."""
    folder = tmp_path / "as-files"
    write(folder, compact([EXPORT]))
    found = hunt(FileSource(folder, Period(), 1 << 26, workers=1), Period())
    return {one.id for one in found.findings if one.kind == "export"}


def kept_ids() -> set[str]:
    """The ids of all exports that hunts found."""
    with transaction() as connection:
        return {kept.finding.id for kept in hunts.findings(connection, kinds=("export",))}


def assert_nights(source: str, tmp_path: Path, covered: str) -> None:
    """An export that lies in the source becomes a case in the first night, and is known in the second; scopes narrow it.

    `covered`: what the summary says of what was searched.
    """
    first = run(source)
    case = case_of(first)
    assert {one.event_id for one in case.exports} == {EXPORT["eventID"]}
    assert kept_ids() == ids_from_files(tmp_path)
    told = summaries(f"retro-hunt-{source}")[-1]
    assert f"it opened case {case.id}" in told
    assert covered in told

    before = ledger.entries(case.id)
    second = run(source, since="2026-03-01")
    assert (second.cases, second.findings) == ((), 1)
    assert ledger.entries(case.id) == before
    assert f"seen: case {case.id} is open" in summaries(f"retro-hunt-{source}")[-1]

    assert run(source, since="2026-03-01", accounts=[OTHERS]).findings == 0
    assert run(source, since="2026-03-01", regions=["ap-southeast-2"]).findings == 0
    told = summaries(f"retro-hunt-{source}-{OTHERS}")[-1]
    assert f"Only accounts {OTHERS} were asked about" in told
    assert f"Nothing of account {OTHERS} is among what was searched" in told, "not found is not: not there"

    with hunt_lock.alone(source) as free:
        assert free
        state = asyncio.run(retro_hunt(source=source, return_state=True))
        assert state.is_cancelled()
        assert "at work" in str(state.message)


def assert_unanswered(
    source: str, broken: Callable[[], AbstractContextManager[object]], error: type[Exception], why: str
) -> None:
    """While the source gives no whole answer a run fails and says why; the one after it begins where that one would have."""
    whole = run(source)
    with broken(), pytest.raises(error, match=why):
        run(source)
    failed = hunts.last_run("retro-hunt", source, "failed")
    assert failed is not None
    assert failed.why is not None
    told = summaries(f"retro-hunt-{source}")[-1]
    assert "could not be searched" in told
    assert "Nothing found" not in told
    again = run(source)
    assert again.since == failed.since
    assert again.since is not None
    assert again.since < whole.until
