"""The scheduled hunt: what it finds becomes a case once, what it knew it says, and nobody's death loses or doubles anything."""

from __future__ import annotations

import asyncio
import base64
import re
import threading
from datetime import UTC, datetime, timedelta

import pytest

from decisions.case import CaseState, fold
from flows.hunt_progress import ProgressLog
from flows.retro_hunt import Hunted, retro_hunt
from records import closing, hunt_lock, hunts, ledger
from records.database import transaction
from settings import hunts as hunts_settings
from settings.hunts import HuntsUnusable
from tasks.artifacts import summary_key
from tests.flows import hunts_of
from tests.flows.hunts_of import case_of
from tests.hunting.logs_of import PLACE, compact, event, export, write

pytestmark = pytest.mark.usefixtures("database", "prefect")
SOURCE = """
[[source]]
name = "logs"
kind = "files"
place = "{place}"
first = "9000d"
{more}
"""
NOISY = """
title: Everything
id: 11111111-2222-4333-8444-555555555555
status: test
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventName: DescribeInstances}
  condition: selection
level: high
"""
READ = {
    "eventSource": "s3.amazonaws.com", "userIdentity": {"type": "AWSAccount", "accountId": "210987654321", "principalId": "AIDAEXAMPLEREADER"},
    "requestParameters": {"bucketName": "exports", "key": "vms/export-i-0123456789abcdef0.ova"},
}  # fmt: skip


@pytest.fixture
def logs(tmp_path, monkeypatch):
    """A folder of logs with an export, configured as the source `logs`."""
    root = tmp_path / "logs"
    write(root, compact([event(0), export(1)]))
    configure(tmp_path, monkeypatch)
    yield root
    hunts_settings.hunts.cache_clear()


def configure(tmp_path, monkeypatch, more=""):
    hunts_of.configure(tmp_path, monkeypatch, SOURCE.format(place=tmp_path / "logs", more=more))


def run(**asked):
    return hunts_of.run("logs", **asked)


def summaries(key="retro-hunt-logs"):
    return hunts_of.summaries(key)


def add(root, day, *records):
    """A file of this day of March 2026."""
    moved = [record | {"eventTime": f"2026-03-{day:02}T10:00:{n:02}Z"} for n, record in enumerate(records)]
    write(root, compact(moved), f"{day}.json.gz", PLACE.replace("03/02", f"03/{day:02}"))


def test_an_export_becomes_a_case_and_the_next_run_says_that_it_is_known_and_closed(logs):
    first = run()
    case = case_of(first)
    assert [e.task_id for e in case.exports] == ["export-i-0123456789abcdef0"]
    closing.close(case.id, "test", {"verdict": "malicious"}, {e.event_id for e in case.exports})
    before = ledger.entries(case.id)
    # the same export by another trail, with an id of its own
    add(logs, 2, export(1, eventID="00000001-0000-4000-8000-00000000ffff"))
    again = run(since="2026-03-01")
    assert again.cases == ()
    assert ledger.entries(case.id) == before
    told = summaries()[-1]
    assert f"seen: case {case.id} is closed" in told
    assert "1 new, 1 found again, 0 gone" in told


def test_a_late_read_opens_the_closed_case_again_though_its_export_lies_before_the_period(logs):
    case = case_of(run())
    closing.close(case.id, "test", {"verdict": "malicious"}, {e.event_id for e in case.exports})
    add(logs, 20, event(5, "GetObject", **READ))
    late = run(since="2026-03-19")
    assert late.cases == (case.id,)
    reopened = fold(ledger.entries(case.id))
    assert (reopened.state, reopened.reopened) == (CaseState.OPEN, 1)
    assert [r.caller_account for r in reopened.downloads] == ["210987654321"]
    assert "is open again" in summaries()[-1]
    assert run(since="2026-03-19").cases == ()


def test_it_begins_where_the_last_whole_run_ended_less_the_overlap(logs):
    write(logs, compact([event(3)]), "of-no-day.json.gz", ".")
    run(since="2026-03-01")  # by hand, before the first of the schedule: what lies before is still to be looked at
    first, second = run(), run()
    assert first.since < datetime(2010, 1, 1, tzinfo=UTC)
    assert second.since == first.until - timedelta(days=2)
    run(since="2026-03-01", until="2026-03-02")  # some other time: what comes next still begins where it would have
    assert run().since == second.until - timedelta(days=2)


def test_a_run_that_asks_the_same_as_one_at_work_is_cancelled_and_others_are_not(logs):
    with hunt_lock.alone("logs") as free:
        assert free
        state = asyncio.run(retro_hunt(source="logs", return_state=True))
        assert state.is_cancelled()
        assert "at work" in state.message
        assert isinstance(run(accounts=["444455556666"]), Hunted)
    assert isinstance(run(), Hunted)


def test_a_run_that_was_killed_is_gone_on_with(logs):
    hunts.begin_run("retro-hunt", "logs", None, None)  # and then the process was gone, and its lock with it
    hunted = run()
    assert case_of(hunted)
    assert hunts.last_run("retro-hunt", "logs", "failed").why.startswith("it was killed")


def test_findings_that_a_killed_run_had_kept_are_handed_over_by_the_next(logs, monkeypatch):
    def die(reads):
        raise OSError("killed")

    with monkeypatch.context() as dying:
        dying.setattr("records.hunt_intake.take_in", die)
        with pytest.raises(OSError, match="killed"):
            run()
    assert ledger.cases() == ()
    write(logs, compact([event(3)]), "of-no-day.json.gz", ".")
    assert case_of(run(since="2026-03-10")).exports
    assert hunts.last_run("retro-hunt", "logs", "failed").why == "OSError: killed"


def test_accounts_and_regions_narrow_it_and_it_says_so(logs):
    assert run(accounts=["444455556666"]).findings == 0
    assert run(regions=["us-east-1"]).findings == 0
    assert run(accounts=["111122223333"], regions=["eu-central-1"]).findings == 1
    told = summaries("retro-hunt-logs-444455556666")[-1]
    assert "Only accounts 444455556666 were asked about" in told
    assert "Nothing found, and not everything was searched" in told
    assert "Nothing of account 444455556666 is among what was searched" in told


def test_a_noisy_rule_is_refused_and_named_and_a_quiet_one_is_asked(logs, tmp_path, monkeypatch):
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "noisy.yml").write_text(NOISY)
    (rules / "quiet.yml").write_text(
        NOISY.replace("DescribeInstances", "DeleteTrail").replace("11111111-", "11111112-")
    )
    configure(tmp_path, monkeypatch, f'rules = "{rules}"')
    add(logs, 3, *(event(n) for n in range(50)), event(60, "DeleteTrail"))
    hunted = run(until="2026-03-04")
    with transaction() as connection:
        kept = hunts.findings(connection, kinds=("rule",))
    assert [k.finding.event_name for k in kept] == ["DeleteTrail"]
    assert hunted.findings == 2
    assert "VMEXPORT_HUNT_RULE_RATE_MAX" in summaries()[-1]


def test_less_that_was_searched_than_last_time_is_said_and_what_is_gone_is_named(logs):
    whole = {"since": "2026-03-02", "until": "2026-03-02T23:00:00"}
    run(**whole)
    (logs / PLACE / "a.json.gz").write_bytes(b"\x1f\x8b broken")
    add(logs, 2, event(7))
    run(**whole)
    told = summaries()[-1]
    assert "0 new, 0 found again, 1 gone" in told
    assert "Last time everything was searched, this time not." in told


def test_a_file_that_could_not_be_read_is_looked_for_again_however_late_it_can_be(logs):
    broken = write(logs, b"\x1f\x8b broken", "of-no-day.json.gz", ".", packed=False)
    write(logs, compact([event(3)]), "whole.json.gz", ".")
    first = run()
    assert "does not move the mark" in summaries()[-1]
    broken.unlink()
    second = run()
    assert second.since - first.since < timedelta(days=1), "it begins where the first did, not where it ended"
    assert "does not move the mark" not in summaries()[-1]
    assert run().since == second.until - timedelta(days=2)


def test_where_nothing_could_be_searched_the_run_fails_and_the_next_begins_at_the_same_place(logs):
    (logs / PLACE / "a.json.gz").write_bytes(b"\x1f\x8b broken")
    with pytest.raises(RuntimeError, match="no answer"):
        run()
    write(logs, compact([export(1)]))
    assert case_of(run())


def test_the_chart_is_an_image_that_no_callers_name_breaks_out_of(logs):
    hostile = "arn:aws:iam::111122223333:user/<script>alert(1)</script>"
    who = {"type": "IAMUser", "arn": hostile, "accountId": "111122223333"}
    add(logs, 4, export(9, userIdentity=who))
    run()
    [image] = re.findall(r"!\[[^\]]*\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", summaries()[-1])
    svg = base64.b64decode(image).decode()
    assert svg.startswith("<svg")
    assert "<script>" not in svg
    assert "accepted" in svg


def test_a_source_that_is_not_configured_is_said_with_those_that_are(logs):
    with pytest.raises(HuntsUnusable, match="there are: logs"):
        asyncio.run(retro_hunt(source="other"))


def test_progress_tells_files_bytes_rate_and_time_left():
    said = []
    progress = ProgressLog(said.append, every=0)
    progress.told("exports", 10, 100, 2_000_000, 20_000_000)
    assert re.fullmatch(r"exports: 10%, 10 of 100 files, 2\.0 MB of 20\.0 MB, \S+ \S?B/s, \d+ s left", said[-1])


async def test_a_source_that_tells_nothing_is_said_to_be_at_work():
    said, heard = [], threading.Event()
    progress = ProgressLog(lambda line: (said.append(line), heard.set()))
    progress.engine = lambda: "3 of 9 splits"
    assert await progress.thread(lambda: heard.wait(30), silence=0.01)
    assert re.fullmatch(r"asking: at work for \d+ s; 3 of 9 splits", said[0])


@pytest.mark.parametrize("asked", [{"accounts": ["11112222333"]}, {"regions": ["us-east"]}, {"since": "soon"}])
def test_what_is_misspelt_is_no_night_in_which_nothing_was_found(logs, asked):
    with pytest.raises(HuntsUnusable, match="rite"):
        run(**asked)


def test_the_summaries_of_hunts_over_many_accounts_are_kept_apart():
    many = ",".join(f"{n:012}" for n in range(20))
    keys = {summary_key(f"logs {many},{last}") for last in ("111122223333", "444455556666")}
    assert len(keys) == 2
    assert max(map(len, keys)) <= 200


@pytest.fixture
def stored(tmp_path, monkeypatch, logs):
    """The same folder, whose files go into a store first."""
    configure(tmp_path, monkeypatch, f'store = "{tmp_path / "store"}"')
    return logs


def test_with_a_store_each_file_is_read_once_and_an_export_in_a_new_one_is_found(stored):
    first = run()
    assert (first.files_read, first.files_known, first.findings) == (1, 0, 1)
    case = case_of(first)
    task = "export-i-0aaaaaaaaaaaaaaaa"
    late = export(2, responseElements={"exportTask": {"exportTaskId": task}})
    add(stored, 3, event(0), late)
    second = run()
    assert (second.files_read, second.files_known) == (1, 1)
    assert second.cases == (case.id,), "found in a new file, though it happened before the run's time"
    assert {e.task_id for e in fold(ledger.entries(case.id)).exports} == {"export-i-0123456789abcdef0", task}
    assert (run().files_read, run().cases) == (0, ())


def test_a_file_that_the_store_could_not_take_is_named_in_every_summary_until_it_is_whole(stored):
    (stored / PLACE / "b.json.gz").write_bytes(b"\x1f\x8b broken")
    asked = {"since": "2026-03-01", "until": "2026-03-05"}
    assert not run(**asked).complete
    assert not run(**asked).complete
    assert "b.json.gz" in summaries()[-1]
