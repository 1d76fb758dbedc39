"""Incidents that are not as they should be: each ends with a clear sentence, keeps every alert, and shows no markup of strangers."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from decisions import report
from decisions.case import fold
from decisions.evidence import Known, Unknown
from decisions.export import ExportApi, ExportEvent
from decisions.findings import Findings, Severity, Verdict
from decisions.plan import Plan
from flows.results import RESULTS
from flows.vm_export.investigation import investigate
from flows.vm_export.planning import record_proposal
from flows.vm_export.post_incident import Closure, post_incident
from flows.vm_export.triage import triage
from records import cases, ledger
from tests.flows.incidents import CASE, export_event, open_case, running_instance
from tests.lab.aws import PRODUCTION
from tests.tasks.conftest import DEVELOPMENT, FOREIGN

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("prefect", "database", "ours")]

GATES = ("containment", "destruction", "eradication", "recovery")
NOTHING = (
    "recipient_account", "region", "instance_id", "image_id", "bucket", "prefix", "task_id", "object_key", "principal_arn",
    "issuer_arn", "access_key_id", "principal_type", "caller_account", "source_address",
)  # fmt: skip
DROP = "example-drop"


class Ended:
    """A case that went the playbook's way as far as no person has to answer, and was then closed."""

    def __init__(self, findings: Findings, plans: dict[str, Plan], closure: Closure) -> None:
        self.findings, self.plans, self.closure = findings, plans, closure
        self.case = fold(ledger.entries(CASE))
        self.html = Path(closure.report).read_text()
        self.markdown = Path(ledger.entries(CASE, "report-written")[-1].data["markdown"]).read_text()
        self.card = report.case_card(ledger.entries(CASE), findings, None, findings.as_of)
        self.shown = "\n".join([self.card, self.markdown, *(report.plan_table(p) for p in plans.values())])

    def targets(self) -> set[str]:
        return {a.target for plan in self.plans.values() for a in plan.actions}


async def respond(*events: ExportEvent) -> Ended:
    """Triage, investigation, four plans, report: as flows call them, resumed from what was kept in between."""
    open_case(*events)
    triaged = await triage(CASE)
    assert RESULTS.loads(RESULTS.dumps(triaged)) == triaged
    findings = RESULTS.loads(RESULTS.dumps(await investigate(CASE)))
    plans = {gate: record_proposal(findings, gate) for gate in GATES}
    ended = Ended(findings, plans, await post_incident(CASE))
    assert {e.event_id for e in events} <= {e.event.event_id for e in findings.exports}
    assert [e.event_id for e in ended.case.exports] == [e.event_id for e in events]
    assert findings.verdict is not Verdict.EXPECTED
    assert findings.assessment.level is not Severity.LOW
    assert ended.closure.closed
    assert cases.verify_case(CASE) == ()
    return ended


def says(ended: Ended, *words: str) -> bool:
    """Whether one sentence of what is missing has all the words."""
    told = (*ended.findings.missing, *ended.case.missing, *(g["why"] for g in ended.case.gaps))
    return any(all(w in sentence for w in words) for sentence in told)


@pytest.fixture
def machine(ours):
    """A production instance, and the bucket that it goes to."""
    ours[PRODUCTION].client("s3").create_bucket(Bucket=DROP)
    return running_instance(ours[PRODUCTION], DataClassification="restricted")


async def test_an_account_that_has_no_role_of_ours(ours, machine):
    ours[DEVELOPMENT].client("iam").delete_role_policy(RoleName="vmexport-read", PolicyName="given")
    ours[DEVELOPMENT].client("iam").delete_role(RoleName="vmexport-read")
    ended = await respond(export_event(recipient_account=DEVELOPMENT, caller_account=DEVELOPMENT, instance_id=machine))
    assert says(ended, f"{DEVELOPMENT}:role/vmexport-read could not be assumed", "trusts the base credentials")
    assert isinstance(ended.findings.exports[0].account, Known)
    assert DROP not in ended.targets()


async def test_an_account_outside_the_organization(machine):
    ended = await respond(export_event(recipient_account=FOREIGN, caller_account=FOREIGN, instance_id=machine))
    assert says(ended, f"account {FOREIGN} is not in organization.toml", "no role of ours is assumed in it")
    assert ended.findings.assessment.level is Severity.HIGH
    assert not [a for plan in ended.plans.values() for a in plan.actions if a.account == FOREIGN]


async def test_an_instance_that_is_gone(machine):
    ended = await respond(export_event(instance_id="i-0aaaaaaaaaaaaaaaa"))
    assert says(ended, "i-0aaaaaaaaaaaaaaaa", "DescribeInstances: InvalidInstanceID.NotFound")
    assert isinstance(ended.findings.buckets[DROP], Known)


async def test_a_bucket_of_a_foreign_account(ours, machine):
    ours[FOREIGN].client("s3").create_bucket(Bucket="example-foreign")
    ended = await respond(export_event(instance_id=machine, bucket="example-foreign"))
    assert says(ended, f"example-foreign is not a bucket of account {PRODUCTION}", "Find out whose it is")
    assert "example-foreign" not in ended.targets()
    assert any(u.startswith("high.public-bucket: ") for u in ended.findings.assessment.undecided)


async def test_a_bucket_that_does_not_exist(machine):
    ended = await respond(export_event(instance_id=machine, bucket="example-nowhere"))
    assert says(ended, f"example-nowhere is not a bucket of account {PRODUCTION}: it is gone")
    assert "example-nowhere" not in ended.targets()


@pytest.mark.parametrize(("api", "task_id", "image_id"), [
    (ExportApi.INSTANCE, "export-i-0123456789abcdef0", None),
    (ExportApi.IMAGE, "export-ami-0123456789abcdef0", "ami-0123456789abcdef0"),
    (ExportApi.STORE, None, "ami-0123456789abcdef0"),
])  # fmt: skip
async def test_a_task_that_ec2_no_longer_knows(machine, api, task_id, image_id):
    ended = await respond(export_event(api=api, instance_id=machine, task_id=task_id, image_id=image_id))
    assert isinstance(ended.findings.exports[0].task, Unknown)
    assert says(ended, f"task of {task_id or image_id}")
    assert not any(a.kind == "ec2.cancel-export" for a in ended.plans["containment"].actions)


async def test_an_alert_that_names_no_machine_no_bucket_no_task_and_nobody(machine):
    ended = await respond(export_event(**dict.fromkeys(NOTHING)))
    assert says(ended, "does not tell account and Region")
    assert says(ended, "does not tell which task it is")
    assert not ended.targets()


HOSTILE = (
    "{{ 12345*10001 }}{% for x in y %}", "<script>alert(1)</script><img src=x onerror=alert(1)>", "**bold** `code` [x](https://evil.example)",
    "<!channel> <https://evil.example|click>", "| a | b |\n\n# Heading\n- item", "\x1b[2J\x1b]0;owned\x07 \u202egnp.exe\u200b",
    "```\nfence\n```", "__class__", "javascript:alert(1)", "![i](https://evil.example/x.png)", "@here &lt;b&gt; $(id) ${x}", "]]></svg>",
)  # fmt: skip


class Markup(HTMLParser):
    """Names of the elements, the attributes that lead or run somewhere, and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.dangerous: list[tuple[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.dangerous += [
            (k, v) for k, v in attrs if k.startswith("on") or (k in ("href", "src") and "evil" in str(v))
        ]


async def test_hostile_text_stays_text_on_card_plan_and_report(ours, machine):
    text = " ".join(HOSTILE)
    ec2 = ours[PRODUCTION].client("ec2")
    borne = [re.sub(r"[\x00-\x08\x0b-\x1f]", "", t) for t in HOSTILE]  # XML 1.0, in which EC2 answers, has no others
    tags = [{"Key": f"{n}{t}"[:120], "Value": t} for n, t in enumerate(borne)]
    ec2.create_tags(Resources=[machine], Tags=[*tags, {"Key": "__class__", "Value": "os.system"}])
    named = " ".join(t for t in HOSTILE if t.isprintable())
    key = f"vm/{named}/export-i-0123456789abcdef0.ova"
    ours[PRODUCTION].client("s3").put_object(Bucket=DROP, Key=key, Body=b"image")
    ended = await respond(
        export_event(
            instance_id=machine, description=text, user_agent=text, object_key=key, error_code=None, principal_id=text,
            source_identity=text, alert_rule=text, warnings=(text,),
        )
    )  # fmt: skip
    instance = ended.findings.exports[0].instance
    assert isinstance(instance, Known)
    assert instance.value.tags["__class__"] == "os.system"
    assert any(
        v.key == key for answer in ended.findings.objects.values() if isinstance(answer, Known) for v in answer.value
    )
    assert any(a.target == DROP for a in ended.plans["containment"].actions)

    page = Markup(ended.html)
    assert not page.dangerous
    assert not {"script", "img", "iframe", "b"} & set(page.tags)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u200b\u202e]", ended.shown + ended.html)
    assert "123462345" not in ended.shown + ended.html
    outside = without_code_and_escapes(ended.shown)
    for markup in (
        "<script",
        "<img",
        "](https://evil",
        "https://evil",
        "**bold**",
        "<!channel",
        "\n# Heading",
        "\n- item",
    ):
        assert markup not in outside, markup


def without_code_and_escapes(markdown: str) -> str:
    """Markdown without code spans, code blocks and escaped characters, in which nothing is markup."""
    fenced = re.sub(r"^(`{3,})[^`\n]*\n.*?^\1`*$", "", markdown, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"(?<![`\\])(`+)(?!`)(.+?)(?<!`)\1(?!`)|\\\S", "·", fenced)
