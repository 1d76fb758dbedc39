"""CloudTrail's records as types for msgspec: names and kinds as AWS writes them, and no others."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

Word = str | UnsetType
REST_NAMES = ("sessionCredentialFromConsole", "addendum", "edgeDeviceDetails")
"""Names that AWS writes and that have no column."""


class Attributes(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """userIdentity.sessionContext.attributes; here as below the names are in order, for that is how they are written."""

    creationDate: Word = UNSET
    mfaAuthenticated: Word = UNSET


class Issuer(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """userIdentity.sessionContext.sessionIssuer."""

    accountId: Word = UNSET
    arn: Word = UNSET
    principalId: Word = UNSET
    type: Word = UNSET
    userName: Word = UNSET


class WebAttributes(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """userIdentity.sessionContext.webIdFederationData, which is mostly empty."""

    federatedProvider: Word = UNSET


class Session(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """userIdentity.sessionContext."""

    attributes: Attributes | UnsetType = UNSET
    ec2RoleDelivery: Word = UNSET
    sessionIssuer: Issuer | UnsetType = UNSET
    sourceIdentity: Word = UNSET
    webIdFederationData: WebAttributes | UnsetType = UNSET


class Identity(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """userIdentity."""

    accessKeyId: Word = UNSET
    accountId: Word = UNSET
    arn: Word = UNSET
    identityProvider: Word = UNSET
    invokedBy: Word = UNSET
    principalId: Word = UNSET
    sessionContext: Session | UnsetType = UNSET
    type: Word = UNSET
    userName: Word = UNSET


class Tls(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """tlsDetails."""

    cipherSuite: Word = UNSET
    clientProvidedHostHeader: Word = UNSET
    keyExchange: Word = UNSET
    tlsVersion: Word = UNSET


class Resource(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One of resources."""

    ARN: Word = UNSET
    ARNPrefix: Word = UNSET
    accountId: Word = UNSET
    type: Word = UNSET


class Record(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A record, first what the table is sorted by: so lines are in its order when they are sorted as texts.

    What has no column of its own, and is neither here nor in the rest of a record that AWS writes, is no field.
    """

    eventSource: str
    eventName: str
    eventTime: str
    eventID: Annotated[str, msgspec.Meta(min_length=1)]
    awsRegion: str | None = None
    recipientAccountId: str | None = None
    sourceIPAddress: str | None = None
    userAgent: str | None = None
    errorCode: str | None = None
    errorMessage: str | None = None
    eventType: str | None = None
    eventCategory: str | None = None
    eventVersion: str | None = None
    apiVersion: str | None = None
    readOnly: bool | None = None
    managementEvent: bool | None = None
    requestID: str | None = None
    sharedEventID: str | None = None
    vpcEndpointId: str | None = None
    vpcEndpointAccountId: str | None = None
    userIdentity: Identity | None = None
    requestParameters: Any = None
    responseElements: Any = None
    additionalEventData: Any = None
    resources: list[Resource] | None = None
    serviceEventDetails: Any = None
    tlsDetails: Tls | None = None
    sessionCredentialFromConsole: Any = UNSET
    addendum: Any = UNSET
    edgeDeviceDetails: Any = UNSET


class File(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A log file as CloudTrail writes it."""

    Records: list[Record]


class Raws(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The same, its records still to be read one by one."""

    Records: list[msgspec.Raw]
