"""AWS: whose credentials we start from, which accounts let us look, and whether our clock is AWS's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial

from cli.checks.check import SECONDS, Check, not_configured, ok, problem, side_by_side, warning

COMPONENT = "doctor"
SKEW_SECONDS = 60.0
"""AWS refuses signatures from 5 minutes on; times in a case are compared long before that."""


def aws() -> Iterator[Check]:
    """Base credentials, clock, and the read role of each account, all accounts at once."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    from settings.organization import OrganizationUnusable, organization
    from tasks import sts

    try:
        ours = organization()
    except OrganizationUnusable:
        next_step = "Correct organization.toml first."
        yield problem("AWS", "not looked at: it is not known which accounts are ours", next_step)
        return
    found = side_by_side({"base": partial(sts.base_identity, COMPONENT)})["base"]
    match found:
        case (arn, date):
            yield ok("AWS base credentials", arn)
            yield from clock(date)
        case NoCredentialsError():
            yield not_configured(
                "AWS base credentials", "there are none: nothing can be read or done in AWS",
                "Give this process a role, a profile (AWS_PROFILE) or keys that may assume the roles of deployments/iam.",
            )  # fmt: skip
            return
        case ClientError() | BotoCoreError():
            yield problem("AWS base credentials", f"STS: {found}", "Renew them, or see AWS_ENDPOINT_URL and the proxy.")
            return
        case Exception():
            raise found
        case None:
            yield problem(
                "AWS base credentials", f"STS did not answer within {SECONDS:.0f} s", "See the network's way out."
            )
            return
    names = {account.id: account.name for account in ours.accounts}
    jobs = {id_: partial(sts.aws(COMPONENT).client, "sts", account=id_, tier="read") for id_ in names}
    for id_, answer in side_by_side(jobs).items():
        yield _account(f"AWS {id_} {names[id_]}", answer)


def _account(name: str, answer: object) -> Check:
    from botocore.exceptions import BotoCoreError, ClientError

    if answer is None:
        return problem(name, f"STS did not answer within {SECONDS:.0f} s", "See the network's way out.")
    if isinstance(answer, (ClientError, BotoCoreError)):
        return problem(name, str(answer), "Until then every fact about this account is unknown.")
    if isinstance(answer, Exception):
        raise answer
    return ok(name, "the read role can be assumed")


def clock(date: str | None) -> Iterator[Check]:
    """How far our clock is from the time in a Date header."""
    try:
        theirs = parsedate_to_datetime(date or "")
    except ValueError:
        yield warning(
            "clock", "AWS's answer had no Date header that can be read", "See what stands between us and AWS."
        )
        return
    skew = (theirs - datetime.now(UTC)).total_seconds()
    if abs(skew) > SKEW_SECONDS:
        yield problem("clock", f"ours differs from AWS's by {-skew:+.0f} s", "Run NTP: AWS refuses requests at 300 s.")
    else:
        yield ok("clock", "ours is AWS's, to within a minute")
