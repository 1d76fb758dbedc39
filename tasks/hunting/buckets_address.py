"""What a user writes of a bucket, and why one cannot be used."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tasks.hunting.place import PlaceUnusable

SCHEME = "s3://"
NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
DENIED = frozenset({"AccessDenied", "403", "AllAccessDisabled", "AccountProblem"})
SLOW = frozenset({"SlowDown", "503", "ServiceUnavailable", "Throttling", "ThrottlingException"})
SAID = 300
UNANSWERED = 50
"""So many requests in a row may fail for want of any answer: then it is not the objects."""


class BucketUnusable(PlaceUnusable):
    """A bucket cannot be read; the sentence says why and what to do."""


@dataclass(frozen=True)
class Address:
    """A bucket and what its keys begin with."""

    bucket: str
    prefix: str

    def named(self, key: str) -> str:
        """A key, as findings and problems name it."""
        return f"{SCHEME}{self.bucket}/{key}"

    def key(self, named: str) -> str:
        """The key of what `named` made."""
        return named[len(self.named("")) :]


def address(text: str) -> Address:
    """`s3://BUCKET[/PREFIX]`. The prefix is the beginning of keys, as everywhere in S3. Raises BucketUnusable."""
    bucket, _, prefix = text.removeprefix(SCHEME).partition("/")
    if not text.startswith(SCHEME) or not NAME.fullmatch(bucket):
        raise BucketUnusable(f"{text!r} names no bucket. Write s3://BUCKET or s3://BUCKET/PREFIX.")
    return Address(bucket, prefix)


def refusal(error: ClientError, needed: str) -> str:
    """What S3 says, and what to do about it; `needed`: the IAM action."""
    said: Any = error.response.get("Error", {})
    code, message = str(said.get("Code", "no code")), str(said.get("Message", ""))[:SAID]
    if code in DENIED:
        if "kms" in message.lower():
            return f"access denied ({message}): allow the read role kms:Decrypt with the key of these objects"
        return f"access denied ({message}): allow the read role {needed}, and see the bucket's policy and SCPs"
    if code in SLOW:
        return f"S3 was too busy ({code}) and stayed so: run it again, with a smaller VMEXPORT_HUNT_S3_CONNECTIONS"
    return f"S3 answers {code}: {message}"
