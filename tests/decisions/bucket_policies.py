"""Bucket policies of all kinds, who asks under them, and what is asked."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from decisions.bucket_policy import lock
from decisions.iam_policy import evaluate
from decisions.policy import AccessRequest, Policy
from decisions.vm_export_grantees import OTHER_REGIONS
from tests.decisions.policies import (
    ACCOUNT,
    BUCKET,
    COPIER,
    KEY,
    OBJECT,
    PLACE,
    RESPONDER,
    ROLE,
    SESSION,
    STRANGER,
    USER,
    policy,
    session_of,
    statement,
    statements_of,
)

ALL = policy(statement())
CASE = "VMX-20260302-ABCD"
ELSEWHERE = f"{PLACE}/AWSLogs/111122223333/x.json.gz"
OTHER_KEY = f"{PLACE}/vm/export-i-11111111111111111.ova"
LOGGING = "logging.s3.amazonaws.com"
EVIL = f"arn:aws:iam::{ACCOUNT}:role/evil"
OTHERS = (
    USER, SESSION, session_of(EVIL), f"arn:aws:iam::{STRANGER}:user/mallory",
    session_of(f"arn:aws:iam::{STRANGER}:role/vmexport-respond"), f"arn:aws:iam::{ACCOUNT}:role/vmexport-respond-2",
)  # fmt: skip
PRINCIPALS = st.sampled_from(
    [
        "*", {"AWS": "*"}, {"AWS": STRANGER}, {"AWS": [USER, ROLE]}, {"AWS": EVIL}, {"AWS": ACCOUNT},
        {"Service": ["cloudfront.amazonaws.com", LOGGING]}, {"CanonicalUser": OTHER_REGIONS},
        {"AWS": [f"arn:aws:iam::{ACCOUNT}:root", RESPONDER]}, {"AWS": COPIER},
    ]
)  # fmt: skip
ACTIONS = (
    "*",
    "s3:*",
    "s3:GetObject",
    "s3:Get*",
    "s3:PutObject",
    "s3:PutBucketPolicy",
    "s3:DeleteObject*",
    "s3:ListBucket",
)
RESOURCES = ("*", PLACE, f"{PLACE}/*", OBJECT, f"{PLACE}/AWSLogs/*", f"{PLACE}*")
SETTINGS = (
    "s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:PutBucketAcl", "s3:PutBucketOwnershipControls",
    "s3:PutBucketPublicAccessBlock", "s3:PutReplicationConfiguration", "s3:PutLifecycleConfiguration",
    "s3:PutBucketVersioning", "s3:PutBucketLogging", "s3:DeleteBucket",
)  # fmt: skip
TAKING = (
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:GetObjectAcl",
    "s3:GetObjectTorrent",
    "s3:GetObjectVersionForReplication",
)
CHANGING = ("s3:PutObject", "s3:PutObjectAcl", "s3:DeleteObject", "s3:DeleteObjectVersion")


def locked(text=None, keys=(KEY,), responders=(RESPONDER,), copier=COPIER, **more):
    return lock(text, BUCKET, keys, responders, copier, **({"case_id": CASE} | more))


def text_of(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, indent=1)


def document(text):
    return Policy(id=BUCKET, type="resource", document=json.loads(text) if text else {})


def admitted(text, asked: AccessRequest) -> bool:
    """Whether S3 lets a caller in who may do everything by their own policies."""
    ours = asked.principal_account in (ACCOUNT, None)
    own = [ALL] if asked.principal_arn else []
    return evaluate(asked, own, resource=document(text), same_account=ours).allowed


existing = st.none() | st.lists(statements_of(ACTIONS, RESOURCES, PRINCIPALS), min_size=1, max_size=4).map(
    lambda s: text_of(*s)
)
OPEN = text_of(statement(Principal="*"))
SERVICES = ("cloudfront.amazonaws.com", LOGGING)
