"""Which IAM action on which resources an API call needs: the part of AWS's service authorisation reference that the lab's services use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lab import credentials, policies
from lab.caller import Caller
from lab.wire import Call

Context = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Need:
    """One permission that a call needs; a call is allowed when all of its needs are."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)


# botocore's service name → IAM's prefix, where they differ.
PREFIXES = {
    "s3control": "s3",
    "elbv2": "elasticloadbalancing",
    "stepfunctions": "states",
    "sso-admin": "sso",
    "resourcegroupstaggingapi": "tag",
    "opensearch": "es",
}
# Everybody may ask who they are; sts decides about roles itself, because a role's trust policy takes part.
WITHOUT_PERMISSION = {
    "sts:GetCallerIdentity",
    "sts:GetSessionToken",
    "sts:AssumeRole",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
}
ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    # Of s3control: S3's own calls of these names are the bucket's.
    "s3:GetPublicAccessBlock": "s3:GetAccountPublicAccessBlock",
    "s3:PutPublicAccessBlock": "s3:PutAccountPublicAccessBlock",
    "s3:DeletePublicAccessBlock": "s3:PutAccountPublicAccessBlock",
}


def needs(call: Call, caller: Caller) -> list[Need]:
    """Every permission that the call needs; empty for calls that need none (and for S3, which asks for itself)."""
    prefix = PREFIXES.get(call.service, call.service)
    action = f"{prefix}:{call.operation}"
    if call.service == "s3" or action in WITHOUT_PERMISSION:
        return []
    finder = FINDERS.get(call.service, _by_arn)
    resources = list(dict.fromkeys(finder(call, caller))) or ["*"]
    context = _request_context(call)
    found = [
        Need(ACTIONS.get(action, action), r, context | _resource_context(call, r, str(caller.account)))
        for r in resources
    ]
    return found + list(_passed_roles(call, str(caller.account)))


# ---- EC2

EC2_TYPES = {
    "InstanceId": "instance",
    "ImageId": "image",
    "SnapshotId": "snapshot",
    "SourceSnapshotId": "snapshot",
    "SourceImageId": "image",
    "VolumeId": "volume",
    "GroupId": "security-group",
    "VpcId": "vpc",
    "SubnetId": "subnet",
    "NetworkInterfaceId": "network-interface",
    "ExportTaskId": "export-instance-task",
}
EC2_PREFIXES = {
    "i": "instance",
    "ami": "image",
    "snap": "snapshot",
    "vol": "volume",
    "sg": "security-group",
    "vpc": "vpc",
    "subnet": "subnet",
    "eni": "network-interface",
    "export-i": "export-instance-task",
    "export-ami": "export-image-task",
}
EC2_MADE = {
    "CreateInstanceExportTask": ("export-instance-task",),
    "ExportImage": ("export-image-task",),
    "RunInstances": ("instance",),
    "CreateSnapshot": ("snapshot",),
    "CreateImage": ("image",),
    "CreateVolume": ("volume",),
    "CreateSecurityGroup": ("security-group",),
}


def ec2_arn(kind: str, identifier: str, region: str, account: str) -> str:
    """The ARN of an EC2 resource; images and snapshots have no account in it."""
    owner = "" if kind in ("image", "snapshot") else account
    return f"arn:{credentials.PARTITION}:ec2:{region}:{owner}:{kind}/{identifier}"


def _ec2(call: Call, caller: Caller) -> Iterator[str]:
    account = str(caller.account)
    operation = str(call.operation)
    if operation.startswith(("Describe", "List", "Search")):
        return
    for kind in EC2_MADE.get(operation, ()):
        yield ec2_arn(kind, "*", call.region, account)
    for name, value in call.params.items():
        for identifier in value if isinstance(value, list) else [value]:
            if name in ("Resources", "ResourceIds", "ExportTaskId", "ResourceId"):
                kind = EC2_PREFIXES.get(str(identifier).rpartition("-")[0])
            else:
                kind = EC2_TYPES.get(name) or EC2_TYPES.get(name.removesuffix("s"))
            if kind and isinstance(identifier, str):
                yield ec2_arn(kind, identifier, call.region, account)


# ---- IAM, Organizations and services whose parameters hold names


def _iam(call: Call, caller: Caller) -> Iterator[str]:
    account = str(caller.account)
    params, head = call.params, f"arn:{credentials.PARTITION}:iam::{account}"
    backend = credentials.iam(account)
    operation = str(call.operation)
    if "UserName" in params:
        user = backend.users.get(params["UserName"])
        yield user.arn if user else f"{head}:user{params.get('Path') or '/'}{params['UserName']}"
    elif operation in OWN_USER and caller.type == "IAMUser":
        yield str(caller.arn)
    if "RoleName" in params:
        role = next((r for r in list(backend.roles.values()) if r.name == params["RoleName"]), None)
        yield role.arn if role else f"{head}:role{params.get('Path') or '/'}{params['RoleName']}"
    if "GroupName" in params:
        yield f"{head}:group/{params['GroupName']}"
    if "InstanceProfileName" in params:
        yield f"{head}:instance-profile/{params['InstanceProfileName']}"
    if operation.startswith(("Attach", "Detach")):
        return  # the policy is a condition there (iam:PolicyARN), the holder is the resource
    if "PolicyArn" in params:
        yield params["PolicyArn"]
    elif operation == "CreatePolicy":
        yield f"{head}:policy{params.get('Path') or '/'}{params.get('PolicyName')}"
    if "PolicySourceArn" in params:
        yield params["PolicySourceArn"]


# Without a name these are about the user who calls.
OWN_USER = (
    "GetUser",
    "ChangePassword",
    "CreateAccessKey",
    "DeleteAccessKey",
    "ListAccessKeys",
    "UpdateAccessKey",
    "ListMFADevices",
    "ListServiceSpecificCredentials",
    "ListSigningCertificates",
    "ListSSHPublicKeys",
)


def _organizations(call: Call, caller: Caller) -> Iterator[str]:
    place = policies.membership(str(caller.account))
    if place is None:
        return
    head = f"arn:{credentials.PARTITION}:organizations::{place.management_account}"
    for name, identifier in call.params.items():
        if name == "PolicyId":
            owner = "aws" if str(identifier).startswith("p-Full") else place.management_account
            path = "" if owner == "aws" else f"{place.organization_id}/"
            yield f"arn:{credentials.PARTITION}:organizations::{owner}:policy/{path}service_control_policy/{identifier}"
        elif name in ("TargetId", "AccountId", "ParentId", "ChildId", "OrganizationalUnitId", "ResourceId"):
            kind = (
                "root" if str(identifier).startswith("r-") else "ou" if str(identifier).startswith("ou-") else "account"
            )
            yield f"{head}:{kind}/{place.organization_id}/{identifier}"


def _named(kind: str, *names: str, separator: str = "/") -> Callable[[Call, Caller], Iterator[str]]:
    def find(call: Call, caller: Caller) -> Iterator[str]:
        for name in names:
            value = call.params.get(name)
            if isinstance(value, str) and value.startswith("arn:"):
                yield value
            elif isinstance(value, str):
                service = PREFIXES.get(call.service, call.service)
                yield f"arn:{credentials.PARTITION}:{service}:{call.region}:{caller.account}:{kind}{separator}{value}"
        if not any(name in call.params for name in names):
            yield from _by_arn(call, caller)

    return find


def _by_arn(call: Call, _: Caller) -> Iterator[str]:
    """For the other services: the ARNs among the parameters are the resources."""
    for name, value in call.params.items():
        if isinstance(value, str) and value.startswith("arn:") and name.lower().endswith(("arn", "id", "name")):
            yield value


FINDERS: dict[str, Callable[[Call, Caller], Iterator[str]]] = {
    "ec2": _ec2,
    "iam": _iam,
    "organizations": _organizations,
    "events": _named("rule", "Rule", "Name"),
    "cloudtrail": _named("trail", "Name", "TrailName"),
    "kms": _named("key", "KeyId"),
    "secretsmanager": _named("secret", "SecretId", separator=":"),
    "lambda": _named("function", "FunctionName", separator=":"),
    "logs": _named("log-group", "logGroupName", separator=":"),
}


# ---- condition keys that belong to the request and the resource


def _request_context(call: Call) -> Context:
    found: Context = {}
    if call.service == "iam":
        if arn := call.params.get("PolicyArn"):
            found["iam:PolicyARN"] = (arn,)
        if arn := call.params.get("PermissionsBoundary"):
            found["iam:PermissionsBoundary"] = (arn,)
    tags = [t for spec in call.params.get("TagSpecifications") or [] for t in spec.get("Tags", [])]
    tags += [t for t in call.params.get("Tags") or [] if isinstance(t, dict)] if call.operation != "DeleteTags" else []
    named = {t.get("Key", t.get("key")): t.get("Value", t.get("value", "")) for t in tags}
    found |= {f"aws:RequestTag/{key}": (str(value),) for key, value in named.items() if key}
    if named:
        found["aws:TagKeys"] = tuple(str(key) for key in named)
    if str(call.operation) in ("ModifySnapshotAttribute", "ModifyImageAttribute"):
        found |= _sharing_context(call.params)
    return found


def _sharing_context(params: dict[str, Any]) -> Context:
    change = params.get("CreateVolumePermission") or params.get("LaunchPermission") or {}
    found: Context = {}
    for side in ("Add", "Remove"):
        items = change.get(side) or []
        for field_name, key in (("UserId", "userId"), ("Group", "group")):
            values = tuple(str(i[field_name]) for i in items if field_name in i)
            if values:
                found[f"ec2:{side}/{key}"] = values
    return found


def _resource_context(call: Call, arn: str, caller_account: str) -> Context:
    if call.service != "ec2" or ":ec2:" not in arn:
        return {}
    kind, _, identifier = arn.rpartition(":")[2].partition("/")
    region, account = arn.split(":")[3:5]
    found: Context = {"ec2:Region": (region,)}
    if kind == "instance" and identifier != "*":
        found["ec2:InstanceID"] = (identifier,)
    if kind == "image":
        found["ec2:ImageID"] = (identifier,)
    for key, value in _ec2_tags(account or caller_account, region, identifier).items():
        found[f"aws:ResourceTag/{key}"] = found[f"ec2:ResourceTag/{key}"] = (value,)
    return found


def _ec2_tags(account: str, region: str, identifier: str) -> dict[str, str]:
    from moto.ec2.models import ec2_backends

    if identifier == "*" or not account:
        return {}
    return {str(k): str(v) for k, v in ec2_backends[account][region].tags.get(identifier, {}).items()}


PASSED_TO = {
    "RunInstances": "ec2.amazonaws.com",
    "AssociateIamInstanceProfile": "ec2.amazonaws.com",
    "ReplaceIamInstanceProfileAssociation": "ec2.amazonaws.com",
}


def _passed_roles(call: Call, account: str) -> Iterator[Need]:
    """iam:PassRole for the role in an instance profile, and for a function's role."""
    to = PASSED_TO.get(str(call.operation))
    profile = call.params.get("IamInstanceProfile")
    if call.service == "ec2" and to and profile:
        name = profile.get("Name") or str(profile.get("Arn", "")).rpartition("/")[2]
        for found in list(credentials.iam(account).instance_profiles.values()):
            if found.name == name:
                yield from (Need("iam:PassRole", r.arn, {"iam:PassedToService": (to,)}) for r in found.roles)
    if call.service == "lambda" and call.operation == "CreateFunction" and "Role" in call.params:
        yield Need("iam:PassRole", str(call.params["Role"]), {"iam:PassedToService": ("lambda.amazonaws.com",)})
