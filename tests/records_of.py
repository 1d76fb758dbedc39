"""CloudTrail records for tests, in AWS's own shape."""

from __future__ import annotations

from typing import Any


def cloudtrail_record(
    event_id: str = "5e68a70c-9e8b-49c3-a6c5-63ab2bc2685a", task: str = "export-i-0fedcba9876543210", **change: Any
) -> dict[str, Any]:
    """An accepted CreateInstanceExportTask by a role session; `change` replaces top-level fields."""
    export = {"diskImageFormat": "VMDK", "containerFormat": "ova", "s3Bucket": "example-drop"}
    return {
        "eventVersion": "1.10",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLEEXAMPLE:jo.contractor@example.com",
            "arn": "arn:aws:sts::111122223333:assumed-role/platform-admin/jo.contractor@example.com",
            "accountId": "111122223333",
            "accessKeyId": "ASIAEXAMPLEEXAMPLE01",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": "AROAEXAMPLEEXAMPLE",
                    "arn": "arn:aws:iam::111122223333:role/platform-admin",
                    "accountId": "111122223333",
                    "userName": "platform-admin",
                },
                "attributes": {"creationDate": "2026-03-02T09:40:00Z", "mfaAuthenticated": "false"},
            },
        },
        "eventTime": "2026-03-02T10:03:30Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "CreateInstanceExportTask",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2.17.60",
        "requestParameters": {
            "instanceId": "i-0123456789abcdef0",
            "targetEnvironment": "vmware",
            "exportToS3": export | {"s3Prefix": "vm/"},
        },
        "responseElements": {
            "requestId": "r-1",
            "exportTask": {
                "exportTaskId": task,
                "state": "active",
                "instanceExport": {"instanceId": "i-0123456789abcdef0", "targetEnvironment": "vmware"},
                "exportToS3": export | {"s3Key": f"vm/{task}.ova"},
            },
        },
        "requestID": "r-1",
        "eventID": event_id,
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": "111122223333",
        "eventCategory": "Management",
    } | change
