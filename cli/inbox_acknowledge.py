"""`vmexport inbox acknowledge`: a person has looked at what the inbox complains of, and says so with their one-time code."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.gates import As, Code
from cli.inbox_item import Json, at, item_of

BODY = re.compile("[0-9]{1,18}")
LONGEST_REASON = 1000
NOTHING = "there is nothing to acknowledge. `vmexport inbox` lists what there is."


def acknowledge(
    what: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="Number of a body in quarantine, or id of an alert that came by one way only"
        ),
    ],
    as_: As,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="What you found; kept with it")],
    code: Code = None,
    as_json: Json = False,
) -> None:
    """Say that you have looked at it: it stays listed, with you and your reason, and fails `vmexport inbox` no more.

    Asks for your one-time code, as `vmexport approve` does.

    Example: vmexport inbox acknowledge 17 --as alice@example.com --reason "a test of the connector, by us"
    """
    from cli.console import UsageProblem, say, say_json
    from decisions.plain import plain_text

    why = plain_text(reason.strip(), None)
    if not 0 < len(why) <= LONGEST_REASON:
        raise UsageProblem(f"--reason has {len(why)} characters. Say in 1 to {LONGEST_REASON} what you found.")
    acknowledge_one = _body if BODY.fullmatch(what) else _alarm
    who = acknowledge_one(what, as_, code, why)
    if as_json:
        say_json({"acknowledged": what, "by": who, "reason": why})
    else:
        say(f"acknowledged by {who}: {plain_text(what, 100)}.")


def _body(number: str, who: str, code: str | None, why: str) -> str:
    from cli.console import UsageProblem, say
    from decisions.plain import plain_text
    from records import inbox

    item = item_of(int(number))
    if item.state != "quarantined":  # said before a code is used up for nothing
        raise UsageProblem(f"{inbox.became(item)}: {NOTHING}")
    say(f"item {item.id} from {item.source}, {len(item.body)} bytes: {plain_text(str(item.why))}", error=True)
    address = _identified(who, code)
    try:
        inbox.acknowledge(item.id, address, why)
    except inbox.NotInQuarantine as error:
        raise UsageProblem(f"{error}: {NOTHING}") from error
    return address


def _alarm(alert_id: str, who: str, code: str | None, why: str) -> str:
    from cli.console import UsageProblem, say
    from decisions.plain import plain_text
    from records import deliveries

    gone = UsageProblem(f"no alarm is open for alert {plain_text(alert_id, 100)}: {NOTHING}")
    alarm = next((alarm for alarm in deliveries.alarms() if alarm.alert_id == alert_id), None)
    if alarm is None:
        raise gone
    say(plain_text(str(alarm.alarm)), error=True)
    address = _identified(who, code)
    if not deliveries.acknowledge(alert_id, f"by {address} at {at(datetime.now(UTC))}: {why}"):
        raise gone
    return address


def _identified(who: str, code: str | None) -> str:
    """The address of the person whose code it is. Raises UsageProblem; a code is used up by being right."""
    from cli.console import UsageProblem
    from cli.gates import asked_code
    from records import approvers

    checked = approvers.verify(who, code or asked_code(who), now=datetime.now(UTC))
    if isinstance(checked, approvers.Refused):
        raise UsageProblem(f"nothing was acknowledged: {checked.why}")
    return checked.address
