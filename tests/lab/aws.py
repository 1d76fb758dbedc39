"""Calls to the lab as somebody, by boto3 over HTTP."""

from __future__ import annotations

import json
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from lab.client import Key, Lab

PRODUCTION = "111122223333"
MANAGEMENT = "444455556666"
FOREIGN = "210987654321"
ADMIN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}

_loader = botocore.session.get_session().get_component("data_loader")


def policy(*statements: dict[str, Any]) -> str:
    """A policy document; statements without an effect, action or resource allow everything."""
    filled = [{"Effect": "Allow", "Action": "*", "Resource": "*", **s} for s in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": filled})


def trust(principal: Any, **condition: Any) -> str:
    """A trust policy for sts:AssumeRole."""
    statement = {"Effect": "Allow", "Principal": principal, "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"]}
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [statement | ({"Condition": condition} if condition else {})]}
    )


class As:
    """One credential's clients."""

    def __init__(
        self,
        lab: Lab,
        key: Key,
        region: str = "us-east-1",
        ip: str | None = None,
        agent: str | None = None,
        tries: int = 1,
    ) -> None:
        self.lab, self.key, self.region, self.ip, self.agent, self.tries = lab, key, region, ip, agent, tries
        bare = botocore.session.get_session()
        bare.register_component("data_loader", _loader)
        self._session = boto3.Session(
            key.access_key_id, key.secret_access_key, key.session_token, region_name=region, botocore_session=bare
        )

    def client(self, service: str, **config: Any) -> Any:
        settings = Config(
            retries={"mode": "standard", "total_max_attempts": self.tries}, user_agent=self.agent, **config
        )
        made = self._session.client(service, endpoint_url=self.lab.endpoint, config=settings)
        if self.ip:
            made.meta.events.register(f"before-sign.{service}", lambda request, **_: self._from_there(request))
        return made

    def _from_there(self, request: Any) -> None:
        request.headers["X-Forwarded-For"] = self.ip

    def elsewhere(self, **change: Any) -> As:
        """The same credential from another address, Region or agent."""
        kept = {"region": self.region, "ip": self.ip, "agent": self.agent, "tries": self.tries}
        return As(self.lab, self.key, **(kept | change))

    def user(self, name: str, document: str | None = None, **more: Any) -> As:
        """Make a user with an access key and, perhaps, an inline policy; be that user."""
        iam = self.client("iam")
        iam.create_user(UserName=name, **more)
        if document:
            iam.put_user_policy(UserName=name, PolicyName="given", PolicyDocument=document)
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return As(self.lab, Key(made["AccessKeyId"], made["SecretAccessKey"]))

    def role(self, name: str, trusting: str, document: str | None = None, **more: Any) -> str:
        """Make a role; its ARN."""
        iam = self.client("iam")
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusting, **more)["Role"]["Arn"]
        if document:
            iam.put_role_policy(RoleName=name, PolicyName="given", PolicyDocument=document)
        return arn

    def assume(self, role_arn: str, session: str = "session", **more: Any) -> As:
        """Be a session of the role."""
        made = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName=session, **more)["Credentials"]
        return As(self.lab, Key(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]))


def code_of(call: Any, *args: Any, **kwargs: Any) -> str:
    """The error code of a call, `ok` when it works."""
    try:
        call(*args, **kwargs)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "ok"
