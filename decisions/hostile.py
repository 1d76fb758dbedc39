"""What in one record speaks for somebody hostile: calls that hide, addresses that are not ours."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import cast

from decisions.activity import LogRecord
from decisions.export import ExportEvent
from decisions.organization import Organization

HIDING = frozenset(
    {
        "StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors", "PutInsightSelectors", "DeleteEventDataStore",
        "StopEventDataStoreIngestion", "DeleteFlowLogs", "DeleteDetector", "UpdateDetector", "DisassociateFromMasterAccount",
        "DeleteConfigRule", "StopConfigurationRecorder", "DeleteConfigurationRecorder", "DisableSecurityHub",
        "DeleteLogGroup", "DeleteLogStream", "PutBucketLogging",
    }
)  # fmt: skip
"""CloudTrail's names of calls that stop or thin out records (MITRE ATT&CK T1562.008, Disable or Modify Cloud Logs)."""
SHARING = frozenset({"ModifyImageAttribute", "ModifySnapshotAttribute"})
OMITTED = "left them out as too large"


def concealed(record: ExportEvent | LogRecord) -> bool:
    """Whether the call hides something: logging changed, or its own parameters too large to be recorded."""
    if isinstance(record, ExportEvent):
        return any(OMITTED in warning for warning in record.warnings)
    if record.error_code is None and record.event_name in HIDING:
        return True
    return record.request_parameters.get("omitted") is True


def hostile_source(record: ExportEvent | LogRecord, organization: Organization) -> bool:
    """Whether the call came from an address that is none of our networks; private ones and AWS services are not hostile."""
    if not organization.networks or record.source_address is None:
        return False
    try:
        address = ip_address(record.source_address)
    except ValueError:  # the name of an AWS service
        return False
    if address.is_loopback or address.is_link_local or any(address in ip_network(n) for n in PRIVATE):
        return False
    return not any(address in ip_network(n, strict=False) for n in organization.networks)


SHARED = (0x64400000, 10)
"""RFC 6598's network of carriers, which AWS uses inside as well."""
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", SHARED)


def shared_with(record: LogRecord) -> tuple[str, ...]:
    """Account ids, organisations or `all` that an image or snapshot was shared with by this call; removals are none."""
    if record.event_name not in SHARING or record.error_code is not None:
        return ()
    found: list[str] = []
    rest: list[tuple[object, bool]] = [(record.request_parameters, False)]
    while rest:
        value, adding = rest.pop()
        if isinstance(value, dict):
            for name, inner in cast("dict[str, object]", value).items():
                key = name.lower()
                if adding and key in _GRANTEES and isinstance(inner, str):
                    found.append(inner)
                rest.append((inner, adding or key == "add"))
        elif isinstance(value, list):
            rest += [(item, adding) for item in cast("list[object]", value)]
    return tuple(dict.fromkeys(found))


_GRANTEES = ("userid", "group", "organizationarn", "organizationalunitarn")
