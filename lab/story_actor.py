"""Somebody in a story: one credential, one address, one tool; every call over HTTP by boto3."""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from lab.client import Key


class Actor:
    """Clients of one credential, from one address, with one user agent."""

    def __init__(self, endpoint: str, key: Key, region: str, ip: str, agent: str) -> None:
        self.endpoint, self.key, self.region, self.ip, self.agent = endpoint, key, region, ip, agent
        bare = botocore.session.get_session()
        bare.register_component("data_loader", _loader())
        self._session = boto3.Session(
            key.access_key_id, key.secret_access_key, key.session_token, region_name=region, botocore_session=bare
        )
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """A client whose calls come from this actor's address."""
        if service not in self._clients:
            config = Config(retries={"mode": "standard", "total_max_attempts": 2}, user_agent=self.agent)
            made = self._session.client(service, endpoint_url=self.endpoint, config=config)
            made.meta.events.register("before-sign", self._from_there)
            self._clients[service] = made
        return self._clients[service]

    def _from_there(self, request: Any, **_: Any) -> None:
        request.headers["X-Forwarded-For"] = self.ip

    def assume(self, role_arn: str, session: str, **more: Any) -> Actor:
        """The session of a role, from the same place with the same tool."""
        given = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName=session, **more)["Credentials"]
        key = Key(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        return Actor(self.endpoint, key, self.region, self.ip, self.agent)


@cache
def _loader() -> Any:
    return botocore.session.get_session().get_component("data_loader")
