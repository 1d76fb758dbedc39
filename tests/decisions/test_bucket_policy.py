"""A locked image is out of reach for everybody but us, whatever the policy said; everything else goes on."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given

from decisions.bucket_policy import key_pattern, lock
from decisions.policy import AccessRequest, PolicyError, PolicyTooLarge
from decisions.vm_export_grantees import OTHER_REGIONS
from tests.decisions.bucket_policies import (
    CHANGING,
    ELSEWHERE,
    EVIL,
    LOGGING,
    OPEN,
    OTHER_KEY,
    OTHERS,
    SERVICES,
    SETTINGS,
    TAKING,
    admitted,
    existing,
    locked,
    text_of,
)
from tests.decisions.policies import (
    ACCOUNT,
    BUCKET,
    COPIER,
    KEY,
    OBJECT,
    PLACE,
    RESPONDER,
    USER,
    request,
    session_of,
    statement,
)


class TestLock:
    @given(existing)
    @example(OPEN)
    def test_nobody_else_reads_the_image_or_changes_the_bucket(self, text):
        after = locked(text)
        for who in (*OTHERS, *SERVICES, None):
            assert not any(admitted(after, request(a, OBJECT, who)) for a in TAKING)
            assert not any(admitted(after, request(a, PLACE, who)) for a in SETTINGS)

    @given(existing)
    @example(OPEN)
    def test_nobody_else_overwrites_or_deletes_the_image(self, text):
        after = locked(text)
        assert not any(admitted(after, request(a, OBJECT, who)) for a in CHANGING for who in (*OTHERS, None))

    @given(existing)
    @example(OPEN)
    def test_an_account_known_by_its_canonical_id_only_is_nobody_else(self, text):
        for action in (*TAKING, "s3:PutObject"):
            asked = AccessRequest(action=action, resource=OBJECT, principal_canonical_id=OTHER_REGIONS)
            assert not admitted(locked(text), asked)

    @given(existing)
    def test_we_still_can(self, text):
        after = locked(text)
        assert all(admitted(after, request(a, PLACE, session_of(RESPONDER))) for a in (*SETTINGS, "s3:GetBucketPolicy"))
        for action in ("s3:DeleteObjectVersion", "s3:PutObjectLegalHold", "s3:GetObjectVersion"):
            assert admitted(after, request(action, OBJECT, session_of(RESPONDER))), action
        for action in ("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAttributes", "s3:GetObjectTagging"):
            assert admitted(after, request(action, OBJECT, session_of(COPIER))), action
        for action in ("s3:ListBucket", "s3:ListBucketVersions"):
            assert admitted(after, request(action, PLACE, session_of(COPIER))), action

    @given(existing)
    @example(OPEN)
    def test_other_keys_and_log_delivery_are_as_they_were(self, text):
        after = locked(text)
        for action, resource in (
            ("s3:GetObject", OTHER_KEY), ("s3:PutObject", ELSEWHERE), ("s3:DeleteObject", ELSEWHERE),
            ("s3:ListBucket", PLACE), ("s3:GetBucketPolicy", PLACE), ("s3:GetBucketAcl", PLACE),
        ):  # fmt: skip
            for who in (*OTHERS, *SERVICES, None):
                asked = request(action, resource, who)
                assert admitted(after, asked) == admitted(text, asked), (action, resource, who)

    @given(existing)
    def test_a_locked_policy_is_locked_already(self, text):
        assert locked(locked(text)) == locked(text)

    def test_logs_are_delivered_even_where_everything_is_locked(self):
        allowed = statement(action="s3:PutObject", resource=f"{PLACE}/*", Principal={"Service": LOGGING})
        after = locked(text_of(allowed), keys=["*"])
        assert admitted(after, request("s3:PutObject", ELSEWHERE, LOGGING))
        assert not admitted(after, request("s3:GetObject", ELSEWHERE, LOGGING))

    def test_a_deny_that_does_not_bind_us_is_not_touched(self):
        tls = {
            "Sid": "Tls",
            **statement("Deny", "s3:*", Principal="*", Condition={"Bool": {"aws:SecureTransport": "false"}}),
        }
        allow = statement(action="s3:GetObject", resource=OBJECT, Principal="*")
        assert json.loads(locked(text_of(tls, allow)))["Statement"][:2] == [tls, allow]

    def test_a_deny_with_an_exemption_of_its_own_also_spares_us_and_still_binds_the_others(self):
        own = {"ArnNotLike": {"aws:PrincipalArn": EVIL}}
        after = locked(text_of(statement("Deny", "s3:*", f"{PLACE}/*", Principal="*", Condition=own)))
        assert admitted(after, request("s3:GetObject", OBJECT, session_of(COPIER)))
        assert not admitted(after, request("s3:GetObject", OTHER_KEY, USER))
        assert admitted(after, request("s3:GetObject", OTHER_KEY, session_of(EVIL)))

    @pytest.mark.parametrize(
        "condition",
        [
            {"StringNotEquals": {"aws:SourceVpce": "vpce-0123456789abcdef0"}},
            {"StringNotEquals": {"aws:PrincipalOrgID": "o-exampleorg11"}},
            {"arnnotlike": {"AWS:principalarn": EVIL}},
            {"arnnotlike": {"aws:SourceArn": "arn:aws:sns:us-east-1:111122223333:x"}},
            {"ArnNotLike": {"aws:PrincipalArn": EVIL}, "ArnNotEquals": {"aws:PrincipalArn": EVIL}},
        ],
    )
    def test_a_deny_that_may_bind_us_spares_us(self, condition):
        said = locked(text_of(statement("Deny", "s3:*", [PLACE, f"{PLACE}/*"], Principal="*", Condition=condition)))
        for action, resource, who in (("s3:GetObject", OBJECT, COPIER), ("s3:PutBucketPolicy", PLACE, RESPONDER)):
            assert admitted(said, request(action, resource, session_of(who)))
        names = [name.lower() for name in json.loads(said)["Statement"][0]["Condition"]]
        assert len(set(names)) == len(names), "S3 would not know which of two operators of one name is meant"
        assert not admitted(said, request("s3:GetObject", OTHER_KEY, USER))

    def test_two_cases_lock_one_bucket_side_by_side(self):
        both = lock(locked(), BUCKET, ["vm/export-i-11111111111111111.ova"], [RESPONDER], COPIER, "VMX-20260303-EFGH")
        assert not admitted(both, request("s3:GetObject", OBJECT))
        assert not admitted(both, request("s3:GetObject", OTHER_KEY))

    def test_without_a_case_id_other_keys_are_another_lock(self):
        both = locked(locked(case_id=""), keys=["vm/export-i-11111111111111111.ova"], case_id="")
        assert not admitted(both, request("s3:GetObject", OBJECT))
        assert not admitted(both, request("s3:GetObject", OTHER_KEY))

    def test_more_keys_of_a_case_take_the_place_of_its_lock(self):
        again = locked(locked(), keys=[KEY, "vm/second.ova"])
        assert again == locked(keys=["vm/second.ova", KEY])

    def test_every_statement_of_ours_can_be_told_by_its_sid(self):
        sids = [s["Sid"] for s in json.loads(locked())["Statement"]]
        assert len(set(sids)) == len(sids)
        assert all(
            sid.startswith("VMExportResponse") and sid.endswith("VMX20260302ABCD") and sid.isalnum() for sid in sids
        )

    def test_a_statement_that_pretends_to_be_ours_does_not_survive(self):
        sid = json.loads(locked())["Statement"][0]["Sid"]
        assert locked(text_of({"Sid": sid, **statement(Principal="*")})) == locked()

    def test_so_many_keys_that_they_do_not_fit_are_locked_by_their_common_beginning(self):
        keys = [f"vm/export-i-{n:017x}.ova" for n in range(400)]
        after = locked(keys=keys)
        assert len(after.encode()) <= 20480
        assert all(not admitted(after, request("s3:GetObject", f"{PLACE}/{k}")) for k in keys)
        assert admitted(after, request("s3:GetObject", f"{PLACE}/vm/readme"))
        assert admitted(after, request("s3:GetObject", f"{PLACE}/{keys[7]}", session_of(COPIER)))

    def test_a_policy_without_room_is_refused_or_replaced_by_a_lock_of_the_whole_bucket(self):
        full = text_of(
            statement(action="s3:GetObject", Principal="*", resource=[f"{PLACE}/{'x' * 1000}{n}" for n in range(19)])
        )
        with pytest.raises(PolicyTooLarge, match="20480 bytes"):
            locked(full)
        after = locked(full, replace=True)
        for who in OTHERS:
            assert not admitted(after, request("s3:GetObject", ELSEWHERE, who))
        assert admitted(after, request("s3:GetObject", OBJECT, session_of(COPIER)))

    @pytest.mark.parametrize("key", ["a*b", "a?b", "a${aws:username}b", "a b/ü+&.ova", "${*}"])
    def test_a_key_with_signs_that_mean_something_is_locked_as_itself(self, key):
        after = locked(keys=[key_pattern(key)])
        assert not admitted(after, request("s3:GetObject", f"{PLACE}/{key}"))
        assert admitted(after, request("s3:GetObject", f"{PLACE}/axxxb"))

    def test_a_beginning_locks_everything_that_begins_like_it(self):
        after = locked(keys=[key_pattern("vm/export-i-0fed", is_prefix=True)])
        assert not admitted(after, request("s3:GetObject", OBJECT))
        assert admitted(after, request("s3:GetObject", OTHER_KEY))

    @pytest.mark.parametrize(
        ("given", "why"),
        [
            ({"responders": []}, "shut us out"), ({"responders": ["*"]}, "no single role"),
            ({"responders": ["arn:aws:iam::*:role/vmexport-respond"]}, "no single role"),
            ({"responders": [f"arn:aws:iam::{ACCOUNT}:role/vmexport-*"]}, "no single role"),
            ({"copier": f"arn:aws:iam::{ACCOUNT}:role/?"}, "no single role"), ({"keys": []}, "nothing would be locked"),
            ({"text": "{"}, "cannot be read"), ({"text": '{"Statement": [], "Statement": [1]}'}, "more than one meaning"),
        ],
    )  # fmt: skip
    def test_a_lock_that_would_not_be_one_is_refused(self, given, why):
        with pytest.raises(PolicyError, match=why):
            locked(**given)
