"""Plans for tests: an organisation, an action, a copy and a deletion."""

from datetime import UTC, datetime

from decisions.organization import Account, ApprovalPolicy, Organization
from decisions.plan import ActionClass, PlannedAction, Precondition

NOW = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
PRODUCTION, DEVELOPMENT = "111122223333", "444455556666"


def organization(**policy):
    return Organization(
        id="o-exampleorg11",
        management_account="123456789012",
        forensics_account="777788889999",
        forensics_bucket="example-forensics-evidence",
        accounts=(
            Account(id=PRODUCTION, name="production", sensitivity="production"),
            Account(id=DEVELOPMENT, name="development", sensitivity="development"),
        ),
        break_glass=("arn:aws:iam::111122223333:role/break-glass",),
        approvals=ApprovalPolicy(**policy),
    )


def action(
    kind="s3.lock-export", target="example-drop", needs=(), cls=ActionClass.REVERSIBLE, account=PRODUCTION, **parameters
):
    return PlannedAction(
        id=f"{kind}:{target}", kind=kind, target=target, account=account, region="us-east-1", action_class=cls,
        reason="it holds the export", evidence=("EV-0001",), preconditions=(Precondition(fact="policy", sha256="0" * 64),),
        parameters=parameters, before={"policy": None}, after={"policy": "deny"}, inverse="put back", blast_radius="one bucket",
        permissions=("s3:PutBucketPolicy",), needs=needs,
    )  # fmt: skip


COPY = action("forensics.copy-export", "example-drop/a.ova")
DELETE = action("s3.delete-export", "example-drop/a.ova", needs=(COPY.id,), cls=ActionClass.DESTRUCTIVE)
