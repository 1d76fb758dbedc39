"""The schedules of hunts.toml on a Prefect server: the right times in the right place, with what each run is to ask."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.settings import PREFECT_API_URL

from cli.checks.check import Result
from cli.checks.hunts import hunts as checked_hunts
from deployments import bootstrap
from settings import hunts as hunts_settings
from settings.hunts import EXAMPLE, HuntsUnusable


@pytest.fixture(autouse=True)
def _server(prefect, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", PREFECT_API_URL.value())
    hunts_settings.hunts.cache_clear()
    yield
    hunts_settings.hunts.cache_clear()


def point_to(path, monkeypatch):
    monkeypatch.setenv("VMEXPORT_HUNTS", str(path))
    hunts_settings.hunts.cache_clear()


async def schedules():
    async with get_client() as client:
        deployment = await client.read_deployment_by_name(bootstrap.HUNT)
        return {s.slug: s for s in await client.read_deployment_schedules(deployment.id)}, deployment


async def test_schedules_are_those_of_the_file_however_often_it_is_applied(monkeypatch, tmp_path):
    await bootstrap.bootstrap()
    there, _ = await schedules()
    assert {slug: s.active for slug, s in there.items()} == {"example": False}

    point_to(EXAMPLE, monkeypatch)
    await bootstrap.bootstrap()
    async with get_client() as client:
        await bootstrap.schedule_hunts(client)
    there, deployment = await schedules()
    assert set(there) == {"production-nightly", "everything-weekly"}
    nightly = there["production-nightly"]
    assert nightly.active
    assert nightly.schedule.timezone == "Australia/Sydney"
    assert nightly.parameters["accounts"] == ["111122223333"]
    assert there["everything-weekly"].parameters["window"] == "90d"
    assert await started(deployment.id)

    smaller = tmp_path / "hunts.toml"
    smaller.write_text(EXAMPLE.read_text().split('[[schedule]]\nname = "everything', 1)[0])
    point_to(smaller, monkeypatch)
    async with get_client() as client:
        await bootstrap.schedule_hunts(client)
    assert set((await schedules())[0]) == {"production-nightly"}


async def started(deployment_id) -> bool:
    """Whether the server made a run for the next night of Sydney, with what it is to ask."""
    async with get_client() as client:
        # what the server's scheduler does every minute
        await client.request("POST", "/deployments/{id}/schedule", path_params={"id": deployment_id})
        of_it = DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id]))
        runs = await client.read_flow_runs(deployment_filter=of_it, limit=50)
    nightly = [run for run in runs if run.parameters.get("accounts")]
    soonest = min(run.expected_start_time for run in nightly)
    local = soonest.astimezone(ZoneInfo("Australia/Sydney"))
    assert (local.hour, local.minute) == (2, 15)
    assert datetime.now(UTC) < soonest < datetime.now(UTC) + timedelta(days=1, hours=1)
    return all(run.parameters["source"] == "organization-trail" for run in runs)


async def test_a_file_that_is_wrong_changes_nothing_and_says_why(monkeypatch, tmp_path):
    wrong = tmp_path / "hunts.toml"
    wrong.write_text('[[source]]\nname = "a"\nkind = "folder"\n')
    point_to(wrong, monkeypatch)
    with pytest.raises(HuntsUnusable, match=r"source\.0\.kind"):
        await bootstrap.bootstrap()


def doctor():
    """What `vmexport doctor` says of scheduled hunts."""
    return {check.name: check for check in checked_hunts()}


async def test_doctor_says_whether_the_server_has_the_schedules_of_the_file(monkeypatch, tmp_path):
    assert doctor()["hunts.toml"].result is Result.NOT_CONFIGURED
    text = EXAMPLE.read_text().replace("/srv/logs", str(tmp_path))
    (tmp_path / "hunts.toml").write_text(text)
    point_to(tmp_path / "hunts.toml", monkeypatch)
    await bootstrap.bootstrap()
    assert {name: check.result for name, check in doctor().items()} == {
        "hunt source organization-trail": Result.OK, "hunt schedules": Result.OK,
    }  # fmt: skip

    (tmp_path / "hunts.toml").write_text(text.replace("15 2 * * *", "45 2 * * *"))
    hunts_settings.hunts.cache_clear()
    told = doctor()["hunt schedules"]
    assert told.result is Result.PROBLEM
    assert "production-nightly" in told.sentence
    assert "deployments.bootstrap" in told.next_step

    (tmp_path / "hunts.toml").write_text(text.split('[[schedule]]\nname = "everything', 1)[0])
    hunts_settings.hunts.cache_clear()
    assert "not in the file: everything-weekly" in doctor()["hunt schedules"].sentence


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('kind = "folder"', "source.0.kind"),
        ('kind = "files"\nplace = "/nowhere/logs"', "/nowhere/logs is not there"),
        ('kind = "s3"\nplace = "s3://example-logs"\nstore = "/nowhere/store"', "VMEXPORT_HUNT_LOG_ACCOUNT"),
        ('kind = "elasticsearch"', "VMEXPORT_ELASTICSEARCH_URL is not set"),
        ('kind = "trino"', "VMEXPORT_TRINO_URL is not set"),
        ('kind = "athena"', "VMEXPORT_ATHENA_ACCOUNT"),
        ('kind = "elasticsearch"\nrules = "/nowhere/rules"', "the folder of rules /nowhere/rules is not there"),
    ],
)
def test_doctor_names_what_a_source_lacks(monkeypatch, tmp_path, source, said):
    (tmp_path / "hunts.toml").write_text(f'[[source]]\nname = "a"\n{source}\n')
    point_to(tmp_path / "hunts.toml", monkeypatch)
    assert any(
        check.result is Result.PROBLEM and said in check.sentence and check.next_step for check in doctor().values()
    )
