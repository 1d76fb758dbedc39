"""Who we are in AWS: one session per account and role tier. Every client of ours comes from here.

A role is assumed only in accounts that organization.toml calls ours: an account id in an alert is what the sender wrote,
and a role of our name in a stranger's account would feed us its facts and learn our external id.
"""

from __future__ import annotations

import re
from functools import lru_cache, partial
from ipaddress import ip_address
from threading import Lock
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import DeferredRefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.handlers import json_decode_policies

from decisions.organization import Organization
from settings.aws import AwsSettings
from settings.aws import aws as settings
from settings.organization import organization

MAX_SESSION_NAME = 64


class NoSession(BotoCoreError):
    """We cannot act in an account; the sentence says why and what to do."""

    fmt = "{why}"


class Sessions:
    """Implements `tasks.actions.base.Clients` for one case or component; its name is in every session and request."""

    def __init__(self, component: str, own: AwsSettings, ours: Organization) -> None:
        self._component = re.sub(r"[^\w+=,.@-]", "-", component, flags=re.ASCII)
        self._own, self._ours = own, ours
        self._lock = Lock()
        self._turns: dict[tuple[str, str], Lock] = {}
        self._sessions: dict[tuple[str, str], boto3.Session] = {}
        self._clients: dict[tuple[str, str, str, str], Any] = {}

    def client(self, service: str, *, account: str, tier: str, region: str | None = None) -> Any:
        """A client with the session of `tier` in `account`; made once, usable from every thread. Raises NoSession.

        Without a Region: the account's own, as organization.toml says.
        """
        where = region or self._region(account)
        key = (service, account, tier, where)
        with self._lock:
            if key in self._clients:
                return self._clients[key]
            turn = self._turns.setdefault((account, tier), Lock())
        with turn:
            session = self._session(account, tier)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = _client(session, service, where, self._component)
            return self._clients[key]

    def _region(self, account: str) -> str:
        known = self._ours.account(account)
        return known.region if known else self._ours.home_region

    def _session(self, account: str, tier: str) -> boto3.Session:
        if (account, tier) not in self._sessions:
            self._check_ours(account)
            credentials = DeferredRefreshableCredentials(partial(self._assume, account, tier), "sts-assume-role")
            credentials.get_frozen_credentials()  # now, so that a missing role is known before the first call
            session = _bare_session()
            session._credentials = credentials  # botocore's own way to give a session credentials that renew themselves
            self._sessions[account, tier] = boto3.Session(botocore_session=session)
        return self._sessions[account, tier]

    def _check_ours(self, account: str) -> None:
        if not self._ours.owns(account) and account not in (
            self._ours.management_account,
            self._ours.forensics_account,
        ):
            raise NoSession(
                why=f"account {account} is not in organization.toml, so no role of ours is assumed in it. "
                "If it is ours, add it; if not, ask its owner."
            )

    def _assume(self, account: str, tier: str) -> dict[str, str]:
        arn = f"arn:{self._own.partition}:iam::{account}:role/{self._own.role(tier)}"
        asked: dict[str, Any] = {
            "RoleArn": arn,
            "RoleSessionName": f"{self._own.session_prefix}-{tier}-{self._component}"[:MAX_SESSION_NAME],
            "DurationSeconds": int(self._own.session_duration.total_seconds()),
        }
        if self._own.external_id is not None:
            asked["ExternalId"] = self._own.external_id.get_secret_value()
        try:
            sts = _client(_base_session(), "sts", self._ours.home_region, self._component)
            given = sts.assume_role(**asked)["Credentials"]
        except (ClientError, BotoCoreError) as error:
            raise NoSession(
                why=f"{arn} could not be assumed: {error}. See that the role stands in that account and trusts the "
                "base credentials (deployments/iam)."
            ) from error
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }


@lru_cache(maxsize=32)
def aws(component: str) -> Sessions:
    """The clients of one case (its id) or component, with the settings of the environment."""
    return Sessions(component, settings(), organization())


def base_identity(component: str) -> tuple[str, str | None]:
    """ARN of the base credentials, which assume the roles, and AWS's own time as its answer's Date header says it.

    Source: sts:GetCallerIdentity, which needs no permission. Raises ClientError, BotoCoreError.
    """
    told = _client(_base_session(), "sts", organization().home_region, component).get_caller_identity()
    return told["Arn"], told["ResponseMetadata"]["HTTPHeaders"].get("date")


def with_credentials(service: str, region: str, access_key_id: str, secret: str, token: str | None) -> Any:
    """A client with credentials that are not ours: verification tries whether they are refused."""
    session = boto3.Session(access_key_id, secret, token, botocore_session=_bare_session())
    return _client(session, service, region, "verification")


@lru_cache
def _loader() -> Any:
    """Service models, parsed once for all sessions."""
    return botocore.session.get_session().get_component("data_loader")


def _bare_session() -> botocore.session.Session:
    session = botocore.session.get_session()
    session.register_component("data_loader", _loader())
    return session


@lru_cache
def _base_session() -> boto3.Session:
    return boto3.Session(botocore_session=_bare_session())


def _client(session: boto3.Session, service: str, region: str, component: str) -> Any:
    made = session.client(
        service,
        region_name=region,
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 5},
            connect_timeout=5,
            read_timeout=30,
            max_pool_connections=32,
            user_agent_extra=f"vmexport/{component}",
        ),
    )
    if service == "iam":
        keep_policy_text(made)
    if service == "s3control":
        made.meta.events.register("before-sign.s3-control", _keep_address)
    return made


def keep_policy_text(iam: Any) -> None:
    """Leave policy documents as IAM sends them, where boto3 would parse them: only their text can be put back."""
    iam.meta.events.unregister("after-call.iam", json_decode_policies)


def policy_text(document: object) -> str:
    """The text of a policy document in an answer of such a client (RFC 3986 encoded), byte for byte as it was stored."""
    if not isinstance(document, str):
        raise TypeError("boto3 has parsed this policy document: see keep_policy_text")
    return unquote(document)


def _keep_address(request: Any, **_: Any) -> None:
    """Take the account off the host where the endpoint is an IP address: there are no names below an address."""
    host = urlsplit(request.url).hostname or ""
    rest = host.partition(".")[2]
    try:
        ip_address(rest)
    except ValueError:
        return
    request.url = request.url.replace(host, rest, 1)
