"""Stories: an export as an attacker, a colleague or a curious developer makes it, played by real calls against the lab.

A story is data (`lab/stories/NAME.toml`) and a short script (`lab/stories/NAME.py` with `play(stage)`).
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import httpx
from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict

from lab.alert import SPACE, alert_of
from lab.client import Key, Lab
from lab.story_actor import Actor

FOLDER = Path(__file__).with_name("stories")
REFUSED = {
    "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthFailure", "InvalidClientTokenId",
    "InvalidAccessKeyId", "UnrecognizedClientException", "ExpiredToken", "ExpiredTokenException", "RequestExpired", "403",
    "NoSuchKey", "NoSuchBucket",
}  # fmt: skip
"""What an attacker hears who was cut off, or comes too late."""


class Story(BaseModel):
    """What a story is about, and what a response should make of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sentence: str
    severity: Literal["high", "medium", "low"]
    verdict: tuple[Literal["expected", "suspicious", "malicious", "undetermined"], ...]
    """Any of these is right."""
    begins_before: timedelta
    """How long before now it begins; at its end the lab shows real time again."""
    data_events: bool = True
    """Whether the organisation's trail records reads and writes of objects meanwhile."""
    image_bytes: int = 256 * 1024
    """Size of what is exported; more than 5 MiB, to try copies in parts."""
    export_minutes: float = 40
    """How long an export takes."""


@dataclass(frozen=True)
class Canary:
    """Something that the attacker can do, and must not be able to do any more after containment."""

    name: str
    attempt: Callable[[], Any]

    def accepted(self) -> bool:
        """Try it; True if AWS does it, False if it refuses. Raises ClientError for any other answer."""
        try:
            self.attempt()
        except ClientError as error:
            if error.response["Error"]["Code"] not in REFUSED:
                raise
            return False
        return True


@dataclass
class Detonation:
    """What a story has left behind: its alerts, the attacker's credentials, and what to try with them."""

    story: Story
    alerts: tuple[dict[str, Any], ...] = ()
    credentials: dict[str, Key] = field(default_factory=dict)
    """By what they are: `jo.contractor`, `platform-admin session`."""
    canaries: tuple[Canary, ...] = ()
    accepted_before: dict[str, bool] = field(default_factory=dict)
    """Canary -> whether it was accepted when the story made it."""
    facts: dict[str, str] = field(default_factory=dict)
    """What it was about: bucket, key, tasks, instances."""


class Stage:
    """What a script plays with: people, the clock, and what it wants remembered."""

    def __init__(self, lab: Lab, story: Story, made: dict[str, Any]) -> None:
        self.lab, self.story, self.made = lab, story, made
        self.detonation = Detonation(story)
        self._alerted: list[str] = []

    def actor(self, name: str, *, ip: str, agent: str) -> Actor:
        """Somebody who has an access key, at an address, with a tool."""
        key = self.made["stories"][name]
        return Actor(
            self.lab.endpoint, Key(key["access_key_id"], key["secret_access_key"]), self.made["region"], ip, agent
        )

    def machine(self, name: str) -> str:
        """Instance id of one of the organisation's machines."""
        return str(self.made["machines"][name])

    def pass_time(self, **time: float) -> None:
        """Let lab time go on (`minutes=41`)."""
        self.lab.shift(timedelta(**time))

    def holds(self, name: str, actor: Actor) -> None:
        """The attacker has this credential; verification of a drill may try it."""
        self.detonation.credentials[name] = actor.key

    def tell(self, **facts: str) -> None:
        """Remember what it was about."""
        self.detonation.facts.update(facts)

    def canary(self, name: str, attempt: Callable[[], Any]) -> None:
        """Do this now, as part of the story, and have it tried again after containment."""
        made = Canary(name, attempt)
        self.detonation.canaries += (made,)
        self.detonation.accepted_before[name] = made.accepted()

    def refused(self, attempt: Callable[[], Any]) -> dict[str, Any]:
        """The answer to something that AWS has to refuse; raises AssertionError if it does not."""
        try:
            attempt()
        except ClientError as error:
            if error.response["Error"]["Code"] in REFUSED:
                return dict(error.response)
            raise
        raise AssertionError(f"{self.story.name}: this was to be refused, and was not")

    def raises_alert(self, answer: dict[str, Any]) -> None:
        """Elastic's rule will find the call that got this answer."""
        self._alerted.append(answer["ResponseMetadata"]["RequestId"])

    def alerts(self, space: str, namespace: str) -> tuple[dict[str, Any], ...]:
        """The alerts, made now from the recorded calls, of a Kibana space and a data stream."""
        records = {event["requestID"]: event for event in self.lab.events() if event.get("requestID") in self._alerted}
        now = datetime.now(UTC)
        return tuple(alert_of(records[request], now, space, namespace) for request in self._alerted)


def stories() -> tuple[str, ...]:
    """Names of all stories."""
    return tuple(sorted(path.stem.replace("_", "-") for path in FOLDER.glob("*.toml")))


def load(name: str) -> Story:
    """A story by its name; ValueError for one that there is not."""
    if name not in stories():
        raise ValueError(f"there is no story {name!r}; there are {', '.join(stories())}")
    return Story.model_validate({"name": name, **tomllib.loads(_file(name).read_text(encoding="utf-8"))})


def _file(name: str) -> Path:
    return FOLDER / f"{name.replace('-', '_')}.toml"


def detonate(
    story: Story, endpoint: str, directory: Path, space: str = SPACE, namespace: str = "default"
) -> Detonation:
    """Play a story in a seeded lab: everybody's permissions as seeded first, the clock back at the end.

    `space` and `namespace` are those of the alerts: Kibana's, and the data stream's of the events.

    Writes DIRECTORY/drill.json (0600): the attacker's credentials, which verification may try.
    """
    with Lab(endpoint) as lab:
        made = _put_back(endpoint, story)
        stage = Stage(lab, story, made)
        lab.set_offset(-story.begins_before)
        try:
            import_module(f"lab.stories.{story.name.replace('-', '_')}").play(stage)
        finally:
            lab.set_offset(timedelta())
        lab.deliver()
        stage.detonation.alerts = stage.alerts(space, namespace)
    _write_drill(directory, stage.detonation)
    return stage.detonation


def _put_back(endpoint: str, story: Story) -> dict[str, Any]:
    """Seed again, with the story's settings; what an earlier story or its response changed is as it was."""
    settings = {
        "data_events": story.data_events,
        "image_bytes": story.image_bytes,
        "export_minutes": story.export_minutes,
    }
    answer = httpx.post(f"{endpoint}/lab/stage", json=settings, timeout=60, trust_env=False)
    answer.raise_for_status()
    return dict(answer.json())


def _write_drill(directory: Path, detonation: Detonation) -> None:
    listed = [
        {
            "access_key_id": key.access_key_id,
            "secret_access_key": key.secret_access_key,
            "session_token": key.session_token,
        }
        for key in detonation.credentials.values()
    ]
    part = directory / "drill.json.part"
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(listed, file, indent=1)
    part.replace(directory / "drill.json")
