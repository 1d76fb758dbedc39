"""Whom a bucket lets in: who is named, who is everybody, and which conditions really narrow it."""

from __future__ import annotations

import pytest

from decisions.bucket_grants import export_acl_grants, export_grants, grants_outside, is_public, public_acl_grants
from decisions.resources import AclGrant
from decisions.vm_export_grantees import BY_REGION, OTHER_REGIONS
from tests.decisions.plans import organization
from tests.decisions.policies import ACCOUNT, PLACE, STRANGER, USER, statement

OURS = organization().model_copy(update={"networks": ("192.0.2.0/24", "2001:db8::/32")})
MILAN = BY_REGION["eu-south-1"]
UNKNOWN, OWNER = "d" * 64, "e" * 64


def document(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def to(principal, **more):
    return document(statement(action="s3:GetObject", resource=f"{PLACE}/*", Principal=principal, **more))


def export(principal, action="s3:PutObject", **more):
    return document(statement(action=action, resource=f"{PLACE}/*", Principal=principal, **more))


class TestExportGrants:
    def test_the_grant_of_the_bucket_s_region_can_be_used_and_that_of_another_cannot(self):
        (grant,) = export_grants(
            export({"CanonicalUser": [OTHER_REGIONS]}, ["s3:GetBucketAcl", "s3:PutObject"]), "us-east-1"
        )
        assert (grant.index, grant.export_ids, grant.unknown_ids, grant.usable) == (0, (OTHER_REGIONS,), (), True)
        assert export_grants(export({"CanonicalUser": OTHER_REGIONS}), "eu-south-1")[0].usable is False
        assert export_grants(export({"CanonicalUser": MILAN}), "eu-south-1")[0].usable is True

    def test_an_unknown_canonical_id_counts_where_it_may_write(self):
        assert export_grants(export({"CanonicalUser": UNKNOWN}, "s3:Put*"), "us-east-1")[0].unknown_ids == (UNKNOWN,)
        assert export_grants(export({"CanonicalUser": UNKNOWN}, "s3:GetObject"), "us-east-1") == ()

    def test_denies_and_other_principals_are_no_grants(self):
        for harmless in (
            document(statement("Deny", Principal={"CanonicalUser": OTHER_REGIONS})), export({"AWS": STRANGER}), export("*"),
        ):  # fmt: skip
            assert export_grants(harmless, "us-east-1") == ()

    def test_the_place_of_a_grant_is_told(self):
        both = document(statement(Principal="*"), *export({"CanonicalUser": MILAN}, Sid="vm")["Statement"])
        assert [(g.index, g.sid) for g in export_grants(both, "us-east-1")] == [(1, "vm")]


def acl(permission, id=None, uri=None):
    return AclGrant(
        grantee_type="Group" if uri else "CanonicalUser", grantee_id=id, grantee_uri=uri, permission=permission
    )


class TestAcl:
    def test_grants_for_exports_are_those_of_the_service_and_of_unknown_writers(self):
        grants = (
            acl("FULL_CONTROL", OWNER), acl("READ_ACP", MILAN), acl("WRITE", MILAN), acl("READ", "f" * 64),
            acl("READ_ACP", UNKNOWN), acl("WRITE", UNKNOWN), acl("WRITE", uri="http://acs.amazonaws.com/groups/s3/LogDelivery"),
        )  # fmt: skip
        assert export_acl_grants(grants, OWNER) == (grants[1], grants[2], grants[4], grants[5])
        assert export_acl_grants((acl("FULL_CONTROL", UNKNOWN),), OWNER)

    def test_public_grants_are_those_for_everybody_and_not_for_log_delivery(self):
        groups = [
            f"http://acs.amazonaws.com/groups/{g}"
            for g in ("global/AllUsers", "global/AuthenticatedUsers", "s3/LogDelivery")
        ]
        grants = tuple(acl("READ", uri=g) for g in groups)
        assert public_acl_grants(grants) == grants[:2]


EVERYBODY = [
    None,
    {"StringNotEquals": {"aws:PrincipalOrgID": "o-exampleorg11"}},
    {"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-exampleorg11"}},
    {"ForAllValues:StringEquals": {"aws:PrincipalOrgID": "o-exampleorg11"}},
    {"StringLike": {"aws:PrincipalOrgID": "o-*"}},
    {"StringEquals": {"aws:PrincipalAccount": [ACCOUNT, "*"]}},
    {"StringLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/admin"}},
    {"StringLike": {"aws:PrincipalArn": "arn:aws:iam::1111*:role/admin"}},
    {"StringEquals": {"aws:Referer": "https://example.com"}},
    {"StringEquals": {"aws:PrincipalAccount": []}},
    {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}},
    {"IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]}},
    {"IpAddress": {"aws:SourceIp": [f"{n}.0.0.0/8" for n in range(256)]}},
    {"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "::/0"]}},
    {"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}},
    {"Bool": {"aws:SecureTransport": "true"}},
    {"StringEquals": "aws:PrincipalOrgID"},
]
SOMEBODY = [
    {"StringEquals": {"aws:PrincipalOrgID": "o-exampleorg11"}},
    {"stringequals": {"AWS:principalorgid": ["o-exampleorg11", "o-otherorg2222"]}},
    {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-exampleorg11/r-ab12/*"}},
    {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}},
    {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/*"}},
    {"StringEquals": {"aws:SourceVpce": "vpce-0123456789abcdef0"}},
    {"StringEquals": {"aws:SourceVpc": "vpc-0123456789abcdef0"}},
    {"StringLike": {"aws:userid": "AROAEXAMPLEEXAMPLE01:*"}},
    {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::example-source"}},
    {"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "2001:db8::/32"]}},
    {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
]


@pytest.mark.parametrize("principal", ["*", {"AWS": "*"}, {"AWS": [USER, "*"]}])
@pytest.mark.parametrize("condition", EVERYBODY)
def test_everybody_is_let_in_where_no_condition_pins_who_or_where(principal, condition):
    assert is_public(to(principal, **({"Condition": condition} if condition else {})))


@pytest.mark.parametrize("condition", SOMEBODY)
def test_a_condition_that_pins_account_organization_network_or_address_is_not_public(condition):
    assert not is_public(to("*", Condition=condition))


def test_naming_somebody_is_not_public_and_naming_whom_not_is():
    assert not is_public(to({"AWS": STRANGER}))
    assert not is_public(document(statement("Deny", Principal="*")))
    assert is_public(document({"Effect": "Allow", "NotPrincipal": {"AWS": USER}, "Action": "*", "Resource": "*"}))
    assert is_public(document(*to({"AWS": USER})["Statement"], *to("*")["Statement"]))


def outside(principal, **condition):
    found = grants_outside(to(principal, **({"Condition": condition} if condition else {})), OURS)
    return None if not found else found[0].undecided


@pytest.mark.parametrize(
    ("principal", "condition", "undecided"),
    [
        ({"AWS": STRANGER}, {}, ()), ({"AWS": [USER, f"arn:aws:iam::{STRANGER}:role/x"]}, {}, ()), ("*", {}, ()),
        ({"AWS": "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"}, {}, ()),
        ({"AWS": [USER, "444455556666", f"arn:aws:iam::{OURS.forensics_account}:root"]}, {}, None),
        ({"Service": "logging.s3.amazonaws.com"}, {}, None), ({"CanonicalUser": OTHER_REGIONS}, {}, None),
        ({"CanonicalUser": UNKNOWN}, {}, (f"canonical id {UNKNOWN}",)), ({"AWS": "AROAEXAMPLEEXAMPLE01"}, {}, None),
        ({"AWS": STRANGER}, {"StringEquals": {"sts:ExternalId": "x"}}, ()),
        ("*", {"StringEquals": {"aws:PrincipalOrgID": "o-exampleorg11"}}, None),
        ("*", {"StringEquals": {"aws:PrincipalOrgID": "o-strangers111"}}, ()),
        ("*", {"StringEquals": {"aws:PrincipalOrgID": ["o-exampleorg11", "o-strangers111"]}}, ()),
        ("*", {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-exampleorg11/*"}}, None),
        ("*", {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}, None),
        ("*", {"StringEquals": {"aws:PrincipalAccount": STRANGER}}, ()),
        ("*", {"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-exampleorg11"}}, ()),
        ("*", {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/*"}}, None),
        ("*", {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{STRANGER}:role/*"}}, ()),
        ("*", {"IpAddress": {"aws:SourceIp": "192.0.2.128/25"}}, None),
        ("*", {"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "198.51.100.0/24"]}}, ()),
        ("*", {"StringEquals": {"aws:SourceVpce": "vpce-0123456789abcdef0"}}, ("aws:SourceVpce",)),
    ],
)  # fmt: skip
def test_strangers_are_told_from_us_by_account_condition_and_network(principal, condition, undecided):
    assert outside(principal, **condition) == undecided


def test_a_statement_for_strangers_is_told_with_its_place_and_text():
    policy = document(*to({"AWS": USER})["Statement"], *to({"AWS": STRANGER}, Sid="drop")["Statement"])
    (found,) = grants_outside(policy, OURS)
    assert (found.index, found.sid, found.statement) == (1, "drop", policy["Statement"][1])


@pytest.mark.parametrize("broken", [{}, {"Statement": "x"}, {"Statement": [{"Effect": "Allow", "Principal": 7}]}])
def test_a_document_that_is_no_policy_lets_nobody_in(broken):
    assert not is_public(broken)
    assert grants_outside(broken, OURS) == export_grants(broken, "us-east-1") == ()
