"""What the lab's IAM answers beyond moto's, and that its simulation agrees with what really happens."""

import pytest

from tests.lab.aws import MANAGEMENT, PRODUCTION, As, code_of, policy, trust


def simulate(root, source, *actions, **more):
    results = root.client("iam").simulate_principal_policy(PolicySourceArn=source, ActionNames=list(actions), **more)
    return results["EvaluationResults"]


def user_arn(name):
    return f"arn:aws:iam::{PRODUCTION}:user/{name}"


class TestSimulation:
    def test_it_says_allowed_denied_and_silent_and_by_which_statement(self, root):
        root.user("alice", policy({"Action": ["ec2:*", "iam:*"]}, {"Effect": "Deny", "Action": "ec2:ExportImage"}))
        allowed, denied, silent = simulate(
            root, user_arn("alice"), "ec2:DescribeInstances", "ec2:ExportImage", "s3:GetObject"
        )
        assert (allowed["EvalDecision"], denied["EvalDecision"], silent["EvalDecision"]) == (
            "allowed",
            "explicitDeny",
            "implicitDeny",
        )
        (by,) = allowed["MatchedStatements"]
        assert (by["SourcePolicyId"], by["SourcePolicyType"]) == ("user_alice_given", "user")
        assert silent["MatchedStatements"] == []

    def test_it_agrees_with_the_call_before_and_after_a_deny(self, root):
        alice = root.user("alice", policy({}))
        assert simulate(root, user_arn("alice"), "ec2:DescribeInstances")[0]["EvalDecision"] == "allowed"
        assert code_of(alice.client("ec2").describe_instances) == "ok"
        root.client("iam").put_user_policy(
            UserName="alice", PolicyName="deny", PolicyDocument=policy({"Effect": "Deny"})
        )
        assert simulate(root, user_arn("alice"), "ec2:DescribeInstances")[0]["EvalDecision"] == "explicitDeny"
        assert code_of(alice.client("ec2").describe_instances) == "UnauthorizedOperation"

    def test_managed_and_group_policies_are_named_by_what_they_are(self, root):
        iam = root.client("iam")
        root.user("alice")
        iam.create_group(GroupName="ops")
        iam.add_user_to_group(GroupName="ops", UserName="alice")
        iam.put_group_policy(GroupName="ops", PolicyName="g", PolicyDocument=policy({"Action": "ec2:*"}))
        iam.attach_user_policy(UserName="alice", PolicyArn="arn:aws:iam::aws:policy/AmazonS3FullAccess")
        export, read = simulate(root, user_arn("alice"), "ec2:ExportImage", "s3:GetObject")
        assert export["MatchedStatements"][0]["SourcePolicyId"] == "group_ops_g"
        assert export["MatchedStatements"][0]["SourcePolicyType"] == "group"
        assert read["MatchedStatements"][0] == {
            "SourcePolicyId": "AmazonS3FullAccess",
            "SourcePolicyType": "aws-managed",
        }

    def test_context_that_is_given_decides_and_what_is_missing_is_named(self, root):
        old = {"Effect": "Deny", "Condition": {"DateLessThan": {"aws:TokenIssueTime": "2026-03-02T03:00:00Z"}}}
        arn = root.role("build", trust({"AWS": PRODUCTION}), policy({}, old))
        (open_,) = simulate(root, arn, "ec2:ExportImage")
        assert open_["MissingContextValues"] == ["aws:TokenIssueTime"]
        entry = {"ContextKeyName": "aws:TokenIssueTime", "ContextKeyType": "date"}
        for issued, decision in (("2026-03-02T02:59:59Z", "explicitDeny"), ("2026-03-02T03:00:01Z", "allowed")):
            context = [entry | {"ContextKeyValues": [issued]}]
            assert simulate(root, arn, "ec2:ExportImage", ContextEntries=context)[0]["EvalDecision"] == decision

    def test_boundary_and_organisation_are_told_apart(self, lab):
        management = As(lab, lab.root_key(MANAGEMENT))
        organizations = management.client("organizations")
        organizations.create_organization(FeatureSet="ALL")
        account = organizations.create_account(Email="p@example.com", AccountName="p")["CreateAccountStatus"][
            "AccountId"
        ]
        member = As(lab, lab.root_key(account))
        edge = member.client("iam").create_policy(PolicyName="edge", PolicyDocument=policy({"Action": "s3:*"}))[
            "Policy"
        ]["Arn"]
        member.user("alice", policy({}), PermissionsBoundary=edge)
        guard = organizations.create_policy(
            Name="no-export",
            Description="-",
            Type="SERVICE_CONTROL_POLICY",
            Content=policy({"Effect": "Deny", "Action": "s3:PutBucketPolicy"}),
        )
        organizations.attach_policy(PolicyId=guard["Policy"]["PolicySummary"]["Id"], TargetId=account)
        arn = f"arn:aws:iam::{account}:user/alice"
        export, put, get = simulate(member, arn, "ec2:ExportImage", "s3:PutBucketPolicy", "s3:GetObject")
        assert export["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
        assert put["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": False}
        assert (export["EvalDecision"], put["EvalDecision"], get["EvalDecision"]) == (
            "implicitDeny",
            "explicitDeny",
            "allowed",
        )

    def test_what_would_be_without_a_policy_can_be_asked(self, root):
        root.user("alice", policy({"Action": "ec2:*"}))
        inline = {"PolicyName": "given", "AttachmentType": "User", "AttachmentName": "alice"}
        without = simulate(
            root, user_arn("alice"), "ec2:ExportImage", PolicyExclusionList=[{"InlinePolicyIdentifier": inline}]
        )
        assert without[0]["EvalDecision"] == "implicitDeny"
        other = [{"InlinePolicyIdentifier": inline | {"PolicyName": "other"}}]
        assert (
            simulate(root, user_arn("alice"), "ec2:ExportImage", PolicyExclusionList=other)[0]["EvalDecision"]
            == "allowed"
        )

    def test_each_resource_has_its_own_result(self, root):
        mine = "arn:aws:s3:::mine/*"
        root.user("alice", policy({"Action": "s3:GetObject", "Resource": mine}))
        arns = ["arn:aws:s3:::mine/k", "arn:aws:s3:::other/k"]
        results = simulate(root, user_arn("alice"), "s3:GetObject", ResourceArns=arns)
        assert [(r["EvalResourceName"], r["EvalDecision"]) for r in results] == [
            (arns[0], "allowed"),
            (arns[1], "implicitDeny"),
        ]

    def test_custom_policies_need_no_principal(self, root):
        answer = root.client("iam").simulate_custom_policy(
            PolicyInputList=[policy({})],
            ActionNames=["ec2:ExportImage"],
            OrderedOrganizationPolicyInputList=[{"ServiceControlPolicyInputList": [policy({"Action": "s3:*"})]}],
        )["EvaluationResults"][0]
        assert answer["EvalDecision"] == "implicitDeny"
        assert answer["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": False}

    def test_nobody_and_nonsense_are_refused(self, root):
        ask = {"ActionNames": ["s3:GetObject"]}
        iam = root.client("iam")
        assert code_of(iam.simulate_principal_policy, PolicySourceArn=user_arn("nobody"), **ask) == "NoSuchEntity"
        assert code_of(iam.simulate_custom_policy, PolicyInputList=["{no"], **ask) == "InvalidInput"


class TestUsers:
    def test_a_boundary_is_shown_where_aws_shows_it(self, root):
        iam = root.client("iam")
        arn = iam.create_policy(PolicyName="edge", PolicyDocument=policy({}))["Policy"]["Arn"]
        made = iam.create_user(UserName="alice", PermissionsBoundary=arn)["User"]
        assert made["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn
        assert iam.get_user(UserName="alice")["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn
        iam.delete_user_permissions_boundary(UserName="alice")
        assert "PermissionsBoundary" not in iam.get_user(UserName="alice")["User"]
        assert code_of(iam.delete_user_permissions_boundary, UserName="alice") == "NoSuchEntity"

    def test_a_boundary_that_is_not_there_is_refused(self, root):
        root.user("alice")
        missing = f"arn:aws:iam::{PRODUCTION}:policy/none"
        iam = root.client("iam")
        assert (
            code_of(iam.put_user_permissions_boundary, UserName="alice", PermissionsBoundary=missing) == "NoSuchEntity"
        )
        assert code_of(iam.create_user, UserName="bob", PermissionsBoundary=missing) == "NoSuchEntity"
        assert code_of(iam.get_user, UserName="bob") == "NoSuchEntity"

    def test_ids_have_the_prefixes_that_policies_are_written_for(self, root):
        iam = root.client("iam")
        assert iam.create_user(UserName="alice")["User"]["UserId"].startswith("AIDA")
        assert iam.create_group(GroupName="g")["Group"]["GroupId"].startswith("AGPA")

    @pytest.mark.parametrize("status", ["inactive", "Disabled", "x"])
    def test_a_status_that_aws_has_not_is_refused_and_changes_nothing(self, root, status):
        alice = root.user("alice", policy({}))
        ask = {"UserName": "alice", "AccessKeyId": alice.key.access_key_id, "Status": status}
        assert code_of(root.client("iam").update_access_key, **ask) == "ValidationError"
        assert code_of(alice.client("iam").list_users) == "ok"

    def test_asking_for_a_new_password_keeps_the_login_profile(self, root):
        iam = root.client("iam")
        root.user("alice")
        iam.create_login_profile(UserName="alice", Password="correct-horse")
        iam.update_login_profile(UserName="alice", PasswordResetRequired=True)
        assert iam.get_login_profile(UserName="alice")["LoginProfile"]["PasswordResetRequired"] is True

    def test_inline_policies_have_their_quota(self, root):
        iam = root.client("iam")
        root.user("alice")
        big = policy({"Resource": [f"arn:aws:s3:::{'b' * 50}{n}" for n in range(20)]})
        assert code_of(iam.put_user_policy, UserName="alice", PolicyName="one", PolicyDocument=big) == "ok"
        assert code_of(iam.put_user_policy, UserName="alice", PolicyName="two", PolicyDocument=big) == "LimitExceeded"
        assert code_of(iam.put_user_policy, UserName="alice", PolicyName="one", PolicyDocument=big) == "ok"

    def test_without_a_name_a_call_is_about_the_caller(self, root):
        own = f"arn:aws:iam::{PRODUCTION}:user/${{aws:username}}"
        alice = root.user("alice", policy({"Action": "iam:*", "Resource": own}, {"Action": "sts:*"}))
        iam = alice.client("iam")
        assert iam.get_user()["User"]["UserName"] == "alice"
        assert [k["AccessKeyId"] for k in iam.list_access_keys()["AccessKeyMetadata"]] == [alice.key.access_key_id]
        assert iam.create_access_key()["AccessKey"]["UserName"] == "alice"
        root.user("bob")
        assert code_of(iam.create_access_key, UserName="bob") == "AccessDenied"
        arn = root.role("build", trust({"AWS": PRODUCTION}), policy({}))
        assert code_of(alice.assume(arn).client("iam").get_user) == "ValidationError"

    def test_awss_own_policies_can_be_attached(self, root):
        iam = root.client("iam")
        root.user("alice")
        iam.attach_user_policy(UserName="alice", PolicyArn="arn:aws:iam::aws:policy/AWSDenyAll")
        assert iam.get_policy(PolicyArn="arn:aws:iam::aws:policy/AWSDenyAll")["Policy"]["PolicyName"] == "AWSDenyAll"
