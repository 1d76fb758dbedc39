"""The two shapes in which CloudTrail writes EC2's parameters, and the one of everybody else (notes/aws.md 1.5)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
# Newer APIs are written wrapped, in wire case.
WRAPPED = (
    "ExportImage",
    "CreateStoreImageTask",
    "CreateRestoreImageTask",
    "DescribeExportImageTasks",
    "DescribeStoreImageTasks",
    "CreateFlowLogs",
    "DeleteFlowLogs",
    "CreateNatGateway",
    "CreateVpcEndpoint",
    "CreateLaunchTemplate",
    "CreateTrafficMirror",
    "CreateTransitGateway",
    "CreateSnapshots",
    "EnableSnapshotBlockPublicAccess",
    "EnableImageBlockPublicAccess",
    "LockSnapshot",
)
# Style A has names of its own for what callers list most.
SETS = {"InstanceIds": "instancesSet", "Filters": "filterSet", "Resources": "resourcesSet", "ImageIds": "imagesSet"}
ITEM = {"InstanceIds": "instanceId", "Resources": "resourceId", "ImageIds": "imageId"}
SHARING = {"CreateVolumePermission": "CREATE_VOLUME_PERMISSION", "LaunchPermission": "launchPermission"}


def STYLE_B(operation: str | None) -> bool:
    """Whether the operation is written wrapped."""
    return (operation or "").startswith(WRAPPED)


def lower_camel(value: Any) -> Any:
    """First letters of keys in lower case, all the way down; lists stay lists."""
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: lower_camel(inner) for key, inner in value.items()}
    return [lower_camel(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def style_a(value: Any, shape: Any) -> Any:
    """Wire names with a small first letter, lists as {"items": […]}."""
    if shape is not None and shape.type_name == "structure" and isinstance(value, dict):
        found: dict[str, Any] = {}
        for name, inner in value.items():
            member = shape.members.get(name)
            if name in SETS:
                items = [{ITEM[name]: i} if name in ITEM else _filter(i) for i in inner]
                found[SETS[name]] = {"items": items}
            elif member is not None:
                found[_small(member.serialization.get("name", name))] = style_a(inner, member)
                found |= {"attributeType": SHARING[name]} if name in SHARING and "Attribute" not in value else {}
        return found
    if shape is not None and shape.type_name == "list" and isinstance(value, list):
        return {"items": [style_a(inner, shape.member) for inner in value]}
    return _text(value)


def _filter(item: dict[str, Any]) -> dict[str, Any]:
    return {"name": item.get("Name"), "valueSet": {"items": [{"value": v} for v in item.get("Values", [])]}}


def style_b(operation: str | None, value: dict[str, Any], shape: Any, request_id: str | None = None) -> dict[str, Any]:
    """{"ExportImageRequest": {…}} in wire case; with a request id it is the response, with xmlns."""
    if request_id is None:
        return {f"{operation}Request": _wrapped(value, shape, response=False)}
    inner = _wrapped(value, shape, response=True)
    return {f"{operation}Response": {"xmlns": NAMESPACE, "requestId": request_id, **inner}}


def _wrapped(value: Any, shape: Any, response: bool) -> Any:
    if shape is not None and shape.type_name == "structure" and isinstance(value, dict):
        found: dict[str, Any] = {}
        for name, inner in value.items():
            member = shape.members.get(name)
            if member is None:
                continue
            wire = member.serialization.get("name", name)
            if not response:
                wire = member.serialization.get("queryName") or wire[:1].upper() + wire[1:]
            found[wire] = _wrapped(inner, member, response)
        return found
    if shape is not None and shape.type_name == "list" and isinstance(value, list):
        items = [_wrapped(inner, shape.member, response) for inner in value]
        if response:
            return {"item": items[0] if len(items) == 1 else items}
        tagged = [{"tag": n, **i} if isinstance(i, dict) else {"tag": n, "content": i} for n, i in enumerate(items, 1)]
        return tagged[0] if len(tagged) == 1 else tagged
    return _text(value)


def _small(name: str) -> str:
    return name[:1].lower() + name[1:]


def _text(value: Any) -> Any:
    if isinstance(value, datetime):
        return int(value.timestamp() * 1000)  # EC2's times are milliseconds there
    return value
