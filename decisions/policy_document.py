"""Policy documents as JSON: read from text that anybody may have written, and written within AWS's quotas."""

from __future__ import annotations

import json
import re
from typing import Any, cast

from decisions.hostile_json import NotJson, check_depth, read_json
from decisions.policy import Policy, PolicyError

INLINE_QUOTA = {"user": 2048, "group": 5120, "role": 10240}
"""Characters without white space of all inline policies of one user, group or role together."""
QUOTAS = {"managed": 6144, "boundary": 6144, "scp": 5120, "session": 2048, "trust": 2048, "resource": 20480}
"""Characters without white space; SCPs may be longer by now, the smaller limit holds everywhere; bucket policies in bytes."""
BUCKET_QUOTA = QUOTAS["resource"]


def read_policy(text: str) -> dict[str, Any]:
    """The document of a text. Raises PolicyError where it is no JSON object or a name in it stands for two things."""
    try:
        value, notes = read_json(text)
        check_depth(value)
    except NotJson as error:
        raise PolicyError(f"The policy cannot be read: {error}.") from error
    if notes:
        raise PolicyError(f"The policy has more than one meaning: {notes[0]}. Put it right by hand.")
    if not isinstance(value, dict):
        raise PolicyError("The policy is no JSON object.")
    return cast("dict[str, Any]", value)


def write_policy(document: dict[str, Any]) -> str:
    """The document as text without white space between its parts."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def statements(document: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """The statements of a document; a single one may stand without its list."""
    found = document.get("Statement", ())
    listed = cast("list[Any]", found if isinstance(found, list) else [found])
    return tuple(cast("dict[str, Any]", s) for s in listed if isinstance(s, dict))


def strings(value: Any) -> tuple[str, ...]:
    """A string or a list of strings, as a tuple; anything else is empty."""
    if isinstance(value, str):
        return (value,)
    return tuple(v for v in cast("list[Any]", value) if isinstance(v, str)) if isinstance(value, list) else ()


def size(document: dict[str, Any]) -> int:
    """Characters as IAM counts them: without white space."""
    return sum(not c.isspace() for c in write_policy(document))


def quota(policy: Policy) -> int:
    """How many characters AWS takes at the policy's place; the smallest where its holder is not known."""
    if policy.type in ("inline", "group-inline"):
        holder = re.search(r"(?:^|:)(user|group|role)/", policy.attached_to or policy.id) or re.match(
            r"(user|group|role)/", policy.id
        )
        return INLINE_QUOTA[holder[1]] if holder else min(INLINE_QUOTA.values())
    return QUOTAS.get(policy.type, QUOTAS["managed"])
