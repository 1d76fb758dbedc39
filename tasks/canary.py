"""Tries the actor's own credentials against a harmless call: the only proof by effect that somebody was cut off.

They are at hand in a drill only (VMEXPORT_DRILL_CREDENTIALS); in an incident nobody has the actor's secrets.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict, SecretStr, TypeAdapter

from settings.aws import aws as settings
from tasks import sts

REFUSED = frozenset(
    {
        "UnauthorizedOperation",
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "ExpiredToken",
        "ExpiredTokenException",
    }
)
"""Codes by which AWS says that a credential is not good, or not good for the call."""


class DrillCredential(BaseModel):
    """A credential that a drill lets the actor use."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    access_key_id: str
    secret_access_key: SecretStr
    session_token: SecretStr | None = None


def at_hand(access_key_id: str) -> bool:
    """Whether the key's secret is known, so that it can be tried."""
    return access_key_id in _credentials()


def probe(access_key_id: str, account: str, region: str) -> str | None:
    """In which words `ec2:DescribeInstances` refuses the credential; None when it is not refused.

    Raises KeyError for a key that is not at hand, ClientError and BotoCoreError for an answer that says neither.
    """
    credential = _credentials()[access_key_id]
    token = credential.session_token
    ec2 = sts.with_credentials(
        "ec2",
        region,
        credential.access_key_id,
        credential.secret_access_key.get_secret_value(),
        token.get_secret_value() if token else None,
    )
    try:
        ec2.describe_instances(MaxResults=5)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in REFUSED:
            return f"ec2:DescribeInstances in {account} is refused: {code}"
        raise
    return None


def _credentials() -> dict[str, DrillCredential]:
    path = settings().drill_credentials
    if path is None or not path.exists():
        return {}
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _read(path: Path, changed_ns: int) -> dict[str, DrillCredential]:
    """The file's credentials by key id; `changed_ns` makes a file that grew be read again."""
    listed = TypeAdapter(list[DrillCredential]).validate_python(json.loads(path.read_text()))
    return {c.access_key_id: c for c in listed}
