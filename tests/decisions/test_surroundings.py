"""What stands around an export: sign-ins before it, and alerts of other rules. No Elasticsearch, no Prefect."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from decisions.evidence import Coverage
from decisions.findings import Severity, Verdict
from decisions.related_alerts import CONCEALMENT, RelatedAlerts, Shared, related_alert
from decisions.severity import assess
from decisions.statements import AUTHENTICATION, EXPORTS, KEYS, PERMISSIONS
from flows.vm_export.rules import SEVERITY_RULES
from tests.decisions.test_investigation import findings, investigated
from tests.flows.given import EXPORTED, NOW, answer, case, export, known, record, unknown

SUSPENDED, SHARED_AMI = next(iter(CONCEALMENT)), "6a309864-fc3f-11ee-b8cc-f661ea17fbce"
CASE = Shared(
    accounts=("111122223333",),
    access_keys=("ASIAEXAMPLEEXAMPLE01",),
    principal_arns=("arn:aws:sts::111122223333:assumed-role/platform-admin/jo.contractor@example.com",),
    principal_ids=("AROAEXAMPLEEXAMPLE:jo.contractor@example.com",),
    buckets=("example-drop",),
)
STRANGER = {
    "user": {"id": "AIDAOTHER"},
    "cloud": {"account": {"id": "111122223333"}},
    "aws": {"cloudtrail": {"user_identity": {"arn": "arn:aws:iam::111122223333:user/other", "access_key_id": "AKIAOTHER"}}},
}  # fmt: skip


def alert(rule_id=SHARED_AMI, severity="medium", **change):
    document = json.loads((Path(__file__).parent.parent / "alerts" / "nested.json").read_text())
    document["kibana"]["alert"] |= {"severity": severity}
    document["kibana"]["alert"]["rule"] |= {"rule_id": rule_id, "name": "another rule"}
    return document | change


def alerts(*documents, gaps=()):
    found = tuple(a for n, d in enumerate(documents) if (a := related_alert(str(n), d, CASE)))
    coverage = Coverage(searched_from=EXPORTED, searched_to=NOW, complete=not gaps, gaps=gaps)
    return known(RelatedAlerts(alerts=found, coverage=coverage))


# ---- which alerts belong to a case


def test_an_alert_about_the_actor_belongs_to_the_case():
    found = related_alert("a", alert(), CASE)
    assert (found.actor, found.bucket, found.account) == (True, None, "111122223333")


@pytest.mark.parametrize("form", ["flattened", "text", "resource"])
def test_an_alert_about_the_bucket_belongs_to_it_in_whatever_form_the_bucket_is_named(form):
    told = {
        "flattened": {"flattened": {"request_parameters": {"bucketName": "example-drop"}}},
        "text": {"request_parameters": "{bucketName=example-drop, acl=}"},
        "resource": {"resources": [{"arn": "arn:aws:s3:::example-drop/vm/x.ova"}]},
    }
    stranger = {"aws": {"cloudtrail": STRANGER["aws"]["cloudtrail"] | told[form]}}
    found = related_alert("a", alert(**(STRANGER | stranger)), CASE)
    assert (found.actor, found.bucket) == (False, "example-drop")


def test_of_strangers_in_the_account_only_those_who_avoid_traces_belong_to_it():
    assert related_alert("a", alert(**STRANGER), CASE) is None
    assert related_alert("a", alert(SUSPENDED, **STRANGER), CASE).conceals
    elsewhere = STRANGER | {"cloud": {"account": {"id": "444455556666"}}}
    assert related_alert("a", alert(SUSPENDED, **elsewhere), CASE) is None


def test_an_alert_without_a_time_is_refused():
    with pytest.raises(ValueError, match="creation time"):
        related_alert("a", alert(**{"@timestamp": None}), CASE)


# ---- what follows from them


def statements(found):
    return [s for s in found.statements if "alert" in s.statement.lower()]


def test_without_elasticsearch_nobody_speaks_of_alerts():
    found = findings(investigated())
    assert statements(found) == []
    assert found.missing == ()


def test_alerts_that_could_not_be_asked_for_are_missing_not_absent():
    found = findings(investigated(alerts=unknown("Elasticsearch did not answer.")))
    assert found.missing == ("alerts of other rules: Elasticsearch did not answer.",)


def test_a_gap_in_the_alerts_is_missing():
    found = findings(investigated(alerts=alerts(gaps=("No index of space other.",))))
    assert found.missing == ("alerts of other rules: No index of space other.",)


def test_an_actor_who_avoids_traces_is_malicious():
    found = findings(investigated(alerts=alerts(alert(SUSPENDED))))
    assert found.verdict is Verdict.MALICIOUS
    assert "a CloudTrail trail was suspended" in found.verdict_reasons[0]


def test_somebody_else_in_the_account_who_avoids_traces_is_told_and_no_reason_against_the_actor():
    found = findings(investigated(alerts=alerts(alert(SUSPENDED, **STRANGER))))
    assert found.verdict is Verdict.EXPECTED
    assert any("by somebody else" in s.statement for s in statements(found))


@pytest.mark.parametrize(
    ("severity", "verdict"), [("low", Verdict.EXPECTED), ("medium", Verdict.EXPECTED), ("high", Verdict.SUSPICIOUS)]
)
def test_grave_alerts_about_the_actor_are_a_concern(severity, verdict):
    found = findings(investigated(alerts=alerts(alert(severity=severity), alert(severity="low"))))
    assert found.verdict is verdict
    assert any("2 alerts of other rules" in s.statement for s in statements(found))


def test_concealment_by_an_actor_of_the_case_makes_it_high():
    facts = case(export())
    assert assess(facts, SEVERITY_RULES).level is Severity.LOW
    hidden = facts.model_copy(update={"alerts": alerts(alert(SUSPENDED))})
    assert "high.concealment" in assess(hidden, SEVERITY_RULES).held
    elsewhere = facts.model_copy(update={"alerts": alerts(alert(SUSPENDED, **STRANGER))})
    assert "high.concealment" not in assess(elsewhere, SEVERITY_RULES).held


# ---- sign-ins


def sign_in(at=0, answer="Success", mfa="Yes", **change):
    return record(
        "ConsoleLogin",
        event_id=f"login-{at}",
        event_source="signin.amazonaws.com",
        time=EXPORTED + timedelta(minutes=at),
        user_name="jo",
        response_elements={"ConsoleLogin": answer},
        additional={"MFAUsed": mfa},
        **({"source_address": "192.0.2.7"} | change),
    )


def signed_in(*records):
    base = {KEYS: known(answer(record())), PERMISSIONS: known(answer()), EXPORTS: known(answer())}
    return findings(investigated(activity=base | {AUTHENTICATION: known(answer(*records))}))


def test_sign_ins_are_told_and_an_ordinary_one_is_no_concern():
    found = signed_in(sign_in())
    assert found.verdict is Verdict.EXPECTED
    assert any("1 sign-ins and role changes" in s.statement and "192.0.2.7" in s.statement for s in found.statements)


@pytest.mark.parametrize(("address", "verdict"), [("192.0.2.7", Verdict.EXPECTED), ("203.0.113.9", Verdict.SUSPICIOUS)])
def test_a_sign_in_without_a_second_factor_from_outside_is_a_concern(address, verdict):
    found = signed_in(sign_in(mfa="No", source_address=address))
    assert found.verdict is verdict
    assert any("without a second factor" in s.statement for s in found.statements)


def test_a_sign_in_that_was_refused_without_a_second_factor_is_none():
    found = signed_in(sign_in(mfa="No", answer="Failure", source_address="203.0.113.9"))
    assert not any("without a second factor" in s.statement for s in found.statements)


@pytest.mark.parametrize(("refused", "verdict"), [(2, Verdict.EXPECTED), (3, Verdict.SUSPICIOUS)])
def test_a_guessed_password_is_a_concern(refused, verdict):
    tries = [sign_in(at, "Failure") for at in range(refused)]
    assert signed_in(*tries, sign_in(9)).verdict is verdict
    assert signed_in(*tries).verdict is Verdict.EXPECTED, "nobody came in"
