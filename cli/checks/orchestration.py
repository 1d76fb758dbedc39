"""The Prefect server: reachable, of our version, set as we need it, with our deployments and a worker that polls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cli.checks.check import Check, ago, listed, ok, problem, warning

POOL = "vm-export"
SILENT = timedelta(minutes=2)
"""A worker tells that it lives every 30 seconds."""
WHY = {
    "PREFECT_RESULTS_DEFAULT_SERIALIZER": "a pickled result is code for whoever can write the storage folder",
    "PREFECT_WORKER_QUERY_SECONDS": "the default of 10 s is most of the time from alert to card",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "without heartbeats a dead run is not told from a long one",
    "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": "the default forgets after seven days",
}
"""Those of cli/services.PREFECT that the server tells; docs/architecture.md explains all of them."""


def prefect() -> Iterator[Check]:
    """Everything about the server, as far as it answers."""
    import httpx

    from cli.orchestration import api_url

    url = api_url()
    try:
        with httpx.Client(base_url=url, timeout=10) as http:
            http.get("/health").raise_for_status()
            yield from _version(http.get("/admin/version").json(), url)
            yield from _settings(http.get("/admin/settings").json())
            yield from _deployments(http)
            yield from _workers(http)
    except httpx.TransportError as error:
        yield problem(
            "Prefect", f"no server answers at {url} ({type(error).__name__})",
            "Start `vmexport serve`, or set PREFECT_API_URL to the server of this installation.",
        )  # fmt: skip
    except (httpx.HTTPStatusError, ValueError, KeyError, TypeError) as error:
        yield problem(
            "Prefect", f"what answers at {url} is no Prefect server that we understand ({type(error).__name__})",
            "Check PREFECT_API_URL; it ends in /api.",
        )  # fmt: skip


def _version(theirs: Any, url: str) -> Iterator[Check]:
    from importlib.metadata import version

    ours = version("prefect")
    if str(theirs) == ours:
        yield ok("Prefect", f"version {ours} answers at {url}")
    else:
        yield warning("Prefect", f"the server is {str(theirs)[:20]}, we are {ours}", "Run the same version on both.")


def _settings(told: Mapping[str, Any]) -> Iterator[Check]:
    from cli.services import PREFECT

    good = True
    for name, why in WHY.items():
        value = _value(told, name.removeprefix("PREFECT_").lower())
        if value is not None and not fits(value, PREFECT[name]):
            good = False
            sentence = f"{name} is {str(value)[:40]} in the server's environment: {why}"
            yield warning("Prefect settings", sentence, f"Set it to {PREFECT[name]} for server and workers.")
    if good:
        yield ok("Prefect settings", "the server's are as we need them (a worker's own cannot be read from here)")


def _value(tree: Any, name: str) -> Any:
    """The value under a name like results_default_serializer in nested settings."""
    if not isinstance(tree, Mapping):
        return None
    if name in tree:
        return tree[name]
    below = (_value(tree[key], name[len(key) + 1 :]) for key in tree if name.startswith(f"{key}_"))
    return next((value for value in below if value is not None), None)


def fits(value: Any, wanted: str) -> bool:
    """Whether a setting is as wanted: a period at least as long, a number of seconds no larger, a word the same."""
    from pydantic import TypeAdapter

    if wanted.startswith("P"):
        period = TypeAdapter(timedelta)
        return period.validate_python(value) >= period.validate_python(wanted)
    try:
        return float(value) <= float(wanted)
    except (TypeError, ValueError):
        return str(value).lower() == wanted.lower()


def _deployments(http: Any) -> Iterator[Check]:
    import yaml

    from settings.home import ROOT

    declared = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    wanted = {entry["entrypoint"]: entry["name"] for entry in declared}
    answer = http.post("/deployments/filter", json={})
    answer.raise_for_status()
    there = {one["entrypoint"]: one for one in answer.json()}
    if missing := sorted(name for entrypoint, name in wanted.items() if entrypoint not in there):
        yield problem("deployments", f"not on the server: {listed(missing)}", "Run: python -m deployments.bootstrap")
    else:
        yield ok("deployments", f"all {len(wanted)} are on the server")
    if paused := sorted(name for entrypoint, name in wanted.items() if there.get(entrypoint, {}).get("paused")):
        yield warning("deployments", f"paused: {listed(paused)}", "Unpause them in the Prefect UI.")


def _workers(http: Any) -> Iterator[Check]:
    next_step = f"Start one: prefect worker start --pool {POOL} (`vmexport serve` does)."
    answer = http.post(f"/work_pools/{POOL}/workers/filter", json={})
    if answer.status_code == 404:
        yield problem("worker", f"there is no work pool {POOL}", "Run: python -m deployments.bootstrap")
        return
    answer.raise_for_status()
    now = datetime.now(UTC)
    seen = [datetime.fromisoformat(one["last_heartbeat_time"]) for one in answer.json() if one["last_heartbeat_time"]]
    live = [moment for moment in seen if now - moment < SILENT]
    if live:
        yield ok("worker", f"{len(live)} poll{'s' if len(live) == 1 else ''} the pool {POOL}")
    elif seen:
        yield problem("worker", f"the last one was heard {ago(max(seen), now)}", next_step)
    else:
        yield problem("worker", f"none has ever polled the pool {POOL}", next_step)
