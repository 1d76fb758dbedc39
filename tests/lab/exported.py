"""An instance that may be exported, and the bucket that its image goes to."""

import pytest

from tests.lab.aws import trust

US = "c4d8eabf8db69dbe46bfe0e517100c554f01200b104d59cd408e777ba442a322"
MILAN = "04636d9a349e458b0c1cbf1421858b9788b4ec28b066148d4907bb15c52b5b9c"
BUCKET = "example-exports"
AMI = "ami-0abcdef1234567890"
VMIE = trust({"Service": "vmie.amazonaws.com"}, StringEquals={"sts:ExternalId": "vmimport"})


def run(root, *, disks=1, encrypted=False, **tags):
    mapping = [
        {"DeviceName": f"/dev/xvd{chr(97 + n)}", "Ebs": {"VolumeSize": 8, "Encrypted": encrypted}} for n in range(disks)
    ]
    named = [
        {
            "ResourceType": "instance",
            "Tags": [{"Key": k.replace("_", ":").replace("0", "-"), "Value": v} for k, v in tags.items()],
        }
    ]
    made = root.client("ec2").run_instances(
        ImageId=AMI,
        MinCount=1,
        MaxCount=1,
        BlockDeviceMappings=mapping,
        **({"TagSpecifications": named} if tags else {}),
    )
    return made["Instances"][0]["InstanceId"]


def open_for_export(s3, bucket=BUCKET, grantee=US, ownership="ObjectWriter"):
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": ownership}]})
    s3.put_bucket_acl(Bucket=bucket, GrantWrite=f'id="{grantee}"', GrantReadACP=f'id="{grantee}"')


def ask(instance, bucket=BUCKET, prefix="vm/", **more):
    to = {"S3Bucket": bucket, "S3Prefix": prefix, "DiskImageFormat": "VMDK", "ContainerFormat": "ova"}
    return {"InstanceId": instance, "TargetEnvironment": "vmware", "ExportToS3Task": to | more}


@pytest.fixture
def instance(root):
    return run(root)


@pytest.fixture
def s3(root):
    client = root.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def ec2(root, s3):
    open_for_export(s3)
    return root.client("ec2")


def state(ec2, task):
    (found,) = ec2.describe_export_tasks(ExportTaskIds=[task])["ExportTasks"]
    return found["State"]
