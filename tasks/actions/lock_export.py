"""`s3.lock-export`: nobody but us reads the exported image or changes who may.

A deny for the image's keys and for the settings of the bucket, which kills presigned URLs too; the public access block;
the ACL made private; ACLs switched off, which also makes us the owner of what the export service wrote, so that the copy
can read it. Only those keys are denied: other objects of the bucket stay in use.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from decisions.access import CLOUDFRONT_LOGS, LOG_DELIVERY
from decisions.bucket_policy import lock
from decisions.evidence import Unknown
from decisions.findings import Findings
from decisions.iam_policy import evaluate_resource
from decisions.organization import Organization
from decisions.plan import ActionClass, PlannedAction
from decisions.policy import AccessRequest, Policy, PolicyError
from decisions.policy_document import read_policy, statements
from decisions.resources import BucketState
from tasks.actions.base import ActionRefused, Clients, State
from tasks.actions.bucket_settings import PARTS, PERMISSIONS, read_settings, settings_of, write_settings
from tasks.actions.bucket_statements import is_public, meaning, without_ours, without_public
from tasks.actions.exported_keys import exported_keys
from tasks.actions.protected import copier_arn, exempt_arns
from tasks.actions.settled import Look
from tasks.actions.state_change import StateChange
from tasks.actions.suspects import exports_evidence

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

ALL_BLOCKED = {
    "block_public_acls": True,
    "ignore_public_acls": True,
    "block_public_policy": True,
    "restrict_public_buckets": True,
}
ENFORCED = "BucketOwnerEnforced"
LOCKING = ("policy", "public_access_block", "acl", "ownership")
"""The deny works at once. S3 refuses BucketOwnerEnforced while the ACL grants anybody else something: ACL first."""
RELEASING = ("public_access_block", "ownership", "acl", "policy")
"""The way back: a block that is still on would refuse a public ACL or policy. The deny goes last."""


class LockExport(StateChange):
    """Deny the export's keys and the bucket's settings to everybody but us, and switch public access and ACLs off."""

    kind = "s3.lock-export"
    action_class = ActionClass.REVERSIBLE
    gate = "containment"
    order = 31
    step = "containment.1d"
    tier = "respond"
    permissions = tuple(permission for part in PARTS for permission in PERMISSIONS[part])

    def plan(self, findings: Findings, organization: Organization, now: datetime) -> tuple[PlannedAction, ...]:
        planned = (
            self._for_bucket(answer.value, keys, findings, organization)
            for name, answer in findings.buckets.items()
            if not isinstance(answer, Unknown) and (keys := exported_keys(name, findings))
        )
        return tuple(a for a in planned if a is not None)

    def _for_bucket(
        self, bucket: BucketState, keys: tuple[str, ...], findings: Findings, organization: Organization
    ) -> PlannedAction | None:
        if not organization.owns(bucket.account):
            return None
        parameters: dict[str, Any] = {
            "case": findings.case_id,
            "keys": list(keys),
            "exempt": list(exempt_arns(bucket.account, organization)),
            "copier": copier_arn(organization),
            "replace": False,
            "keep_acl": any(
                g.grantee_uri == LOG_DELIVERY or g.grantee_id == CLOUDFRONT_LOGS for g in bucket.acl.grants
            ),
        }
        state = settings_of(bucket, *PARTS)
        try:
            after = _locked(bucket.bucket, parameters, state)
        except PolicyError:
            parameters["replace"] = True
            after = _locked(bucket.bucket, parameters, state)
        if self.same(after, state):
            return None
        return self.propose(
            target=bucket.bucket,
            account=bucket.account,
            region=bucket.region,
            reason=f"the exported image lies in {bucket.bucket}, or will",
            evidence=exports_evidence(findings),
            fact=f"policy, ACL, ownership and public access block of {bucket.bucket}",
            state=state,
            after=after,
            inverse="Puts back policy, public access block, ownership and ACL exactly as they were.",
            blast_radius=_felt_by(bucket, parameters),
            parameters=parameters,
        )

    def own(self, part: str, value: Any) -> Any:
        return without_ours(part, value)

    def same(self, one: State, other: State) -> bool:
        return meaning(one) == meaning(other)

    def read(self, aws: Clients, action: PlannedAction) -> State:
        return read_settings(self._s3(aws, action), action.target, action.account, *PARTS)

    def wanted(self, action: PlannedAction, state: State) -> State:
        try:
            return _locked(action.target, action.parameters, state)
        except PolicyError as error:
            raise ActionRefused(f"{action.id}: {error}") from error

    def write(self, aws: Clients, action: PlannedAction, current: State, target: State) -> tuple[str, ...]:
        order = LOCKING if self.same(self.wanted(action, target), target) else RELEASING
        return write_settings(self._s3(aws, action), action.target, action.account, current, target, order)

    def effects(self, aws: Clients, action: PlannedAction) -> Sequence[Look]:
        return (lambda: self._decided(aws, action),)

    def _decided(self, aws: Clients, action: PlannedAction) -> tuple[bool, str]:
        """What the policy in force decides for strangers, for us and for the copier, by our own evaluator."""
        text = self.read(aws, action)["policy"]
        if text is None:
            return False, f"{action.target} has NOT any policy: nobody is denied."
        policy = Policy(id=action.target, type="resource", document=read_policy(text))
        stranger, us = f"arn:aws:iam::{action.account}:role/any-other", action.parameters["exempt"]
        image = f"arn:aws:s3:::{action.target}/{action.parameters['keys'][0].replace('*', 'x')}"
        bucket = f"arn:aws:s3:::{action.target}"
        wrong = [who for who in (stranger, None) if not _denied(policy, "s3:GetObject", image, who)]
        wrong += [who for who in (stranger,) if not _denied(policy, "s3:PutBucketPolicy", bucket, who)]
        wrong += [who for who in us if _denied(policy, "s3:PutBucketPolicy", bucket, who)]
        wrong += [c for c in (action.parameters["copier"],) if _denied(policy, "s3:GetObjectVersion", image, c)]
        if wrong:
            return (
                False,
                f"The policy in force does NOT decide as planned for {', '.join(w or 'anonymous' for w in wrong)}.",
            )
        return True, "The policy in force denies strangers the image and the settings, and spares us and the copier."

    def _s3(self, aws: Clients, action: PlannedAction) -> S3Client:
        return aws.client("s3", account=action.account, tier=self.tier, region=action.region)


def _locked(bucket: str, parameters: dict[str, Any], state: State) -> State:
    """The state under the lock. Raises PolicyError where the policy cannot hold it."""
    policy = lock(
        state["policy"] if parameters["replace"] else without_public(state["policy"]),
        bucket,
        parameters["keys"],
        parameters["exempt"],
        parameters["copier"],
        parameters["case"],
        parameters["replace"],
    )
    locked = state | {"policy": policy, "public_access_block": ALL_BLOCKED}
    if parameters["keep_acl"]:
        return locked
    owner = state["acl"]["owner_id"]
    full = {"grantee_type": "CanonicalUser", "grantee_id": owner, "grantee_uri": None, "permission": "FULL_CONTROL"}
    return locked | {"acl": {"owner_id": owner, "grants": [full]}, "ownership": ENFORCED}


def _denied(policy: Policy, action: str, resource: str, principal: str | None) -> bool:
    context = {"aws:PrincipalArn": (principal,), "aws:PrincipalIsAWSService": ("false",)} if principal else {}
    request = AccessRequest(
        action=action,
        resource=resource,
        principal_arn=principal,
        principal_account=principal.split(":")[4] if principal else None,
        context=context,
    )
    return evaluate_resource(request, policy).explicit_deny


def _felt_by(bucket: BucketState, parameters: dict[str, Any]) -> str:
    keys = ", ".join(parameters["keys"])
    if parameters["replace"]:
        scope = f"The whole bucket {bucket.bucket} is closed to everybody but us, but for the delivery of logs: its "
        "policy leaves no room for less."
    elif "*" in parameters["keys"]:
        scope = f"Every object of {bucket.bucket} is closed to everybody but us: which key is the image's is not known."
    else:
        scope = f"Only {keys} is closed to everybody but us; the bucket's other objects stay in use."
    owner = bucket.acl.owner_id
    others = [g for g in bucket.acl.grants if g.grantee_id != owner]
    if parameters["keep_acl"]:
        acl = "The ACL stays as it is, because logs are delivered by it."
    elif others:
        acl = f"ACLs are switched off: {len(others)} grant(s) to others end, for every object of the bucket."
    else:
        acl = "ACLs are switched off: what other accounts were given by the ACLs of single objects ends."
    return f"{scope} Nobody can change the bucket's settings, its owners included. {acl} {_public(bucket)}"


def _public(bucket: BucketState) -> str:
    try:
        count = sum(map(is_public, statements(read_policy(bucket.policy)))) if bucket.policy else 0
    except PolicyError as error:
        return f"Public access ends. {error}"
    if not count:
        return "Public access ends where there was any."
    return (
        f"Public access ends: {count} statement(s) that let everybody in are taken out for as long as the lock is on."
    )


ACTION = LockExport()
