"""Policies and requests for tests: short makers, and what hypothesis draws policies from."""

from __future__ import annotations

from hypothesis import strategies as st

from decisions.policy import AccessRequest, Policy

ACCOUNT, FORENSICS, STRANGER = "111122223333", "777788889999", "210987654321"
USER = f"arn:aws:iam::{ACCOUNT}:user/alice"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/admin"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/admin/jo@example.com"
RESPONDER = f"arn:aws:iam::{ACCOUNT}:role/vmexport-respond"
COPIER = f"arn:aws:iam::{FORENSICS}:role/vmexport-forensics"
BUCKET, KEY = "example-drop", "vm/export-i-0fedcba9876543210.ova"
PLACE, OBJECT = f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/{KEY}"
INSTANCE = f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-0123456789abcdef0"


def statement(effect="Allow", action="*", resource="*", **more):
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def policy(*statements, type="inline", id="user/alice/own", version="2012-10-17"):
    return Policy(id=id, type=type, document={"Version": version, "Statement": list(statements)})


def bucket_policy(*statements, **more):
    return policy(*statements, type="resource", id=BUCKET, **more)


def request(action="ec2:ExportImage", resource=INSTANCE, arn=USER, **context):
    """A request by a user, role session, anybody (None) or a service (its host name); `_` in a key stands for `:`."""
    keys = {k.replace("_", ":", 1): v if isinstance(v, tuple) else (v,) for k, v in context.items()}
    if arn is None or not arn.startswith("arn:"):
        service = {"aws:PrincipalIsAWSService": ("true",)} if arn else {}
        return AccessRequest(action=action, resource=resource, principal_service=arn, context=service | keys)
    role = arn.replace(":sts:", ":iam:").replace(":assumed-role/", ":role/").rpartition("/")[0]
    own = {
        "aws:PrincipalArn": (role if ":sts:" in arn else arn,),
        "aws:PrincipalAccount": (arn.split(":")[4],),
        "aws:PrincipalIsAWSService": ("false",),
        "aws:SecureTransport": ("true",),
    }
    return AccessRequest(
        action=action, resource=resource, principal_arn=arn, principal_account=arn.split(":")[4], context=own | keys
    )


def session_of(role, name="incident"):
    return role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + f"/{name}"


def some_of(*values, least=1):
    """One value, or a list of some."""
    return st.sampled_from(values) | st.lists(st.sampled_from(values), min_size=least, max_size=3, unique=True)


CONDITIONS = st.sampled_from(
    [
        None,
        {"Bool": {"aws:SecureTransport": "false"}},
        {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
        {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
        {"StringNotEquals": {"aws:SourceVpce": "vpce-0123456789abcdef0"}},
        {"StringEquals": {"aws:PrincipalOrgID": "o-exampleorg11"}},
        {"ArnNotLike": {"aws:PrincipalArn": [f"arn:aws:iam::{ACCOUNT}:role/evil"]}},
        {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}},
        {"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}, "StringNotLike": {"aws:userid": "AROA*"}},
        {"Null": {"aws:TokenIssueTime": "true"}},
    ]
)


@st.composite
def statements_of(draw, actions, resources, principals=None):
    """A statement that AWS would take."""
    drawn = {"Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"]))}
    drawn[draw(st.sampled_from(["Action", "Action", "Action", "NotAction"]))] = draw(some_of(*actions))
    drawn[draw(st.sampled_from(["Resource", "Resource", "Resource", "NotResource"]))] = draw(some_of(*resources))
    if principals is not None:
        drawn[draw(st.sampled_from(["Principal", "Principal", "Principal", "NotPrincipal"]))] = draw(principals)
    condition = draw(CONDITIONS)
    return drawn if condition is None else {**drawn, "Condition": condition}
