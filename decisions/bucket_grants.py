"""Whom a bucket's policy and ACL let in: AWS's export service, everybody, accounts outside the organisation.

Denies are not looked at: an Allow for a stranger is worth knowing even where a Deny is in its way today.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, cast

from decisions.access import EVERYBODY
from decisions.evidence import Frozen
from decisions.organization import Organization
from decisions.policy import AccessRequest, MatchedStatement
from decisions.policy_conditions import wanted_values
from decisions.policy_document import statements, strings
from decisions.policy_matching import action_matches, naming
from decisions.resources import AclGrant
from decisions.vm_export_grantees import EXPORT_SERVICE_IDS, export_service_id

ANYBODY = AccessRequest(action="s3:GetObject", resource="")
"""A request without credentials: whoever lets it in lets in everybody."""
ACCOUNT = r"\d{12}"
ARN = r"arn:[^:*?$]+:[^:*?$]+:[^:*?$]*:(\d{12}):.*"
FIXED = {
    "aws:principalorgid": r"o-[a-z0-9]+",
    "aws:principalorgpaths": r"o-[a-z0-9]+/.*",
    "aws:principalaccount": ACCOUNT,
    "aws:sourceaccount": ACCOUNT,
    "aws:sourceowner": ACCOUNT,
    "s3:dataaccesspointaccount": ACCOUNT,
    "aws:principalarn": ARN,
    "s3:dataaccesspointarn": ARN,
    "aws:sourcearn": rf"{ARN}|[^*?$]+",
    "aws:sourcevpc": r"vpc-[0-9a-f]+",
    "aws:sourcevpce": r"vpce-[0-9a-f]+",
    "aws:userid": r"[A-Z0-9]{16,}(:.*)?",
}
"""Condition keys that keep a statement from being for everybody, and what a value must look like to do so. Source: S3 user
guide, "The meaning of public"."""
NARROWING = {"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "ipaddress"}
WIDEST = {4: 2**24, 6: 2**96}
"""So many addresses together are not everybody: one /8, one /32."""
WRITES = {"WRITE", "FULL_CONTROL"}


class ExportGrant(Frozen):
    """One Allow statement through which exports can be written."""

    index: int
    sid: str | None
    statement: dict[str, Any]
    export_ids: tuple[str, ...]
    """Canonical ids of AWS's export service."""
    unknown_ids: tuple[str, ...]
    """Other canonical ids that may write objects: only AWS can say whose they are."""
    usable: bool
    """Whether one of them is the export service of the bucket's Region: the others are of no use to an export there."""


def export_grants(document: dict[str, Any], region: str) -> tuple[ExportGrant, ...]:
    """The statements that let AWS's export service, or anybody unknown by canonical id, write to the bucket."""
    found: list[ExportGrant] = []
    for index, statement in enumerate(statements(document)):
        ids = _canonical_ids(statement) if statement.get("Effect") == "Allow" else ()
        known = tuple(i for i in ids if i in EXPORT_SERVICE_IDS)
        unknown = tuple(i for i in ids if i not in known) if action_matches("s3:PutObject", statement) else ()
        if known or unknown:
            sid = statement.get("Sid")
            found.append(
                ExportGrant(
                    index=index,
                    sid=sid if isinstance(sid, str) else None,
                    statement=statement,
                    export_ids=known,
                    unknown_ids=unknown,
                    usable=export_service_id(region) in known,
                )
            )
    return tuple(found)


def export_acl_grants(grants: Sequence[AclGrant], owner_id: str) -> tuple[AclGrant, ...]:
    """Every grant of AWS's export service, and of any other canonical id than the owner's that may write."""
    writers = {g.grantee_id for g in grants if g.permission in WRITES and g.grantee_id not in (None, owner_id)}
    return tuple(g for g in grants if g.grantee_id in writers | EXPORT_SERVICE_IDS)


def public_acl_grants(grants: Sequence[AclGrant]) -> tuple[AclGrant, ...]:
    """Every grant for all users, or for everybody with an AWS account."""
    return tuple(g for g in grants if g.grantee_uri in EVERYBODY)


def is_public(document: dict[str, Any]) -> bool:
    """Whether a statement lets in everybody, with no condition that pins an account, organisation, network or address."""
    return any(_is_for_everybody(s) and not any(_fixed(*t) for t in _tests(s)) for s in statements(document))


def grants_outside(document: dict[str, Any], organization: Organization) -> tuple[MatchedStatement, ...]:
    """The Allow statements that let in accounts outside the organisation; `undecided` says what would have to be known.

    AWS's own services are not accounts, and its export service has `export_grants`.
    """
    found: list[MatchedStatement] = []
    for index, statement in enumerate(statements(document)):
        doubts = _outside(statement, organization) if statement.get("Effect") == "Allow" else None
        if doubts is not None:
            sid = statement.get("Sid")
            found.append(
                MatchedStatement(
                    policy_id="bucket policy",
                    policy_type="resource",
                    attached_to=None,
                    index=index,
                    sid=sid if isinstance(sid, str) else None,
                    effect="Allow",
                    statement=statement,
                    undecided=doubts,
                )
            )
    return tuple(found)


def _outside(statement: dict[str, Any], ours: Organization) -> tuple[str, ...] | None:
    """None: nobody outside; empty: surely somebody; else what decides it."""
    strangers = _is_for_everybody(statement) or any(
        _account(p) not in (None, *_accounts(ours)) for p in _aws(statement)
    )
    unknown = tuple(f"canonical id {i}" for i in _canonical_ids(statement) if i not in EXPORT_SERVICE_IDS)
    if not strangers and not unknown:
        return None
    tests = [t for t in _tests(statement) if _fixed(*t)]
    if any(_within(key, values, ours) for _, key, values in tests):
        return None
    networks = tuple(key for _, key, _ in tests if key.lower() in ("aws:sourcevpc", "aws:sourcevpce"))
    return networks or (() if strangers else unknown)


def _within(key: str, values: tuple[str, ...], ours: Organization) -> bool:
    """Whether a condition's values all lie in the organisation."""
    name = key.lower()
    if name in ("aws:principalorgid", "aws:principalorgpaths"):
        return all(v.split("/")[0] == ours.id for v in values)
    if name == "aws:sourceip":
        networks = [ip_network(n, strict=False) for n in ours.networks]
        return all(any(_holds(n, ip_network(v, strict=False)) for n in networks) for v in values)
    if name in ("aws:principalaccount", "aws:principalarn"):
        return all(_account(v) in _accounts(ours) for v in values)
    return False


def _holds(wide: IPv4Network | IPv6Network, narrow: IPv4Network | IPv6Network) -> bool:
    if isinstance(wide, IPv4Network):
        return isinstance(narrow, IPv4Network) and narrow.subnet_of(wide)
    return isinstance(narrow, IPv6Network) and narrow.subnet_of(wide)


def _is_for_everybody(statement: dict[str, Any]) -> bool:
    return statement.get("Effect") == "Allow" and naming(ANYBODY, statement) is not None


def _tests(statement: dict[str, Any]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Operator, key and values of every test in the condition."""
    block = statement.get("Condition")
    if not isinstance(block, dict):
        return []
    return [
        (operator, key, wanted_values(wanted))
        for operator, tests in cast("dict[str, Any]", block).items()
        if isinstance(tests, dict)
        for key, wanted in cast("dict[str, Any]", tests).items()
    ]


def _fixed(operator: str, key: str, values: tuple[str, ...]) -> bool:
    """Whether a test pins who or where the caller is; `…IfExists` and ForAllValues let a caller without the key pass."""
    name = operator.lower().removeprefix("foranyvalue:")
    if name not in NARROWING or not values:
        return False
    if key.lower() == "aws:sourceip":
        return name == "ipaddress" and _few_addresses(values)
    pattern = FIXED.get(key.lower())
    return pattern is not None and all(re.fullmatch(pattern, v) for v in values)


def _few_addresses(values: tuple[str, ...]) -> bool:
    try:
        networks = [ip_network(v, strict=False) for v in values]
    except ValueError:
        return False
    return all(sum(n.num_addresses for n in networks if n.version == v) <= most for v, most in WIDEST.items())


def _aws(statement: dict[str, Any]) -> tuple[str, ...]:
    principal = statement.get("Principal")
    return strings(cast("dict[str, Any]", principal).get("AWS")) if isinstance(principal, dict) else ()


def _canonical_ids(statement: dict[str, Any]) -> tuple[str, ...]:
    principal = statement.get("Principal")
    return strings(cast("dict[str, Any]", principal).get("CanonicalUser")) if isinstance(principal, dict) else ()


def _account(principal: str) -> str | None:
    """The account of an ARN or a bare id; the principal itself where it names none, which is then not ours.

    None for everybody, and for the id that S3 leaves of a principal that was deleted.
    """
    if principal == "*" or re.fullmatch(r"A[A-Z0-9]{15,}", principal):
        return None
    match = re.fullmatch(rf"({ACCOUNT})|{ARN}", principal)
    return (match[1] or match[2]) if match else principal


def _accounts(ours: Organization) -> frozenset[str]:
    return frozenset({*(a.id for a in ours.accounts), ours.management_account, ours.forensics_account})
