"""A bucket of the lab with an exported image in it, and who asks for it."""

import pytest

from tests.lab.aws import FOREIGN, As, code_of, policy

FORENSICS = "777788889999"
US_EXPORTER = "c4d8eabf8db69dbe46bfe0e517100c554f01200b104d59cd408e777ba442a322"
BUCKET, KEY = "example-exports", "vm/export-i-0123456789abcdef0.ova"
BOTH = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]


@pytest.fixture
def s3(root):
    client = root.client("s3")
    client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key=KEY, Body=b"disk image")
    return client


@pytest.fixture
def stranger(lab):
    return As(lab, lab.root_key(FOREIGN)).user("thief", policy({"Action": "s3:*"}))


def read(who, bucket=BUCKET, key=KEY, **more):
    return code_of(who.client("s3").get_object, Bucket=bucket, Key=key, **more)


def let_in(s3, account, action="s3:GetObject"):
    s3.put_bucket_policy(
        Bucket=BUCKET, Policy=policy({"Principal": {"AWS": account}, "Action": action, "Resource": BOTH})
    )


def enable_acls(s3, ownership="ObjectWriter"):
    s3.put_bucket_ownership_controls(Bucket=BUCKET, OwnershipControls={"Rules": [{"ObjectOwnership": ownership}]})
