"""CloudTrail's public keys: from files that were kept with the evidence, or from ListPublicKeys, to be kept then."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from decisions.digest_keys import Keys, NoKeys, keys_of
from tasks.actions.base import Clients

FILE_MAX = 16 * 1024 * 1024
AFTER = timedelta(hours=2)
"""A digest is signed after the hour that it covers."""


class KeySource(Protocol):
    """Where keys come from."""

    def keys(self, account: str, region: str, since: datetime, until: datetime | None) -> Keys:
        """The keys with which digests of one Region were signed in a time, and maybe more; without `until`: until now."""
        ...

    @property
    def count(self) -> int:
        """How many keys were given so far."""
        ...


@dataclass
class FileKeys:
    """Keys from files, each as `aws cloudtrail list-public-keys` prints it."""

    paths: Sequence[Path]
    _keys: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises NoKeys, with the file's name."""
        for path in self.paths:
            try:
                if path.stat().st_size > FILE_MAX:
                    raise NoKeys(f"it has more than {FILE_MAX} bytes")
                self._keys |= keys_of(json.loads(path.read_bytes()))
            except (OSError, ValueError, RecursionError) as error:
                why = error.strerror if isinstance(error, OSError) else str(error)
                raise NoKeys(f"{path}: {why}") from error

    def keys(self, account: str, region: str, since: datetime, until: datetime | None) -> Keys:
        """All of them."""
        return self._keys

    @property
    def count(self) -> int:
        """Different ones."""
        return len(self._keys)


@dataclass
class AwsKeys:
    """Keys from AWS: each Region is asked once for each account that has digests in it, with the read role."""

    aws: Clients
    now: datetime
    listed: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    """By Region and fingerprint, as the AWS CLI prints a key."""

    def keys(self, account: str, region: str, since: datetime, until: datetime | None) -> Keys:
        """Raises ClientError, NoSession, NoKeys."""
        until = min(until + AFTER, self.now) if until else self.now
        document = public_keys(self.aws, account, region, min(since, until), until)
        self.listed |= {(region, one["Fingerprint"]): one for one in document["PublicKeyList"]}
        return keys_of(document)

    @property
    def count(self) -> int:
        """Different ones."""
        return len({fingerprint for _, fingerprint in self.listed})

    def document(self) -> dict[str, Any]:
        """What to keep with the evidence: FileKeys reads it."""
        return {"PublicKeyList": [one | {"Region": region} for (region, _), one in sorted(self.listed.items())]}


def public_keys(aws: Clients, account: str, region: str, since: datetime, until: datetime) -> dict[str, Any]:
    """The public keys with which digests of a Region were signed, as `aws cloudtrail list-public-keys` prints them.

    tasks.cloudtrail declares the permission. Raises ClientError, NoSession.
    """
    client = aws.client("cloudtrail", account=account, tier="read", region=region)
    pages = client.get_paginator("list_public_keys").paginate(StartTime=since, EndTime=until)
    listed = [_printed(one) for page in pages for one in page["PublicKeyList"]]
    return {"PublicKeyList": listed}


def _printed(key: dict[str, Any]) -> dict[str, Any]:
    times = {name: key[name].isoformat() for name in ("ValidityStartTime", "ValidityEndTime") if key.get(name)}
    return {"Fingerprint": key["Fingerprint"], "Value": base64.b64encode(key["Value"]).decode(), **times}
