"""Service control policies that are refused when AWS would refuse them: no policy at all, too long, attached twice."""

from __future__ import annotations

import json
from typing import Any

from lab.errors import AwsError
from lab.install import replace

MAX_CHARACTERS = 5120
PER_TARGET = 5


def install() -> None:
    """Check what moto's Organizations takes as it comes."""
    from moto.organizations.models import OrganizationsBackend

    create = replace(OrganizationsBackend, "create_policy", lambda self, **given: _checked(create, self, given))
    update = replace(OrganizationsBackend, "update_policy", lambda self, **given: _checked(update, self, given))
    attach = replace(OrganizationsBackend, "attach_policy", lambda self, **given: _attach(attach, self, given))


def _checked(original: Any, backend: Any, given: dict[str, Any]) -> Any:
    if given.get("Content") is not None:
        check_document(given["Content"])
    return original(backend, **given)


def check_document(text: str) -> None:
    """MalformedPolicyDocumentException unless it is a policy with an effect in each statement; length is checked too."""
    try:
        document = json.loads(text)
        statements = document["Statement"]
        listed = statements if isinstance(statements, list) else [statements]
        whole = bool(listed) and all(s["Effect"] in ("Allow", "Deny") for s in listed)
    except (ValueError, KeyError, TypeError) as wrong:
        raise _malformed() from wrong
    if not whole:
        raise _malformed()
    if len(text) > MAX_CHARACTERS:
        text = f"You have exceeded the maximum length of a policy document: {MAX_CHARACTERS} characters."
        raise AwsError("ConstraintViolationException", text)


def _malformed() -> AwsError:
    return AwsError("MalformedPolicyDocumentException", "The provided policy document does not meet the requirements.")


def _attach(original: Any, backend: Any, given: dict[str, Any]) -> Any:
    targets = [*backend.ou, *backend.accounts]
    target = next((t for t in targets if t.id == given["TargetId"]), None)
    policy = next((p for p in backend.policies if p.id == given["PolicyId"]), None)
    if target is not None and policy is not None:
        if policy in target.attached_policies:
            raise AwsError(
                "DuplicatePolicyAttachmentException", "A policy is already attached to the specified target."
            )
        if sum(p.type == policy.type for p in target.attached_policies) >= PER_TARGET:
            text = "You have exceeded the number of policies attached to the target."
            raise AwsError("ConstraintViolationException", text)
    return original(backend, **given)
