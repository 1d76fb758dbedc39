"""May the caller do this in S3? Bucket policy, ACLs and object ownership as policies for the one evaluator (lab/auth.py)."""

from __future__ import annotations

from typing import Any

from decisions.iam_policy import statements
from decisions.policy import Decision, Policy
from lab import auth, s3_acl, s3_actions, s3_policy, s3_state, trail
from lab import caller as callers
from lab.caller import Caller
from lab.errors import AwsError
from lab.s3_actions import Need
from lab.wire import Call

POLICY_CALLS = ("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy")
NOBODY = "aws-owned"
"""Stands for an owner that is no account of the lab (the account that VM Import/Export writes as)."""


def authorize_call(call: Call) -> None:
    """Return if the current caller may make the call, else raise AccessDenied (or what S3 answers to it)."""
    _check_expected_owners(call)
    for need in s3_actions.needs(call):
        if need.bucket is not None and s3_state.find(need.bucket) is None and call.operation != "CreateBucket":
            continue  # moto answers NoSuchBucket
        authorize(need)
    _check_policy_call(call)


def authorize(need: Need, caller: Caller | None = None) -> Decision:
    """Answer the decision if the caller (the current one by default) has the permission, raise AwsError if not."""
    who = caller or callers.current()
    decision = decide(need, who)
    if not decision.allowed:
        raise auth.refusal(who, need.action, need.arn, decision)
    return decision


def decide(need: Need, caller: Caller) -> Decision:
    """What everything that bears on the caller says of one permission; notes it where only an ACL allows it."""
    bucket = s3_state.find(need.bucket)
    if bucket is None:
        return auth.decide(caller, need.action, need.arn, extra_context=need.context)
    policy, owner = _resource_side(need, bucket, caller)
    account = str(bucket.account_id)
    context = {
        "aws:ResourceAccount": account,
        "s3:ResourceAccount": account,
        **_tags(need, bucket),
        **need.context,
    }
    decision = auth.decide(
        caller, need.action, need.arn, resource_policy=policy, resource_owner=owner, extra_context=context
    )
    if decision.allowed and callers.in_request() and caller.account != owner and only_by_acl(decision):
        trail.note("aclRequired", "Yes")
    return decision


def _resource_side(need: Need, bucket: Any, caller: Caller) -> tuple[Policy | None, str]:
    """Bucket policy and ACL as one resource policy, and the account whose identity policies suffice."""
    own = s3_state.owner(bucket)
    stored = s3_state.version(bucket, need.key, need.version_id) if need.on_object and need.key is not None else None
    object_owner = own if stored is None else s3_state.object_owner(bucket, stored)
    account = str(bucket.account_id)
    said = list(_policy_statements(need, bucket, caller))
    if object_owner != own:
        # The bucket's owner may deny what happens to another's object, and may not allow it.
        said = [s for s in said if s.get("Effect") == "Deny"]
        account = str(caller.account) if caller.canonical_id == object_owner and caller.account else NOBODY
    said += _acl_statements(need, bucket, stored, object_owner)
    document = {"Version": "2012-10-17", "Statement": said}
    return (Policy(id=bucket.name, type="resource", document=document) if said else None), account


def _policy_statements(need: Need, bucket: Any, caller: Caller) -> tuple[dict[str, Any], ...]:
    document = s3_state.policy(bucket)
    home = caller.account == str(bucket.account_id)
    if document is None or (caller.type == "Root" and home and need.action in POLICY_CALLS):
        return ()  # a bucket policy never keeps the root user of its account from the policy itself
    found = statements(document)
    restricted = s3_state.blocks(bucket, str(bucket.account_id)).restrict and s3_policy.is_public(document)
    if restricted and not home and caller.type != "AWSService":
        return tuple(s for s in found if s.get("Effect") == "Deny")
    return found


def _acl_statements(need: Need, bucket: Any, stored: Any, object_owner: str) -> list[Any]:
    if not s3_state.acls_count(bucket):
        return []
    if need.on_object:
        if stored is None or s3_state.is_marker(stored):
            return []
        grants, own = s3_acl.of(stored.acl, object_owner), object_owner
        resources, actions = [need.arn], s3_acl.OBJECT_ACTIONS
    else:
        grants, own = s3_acl.of(bucket.acl, object_owner), object_owner
        resources, actions = s3_acl.bucket_resource(bucket.name), s3_acl.BUCKET_ACTIONS
    if s3_state.blocks(bucket, str(bucket.account_id)).ignore_acls:
        grants = tuple(g for g in grants if g.grantee not in s3_acl.PUBLIC)
    return s3_acl.statements(grants, own, resources, actions)


def only_by_acl(decision: Decision) -> bool:
    """Whether the resource's side rests on an ACL alone: CloudTrail and access logs say `aclRequired` then."""
    granting = [m for m in decision.matched if m.effect == "Allow" and m.policy_type == "resource"]
    return bool(granting) and all(m.sid == s3_acl.SID for m in granting)


def _tags(need: Need, bucket: Any) -> dict[str, tuple[str, ...]]:
    """s3:ExistingObjectTag of the object in question."""
    stored = s3_state.version(bucket, need.key, need.version_id) if need.key is not None and need.on_object else None
    if stored is None or s3_state.is_marker(stored):
        return {}
    from moto.s3.models import s3_backends

    tags = s3_backends[bucket.account_id][bucket.partition].tagger.get_tag_dict_for_resource(stored.arn)
    return {f"s3:ExistingObjectTag/{key}": (str(value),) for key, value in tags.items()}


def _check_expected_owners(call: Call) -> None:
    source = s3_actions.source(call.params)
    expected = [(call.params.get("Bucket"), call.params.get("ExpectedBucketOwner"))]
    expected += [(source.bucket, call.params.get("ExpectedSourceBucketOwner"))] if source else []
    for name, account in expected:
        bucket = s3_state.find(name)
        if account is not None and bucket is not None and str(bucket.account_id) != str(account):
            raise AwsError("AccessDenied", "Access Denied", 403)


def _check_policy_call(call: Call) -> None:
    """The policy of a bucket belongs to its account, even where another account is allowed to change it."""
    bucket = s3_state.find(call.params.get("Bucket"))
    if bucket is None or f"s3:{call.operation}" not in POLICY_CALLS:
        return
    if callers.current().account != str(bucket.account_id):
        text = "The specified method is not allowed against this resource."
        raise AwsError("MethodNotAllowed", text, 405, Method=call.method, ResourceType="BUCKETPOLICY")
