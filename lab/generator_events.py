"""The ordinary calls of a busy organisation: 72 kinds, how often each is made, and what CloudTrail writes of them.

In the texts `$x` stands for 17 hexadecimal digits, `$u` for a UUID, `$e` and `$y` for tokens, `$n` for a number, `$b` for a bucket.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*","ec2:Describe*"],"Resource":"*"}]}'
TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
DATA = ("s3", "lambda")
READS = ("Get", "List", "Describe", "Head", "Lookup", "Assume", "Decrypt", "Generate", "Filter", "Invoke", "Check")


@dataclass(frozen=True)
class Kind:
    """One kind of call. `weight` is its share; `error` the code that one in twenty of them ends with."""

    service: str
    name: str
    weight: int
    request: Any
    response: Any = None
    error: str | None = None

    @property
    def reads(self) -> bool:
        """Whether CloudTrail calls it read-only."""
        return self.name.startswith(READS)

    @property
    def data(self) -> bool:
        """Whether it is a data event."""
        return (self.service == "s3" and "Object" in self.name) or self.name == "Invoke"


def _items(name: str, inner: str, count: int) -> dict[str, Any]:
    return {name: {"items": [{inner: f"{inner[:3]}-$x{n}"} for n in range(count)]}}


def _run(count: int) -> dict[str, Any]:
    machine = {
        "instanceId": "i-$x",
        "imageId": "ami-$x",
        "instanceState": {"code": 0, "name": "pending"},
        "privateDnsName": "ip-10-0-$n.ec2.internal",
        "instanceType": "m6i.large",
        "launchTime": 1772000000000,
        "placement": {"availabilityZone": "us-east-1a", "tenancy": "default"},
        "monitoring": {"state": "disabled"},
        "subnetId": "subnet-$x",
        "vpcId": "vpc-0a1b2c3d4e5f60718",
        "networkInterfaceSet": {
            "items": [
                {
                    "networkInterfaceId": "eni-$x",
                    "status": "in-use",
                    "macAddress": "0e:11:22:33:44:55",
                    "groupSet": {"items": [{"groupId": "sg-$x", "groupName": "web"}]},
                    "tagSet": {},
                }
            ]
        },
        "cpuOptions": {"coreCount": 1, "threadsPerCore": 2},
        "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1},
    }
    return {"requestId": "$u", "reservationId": "r-$x", "ownerId": "000000000000", "instancesSet": {"items": [machine] * count}}  # fmt: skip


_BUCKET = {"bucketName": "$b", "Host": "$b.s3.us-east-1.amazonaws.com"}
_OBJECT = _BUCKET | {"key": "warehouse/dt=2026-03/part-$x-$s.parquet"}
_SENT = {"x-amz-server-side-encryption": "AES256"}
_USER, _ROLE = {"userName": "build-$n"}, {"roleName": "app-$n"}

KINDS = (
    Kind("s3", "GetObject", 170, _OBJECT),
    Kind("s3", "PutObject", 70, _OBJECT | {"x-amz-acl": "private"}, _SENT),
    Kind("s3", "HeadObject", 60, _OBJECT, error="NoSuchKey"),
    Kind("s3", "DeleteObject", 6, _OBJECT),
    Kind("s3", "CopyObject", 5, _OBJECT | {"x-amz-copy-source": "$b/data/part-$x"}, _SENT),
    Kind("s3", "ListObjects", 40, _BUCKET | {"list-type": "2", "prefix": "data/"}),
    Kind("s3", "ListBuckets", 6, {"Host": "s3.amazonaws.com"}),
    Kind("s3", "GetBucketLocation", 12, _BUCKET | {"location": ""}),
    Kind("s3", "GetBucketAcl", 10, _BUCKET | {"acl": ""}),
    Kind("s3", "GetBucketPolicy", 6, _BUCKET | {"policy": ""}, error="NoSuchBucketPolicy"),
    Kind("s3", "PutBucketAcl", 1, _BUCKET | {"acl": "", "AccessControlPolicy": {"Owner": {"ID": "$x"}}}),
    Kind("s3", "PutBucketPolicy", 1, _BUCKET | {"policy": "", "bucketPolicy": json.loads(POLICY)}),
    Kind("s3", "GetBucketEncryption", 5, _BUCKET | {"encryption": ""}),
    Kind("lambda", "Invoke", 70, {"functionName": "arn:aws:lambda:us-east-1:000000000000:function:f$n"}),
    Kind("lambda", "GetFunction20150331v2", 3, {"functionName": "f$n"}),
    Kind("lambda", "UpdateFunctionCode20150331v2", 1, {"functionName": "f$n", "dryRun": False}, {"runtime": "python3.13"}),
    Kind("sts", "AssumeRole", 95, {"roleArn": "arn:aws:iam::000000000000:role/app-$n", "roleSessionName": "s-$n", "durationSeconds": 3600},
         {"credentials": {"accessKeyId": "ASIA$k", "sessionToken": "IQoJb3JpZ2luX2Vj$y", "expiration": "Mar 2, 2026, 1:00:00 PM"},
          "assumedRoleUser": {"assumedRoleId": "AROA$k:s-$n", "arn": "arn:aws:sts::000000000000:assumed-role/app-$n/s-$n"}}),
    Kind("sts", "GetCallerIdentity", 20, None),
    Kind("sts", "GetSessionToken", 1, {"durationSeconds": 43200}, {"credentials": {"accessKeyId": "ASIA$k", "sessionToken": "FwoGZXIvYXdzE$y"}}),
    Kind("kms", "Decrypt", 60, {"encryptionAlgorithm": "SYMMETRIC_DEFAULT", "encryptionContext": {"aws:s3:arn": "arn:aws:s3:::$b/$s/$v"}}),
    Kind("kms", "GenerateDataKey", 35, {"keyId": "arn:aws:kms:us-east-1:000000000000:key/$u", "keySpec": "AES_256"}),
    Kind("kms", "DescribeKey", 6, {"keyId": "$u"}),
    Kind("kms", "CreateGrant", 2, {"keyId": "$u", "operations": ["Decrypt"], "granteePrincipal": "ec2.amazonaws.com"}, {"grantId": "$x$x"}),
    Kind("ec2", "DescribeInstances", 40, {"maxResults": 1000} | _items("instancesSet", "instanceId", 3), error="Client.UnauthorizedOperation"),
    Kind("ec2", "DescribeVolumes", 10, {"filterSet": {"items": [{"name": "status", "valueSet": {"items": [{"value": "in-use"}]}}]}}),
    Kind("ec2", "DescribeSnapshots", 6, {"ownersSet": {"items": [{"owner": "self"}]}}),
    Kind("ec2", "DescribeImages", 8, _items("imagesSet", "imageId", 2)),
    Kind("ec2", "DescribeNetworkInterfaces", 12, {"filterSet": {}}),
    Kind("ec2", "DescribeSecurityGroups", 9, _items("securityGroupSet", "groupId", 2)),
    Kind("ec2", "DescribeExportTasks", 1, {"exportTaskIdSet": {}}),
    Kind("ec2", "DescribeTags", 5, {"filterSet": {}}),
    Kind("ec2", "RunInstances", 3, {"instancesSet": {"items": [{"imageId": "ami-$x", "minCount": 1, "maxCount": 3}]}, "instanceType": "m6i.large"}, _run(3)),
    Kind("ec2", "TerminateInstances", 2, _items("instancesSet", "instanceId", 1), _items("instancesSet", "instanceId", 1)),
    Kind("ec2", "CreateSnapshot", 2, {"volumeId": "vol-$x", "description": "daily"}, {"snapshotId": "snap-$x", "status": "pending"}),
    Kind("ec2", "DeleteSnapshot", 2, {"snapshotId": "snap-$x"}, {"_return": True}),
    Kind("ec2", "CreateImage", 1, {"instanceId": "i-$x", "name": "golden-$n", "noReboot": True}, {"imageId": "ami-$x"}),
    Kind("ec2", "CreateTags", 5, {"resourcesSet": {"items": [{"resourceId": "i-$x"}]}, "tagSet": {"items": [{"key": "Name", "value": "web-$n"}]}}, {"_return": True}),
    Kind("ec2", "AuthorizeSecurityGroupIngress", 1, {"groupId": "sg-$x", "ipPermissions": {"items": [{"ipProtocol": "tcp", "fromPort": 443, "toPort": 443}]}}),
    Kind("ec2", "ModifySnapshotAttribute", 1, {"snapshotId": "snap-$x", "createVolumePermission": {"remove": {"items": [{"userId": "444455556666"}]}}, "attributeType": "CREATE_VOLUME_PERMISSION"}),
    Kind("ec2", "CreateFlowLogs", 1, {"CreateFlowLogsRequest": {"ResourceId": {"tag": 1, "content": "vpc-$x"}, "TrafficType": "ALL"}}, {"CreateFlowLogsResponse": {"flowLogIdSet": {"item": "fl-$x"}}}),
    Kind("iam", "GetRole", 14, _ROLE, error="NoSuchEntityException"),
    Kind("iam", "ListRoles", 4, {"maxItems": 1000}),
    Kind("iam", "ListUsers", 3, {"maxItems": 100}),
    Kind("iam", "ListAttachedRolePolicies", 6, _ROLE),
    Kind("iam", "GetPolicyVersion", 4, {"policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess", "versionId": "v$n"}),
    Kind("iam", "CreateRole", 1, _ROLE | {"assumeRolePolicyDocument": TRUST}, {"role": _ROLE | {"arn": "arn:aws:iam::000000000000:role/app-$n"}}),
    Kind("iam", "PutRolePolicy", 1, _ROLE | {"policyName": "inline", "policyDocument": POLICY}),
    Kind("iam", "AttachRolePolicy", 1, _ROLE | {"policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}),
    Kind("iam", "CreateAccessKey", 1, _USER, {"accessKey": _USER | {"accessKeyId": "AKIA$k", "status": "Active"}}),
    Kind("iam", "CreateUser", 1, _USER, {"user": _USER | {"userId": "AIDA$k"}}),
    Kind("iam", "GenerateCredentialReport", 1, None, {"state": "STARTED"}),
    Kind("signin", "ConsoleLogin", 2, None, {"ConsoleLogin": "Success"}),
    Kind("signin", "ConsoleLogin", 1, None, {"ConsoleLogin": "Failure"}, error="Failed authentication"),
    Kind("logs", "CreateLogStream", 25, {"logGroupName": "/aws/lambda/f$n", "logStreamName": "2026/[$LATEST]$x"}),
    Kind("logs", "DescribeLogStreams", 8, {"logGroupName": "/aws/lambda/f$n"}),
    Kind("logs", "FilterLogEvents", 2, {"logGroupName": "/app/$n", "filterPattern": "ERROR"}),
    Kind("monitoring", "DescribeAlarms", 12, {"maxRecords": 100}),
    Kind("monitoring", "PutMetricAlarm", 1, {"alarmName": "cpu-$n", "threshold": 90.5, "evaluationPeriods": 3}),
    Kind("cloudtrail", "DescribeTrails", 4, {"includeShadowTrails": False}),
    Kind("cloudtrail", "LookupEvents", 2, {"maxResults": 50, "lookupAttributes": [{"attributeKey": "ReadOnly", "attributeValue": "false"}]}),
    Kind("cloudtrail", "GetTrailStatus", 4, {"name": "arn:aws:cloudtrail:us-east-1:000000000000:trail/org"}),
    Kind("config", "DescribeConfigurationRecorders", 3, None),
    Kind("ssm", "GetParameter", 18, {"name": "/app/$n/token", "withDecryption": True}),
    Kind("ssm", "SendCommand", 1, {"documentName": "AWS-RunShellScript", "instanceIds": ["i-$x"], "parameters": "HIDDEN_DUE_TO_SECURITY_REASONS"}, {"command": {"commandId": "$u"}}),
    Kind("ssm", "UpdateInstanceInformation", 20, {"instanceId": "i-$x", "agentVersion": "3.3.987.0", "platformName": "Amazon Linux"}),
    Kind("secretsmanager", "GetSecretValue", 10, {"secretId": "arn:aws:secretsmanager:us-east-1:000000000000:secret:db-$n"}, error="AccessDenied"),
    Kind("rds", "DescribeDBInstances", 5, {"maxRecords": 100}),
    Kind("elasticloadbalancing", "DescribeTargetHealth", 10, {"targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/web/$x"}),
    Kind("autoscaling", "DescribeAutoScalingGroups", 8, {"maxRecords": 50}),
    Kind("ecr", "BatchGetImage", 6, {"repositoryName": "app", "imageIds": [{"imageTag": "v$n"}]}),
    Kind("organizations", "ListAccounts", 1, None),
    Kind("dynamodb", "DescribeTable", 5, {"tableName": "orders-$n"}, error="ThrottlingException"),
)  # fmt: skip
