"""Who it was: the person behind a session, how each kind of identity is cut off, and the chain back to where it began."""

from itertools import pairwise

import pytest

from decisions.actor import MAX_HOPS, attribute, chain, persons
from decisions.cloudtrail import export_event, parse_record
from decisions.evidence import Known, Unknown
from decisions.resources import PrincipalState
from tests.decisions.plans import NOW
from tests.records_of import cloudtrail_record

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/platform-admin"


def session(name="jo.contractor@example.com", role="platform-admin", key="ASIAEXAMPLEEXAMPLE01", issuer=ROLE, **change):
    context = {"sessionIssuer": {"type": "Role", "arn": issuer}} | change.pop("context", {})
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}"
    return {
        "type": "AssumedRole", "principalId": f"AROAEXAMPLEEXAMPLE:{name}", "arn": arn, "accountId": ACCOUNT,
        "accessKeyId": key, "sessionContext": context,
    } | change  # fmt: skip


def user(name="jo", key="AKIAEXAMPLEEXAMPLE01"):
    arn = f"arn:aws:iam::{ACCOUNT}:user/staff/{name}"
    return {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLE",
        "arn": arn,
        "accountId": ACCOUNT,
        "accessKeyId": key,
        "userName": name,
    }


def by(identity):
    return export_event(parse_record(cloudtrail_record(userIdentity=identity), "a file"))


def gave(key, identity, event="AssumeRole", **change):
    """The record of an STS call by `identity` that gave out `key`."""
    return parse_record(
        cloudtrail_record(
            event_id=f"gave-{key}", eventName=event, eventSource="sts.amazonaws.com", userIdentity=identity,
            responseElements={"credentials": {"accessKeyId": key}}, **change,
        ),
        "trail.json.gz",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("identity", "person", "read_from"),
    [
        (session(), "jo.contractor@example.com", "session name"),
        (session("a=b+c@example.com"), "a=b+c@example.com", "session name"),
        (session("anything", context={"sourceIdentity": "jo"}), "jo", "sourceIdentity"),
        (session("jo@example.com", "AWSReservedSSO_Admin_0123456789abcdef"), "jo@example.com", "session name"),
        (session("i-0123456789abcdef0"), None, None),
        (session("botocore-session-1764000000"), None, None),
        (session(arn=None), "jo.contractor@example.com", "session name"),
        (user(), "jo", "user name"),
        ({"type": "Root", "arn": f"arn:aws:iam::{ACCOUNT}:root", "principalId": ACCOUNT}, None, None),
        ({"type": "AWSService", "invokedBy": "vmie.amazonaws.com"}, None, None),
        ({}, None, None),
    ],
)
def test_the_person_behind_a_session_is_never_the_name_of_a_role(identity, person, read_from):
    actor = attribute(by(identity))
    assert (actor.person, actor.person_from) == (person, read_from)


def test_a_session_of_an_instance_is_a_machine():
    actor = attribute(by(session("i-0123456789abcdef0")))
    assert actor.machine == "i-0123456789abcdef0"
    assert "i-0123456789abcdef0" in actor.cut.how


def test_account_role_permission_set_and_credential_are_told_apart():
    actor = attribute(by(session("jo@example.com", "AWSReservedSSO_Power_User_0123456789abcdef")))
    assert (actor.account, actor.permission_set, actor.credential) == (ACCOUNT, "Power_User", "temporary")
    assert attribute(by(user())).credential == "long-term"
    assert attribute(by(user(key="ASIAEXAMPLEEXAMPLE01"))).credential == "temporary"
    assert attribute(by(session(key=None))).credential == "none"
    assert attribute(by(session())).role_name == "platform-admin"


FEDERATED = {
    "type": "FederatedUser", "arn": f"arn:aws:sts::{ACCOUNT}:federated-user/guest", "principalId": f"{ACCOUNT}:guest",
    "accessKeyId": "ASIAEXAMPLEEXAMPLE01", "sessionContext": {"sessionIssuer": {"arn": f"arn:aws:iam::{ACCOUNT}:user/jo"}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("identity", "possible", "actions", "target"),
    [
        (user(), True, ("iam.deny-user", "iam.deactivate-access-key"), user()["arn"]),
        (session(), True, ("iam.revoke-role-sessions",), ROLE),
        (session(context={"sessionIssuer": {}}), True, ("iam.revoke-role-sessions",), None),
        (session("jo", "AWSReservedSSO_Admin_0123456789abcdef"), False, (), ROLE),
        (session(issuer=f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/x/AWSServiceRoleForX"), False, (), f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/x/AWSServiceRoleForX"),
        (FEDERATED, True, ("iam.deny-user",), f"arn:aws:iam::{ACCOUNT}:user/jo"),
        ({"type": "Root"}, False, (), None),
        ({"type": "AWSAccount", "accountId": "444455556666"}, False, (), None),
        ({"type": "AWSService", "invokedBy": "vmie.amazonaws.com"}, False, (), None),
        ({"type": "IdentityCenterUser"}, False, (), None),
        ({"type": "Unheard"}, False, (), None),
        ({}, False, (), None),
    ],
)  # fmt: skip
def test_how_each_kind_of_identity_is_cut_off(identity, possible, actions, target):
    cut = attribute(by(identity)).cut
    assert (cut.possible, cut.actions, cut.target) == (possible, actions, target)
    assert cut.how


def test_a_deny_is_what_ends_the_session_of_a_user():
    assert "only the deny" in attribute(by(user(key="ASIAEXAMPLEEXAMPLE01"))).cut.how


def ends(hops):
    assert [h.end for h in hops[:-1]] == [None] * (len(hops) - 1)
    return hops[-1].end


def test_a_chain_leads_back_to_the_long_term_key():
    event = by(session("build", key="ASIAEXAMPLEEXAMPLE03"))
    hops = chain(
        event,
        [
            gave("ASIAEXAMPLEEXAMPLE03", session("hop", key="ASIAEXAMPLEEXAMPLE02")),
            gave("ASIAEXAMPLEEXAMPLE02", user()),
        ],
    )
    assert [h.access_key_id for h in hops] == ["ASIAEXAMPLEEXAMPLE03", "ASIAEXAMPLEEXAMPLE02", "AKIAEXAMPLEEXAMPLE01"]
    assert (hops[1].through, hops[1].event_id, hops[1].origin) == (
        "AssumeRole",
        "gave-ASIAEXAMPLEEXAMPLE03",
        "trail.json.gz",
    )
    assert (ends(hops), hops[-1].person) == ("long-term-key", "jo")
    assert hops[-1].iam_arn == user()["arn"]


@pytest.mark.parametrize(
    ("identity", "event", "end"),
    [
        ({"type": "SAMLUser", "principalId": "idp:jo", "userName": "jo@example.com"}, "AssumeRoleWithSAML", "saml"),
        ({"type": "WebIdentityUser", "principalId": "issuer:aud:sub"}, "AssumeRoleWithWebIdentity", "web-identity"),
        ({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}, "AssumeRole", "service"),
        ({"type": "AWSAccount", "accountId": "444455556666", "principalId": "AROAX:y"}, "AssumeRole", "other-account"),
        ({"type": "Root", "accessKeyId": "ASIAEXAMPLEEXAMPLE09"}, "GetSessionToken", "root"),
        (
            session("jo", "AWSReservedSSO_Admin_0123456789abcdef", "ASIAEXAMPLEEXAMPLE09"),
            "AssumeRole",
            "identity-center",
        ),
    ],
)
def test_where_a_chain_begins(identity, event, end):
    hops = chain(by(session()), [gave("ASIAEXAMPLEEXAMPLE01", identity, event)])
    assert (len(hops), ends(hops), hops[-1].through) == (2, end, event)


def test_the_name_that_the_identity_provider_gave_is_the_person():
    saml = {"type": "SAMLUser", "principalId": "idp:x", "userName": "jo@example.com"}
    hops = chain(by(session()), [gave("ASIAEXAMPLEEXAMPLE01", saml, "AssumeRoleWithSAML")])
    assert hops[-1].person == "jo@example.com"


def test_a_missing_record_is_unresolved_and_names_the_key():
    (hop,) = chain(by(session()), [])
    assert hop.end == "unresolved"
    assert "ASIAEXAMPLEEXAMPLE01" in hop.why


def test_a_caller_without_a_key_is_unresolved_too():
    (hop,) = chain(by(session(key=None)), [gave("ASIAEXAMPLEEXAMPLE01", user())])
    assert hop.end == "unresolved"


def test_of_the_copies_in_two_accounts_the_one_that_names_the_caller_leads_on():
    foreign = {"type": "AWSAccount", "accountId": "444455556666", "principalId": "AIDAX"}
    copies = [gave("ASIAEXAMPLEEXAMPLE01", who, sharedEventID="s-1") for who in (foreign, user())]
    for records in (copies, copies[::-1]):
        assert ends(chain(by(session()), records)) == "long-term-key"


def test_roles_that_assume_each_other_end_the_walk():
    a, b = session("a", key="ASIAEXAMPLEEXAMPLE01"), session("b", key="ASIAEXAMPLEEXAMPLE02")
    hops = chain(by(a), [gave("ASIAEXAMPLEEXAMPLE01", b), gave("ASIAEXAMPLEEXAMPLE02", a)])
    assert ends(hops) == "unresolved"
    assert "comes back" in hops[-1].why


def test_a_chain_without_end_is_cut_off_and_said():
    keys = [f"ASIA{n:016d}" for n in range(30)]
    records = [gave(key, session("x", key=nxt)) for key, nxt in pairwise(keys)]
    hops = chain(by(session(key=keys[0])), records)
    assert len(hops) == MAX_HOPS
    assert "longer than" in hops[-1].why


def test_only_sts_gives_out_credentials():
    forged = gave("ASIAEXAMPLEEXAMPLE01", user()).model_copy(update={"event_source": "ec2.amazonaws.com"})
    assert ends(chain(by(session()), [forged])) == "unresolved"


def findings(*actors, principals=None):
    """Findings as far as `persons` looks at them; the rest is not built."""
    from decisions.findings import ExportFacts, Findings

    facts = tuple(ExportFacts.model_construct(actor=actor) for actor in actors)
    return Findings.model_construct(exports=facts, principals=principals or {})


def test_everybody_in_the_chain_is_a_suspect_under_every_name():
    event = by(session("shared", context={"sourceIdentity": "jo.contractor@example.com"}))
    hops = chain(event, [gave("ASIAEXAMPLEEXAMPLE01", user("jo2"))])
    actor = attribute(event).model_copy(update={"chain": hops})
    state = PrincipalState(arn="a", name="jo3", type="user", account=ACCOUNT)
    role = PrincipalState(arn="r", name="platform-admin", type="role", account=ACCOUNT)
    known = [Known(value=value, source="iam", asked_at=NOW) for value in (state, role)]
    unknown = Unknown(why="AccessDenied", source="iam", asked_at=NOW)
    principals = {"a": known[0], "r": known[1], "u": unknown}
    assert persons(findings(actor, principals=principals)) == ("jo.contractor@example.com", "jo2", "jo3", "shared")


def test_machines_and_roles_are_no_suspects():
    assert persons(findings(attribute(by(session("i-0123456789abcdef0"))))) == ()
