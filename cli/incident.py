"""One incident in the lab, whole: the organisation, our services, a story detonated, its alert posted, its gates answered.

Everything that the product sees of the lab is an endpoint, credentials and folders, given in the environment.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import pyotp

from cli import services as local
from cli.demo_elasticsearch import DemoElasticsearch, opened
from cli.news import news
from cli.orchestration import resume, state_of
from cli.processes import NotReady, Part, free_port, wait_until
from lab.story import Detonation, detonate, load
from records import embedded
from settings.home import home as home_settings

APPROVERS = ("alice@example.com", "bob@example.com", "carol@example.com", "dan@example.com")
CASE_SECONDS = 600.0


@dataclass
class Incident:
    """Starts the lab and our services in `home`, and plays stories against them."""

    home: Path | None
    say: Callable[[str], None]
    elasticsearch_url: str | None = None
    """Search there, instead of in the lab's folders."""
    ports: tuple[int, int] = (4200, 8088)
    """Prefect's and the receiver's, where they are free; 0: any that is."""
    elasticsearch: DemoElasticsearch | None = field(init=False, default=None)
    _open: ExitStack = field(init=False, default_factory=ExitStack)
    services: local.Services = field(init=False)
    lab: Part = field(init=False)
    endpoint: str = field(init=False)
    detonation: Detonation = field(init=False)
    totp: dict[str, pyotp.TOTP] = field(default_factory=dict)
    used: set[tuple[str, int]] = field(default_factory=set)

    def __enter__(self) -> Self:
        self.home = self.home or home_settings().home / "demo"
        self._make_home(self.home)
        try:
            if self.elasticsearch_url:
                self.elasticsearch = self._open.enter_context(opened(self.elasticsearch_url, self.home / "lab"))
            self._start_lab()
            prefect, receiver = self.ports
            self.services = local.start(
                self.home, self.say, self._environment(), prefect_port=prefect, receiver_port=receiver
            )
        except BaseException:
            self._open.close()
            raise
        os.environ.update(self.services.env)
        self._enrol()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.services.stop()
        self._open.close()

    @staticmethod
    def _make_home(home: Path) -> None:
        """An empty folder; what an earlier demo left in it is removed, and nobody else's."""
        mark = home / ".vmexport-demo"
        if home.exists() and any(home.iterdir()) and not mark.exists():
            raise NotReady(f"{home} is not empty and not a demo's: name a new folder with --home")
        embedded.remove(home / "postgres")
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        mark.touch()

    def _start_lab(self) -> None:
        self.say("lab: five AWS accounts on this machine …")
        port = free_port(4400)
        at = ["--host", "127.0.0.1", "--port", str(port), "--directory", str(self.home / "lab")]
        command = [sys.executable, "-m", "lab.server", *at, "--seed"]
        self.endpoint = f"http://127.0.0.1:{port}"
        self.lab = Part("lab", command, {**os.environ}, self.home / "log" / "lab.log", f"{self.endpoint}/lab/health")
        self._open.callback(self.lab.stop)
        self.lab.start()
        self.lab.ready(60)

    def _environment(self) -> dict[str, str]:
        folder = self.home / "lab"
        hub = json.loads((folder / "credentials.json").read_text())["hub"]
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "VMEXPORT_", "PREFECT_"))}
        return kept | {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": hub["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": hub["secret_access_key"],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "VMEXPORT_ORGANIZATION": str(folder / "organization.toml"),
            **(self.elasticsearch.environment if self.elasticsearch else _folders(folder)),
            "VMEXPORT_DRILL_CREDENTIALS": str(folder / "drill.json"),
            "VMEXPORT_RECEIVER_SECRET": secrets.token_urlsafe(32),
        }

    def _enrol(self) -> None:
        from records import approvers

        for address in APPROVERS:
            self.totp[address] = pyotp.parse_uri(approvers.add(address))  # type: ignore[assignment] - a TOTP URI gives a TOTP

    def play(self, name: str, answer: str = "approve") -> dict[str, Any]:
        """Detonate a story, follow its case to the end, and tell what happened."""
        case, run = self.open_case(name)
        self.follow(case, run, answer)
        return self.summary(case, name, run)

    def open_case(self, name: str) -> tuple[str, str]:
        """Detonate a story and post its alerts; the case and its run."""
        case = self.post(self.detonate(name))
        self.say(f"alert posted; case {case}")
        return case, self.wait_for_run(case)

    def detonate(self, name: str) -> Detonation:
        """Play the attacker's part of a story in the lab."""
        story = load(name)
        self.say(f"story {name}: {story.sentence}")
        there = self.elasticsearch
        placed = {"space": there.namespace, "namespace": there.namespace} if there else {}
        self.detonation = detonate(story, self.endpoint, self.home / "lab", **placed)
        return self.detonation

    def post(self, detonation: Detonation) -> str:
        """Hand the story's alerts to the receiver as Kibana would; the case they opened."""
        cases: list[str] = []
        for alert in detonation.alerts:
            if self.elasticsearch:
                self.elasticsearch.put(alert)
            said = httpx.post(
                f"{self.services.receiver_url}/alerts/elastic",
                json=alert,
                headers={"X-VMExport-Secret": self.services.env["VMEXPORT_RECEIVER_SECRET"]},
                timeout=30,
            )
            said.raise_for_status()
            cases.append(said.json()["case"])
        return cases[0]

    def wait_for_run(self, case: str) -> str:
        """The id of the case's run, once the receiver has started it."""
        from records import ledger

        wait_until(lambda: ledger.find(case, "run-started") is not None, 60, f"no run of {case} was started")
        started = ledger.find(case, "run-started")
        if started is None:
            raise NotReady(f"the run of {case} disappeared from the ledger")
        return str(started.data["run"])

    def follow(self, case: str, run: str, answer: str) -> None:
        """Print what the ledger says as it grows, answer gates as asked, and return when the run has ended."""
        from records import ledger

        seen = 0
        end = time.monotonic() + CASE_SECONDS
        while True:
            entries = ledger.entries(case)
            newest = next((e.seq for e in reversed(entries) if e.kind == "gate-asked"), None)
            for entry in entries[seen:]:
                seen += 1
                if text := news(entry.kind, entry.data):
                    self.say(f"  {entry.time:%H:%M:%S}  {text}")
                if entry.seq == newest and ledger.find(case, f"answer:{entry.data['asked']}") is None:
                    self.answer_gate(case, entry.data, answer)
            state = state_of(run)
            if state == "Completed":
                return
            if state in {"Failed", "Crashed", "Cancelled"}:
                raise NotReady(
                    f"the run of {case} ended {state}: {self.services.prefect_url}/runs/flow-run/{run}\n{self.services.part('worker').tail(30)}"
                )
            if answer != "wait" and time.monotonic() > end:
                raise NotReady(f"the case did not end within {CASE_SECONDS:.0f} s; the run is {state}")
            time.sleep(0.3)

    def answer_gate(self, case: str, gate: dict[str, Any], answer: str) -> None:
        """Answer as one of the demo's approvers, or say where a person can."""
        from records import ledger

        url = f"{self.services.prefect_url}/runs/flow-run/{gate['run']}"
        if answer == "wait":
            self.say(
                f"  GATE {gate['gate']}: {url} -> menu (top right) -> Resume, or: VMEXPORT_HOME={self.home} vmexport approve {case}/{gate['gate']} --as {APPROVERS[0]}"
            )
            for address in APPROVERS[:2]:
                self.say(f"       code of {address} now: {self.totp[address].now()}")
            return
        wait_until(lambda: state_of(gate["run"]) == "Suspended", 60, f"the run does not wait at {gate['gate']}")
        given = ledger.entries(case, "gate-answered")
        who, code = self.fresh_code({e.data["approver"] for e in given if e.data["plan_hash"] == gate["plan_hash"]})
        resume(gate["run"], {"decision": answer, "approver": who, "code": code, "leave_out": [], "reason": "demo"})

    def fresh_code(self, answered: Collection[str] = ()) -> tuple[str, str]:
        """Somebody who has not answered yet, and a code of theirs that was not used yet."""
        step = int(time.time()) // 30
        for offset in (0, 1):  # the next code counts already: clocks of telephones run ahead
            for who in APPROVERS:
                if who not in answered and (who, step + offset) not in self.used:
                    self.used.add((who, step + offset))
                    return who, self.totp[who].at((step + offset) * 30)
        raise NotReady("every one-time code of this minute was used; try again in half a minute")

    def summary(self, case_id: str, story: str, run: str) -> dict[str, Any]:
        """What `vmexport demo --json` prints."""
        from decisions.case import fold
        from records import ledger

        entries = ledger.entries(case_id)
        case = fold(entries)
        report = next(e.data for e in reversed(entries) if e.kind == "report-written")
        posted = next(e.time for e in entries if e.kind == "case-opened")
        card = next(e.time for e in entries if e.kind == "assessed")
        return {
            "case": case_id,
            "story": story,
            "severity": case.severity,
            "reasons": list(case.assessment.reasons) if case.assessment else [],
            "undecided": list(case.assessment.undecided) if case.assessment else [],
            "verdict": case.verdict,
            "actions": [
                {
                    "id": r.action_id,
                    "kind": r.kind,
                    "target": r.action_id.split(":", 1)[1],
                    "class": classes(entries)[r.action_id],
                    "changed": r.changed,
                    "verified": r.verification.verified,
                }
                for r in case.receipts
            ],
            "gates": [
                {"name": a.gate, "approver": a.approver, "method": a.method, "plan_hash": a.plan_hash}
                for a in case.approvals
            ],
            "metrics": report["metrics"],
            "report": report["html"],
            "run_url": f"{self.services.prefect_url}/runs/flow-run/{run}",
            "alert_to_card_s": (card - posted).total_seconds(),
        }


def _folders(folder: Path) -> dict[str, str]:
    """Where the lab's log files lie, for a product that searches them in place."""
    return {
        "VMEXPORT_CLOUDTRAIL_DIR": str(folder / "cloudtrail"),
        "VMEXPORT_S3_ACCESS_LOGS_DIR": str(folder / "s3-access-logs"),
    }


def classes(entries: tuple[Any, ...]) -> dict[str, str]:
    """Action id -> class, from the proposed plans."""
    return {a["id"]: a["action_class"] for e in entries if e.kind == "plan-proposed" for a in e.data["plan"]["actions"]}
