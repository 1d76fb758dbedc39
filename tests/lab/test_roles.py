"""Who may become a role, what a session may, and what the organisation forbids."""

from datetime import timedelta

import pytest

from lab.client import Key
from tests.lab.aws import FOREIGN, MANAGEMENT, PRODUCTION, As, code_of, policy, trust


class TestRoles:
    def test_only_who_is_trusted_may_assume(self, root):
        alice, mallory = root.user("alice", policy({})), root.user("mallory", policy({}))
        arn = root.role("build", trust({"AWS": f"arn:aws:iam::{PRODUCTION}:user/alice"}), policy({}))
        assert code_of(alice.client("sts").assume_role, RoleArn=arn, RoleSessionName="x1") == "ok"
        assert code_of(mallory.client("sts").assume_role, RoleArn=arn, RoleSessionName="x1") == "AccessDenied"

    def test_trust_in_the_account_leaves_it_to_the_callers_own_policies(self, root):
        arn = root.role("build", trust({"AWS": f"arn:aws:iam::{PRODUCTION}:root"}), policy({}))
        assert (
            code_of(root.user("nobody").client("sts").assume_role, RoleArn=arn, RoleSessionName="x1") == "AccessDenied"
        )
        may = root.user("may", policy({"Action": "sts:AssumeRole", "Resource": arn}))
        assert code_of(may.client("sts").assume_role, RoleArn=arn, RoleSessionName="x1") == "ok"

    def test_named_in_the_trust_policy_of_the_own_account_is_enough(self, root):
        nobody = root.user("nobody")
        arn = root.role("build", trust({"AWS": f"arn:aws:iam::{PRODUCTION}:user/nobody"}), policy({}))
        assert code_of(nobody.client("sts").assume_role, RoleArn=arn, RoleSessionName="x1") == "ok"

    def test_another_account_needs_both_sides(self, root, lab):
        stranger = As(lab, lab.root_key(FOREIGN))
        arn = root.role("open", trust({"AWS": FOREIGN}), policy({}))
        may, may_not = stranger.user("may", policy({})), stranger.user("maynot")
        session = may.assume(arn)
        assert session.client("sts").get_caller_identity()["Account"] == PRODUCTION
        assert code_of(may_not.client("sts").assume_role, RoleArn=arn, RoleSessionName="x1") == "AccessDenied"

    def test_the_external_id_must_be_right(self, root, lab):
        partner = As(lab, lab.root_key(FOREIGN)).user("may", policy({})).client("sts")
        arn = root.role("open", trust({"AWS": FOREIGN}, StringEquals={"sts:ExternalId": "s3cret"}), policy({}))
        assert code_of(partner.assume_role, RoleArn=arn, RoleSessionName="x1") == "AccessDenied"
        assert code_of(partner.assume_role, RoleArn=arn, RoleSessionName="x1", ExternalId="wrong") == "AccessDenied"
        assert code_of(partner.assume_role, RoleArn=arn, RoleSessionName="x1", ExternalId="s3cret") == "ok"

    def test_a_role_that_is_not_there_and_the_root_user_are_refused(self, root):
        alice = root.user("alice", policy({}))
        missing = f"arn:aws:iam::{PRODUCTION}:role/none"
        assert code_of(alice.client("sts").assume_role, RoleArn=missing, RoleSessionName="x1") == "AccessDenied"
        arn = root.role("build", trust({"AWS": PRODUCTION}), policy({}))
        assert code_of(root.client("sts").assume_role, RoleArn=arn, RoleSessionName="x1") == "AccessDenied"

    def test_source_identity_is_kept_along_a_chain_and_cannot_be_changed(self, root):
        second = root.role("second", trust({"AWS": PRODUCTION}), policy({}))
        first = root.role("first", trust({"AWS": PRODUCTION}), policy({}))
        alice = root.user("alice", policy({}))
        one = alice.assume(first, SourceIdentity="alice@example.com")
        answer = one.client("sts").assume_role(RoleArn=second, RoleSessionName="x1")
        assert answer["SourceIdentity"] == "alice@example.com"
        other = {"RoleArn": second, "RoleSessionName": "x1", "SourceIdentity": "bob@example.com"}
        assert code_of(one.client("sts").assume_role, **other) == "AccessDenied"

    def test_a_session_policy_limits_the_session(self, root):
        arn = root.role("build", trust({"AWS": PRODUCTION}), policy({}))
        small = root.user("alice", policy({})).assume(arn, Policy=policy({"Action": "iam:*"}))
        assert code_of(small.client("iam").list_users) == "ok"
        assert code_of(small.client("ec2").describe_instances) == "UnauthorizedOperation"

    def test_a_session_ends_by_the_labs_clock(self, root, lab):
        arn = root.role("build", trust({"AWS": PRODUCTION}), policy({}))
        session = root.user("alice", policy({})).assume(arn, DurationSeconds=900)
        assert code_of(session.client("iam").list_users) == "ok"
        lab.shift(timedelta(seconds=901))
        assert code_of(session.client("iam").list_users) == "ExpiredToken"
        assert code_of(session.client("s3").list_buckets) == "ExpiredToken"
        assert code_of(session.client("ec2").describe_instances) == "RequestExpired"
        assert code_of(session.client("cloudtrail").describe_trails) == "ExpiredTokenException"

    def test_longer_than_the_role_allows_is_refused(self, root):
        arn = root.role("build", trust({"AWS": PRODUCTION}), policy({}), MaxSessionDuration=3600)
        sts = root.user("alice", policy({})).client("sts")
        assert code_of(sts.assume_role, RoleArn=arn, RoleSessionName="x1", DurationSeconds=7200) == "ValidationError"

    def test_sessions_of_a_deleted_role_are_refused_even_when_one_of_its_name_is_made(self, root):
        arn = root.role("build", trust({"AWS": PRODUCTION}), policy({}))
        session = root.user("alice", policy({})).assume(arn)
        iam = root.client("iam")
        iam.delete_role_policy(RoleName="build", PolicyName="given")
        iam.delete_role(RoleName="build")
        assert code_of(session.client("sts").get_caller_identity) == "InvalidClientTokenId"
        root.role("build", trust({"AWS": PRODUCTION}), policy({}))
        assert code_of(session.client("sts").get_caller_identity) == "InvalidClientTokenId"

    def test_a_token_that_belongs_to_another_session_is_refused(self, root, lab):
        arn = root.role("build", trust({"AWS": PRODUCTION}), policy({}))
        alice = root.user("alice", policy({}))
        one, two = alice.assume(arn, "one"), alice.assume(arn, "two")
        mixed = As(lab, Key(one.key.access_key_id, one.key.secret_access_key, two.key.session_token))
        assert code_of(mixed.client("iam").list_users) == "InvalidClientTokenId"

    def test_a_session_token_outlives_the_key_and_dies_with_a_denied_user(self, root, lab):
        alice = root.user("alice", policy({}))
        made = alice.client("sts").get_session_token()["Credentials"]
        session = As(lab, Key(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]))
        iam = root.client("iam")
        iam.update_access_key(UserName="alice", AccessKeyId=alice.key.access_key_id, Status="Inactive")
        assert code_of(session.client("ec2").describe_instances) == "ok"
        iam.put_user_policy(UserName="alice", PolicyName="deny", PolicyDocument=policy({"Effect": "Deny"}))
        assert code_of(session.client("ec2").describe_instances) == "UnauthorizedOperation"

    def test_a_federated_user_may_do_what_both_its_policy_and_the_user_allow(self, root, lab):
        alice = root.user("alice", policy({}))

        def federate(**more):
            made = alice.client("sts").get_federation_token(Name="guest", **more)["Credentials"]
            return As(lab, Key(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]))

        assert code_of(federate().client("ec2").describe_instances) == "UnauthorizedOperation"
        limited = federate(Policy=policy({"Action": "ec2:*"}))
        assert code_of(limited.client("ec2").describe_instances) == "ok"
        assert limited.client("sts").get_caller_identity()["Arn"] == f"arn:aws:sts::{PRODUCTION}:federated-user/guest"


class TestOrganization:
    @pytest.fixture
    def organization(self, lab):
        return As(lab, lab.root_key(MANAGEMENT)).client("organizations")

    @pytest.fixture
    def member(self, organization, lab):
        organization.create_organization(FeatureSet="ALL")
        made = organization.create_account(Email="prod@example.com", AccountName="production")
        return As(lab, lab.root_key(made["CreateAccountStatus"]["AccountId"]))

    def _guard(self, organization, target, document):
        made = organization.create_policy(
            Name="guard", Description="-", Type="SERVICE_CONTROL_POLICY", Content=document
        )
        organization.attach_policy(PolicyId=made["Policy"]["PolicySummary"]["Id"], TargetId=target)

    def test_an_scp_denies_in_a_member_account_the_root_user_too(self, organization, member):
        account = member.client("sts").get_caller_identity()["Account"]
        alice = member.user("alice", policy({}))
        assert code_of(alice.client("ec2").describe_instances) == "ok"
        self._guard(organization, account, policy({"Effect": "Deny", "Action": "ec2:*"}))
        assert code_of(alice.client("ec2").describe_instances) == "UnauthorizedOperation"
        assert code_of(member.client("ec2").describe_instances) == "UnauthorizedOperation"
        assert code_of(alice.client("iam").list_users) == "ok"

    def test_an_scp_at_the_root_does_not_bind_the_management_account(self, organization, member, lab):
        top = organization.list_roots()["Roots"][0]["Id"]
        self._guard(organization, top, policy({"Effect": "Deny", "Action": "ec2:*"}))
        assert code_of(member.client("ec2").describe_instances) == "UnauthorizedOperation"
        assert code_of(As(lab, lab.root_key(MANAGEMENT)).client("ec2").describe_instances) == "ok"

    def test_every_level_must_allow(self, organization, member):
        top = organization.list_roots()["Roots"][0]["Id"]
        account = member.client("sts").get_caller_identity()["Account"]
        unit = organization.create_organizational_unit(ParentId=top, Name="workloads")["OrganizationalUnit"]["Id"]
        organization.move_account(AccountId=account, SourceParentId=top, DestinationParentId=unit)
        assert code_of(member.client("ec2").describe_instances) == "ok"
        organization.detach_policy(PolicyId="p-FullAWSAccess", TargetId=unit)
        assert code_of(member.client("ec2").describe_instances) == "UnauthorizedOperation"

    def test_the_organisation_of_the_caller_is_a_condition_key(self, organization, member):
        own = organization.describe_organization()["Organization"]["Id"]
        inside = policy({}, {"Effect": "Deny", "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": own}}})
        outside = policy(
            {}, {"Effect": "Deny", "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-other00000"}}}
        )
        assert code_of(member.user("in", inside).client("ec2").describe_instances) == "ok"
        assert code_of(member.user("out", outside).client("ec2").describe_instances) == "UnauthorizedOperation"

    def test_a_malformed_scp_is_no_reason_to_let_somebody_in(self, organization, member):
        account = member.client("sts").get_caller_identity()["Account"]
        made = code_of(self._guard, organization, account, "{not json")
        assert made == "MalformedPolicyDocumentException"
        assert code_of(member.client("ec2").describe_instances) == "ok"
