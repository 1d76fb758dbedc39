"""One story, detonated once, whose case is worked on twice: with the lab's log files, and with Elasticsearch instead of them."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from decisions.alert import decode
from decisions.evidence import Known
from decisions.findings import Findings, Triaged
from flows.vm_export.investigation import investigate
from flows.vm_export.triage import triage
from lab.ecs import Integration, cleaned
from lab.elastic_feed import Feed, prepare, put_alert
from lab.story import Detonation, detonate, load
from records import database, inbox
from records.embedded import Cluster
from settings import elastic as elastic_settings
from tests.lab.conftest import RunningLab
from tests.postgres import TEMPLATE, administer
from tests.postgres import forget_settings as forget_case_store
from tests.tasks.conftest import forget_settings as forget_reads

_numbers = count(1)

DIFFERENT = {"case_id", "as_of", "asked_at", "evidence", "origin", "source", "alerts", "session_token"}
"""What two readings of the same world may differ in: when it was asked, and of whom."""
RENDERED = re.compile(r"EV-\d{4}")
KIND = ("No CloudTrail documents of account", "No CloudTrail files of account")
OLDEST = re.compile(r"; the oldest document of all is of [\dTZ:.-]+(?=\.)")
"""How the stores name the same gap: a day that they hold nothing of."""
WITHOUT_EMPTY = {"request_parameters", "response_elements", "additional"}
"""The integration leaves empty values out."""


@dataclass(frozen=True)
class Played:
    """A story that was played, and everything with which its case can be worked on."""

    detonation: Detonation
    lab: RunningLab
    cluster: Cluster
    namespace: str
    url: str
    home: Path

    @property
    def files(self) -> dict[str, str]:
        """Settings with which the lab's log files are searched."""
        return {
            "VMEXPORT_CLOUDTRAIL_DIR": str(self.lab.directory / "cloudtrail"),
            "VMEXPORT_S3_ACCESS_LOGS_DIR": str(self.lab.directory / "s3-access-logs"),
        }

    @property
    def elasticsearch(self) -> dict[str, str]:
        """Settings with which Elasticsearch is searched, and no file."""
        return {
            "VMEXPORT_ELASTICSEARCH_URL": self.url,
            "VMEXPORT_ELASTICSEARCH_CLOUDTRAIL_INDICES": f"logs-aws.cloudtrail-{self.namespace}",
            "VMEXPORT_ELASTICSEARCH_ACCESS_LOG_INDICES": f"logs-aws.s3access-{self.namespace}",
            "VMEXPORT_ELASTICSEARCH_SPACES": self.namespace,
        }

    def loaded(self, namespace: str, integration: Integration | None = None) -> Played:
        """The same, with all that was delivered in data streams of a namespace, as this integration keeps it."""
        with Elasticsearch(self.url) as es:
            prepare(es, namespace, namespace)
            Feed(es, self.lab.directory, namespace, integration).load()
            for alert in self.detonation.alerts:
                put_alert(es, alert, namespace)
        return Played(self.detonation, self.lab, self.cluster, namespace, self.url, self.home)

    async def work(self, logs: Mapping[str, str]) -> tuple[Triaged, Findings]:
        """Triage and investigation of the case, in a case store of its own, with these settings of logs."""
        with pytest.MonkeyPatch.context() as patched, _settings(patched, self, logs):
            case = self._opened()
            return await triage(case), await investigate(case)

    def _opened(self) -> str:
        cases: set[str] = set()
        for alert in self.detonation.alerts:
            body = json.dumps(alert).encode()
            item = inbox.receive(body, "elastic", "application/json")
            cases |= {joined.case_id for joined in inbox.assign(item.id, decode(body).events)}
        (case,) = cases
        return case


def play(name: str, lab: RunningLab, cluster: Cluster, url: str, home: Path) -> Played:
    """Detonate a story in an organisation that was seeded for it; its events are delivered, and loaded into Elasticsearch."""
    lab.reset(seed=True)
    namespace = f"story{secrets.token_hex(4)}"
    detonation = detonate(load(name), lab.endpoint, lab.directory, namespace, namespace)
    return Played(detonation, lab, cluster, namespace, url, home).loaded(namespace)


@contextmanager
def _settings(patched: pytest.MonkeyPatch, played: Played, logs: Mapping[str, str]) -> Iterator[None]:
    """The environment of the product, with an empty case store; every setting is read again."""
    name = f"story_{next(_numbers)}"
    administer(played.cluster, f"create database {name} template {TEMPLATE}")
    hub = json.loads((played.lab.directory / "credentials.json").read_text())["hub"]
    for variable in ("AWS_PROFILE", "AWS_SESSION_TOKEN", *played.files, *played.elasticsearch):
        patched.delenv(variable, raising=False)
    environment = {
        "AWS_ENDPOINT_URL": played.lab.endpoint,
        "AWS_ACCESS_KEY_ID": hub["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": hub["secret_access_key"],
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
        "VMEXPORT_DATABASE_URL": played.cluster.url(name),
        "VMEXPORT_ORGANIZATION": str(played.lab.directory / "organization.toml"),
        "VMEXPORT_EVIDENCE_DIR": str(played.home / name / "evidence"),
        "VMEXPORT_SECRET_KEY_FILE": str(played.home / name / "secret.key"),
        **logs,
    }
    for variable, value in environment.items():
        patched.setenv(variable, value)
    _forget()
    try:
        yield
    finally:
        database.engine().dispose()
        _forget()


def _forget() -> None:
    forget_case_store()
    forget_reads()
    elastic_settings.elasticsearch.cache_clear()


def comparable(found: Findings | Triaged) -> Any:
    """Findings as they read: without when and of whom it was asked, the numbers of evidence, and what ECS has no place for."""
    return _comparable(found.model_dump(mode="json"), found.as_of)


def _comparable(value: Any, as_of: datetime) -> Any:
    if isinstance(value, dict):
        return {n: _field(n, inner, as_of) for n, inner in value.items() if n not in DIFFERENT}
    if isinstance(value, list):
        return [_comparable(inner, as_of) for inner in value]
    return RENDERED.sub("EV", OLDEST.sub("", value).replace(*KIND)) if isinstance(value, str) else value


def _field(name: str, value: Any, as_of: datetime) -> Any:
    if name == "searched_to":  # it follows from the moment of asking
        return round((as_of - datetime.fromisoformat(value)) / timedelta(minutes=1))
    return _comparable(cleaned(value) if name in WITHOUT_EMPTY else value, as_of)


def origins(found: Findings) -> set[str]:
    """Files or indices from which the records of the activity were read."""
    answers = [answer.value for answer in found.activity.values() if isinstance(answer, Known)]
    read = {record.origin for answer in answers for record in answer.records}
    return {re.split(r"[#/](?=[^#/]*$)", origin)[0] for origin in read}
