"""What EC2 asks before it takes an export: of the instance or image, of the bucket, of the role (notes/aws.md 1.4 and 2).

Codes and texts that AWS documents are AWS's; where it documents none, `InvalidParameter` and `AuthFailure` are from memory.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from lab import auth, s3_authorization, s3_service_writes, s3_state, sts
from lab import caller as callers
from lab.actions import ec2_arn
from lab.caller import Caller
from lab.credentials import PARTITION
from lab.errors import AwsError
from lab.s3_actions import Need
from lab.vm_export_tasks import ACCESS_OF_STORES, VMIE, Task

GRANTEES = {
    "af-south-1": "3f7744aeebaf91dd60ab135eb1cf908700c8d2bc9133e61261e6c582be6e33ee",
    "ap-east-1": "97ee7ab57cc9b5034f31e107741a968e595c0d7a19ec23330eae8d045a46edfb",
    "ap-east-2": "a9fa0eb7c8483f9558cd14b24d16e9c4d1555261a320b586a3a06908ff0047ce",
    "ap-northeast-3": "40f22ffd22d6db3b71544ed6cd00c8952d8b0a63a87d58d5b074ec60397db8c9",
    "ap-south-2": "77ab5ec9eac9ade710b7defed37fe0640f93c5eb76ea65a64da49930965f18ca",
    "ap-southeast-3": "de34aaa6b2875fa3d5086459cb4e03147cf1a9f7d03d82f02bedb991ff3d1df5",
    "ap-southeast-4": "8b8ea36ab97c280aa8558c57a380353ac7712f01f82c21598afbb17e188b9ad5",
    "ap-southeast-5": "ed006f67543afcfe0779e356e52d5ed53fa45f95bcd7d277147dfc027aaca0e7",
    "ap-southeast-6": "2dc8fa4ca1c59da5c6a4c5b0e397eea130ec62e49f18cff179034665fd20e8a2",
    "ap-southeast-7": "d011fe83abcc227a7ac0f914ce411d3630c4ef735e92e88ce0aa796dcfecfbdd",
    "ca-west-1": "78e12f8d798f89502177975c4ccdac686c583765cea2bf06e9b34224e2953c83",
    "eu-central-2": "5d9fcea77b2fb3df05fc15c893f212ae1d02adb4b24c13e18586db728a48da67",
    "eu-south-1": "04636d9a349e458b0c1cbf1421858b9788b4ec28b066148d4907bb15c52b5b9c",
    "eu-south-2": "6e81c4c52a37a7f59e103625162ed97bcd0e646593adb107d21310d093151518",
    "il-central-1": "328a78de7561501444823ebeb59152eca7cb58fee2fe2e4223c2cdd9f93ae931",
    "me-central-1": "7d3018832562b7b6c126f5832211fae90bd3eee3ed3afde192d990690267e475",
    "me-south-1": "aa763f2cf70006650562c62a09433f04353db3cba6ba6aeb3550fdc8065d3d9f",
    "mx-central-1": "edaff67fe25d544b855bd0ba9a74a99a2584ab89ceda0a9661bdbeca530d0fca",
}
ELSEWHERE = "c4d8eabf8db69dbe46bfe0e517100c554f01200b104d59cd408e777ba442a322"
"""Of this table the lab keeps a copy of its own: taken from the product, a mistake in it would never show."""
LICENSED = ("windows", "rhel with sql", "sql")
STORE_ACTIONS = ("ebs:CompleteSnapshot", "ebs:GetSnapshotBlock", "ebs:ListSnapshotBlocks")


def service_account(region: str) -> Caller:
    """The account of AWS as which instance exports are written; known by its canonical id alone."""
    identifier = GRANTEES.get(region, ELSEWHERE)
    return Caller(type="AWSAccount", account=None, principal_id=identifier, source_ip=VMIE, user_agent=VMIE)


# ---- machines


def instance(account: str, region: str, identifier: str) -> Any:
    """The exportable instance, or EC2's refusal."""
    from moto.ec2.models import ec2_backends

    if not re.fullmatch(r"i-[0-9a-f]{8,17}", identifier):
        raise AwsError("InvalidInstanceID.Malformed", f'Invalid id: "{identifier}"')
    backend = ec2_backends[account][region]
    found = next((i for i in backend.all_instances() if i.id == identifier), None)
    if found is None or found.state == "terminated":
        raise AwsError("InvalidInstanceID.NotFound", f"The instance ID '{identifier}' does not exist")
    if found.state not in ("running", "stopped"):
        raise AwsError("IncorrectInstanceState", f"The instance {identifier} is {found.state}: not running or stopped")
    disks = [backend.volumes[device.volume_id] for _, device in found.get_block_device_mapping if device.volume_id]
    if len(disks) > 1:
        raise AwsError("UnsupportedOperation", "This instance has multiple volumes attached. Please remove all additional volumes except the boot volume.")  # fmt: skip
    if any(volume.encrypted for volume in disks):
        raise AwsError("NotExportable", f"The instance {identifier} has an encrypted volume and cannot be exported.")
    if len(found.nics) > 1:
        raise AwsError("UnsupportedOperation", "This instance has multiple network interfaces attached.")
    if str(found.platform or "").lower() in LICENSED:
        raise AwsError("NotExportable", "Only imported instances can be exported.")
    return found


def image(account: str, region: str, identifier: str, *, encrypted_too: bool = False) -> Any:
    """An image of the account's own, or EC2's refusal; encrypted ones can be stored, not exported."""
    from moto.ec2.models import ec2_backends

    if not re.fullmatch(r"ami-[0-9a-f]{8,17}", identifier):
        raise AwsError("InvalidAMIID.Malformed", f'Invalid id: "{identifier}"')
    backend = ec2_backends[account][region]
    found = backend.amis.get(identifier)
    if found is None:
        raise AwsError("InvalidAMIID.NotFound", f"The image id '[{identifier}]' does not exist")
    if str(found.owner_id) != account:
        raise AwsError("NotExportable", f"The image {identifier} is not owned by account {account}")
    if not encrypted_too and any(backend.snapshots[s].encrypted for s in snapshots(found)):
        raise AwsError("NotExportable", f"The image {identifier} has an encrypted snapshot and cannot be exported.")
    return found


def snapshots(found: Any) -> list[str]:
    """Ids of the image's snapshots."""
    return [disk["Ebs"]["SnapshotId"] for disk in found.block_device_mappings if "Ebs" in disk]


# ---- buckets


def own_bucket(account: str, region: str, name: str) -> Any:
    """A bucket of the same account and Region that is not encrypted by KMS, or EC2's refusal."""
    found = s3_state.find(name)
    if found is None:
        raise AwsError("InvalidParameter", f"The specified S3 bucket {name} does not exist.")
    if str(found.account_id) != account:
        raise AwsError("AuthFailure", f"The S3 bucket {name} is not owned by account {account}.", 403)
    if found.region_name != region:
        raise AwsError("InvalidParameter", "The given S3 object is not local to the region.")
    rule = (found.encryption or {}).get("Rule", {}).get("ApplyServerSideEncryptionByDefault", {})
    if str(rule.get("SSEAlgorithm", "")).startswith("aws:kms"):
        raise AwsError("InvalidParameter", f"The S3 bucket {name} must not be encrypted with a KMS key.")
    return found


def granted(bucket: Any, key: str, region: str) -> None:
    """AuthFailure unless ACLs count, and the Region's canonical id may read the bucket's ACL and write the object."""
    said = "vm-import-export@amazon.com must have WRITE and READ_ACL permission on the S3 bucket."
    writer = service_account(region)
    needs = (Need("s3:GetBucketAcl", bucket.name), Need("s3:PutObject", bucket.name, key))
    if not s3_state.acls_count(bucket):
        raise AwsError("AuthFailure", f"{said} Its object ownership is BucketOwnerEnforced.", 403)
    if not all(s3_authorization.decide(need, writer).allowed for need in needs):
        raise AwsError("AuthFailure", said, 403)


# ---- roles and callers


def import_role(account: str, region: str, name: str, bucket: str, key: str, session: str) -> Caller:
    """The service role as VM Import/Export has assumed it, or InvalidParameter where it is missing or may not write."""
    said = f"The service role {name} provided does not exist or does not have sufficient permissions"
    backend_arn = f"arn:{PARTITION}:iam::{account}:role/{name}"
    try:
        made = sts.assume_by_service(VMIE, backend_arn, session, region, external_id="vmimport")
        caller = replace(made.caller, invoked_by=VMIE, source_ip=VMIE, user_agent=VMIE)
        for need in (Need("s3:GetBucketLocation", bucket), Need("s3:PutObject", bucket, key)):
            s3_authorization.authorize(need, caller)
    except AwsError as refused:
        raise AwsError("InvalidParameter", said) from refused
    return caller


def storing_caller() -> Caller:
    """The caller of a store task, as EC2 acts for it."""
    return replace(callers.current(), invoked_by="ec2.amazonaws.com", source_ip="ec2.amazonaws.com")


def storable(task: Task, found: Any) -> None:
    """The caller's own permissions on the snapshots and the bucket: UnauthorizedOperation where one is missing."""
    bucket = s3_state.find(task.bucket)
    if bucket is None:
        raise AwsError("InvalidParameterValue", f"The specified bucket {task.bucket} does not exist")
    if bucket.region_name != task.region:
        raise AwsError("InvalidParameterValue", f"The bucket {task.bucket} must be in the Region of the request")
    task.asked["snapshots"] = snapshots(found)
    _reads_snapshots(task)
    s3_service_writes.may_put(task.writer, task.bucket, task.key)


def _reads_snapshots(task: Task) -> None:
    for identifier in task.asked["snapshots"]:
        arn = ec2_arn("snapshot", identifier, task.region, task.account)
        for action in STORE_ACTIONS:
            decision = auth.decide(task.writer, action, arn)
            if not decision.allowed:
                raise auth.refusal(task.writer, action, arn, decision)


ACCESS_OF_STORES.append(_reads_snapshots)
