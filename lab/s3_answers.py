"""Operations that the lab answers itself, because moto lacks them, refuses them wrongly, or keeps less than was asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab import caller as callers
from lab import s3_acl, s3_actions, s3_authorization, s3_checks, s3_policy, s3_state, s3_versions
from lab.errors import AwsError
from lab.s3_actions import Need
from lab.wire import Call

Answer = tuple[int, dict[str, str], str]
XMLNS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
DONE: Answer = (200, {}, "")


def get_bucket_acl(_: Any, call: Call, bucket: Any) -> Answer:
    owner = s3_state.owner(bucket)
    grants = s3_acl.of(bucket.acl, owner) if s3_state.acls_count(bucket) else s3_acl.private(owner)
    return 200, {}, s3_acl.xml(owner, grants)


def put_bucket_acl(_: Any, call: Call, bucket: Any) -> Answer:
    owner = s3_state.owner(bucket)
    grants = _asked(call, owner, owner)
    s3_checks.check_acl(bucket, grants)
    bucket.set_acl(s3_acl.kept(grants))
    return DONE


def get_object_acl(_: Any, call: Call, bucket: Any) -> Answer:
    stored = _stored(call, bucket)
    owner = s3_state.object_owner(bucket, stored)
    grants = s3_acl.of(stored.acl, owner) if s3_state.acls_count(bucket) else s3_acl.private(owner)
    return 200, _version_header(bucket, stored), s3_acl.xml(owner, grants)


def put_object_acl(_: Any, call: Call, bucket: Any) -> Answer:
    stored = _stored(call, bucket)
    grants = _asked(call, s3_state.object_owner(bucket, stored), s3_state.owner(bucket))
    s3_checks.check_acl(bucket, grants)
    stored.set_acl(s3_acl.kept(grants))
    return 200, _version_header(bucket, stored), ""


def _asked(call: Call, owner: str, bucket_owner: str) -> s3_acl.Grants:
    grants = s3_acl.asked(call.params, owner, bucket_owner)
    if grants is None:
        raise AwsError("MissingSecurityHeader", "Your request was missing a required header", 400)
    return grants


def put_bucket_policy(_: Any, call: Call, bucket: Any) -> Answer:
    """The text is kept byte for byte."""
    text = call.body.decode("utf-8", "replace")
    document = s3_policy.parse(text, bucket.name)
    if s3_policy.is_public(document) and s3_state.blocks(bucket, str(bucket.account_id)).policy:
        said = "because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access"
        raise AwsError("AccessDenied", f"Access Denied {said}", 403)
    before = bucket.policy
    bucket.policy = call.body
    me = callers.current()
    if not call.params.get("ConfirmRemoveSelfBucketAccess"):
        decision = s3_authorization.decide(Need("s3:PutBucketPolicy", bucket.name), me)
        if decision.explicit_deny:
            bucket.policy = before
            said = (
                "The new policy would deny you s3:PutBucketPolicy: set x-amz-confirm-remove-self-bucket-access to true"
            )
            raise AwsError("MalformedPolicy", said, 400)
    return 204, {}, ""


def get_bucket_policy_status(_: Any, call: Call, bucket: Any) -> Answer:
    document = s3_state.policy(bucket)
    if document is None:
        raise AwsError("NoSuchBucketPolicy", "The bucket policy does not exist", 404, BucketName=bucket.name)
    public = str(s3_policy.is_public(document)).lower()
    return 200, {}, f"<PolicyStatus {XMLNS}><IsPublic>{public}</IsPublic></PolicyStatus>"


def put_bucket_ownership_controls(_: Any, call: Call, bucket: Any) -> Answer:
    rules = (call.params.get("OwnershipControls") or {}).get("Rules") or [{}]
    wanted = rules[0].get("ObjectOwnership")
    if wanted not in (s3_state.ENFORCED, s3_state.PREFERRED, s3_state.WRITER):
        raise AwsError("MalformedXML", "The XML you provided was not well-formed", 400)
    owner = s3_state.owner(bucket)
    if wanted == s3_state.ENFORCED and any(g.grantee != owner for g in s3_acl.of(bucket.acl, owner)):
        text = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"
        raise AwsError("InvalidBucketAclWithObjectOwnership", text, 400)
    bucket.ownership_rule = wanted
    return DONE


def delete_bucket_encryption(_: Any, call: Call, bucket: Any) -> Answer:
    bucket.encryption = s3_state.default_encryption()
    return 204, {}, ""


def put_bucket_versioning(response: Any, call: Call, bucket: Any) -> Answer:
    status = (call.params.get("VersioningConfiguration") or {}).get("Status")
    if status not in ("Enabled", "Suspended"):
        raise AwsError("IllegalVersioningConfigurationException", "The Versioning element must be specified", 400)
    if status == "Suspended" and bucket.object_lock_enabled:
        text = "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed."
        raise AwsError("InvalidBucketState", text, 409)
    bucket.versioning_status = status
    return DONE


# ---- Object Lock


def put_object_lock_configuration(_: Any, call: Call, bucket: Any) -> Answer:
    if not bucket.is_versioned:
        text = "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"
        raise AwsError("InvalidBucketState", text, 409)
    default = ((call.params.get("ObjectLockConfiguration") or {}).get("Rule") or {}).get("DefaultRetention") or {}
    if default and (("Days" in default) == ("Years" in default) or default.get("Mode") not in MODES):
        raise AwsError("MalformedXML", "The XML you provided was not well-formed", 400)
    bucket.object_lock_enabled = True
    bucket.default_lock_mode = default.get("Mode")
    bucket.default_lock_days, bucket.default_lock_years = default.get("Days", 0), default.get("Years", 0)
    return DONE


MODES = ("GOVERNANCE", "COMPLIANCE")


def get_object_retention(_: Any, call: Call, bucket: Any) -> Answer:
    stored = _lockable(call, bucket)
    if not stored.lock_mode:
        text = "The specified object does not have a ObjectLock configuration"
        raise AwsError("NoSuchObjectLockConfiguration", text, 404, Key=call.params["Key"])
    said = f"<Mode>{stored.lock_mode}</Mode><RetainUntilDate>{stored.lock_until}</RetainUntilDate>"
    return 200, {}, f"<Retention {XMLNS}>{said}</Retention>"


def put_object_retention(_: Any, call: Call, bucket: Any) -> Answer:
    """COMPLIANCE only grows; GOVERNANCE shrinks with the bypass that the caller was authorised for."""
    stored = _lockable(call, bucket)
    asked = call.params.get("Retention") or {}
    mode, until = asked.get("Mode"), asked.get("RetainUntilDate")
    if (mode is None) != (until is None) or mode not in (None, *MODES):
        raise AwsError("MalformedXML", "The XML you provided was not well-formed", 400)
    if until is not None:
        s3_checks.check_future(until)
    bypass = bool(call.params.get("BypassGovernanceRetention"))
    weaker = until is None or s3_versions.stamp(until) < (stored.lock_until or "") or mode != stored.lock_mode
    upgraded = mode == "COMPLIANCE" and until is not None and s3_versions.stamp(until) >= (stored.lock_until or "")
    held = stored.lock_mode and stored.is_locked(governance_bypass=bypass)
    if held and weaker and not upgraded:
        raise AwsError("AccessDenied", "Access Denied because object protected by object lock.", 403)
    stored.lock_mode = mode
    stored.lock_until = None if until is None else s3_versions.stamp(until)
    return DONE


def put_object_legal_hold(_: Any, call: Call, bucket: Any) -> Answer:
    stored = _lockable(call, bucket)
    status = (call.params.get("LegalHold") or {}).get("Status")
    if status not in ("ON", "OFF"):
        raise AwsError("MalformedXML", "The XML you provided was not well-formed", 400)
    stored.lock_legal_status = status
    return DONE


def _lockable(call: Call, bucket: Any) -> Any:
    if not bucket.object_lock_enabled:
        raise AwsError("InvalidRequest", "Bucket is missing Object Lock Configuration", 400)
    return _stored(call, bucket)


# ---- objects


def head_object(response: Any, call: Call, bucket: Any) -> Any:
    """moto refuses to look at a version where versioning is not on; there the version is `null`."""
    stored = _stored(call, bucket)
    status, headers, _ = response.get_object()
    return status, {**headers, "content-length": str(stored.size)}, ""


def delete_objects(response: Any, call: Call, bucket: Any) -> Any:
    """Each object is judged by itself."""
    from moto.core.responses import ActionResult

    asked = call.params.get("Delete") or {}
    if not asked.get("Objects"):
        raise AwsError("MalformedXML", "The XML you provided was not well-formed", 400)
    deleted: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for item in asked["Objects"]:
        outcome, done = _delete_one(response, call, bucket, item)
        (deleted if done else errors).append(outcome)
    response.data["Action"] = "DeleteObjects"
    return response.serialized(ActionResult({"Deleted": [] if asked.get("Quiet") else deleted, "Errors": errors}))


def _delete_one(response: Any, call: Call, bucket: Any, item: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    from moto.s3.exceptions import AccessDeniedByLock

    key, version_id = item["Key"], item.get("VersionId")
    bypass = bool(call.params.get("BypassGovernanceRetention"))
    named = {"Key": key, **({"VersionId": version_id} if version_id else {})}
    try:
        for need in s3_actions.deletion(bucket.name, key, version_id, bypass):
            s3_authorization.authorize(need)
        _, said = response.backend.delete_object(bucket.name, key, version_id, bypass)
    except AwsError as refused:
        return {**named, "Code": refused.code, "Message": refused.message}, False
    except AccessDeniedByLock:
        text = "Access Denied because object protected by object lock."
        return {**named, "Code": "AccessDenied", "Message": text}, False
    if said.get("delete-marker"):
        named |= {"DeleteMarker": True, "DeleteMarkerVersionId": said["version-id"]}
    return named, True


def put_object_tagging(response: Any, call: Call, bucket: Any) -> Any:
    """moto cannot read an empty set of tags."""
    stored = _stored(call, bucket)
    response.backend.tagger.delete_all_tags_for_resource(stored.arn)
    response.backend.tagger.tag_resource(stored.arn, _tags(call))
    return 200, _version_header(bucket, stored), ""


def put_bucket_tagging(response: Any, call: Call, bucket: Any) -> Answer:
    response.backend.put_bucket_tagging(bucket.name, {t["Key"]: t["Value"] for t in _tags(call)})
    return 204, {}, ""


def _tags(call: Call) -> list[dict[str, str]]:
    tags = (call.params.get("Tagging") or {}).get("TagSet") or []
    if len({t["Key"] for t in tags}) < len(tags):
        raise AwsError("InvalidTag", "Cannot provide multiple Tags with the same key", 400)
    return list(tags)


def _stored(call: Call, bucket: Any) -> Any:
    """The object, or NoSuchKey, NoSuchVersion, MethodNotAllowed as S3 answers."""
    key, version_id = str(call.params["Key"]), call.params.get("VersionId")
    stored = s3_state.version(bucket, key, version_id)
    if stored is not None and s3_state.is_marker(stored):
        if version_id is not None:
            text = "The specified method is not allowed against this resource."
            raise AwsError("MethodNotAllowed", text, 405, Method=call.method, ResourceType="DeleteMarker")
        stored = None
    if stored is None and version_id is not None:
        raise AwsError("NoSuchVersion", "The specified version does not exist.", 404, Key=key)
    if stored is None:
        raise AwsError("NoSuchKey", "The specified key does not exist.", 404, Key=key)
    return stored


def _version_header(bucket: Any, stored: Any) -> dict[str, str]:
    return {"x-amz-version-id": str(stored.version_id)} if bucket.versioning_status else {}


Handler = Callable[[Any, Call, Any], Any]
ANSWERS: dict[str, Handler] = {
    "GetBucketAcl": get_bucket_acl,
    "PutBucketAcl": put_bucket_acl,
    "GetObjectAcl": get_object_acl,
    "PutObjectAcl": put_object_acl,
    "PutBucketPolicy": put_bucket_policy,
    "GetBucketPolicyStatus": get_bucket_policy_status,
    "PutBucketOwnershipControls": put_bucket_ownership_controls,
    "DeleteBucketEncryption": delete_bucket_encryption,
    "PutBucketVersioning": put_bucket_versioning,
    "PutObjectLockConfiguration": put_object_lock_configuration,
    "GetObjectRetention": get_object_retention,
    "PutObjectRetention": put_object_retention,
    "PutObjectLegalHold": put_object_legal_hold,
    "DeleteObjects": delete_objects,
    "PutObjectTagging": put_object_tagging,
    "PutBucketTagging": put_bucket_tagging,
}


def answer_of(call: Call, bucket: Any) -> Handler | None:
    """The lab's own answer to a call on a bucket that is there; None: moto's is right."""
    if call.operation == "HeadObject" and call.params.get("VersionId") and not bucket.is_versioned:
        return head_object
    return ANSWERS.get(str(call.operation))
