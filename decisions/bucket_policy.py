"""Edits of bucket policies: text in, text out, and the text that went in is what a revert puts back.

A text is returned as it was where there is nothing to change. Whose grants a policy holds is told by
`decisions/bucket_grants.py`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from typing import Any, cast

from decisions.policy import SID_PREFIX, AccessRequest, PolicyError, PolicyTooLarge
from decisions.policy_conditions import conditions_hold
from decisions.policy_document import BUCKET_QUOTA, read_policy, statements, strings, write_policy
from decisions.policy_matching import action_matches, naming
from decisions.policy_pattern import Facts
from decisions.vm_export_grantees import EXPORT_SERVICE_IDS, export_service_id

LOCK, COPY = f"{SID_PREFIX}Lock", f"{SID_PREFIX}Copy"
NO_EXPORT_WRITES = f"{SID_PREFIX}NoExportWrites"
SETTINGS = (
    "s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:PutBucketAcl", "s3:PutBucketOwnershipControls",
    "s3:PutBucketPublicAccessBlock", "s3:PutReplicationConfiguration", "s3:PutLifecycleConfiguration",
    "s3:PutBucketVersioning", "s3:PutBucketLogging", "s3:DeleteBucket",
)  # fmt: skip
"""IAM actions that decide who reads the bucket, what is kept of it and what is recorded; removing a public access block or
ownership controls is authorised by the Put action."""
OBJECT = ("s3:GetObject*", "s3:DeleteObject*", "s3:RestoreObject", "s3:ReplicateObject")
WRITE = "s3:PutObject*"
COPY_OBJECT = (
    "s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAttributes", "s3:GetObjectVersionAttributes",
    "s3:GetObjectTagging", "s3:GetObjectVersionTagging",
)  # fmt: skip
COPY_BUCKET = ("s3:ListBucket", "s3:ListBucketVersions")
PARTS = ("Objects", "Writes", "Bucket")
GONE = re.compile(r"A[A-Z0-9]{15,}")
"""The unique id of a user or role, which S3 shows in place of the ARN once it was deleted."""
NEGATIVE = ("ArnNotLike", "ArnNotEquals", "StringNotLike", "StringNotEquals")
"""Operators under which a Deny can spare us; each may hold a key once."""


def key_pattern(key: str, is_prefix: bool = False) -> str:
    """A key as it stands in a policy; signs that mean something there become `?`, which also matches them."""
    return re.sub(r"[*?]|\$(?=\{)", "?", key) + ("*" if is_prefix else "")


def lock(
    text: str | None,
    bucket: str,
    key_patterns: Sequence[str],
    responder_arns: Sequence[str],
    copier_arn: str,
    case_id: str = "",
    replace: bool = False,
) -> str:
    """Nobody but us reads or changes the keys or changes the bucket's settings; the copier may read them.

    Other keys stay as they were, and so does log delivery. Denies of others spare our roles for as long as the lock is on.
    Where the keys are too many, all that begins like them is locked. `replace`: drop the policy, but for what lets AWS's
    services deliver, and lock the whole bucket, for a policy that leaves no room. Raises PolicyError, PolicyTooLarge.
    """
    exempt = sorted({*_checked(responder_arns), *_checked([copier_arn])})
    if not key_patterns:
        raise PolicyError(f"No key of {bucket} is named, so nothing would be locked.")
    mark = (
        re.sub(r"[^A-Za-z0-9]", "", case_id)
        or hashlib.sha256("\n".join(sorted(key_patterns)).encode()).hexdigest()[:12]
    )
    document = _of_services(text) if replace else _read(text)
    kept = [_sparing(s, exempt) for s in _living(document) if not _marked(s, mark)]
    whole = [f"{_common([p.rstrip('*') for p in key_patterns])}*"]
    for patterns in [["*"]] if replace else [sorted(set(key_patterns)), whole]:
        ours = _lock_statements(bucket, patterns, exempt, copier_arn, mark)
        locked = write_policy(document | {"Statement": [*kept, *ours]})
        if len(locked.encode()) <= BUCKET_QUOTA:
            return locked
    raise PolicyTooLarge(
        f"The policy of {bucket} leaves no room for the lock: S3 takes {BUCKET_QUOTA} bytes. "
        "Replace it for the time of the lock, which closes the whole bucket, or shorten it by hand."
    )


def _lock_statements(
    bucket: str, patterns: Sequence[str], exempt: Sequence[str], copier: str, mark: str
) -> list[dict[str, Any]]:
    place = f"arn:{copier.split(':')[1]}:s3:::{bucket}"
    keys = [f"{place}/{p}" for p in patterns]
    others = {"ArnNotLike": {"aws:PrincipalArn": list(exempt)}}
    # Services deliver logs. They must not read: CloudFront would, for whoever had it allowed. Anonymous requests do not
    # have the key, so without IfExists they would pass.
    callers = others | {"BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}
    deny: dict[str, Any] = {"Effect": "Deny", "Principal": "*"}
    allow: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": copier}}
    return [
        {"Sid": f"{LOCK}Objects{mark}", **deny, "Action": list(OBJECT), "Resource": keys, "Condition": others},
        {"Sid": f"{LOCK}Writes{mark}", **deny, "Action": WRITE, "Resource": keys, "Condition": callers},
        {"Sid": f"{LOCK}Bucket{mark}", **deny, "Action": list(SETTINGS), "Resource": place, "Condition": others},
        {"Sid": f"{COPY}Objects{mark}", **allow, "Action": list(COPY_OBJECT), "Resource": keys},
        {"Sid": f"{COPY}Bucket{mark}", **allow, "Action": list(COPY_BUCKET), "Resource": place},
    ]


def _common(texts: Sequence[str]) -> str:
    """What they all begin with."""
    first, last = min(texts), max(texts)
    return first[: next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))]


def _checked(arns: Sequence[str]) -> Sequence[str]:
    """Exemptions that name one principal each: a pattern here would let in whoever can make a role that fits."""
    if not arns:
        raise PolicyError("No responder is exempt: the lock would shut us out too.")
    for arn in arns:
        if not re.fullmatch(r"arn:aws[\w-]*:iam::\d{12}:(?:root|(?:role|user)/[\w+=,.@/-]+)", arn):
            raise PolicyError(f"{arn!a} names no single role or user, so it cannot be exempt from a lock.")
    return arns


def _marked(statement: dict[str, Any], mark: str) -> bool:
    """Whether a statement is of a lock with this mark."""
    return statement.get("Sid") in [f"{kind}{part}{mark}" for kind in (LOCK, COPY) for part in PARTS]


def _sparing(statement: dict[str, Any], exempt: Sequence[str]) -> dict[str, Any]:
    """A Deny without effect on our roles, where it could have one; anything else as it is."""
    if statement.get("Effect") != "Deny" or not any(_hinders(statement, arn) for arn in exempt):
        return statement
    condition = cast("dict[str, Any]", statement.get("Condition") or {})
    for operator in NEGATIVE:
        name = next((n for n in condition if n.lower() == operator.lower()), operator)
        tests = cast("dict[str, Any]", condition.get(name) or {})
        if "aws:principalarn" not in {key.lower() for key in tests}:
            return statement | {"Condition": condition | {name: tests | {"aws:PrincipalArn": list(exempt)}}}
    return statement


def _hinders(statement: dict[str, Any], arn: str) -> bool:
    """Whether a Deny may bind one of our roles in what the response does; every condition that we cannot know may hold."""
    known = {"aws:PrincipalArn": (arn,), "aws:PrincipalAccount": (arn.split(":")[4],), "aws:SecureTransport": ("true",)}
    known |= {"aws:PrincipalIsAWSService": ("false",), "aws:PrincipalType": ("AssumedRole",)}
    request = AccessRequest(
        action="s3:*", resource="", principal_arn=arn, principal_account=arn.split(":")[4], context=known
    )
    actions = (*COPY_OBJECT, *COPY_BUCKET, *SETTINGS, "s3:GetBucketPolicy", "s3:DeleteObject", "s3:DeleteObjectVersion")
    if naming(request, statement) is None or not any(action_matches(a, statement) for a in actions):
        return False
    return conditions_hold(statement.get("Condition"), Facts(known, frozenset({"*"}))) is not False


def deny_export_writes(text: str | None, bucket: str, region: str) -> str:
    """AWS's export service and the role vmimport cannot write to the bucket; nobody else is affected."""
    partition = "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"
    deny: dict[str, Any] = {"Effect": "Deny", "Action": "s3:PutObject", "Resource": f"arn:{partition}:s3:::{bucket}/*"}
    roles = [f"arn:{partition}:iam::*:role/{path}vmimport" for path in ("", "*/")]
    ours = [
        {"Sid": f"{NO_EXPORT_WRITES}Service", **deny, "Principal": {"CanonicalUser": export_service_id(region)}},
        # A role in Principal must exist; a condition names it whether it does or not.
        {
            "Sid": f"{NO_EXPORT_WRITES}Role",
            **deny,
            "Principal": "*",
            "Condition": {"ArnLike": {"aws:PrincipalArn": roles}},
        },
    ]
    document = _read(text)
    kept = [s for s in _living(document) if s.get("Sid") not in [o["Sid"] for o in ours]]
    written = write_policy(document | {"Statement": [*kept, *ours]})
    if len(written.encode()) > BUCKET_QUOTA:
        raise PolicyTooLarge(
            f"The policy of {bucket} leaves no room: S3 takes {BUCKET_QUOTA} bytes. Shorten it by hand, "
            "or switch ACLs off and rely on the guardrail of the organisation."
        )
    return written


def without_export_grants(text: str, canonical_ids: Collection[str] = EXPORT_SERVICE_IDS) -> str | None:
    """The policy without Allows for these canonical ids; None where nothing is left of it, so it is to be deleted."""
    document = read_policy(text)
    before = statements(document)
    after = [s for s in (_without_ids(s, canonical_ids) for s in before) if s is not None]
    if after == list(before):
        return text
    kept = _living(document | {"Statement": after})
    return write_policy(document | {"Statement": kept}) if kept else None


def of_the_living(text: str) -> str | None:
    """The policy without principals that were deleted; the text as it is where it names none, None where nothing is left.

    S3 shows such a principal by its unique id, lets nobody in by it, and takes no policy that names one. Raises PolicyError.
    """
    document = read_policy(text)
    kept = _living(document)
    if kept == list(statements(document)):
        return text
    return write_policy(document | {"Statement": kept}) if kept else None


def _living(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [s for s in map(_named_living, statements(document)) if s is not None]


def _named_living(statement: dict[str, Any]) -> dict[str, Any] | None:
    """The statement without deleted principals; None where it named nobody else, so that it was without effect."""
    for element in ("Principal", "NotPrincipal"):
        named = statement.get(element)
        if not isinstance(named, dict):
            continue
        who = cast("dict[str, Any]", named)
        arns = strings(who.get("AWS"))
        living = [a for a in arns if not GONE.fullmatch(a)]
        if len(living) == len(arns):
            continue
        left = {kind: ids for kind, ids in who.items() if kind != "AWS"} | ({"AWS": living} if living else {})
        if left:
            statement = statement | {element: left}
        elif element == "Principal":
            return None
        else:  # everybody but nobody
            statement = {k: v for k, v in statement.items() if k != element} | {"Principal": "*"}
    return statement


def _without_ids(statement: dict[str, Any], canonical_ids: Collection[str]) -> dict[str, Any] | None:
    principal = statement.get("Principal")
    if statement.get("Effect") != "Allow" or not isinstance(principal, dict):
        return statement
    named = cast("dict[str, Any]", principal)
    users = strings(named.get("CanonicalUser"))
    rest = [u for u in users if u not in canonical_ids]
    if len(rest) == len(users):
        return statement
    others = {kind: who for kind, who in named.items() if kind != "CanonicalUser"}
    remaining = others | ({"CanonicalUser": rest} if rest else {})
    return statement | {"Principal": remaining} if remaining else None


def _of_services(text: str | None) -> dict[str, Any]:
    """What lets AWS's services in, and nobody else: logs that are delivered by it go on arriving."""
    try:
        document = _read(text)
    except PolicyError:
        return _read(None)
    allows = [s for s in statements(document) if s.get("Effect") == "Allow" and isinstance(s.get("Principal"), dict)]
    return _read(None) | {
        "Statement": [s for s in allows if set(cast("dict[str, Any]", s["Principal"])) == {"Service"}]
    }


def _read(text: str | None) -> dict[str, Any]:
    return read_policy(text) if text is not None else {"Version": "2012-10-17", "Statement": []}
