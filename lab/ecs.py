"""A CloudTrail record as the document that Elastic's AWS integration indexes: our own normaliser, written from facts.

The facts: notes/elastic.md 7.2, notes/aws.md 3.1. Left out, because the lab has no such thing: digests, insights, GeoIP, and
the entity analytics (`actor`, `target`, `*.entity`).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from ipaddress import ip_address
from typing import Any

from lab.java_text import java_text

Json = dict[str, Any]

ECS_VERSION = "8.11.0"
FLATTENED_LIMIT = 32_766
"""From this length of the text on, the object is not kept beside it."""
PARAMETERS = {
    "requestParameters": "request_parameters",
    "responseElements": "response_elements",
    "additionalEventData": "additional_eventdata",
    "serviceEventDetails": "service_event_details",
}
RENAMED = {
    "eventVersion": "event_version",
    "eventCategory": "event_category",
    "eventType": "event_type",
    "apiVersion": "api_version",
    "managementEvent": "management_event",
    "readOnly": "read_only",
    "requestID": "request_id",
    "recipientAccountId": "recipient_account_id",
    "vpcEndpointId": "vpc_endpoint_id",
    "sessionCredentialFromConsole": "session_credential_from_console",
    "errorCode": "error_code",
    "errorMessage": "error_message",
    # The pipeline reads this name, CloudTrail writes `sharedEventID`: so the field is never there.
    "sharedEventId": "shared_event_id",
}
CATEGORIES = {
    "AssumeRole": "authentication",
    "ConsoleLogin": "authentication",
    "GetObject": "file",
    "PutObject": "file",
    "DeleteObject": "file",
}
"""Some of the calls that have an event.category; those that export images have none."""
_AGENT = re.compile(r"\[?(?P<name>aws-cli|Boto3|Botocore|aws-sdk-[\w-]+|[\w-]+)/(?P<version>\d[\w.]*)")


class Retain(StrEnum):
    """The integration's setting of which form of the parameters is kept."""

    ALL = "all"
    KEYWORD = "keyword"
    FLATTENED = "flattened"
    MINIMAL = "minimal"
    """The text; of the objects only what dashboards read, which is nothing of request or response."""
    NONE = "none"

    @property
    def texts(self) -> bool:
        """Whether Java's text stays."""
        return self in {Retain.ALL, Retain.KEYWORD, Retain.MINIMAL}

    @property
    def objects(self) -> bool:
        """Whether `flattened.*` stays."""
        return self in {Retain.ALL, Retain.FLATTENED}


@dataclass(frozen=True)
class Integration:
    """How somebody has set up the AWS integration."""

    retain: Retain = Retain.ALL
    preserve_original_event: bool = False
    actor_target_mapping: bool = False
    """Adds related.entity."""


def document(record: Json, now: datetime | None = None, integration: Integration | None = None) -> Json:
    """The document of one record; `now` is when the agent read it. Its `event.ingested` is for whoever indexes it."""
    setup = integration or Integration()
    raw, read = cleaned(record), now or datetime.now(UTC)
    user = _user(raw)
    source = _source(raw.get("sourceIPAddress"))
    tags = ["forwarded", "aws-cloudtrail"]
    tags += [name for name in ("preserve_original_event", "actor_target_mapping") if getattr(setup, name)]
    related = {"user": _names(raw, user), "ip": [source["ip"]] if "ip" in source else []}
    if setup.actor_target_mapping:
        related["entity"] = _entities(raw)
    found = {
        "@timestamp": stamp(raw["eventTime"]),
        "ecs": {"version": ECS_VERSION},
        "event": _event(raw, record, read, setup),
        "cloud": _cloud(raw),
        "user": user,
        "group": _group(raw),
        "source": source,
        "user_agent": _user_agent(raw.get("userAgent")),
        "tls": _tls(raw.get("tlsDetails", {})),
        "related": related,
        "aws": {"cloudtrail": _cloudtrail(raw, setup)},
        "tags": tags,
    }
    return dict(cleaned(found))


def cleaned(value: Any) -> Any:
    """The same without nulls and whatever is empty, at any depth."""
    if isinstance(value, dict):
        kept = {name: cleaned(inner) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if not _empty(inner)}
    if isinstance(value, list):
        return [inner for inner in map(cleaned, value) if not _empty(inner)]
    return value


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | dict | list) and not value)


def _event(raw: Json, record: Json, read: datetime, setup: Integration) -> Json:
    name = raw["eventName"]
    category = CATEGORIES.get(name)
    original = json.dumps(record, separators=(",", ":"), ensure_ascii=False)
    return {
        "action": name,
        "provider": raw["eventSource"],
        "id": raw.get("eventID"),
        "kind": "event",
        "type": ["info"],
        "category": [category] if category else None,
        "outcome": _outcome(raw),
        "created": stamp(read),
        "dataset": "aws.cloudtrail",
        "module": "aws",
        "original": original if setup.preserve_original_event else None,
    }


def _outcome(raw: Json) -> str:
    if raw["eventName"] == "ConsoleLogin" and "ConsoleLogin" in raw.get("responseElements", {}):
        return str(raw["responseElements"]["ConsoleLogin"]).lower()
    return "failure" if "errorCode" in raw or "errorMessage" in raw else "success"


def _cloud(raw: Json) -> Json:
    """The account is the caller's, not where it happened."""
    account = raw.get("userIdentity", {}).get("accountId") or raw.get("recipientAccountId")
    return {"account": {"id": account}, "region": raw.get("awsRegion"), "provider": "aws"}


def _user(raw: Json) -> Json:
    identity, asked, answered = raw.get("userIdentity", {}), _asked(raw), raw.get("responseElements", {})
    issuer = identity.get("sessionContext", {}).get("sessionIssuer", {})
    name = issuer.get("userName") or identity.get("userName")
    if name is None and raw["eventName"] == "UserAuthentication":
        name = raw.get("additionalEventData", {}).get("UserName")
    behalf = identity.get("onBehalfOf", {}).get("userId") if identity.get("type") == "IdentityCenterUser" else None
    made = answered.get("user", {}) if isinstance(answered, dict) else {}
    return {
        "id": behalf or identity.get("principalId"),
        "name": name,
        "email": name if name and "@" in name[1:] else None,
        "target": {"name": asked.get("userName"), "id": made.get("userId") if isinstance(made, dict) else None},
        "changes": {"name": asked.get("newUserName")},
    }


def _group(raw: Json) -> Json:
    answered = raw.get("responseElements", {})
    made = answered.get("group", {}) if isinstance(answered, dict) else {}
    return {"name": _asked(raw).get("groupName"), "id": made.get("groupId") if isinstance(made, dict) else None}


def _asked(raw: Json) -> Json:
    asked = raw.get("requestParameters")
    return asked if isinstance(asked, dict) else {}


def _names(raw: Json, user: Json) -> list[str]:
    asked = _asked(raw)
    return sorted({n for n in (asked.get("userName"), asked.get("newUserName"), user["id"], user["name"]) if n})


def _entities(raw: Json) -> list[str]:
    identity, asked = raw.get("userIdentity", {}), _asked(raw)
    issuer = identity.get("sessionContext", {}).get("sessionIssuer", {})
    found = [identity.get("arn"), identity.get("principalId"), identity.get("userName")]
    found += [issuer.get("arn"), issuer.get("userName")]
    if raw["eventName"] == "AssumeRole":
        made = raw.get("responseElements", {}).get("assumedRoleUser", {})
        found += [asked.get("roleArn"), asked.get("roleSessionName"), made.get("arn")]
    return sorted({entity for entity in found if entity})


def _source(address: str | None) -> Json:
    """`ip` only where the address is one: services stand there by name."""
    try:
        return {"address": address, "ip": str(ip_address(address or ""))}
    except ValueError:
        return {"address": address}


def _user_agent(original: str | None) -> Json:
    if not original:
        return {}
    known = _AGENT.match(original)
    named = {"name": known["name"], "version": known["version"]} if known else {"name": "Other"}
    return {"original": original, "device": {"name": "Other"}, **named}


def _tls(told: Json) -> Json:
    protocol, _, version = str(told.get("tlsVersion", "")).partition("v")
    return {
        "version_protocol": protocol.lower(),
        "version": version,
        "cipher": told.get("cipherSuite"),
        "client": {"server_name": told.get("clientProvidedHostHeader")},
    }


def _cloudtrail(raw: Json, setup: Integration) -> Json:
    told = {there: raw[here] for here, there in PARAMETERS.items() if here in raw}
    texts = {name: java_text(value) for name, value in told.items()}
    objects = {name: value for name, value in told.items() if len(texts[name]) < FLATTENED_LIMIT}
    resources = [
        {"arn": each.get("ARN"), "account_id": each.get("accountId"), "type": each.get("type")}
        for each in raw.get("resources", [])
    ]
    return {
        **{there: raw.get(here) for here, there in RENAMED.items()},
        "user_identity": _identity(raw.get("userIdentity", {})),
        "resources": [each for n, each in enumerate(resources) if each not in resources[:n]],
        **(texts if setup.retain.texts else {}),
        "flattened": objects if setup.retain.objects else None,
    }


def _identity(identity: Json) -> Json:
    """There is no field for a source identity, and none for the issuer's name but user.name."""
    session = identity.get("sessionContext", {})
    attributes, issuer = session.get("attributes", {}), session.get("sessionIssuer", {})
    created = attributes.get("creationDate")
    return {
        "type": identity.get("type"),
        "arn": identity.get("arn"),
        "access_key_id": identity.get("accessKeyId"),
        "invoked_by": identity.get("invokedBy"),
        "session_context": {
            "mfa_authenticated": attributes.get("mfaAuthenticated"),
            "creation_date": stamp(created) if created else None,
            "session_issuer": {
                "type": issuer.get("type"),
                "principal_id": issuer.get("principalId"),
                "arn": issuer.get("arn"),
                "account_id": issuer.get("accountId"),
            },
        },
    }


def stamp(at: datetime | str) -> str:
    """A moment as Elastic's documents have it: UTC, milliseconds."""
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
