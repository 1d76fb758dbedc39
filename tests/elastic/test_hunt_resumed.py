"""A hunt that is killed, or not answered, goes on where it was and asks no finished part twice; what has changed is asked again."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.elastic import hunt as elastic_hunt
from tasks.elastic import hunt_slices
from tasks.elastic.failures import Unanswered
from tasks.elastic.hunt_checkpoint import SUFFIX, UNUSED, CheckpointInUse, opened
from tests.elastic.faults import Answer, proxy
from tests.elastic.hunted import Indexed, days_after, indexed, told
from tests.hunting.logs_of import event, export

pytestmark = pytest.mark.elastic

ROOT = Path(__file__).resolve().parents[2]
DAYS = 8
FAULTY = ("partial shards", "timed out", "point in time gone", "429 with Retry-After")
PASSING = ("429 with Retry-After", "reset in mid-body", "point in time gone")


def records():
    """Of each day one export and another call of the same key."""
    for n in range(DAYS):
        yield export(2 * n, eventTime=days_after(n))
        yield event(2 * n + 1, eventTime=days_after(n))


@pytest.fixture(scope="module")
def filled(elasticsearch_url, tmp_path_factory):
    """Data streams that no test changes."""
    made = indexed(elasticsearch_url, f"resumed{secrets.token_hex(4)}", tmp_path_factory.mktemp("unused"))
    made.put(records())
    return made


@pytest.fixture
def there(filled, tmp_path, monkeypatch):
    """The same with nothing finished."""
    monkeypatch.setattr(hunt_slices, "BLOCK_DAYS", 2)
    return Indexed(filled.url, filled.namespace, tmp_path / "hunts")


@contextmanager
def watched(there: Indexed, before=lambda body: None):
    """The same behind a proxy; every search that is sent, by its body."""
    bodies: list[dict] = []

    def seen(request):
        if request.url.path.endswith("/_search"):
            body = json.loads(request.read())
            bodies.append(body)
            before(body)

    with proxy(there.url) as between:
        between.client.event_hooks = {"request": [seen]}
        yield Indexed(between.url, there.namespace, there.home), bodies, between


def slices(bodies) -> Counter:
    """The parts of days whose documents were asked for, by first and second question; a page more is no part more."""
    asked: Counter = Counter()
    for body in bodies:
        if "pit" in body and "search_after" not in body:
            del body["pit"]
            asked[json.dumps(body, sort_keys=True)] += 1
    return asked


def counted_days(bodies) -> Counter:
    """The days of which it was counted what may answer."""
    found: Counter = Counter()
    for body in bodies:
        if "asked" in body.get("aggs", {}):
            span = body["query"]["range"]["@timestamp"]
            begin, end = (datetime.fromisoformat(span[name]) for name in ("gte", "lt"))
            found.update(begin + timedelta(days=n) for n in range((end - begin).days))
    return found


def checkpoint(there: Indexed) -> Path:
    (path,) = there.home.glob(f"*{SUFFIX}")
    return path


COMMAND = "from cli.main import main; import sys; sys.argv = ['vmexport', 'hunt', '--elasticsearch', '--json']; main()"


def command(there: Indexed) -> subprocess.Popen[str]:
    """`vmexport hunt --elasticsearch` in a process of its own."""
    own = there.settings()
    env = {
        "PATH": os.environ["PATH"],
        "VMEXPORT_HOME": str(there.home.parent),
        "VMEXPORT_ELASTICSEARCH_URL": there.url,
        "VMEXPORT_ELASTICSEARCH_CLOUDTRAIL_INDICES": own.cloudtrail_indices[0],
        "VMEXPORT_ELASTICSEARCH_ACCESS_LOG_INDICES": own.access_log_indices[0],
    }
    return subprocess.Popen([sys.executable, "-c", COMMAND], stdout=subprocess.PIPE, text=True, env=env, cwd=ROOT)


@pytest.mark.parametrize("killed_at", [3, DAYS + 4], ids=["in the first question", "in the second"])
def test_a_hunt_that_was_killed_goes_on_and_asks_no_part_twice(there, killed_at):
    running: list[subprocess.Popen[str]] = []
    parts = 0

    def kill(body):
        nonlocal parts
        parts += "pit" in body
        if parts == killed_at and running:
            os.kill(running.pop().pid, signal.SIGKILL)

    with watched(there, kill) as (between, bodies, _):
        first = command(between)
        running.append(first)
        assert first.wait(60) == -signal.SIGKILL
        before = len(bodies)
        second = command(between)
        answer = json.loads(second.communicate(timeout=60)[0])
        assert second.returncode == 1
        again = slices(bodies[:before]) + slices(bodies[before:])
    assert sorted(f["event_id"] for f in answer["findings"]) == sorted(one["eventID"] for one in records())
    assert len(again) == 2 * DAYS
    # The part in which it was killed has no answer.
    assert sorted(again.values()) == [1] * (2 * DAYS - 1) + [2]
    assert set(counted_days(bodies).values()) == {1}


def test_a_finished_hunt_asks_only_what_days_there_are(there):
    first = there.hunt()
    with watched(there) as (between, bodies, _):
        assert told(between.hunt()) == told(first)
    assert not slices(bodies)
    assert len(bodies) <= 3


@pytest.mark.parametrize("fault", FAULTY)
def test_a_search_without_a_whole_answer_ends_the_hunt_and_the_next_one_goes_on(there, fault):
    expected = told(there.hunt())
    checkpoint(there).unlink()
    with watched(there) as (between, bodies, faulty):
        faulty.inject(fault, after=10)
        with pytest.raises(Unanswered):
            between.hunt()
        kept = slices(bodies)
        bodies.clear()
        faulty.left = 0
        assert told(between.hunt()) == expected
        assert between.used > 3
    again = slices(bodies)
    assert sum(part in kept for part in again) <= 1
    assert len(again) < 2 * DAYS


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_changes_nothing(there, fault):
    expected = told(there.hunt())
    checkpoint(there).unlink()
    with watched(there) as (between, _, faulty):
        faulty.inject(fault, times=2, after=4)  # the first that asks for documents
        patient = {"retries": 4, "retry_backoff": timedelta(seconds=0.05), "request_timeout": timedelta(seconds=2)}
        assert told(between.hunt(**patient)) == expected
        assert faulty.broken == 2


def test_a_cluster_that_was_skipped_is_a_gap_and_nothing_of_it_is_kept(there):
    skipped = {"total": 2, "successful": 1, "skipped": 1, "details": {"west": {"status": "skipped"}}}

    def without_west(given: Answer) -> Answer:
        return Answer(given.status, json.dumps(json.loads(given.body) | {"_clusters": skipped}).encode())

    with watched(there) as (between, _, faulty):
        faulty.fault, faulty.left = without_west, 1_000_000
        found = between.hunt()
        faulty.left = 0
        between.hunt()
        assert not between.used
    assert any("The cluster west was not searched whole" in gap for gap in found.coverage.unreached)
    assert len(found.findings) == 2 * DAYS


def test_a_day_that_has_got_documents_since_is_asked_again(elasticsearch_url, namespace, tmp_path):
    there = indexed(elasticsearch_url, namespace, tmp_path / "hunts")
    there.put(records())
    there.hunt()
    there.put([export(99, eventTime=days_after(3))])
    found = there.hunt()
    assert export(99)["eventID"] in {f.event_id for f in found.findings}
    assert there.used


def test_a_document_that_comes_while_days_are_counted_ends_no_hunt(elasticsearch_url, namespace, tmp_path):
    there = indexed(elasticsearch_url, namespace, tmp_path / "hunts")
    there.put([export(1, eventTime=days_after(0)), export(2, eventTime=days_after(4))])

    def arrive(body):
        if "places" in body.get("aggs", {}):
            there.put([export(3, eventTime=days_after(2))])

    with watched(there, arrive) as (between, _, _):
        found = {finding.event_id for finding in between.hunt().findings}
    assert {export(1)["eventID"], export(2)["eventID"]} <= found


def test_young_days_are_always_asked_again(there):
    now = datetime(2026, 3, 2, 12, tzinfo=UTC) + timedelta(days=DAYS - 1)
    there.hunt(now=now)
    with watched(there) as (between, bodies, _):
        between.hunt(now=now)
    assert min(counted_days(bodies)) == datetime(2026, 3, 7, tzinfo=UTC)


@pytest.mark.parametrize("damage", ["cut off", "one bit", "not ours"])
def test_a_damaged_checkpoint_is_not_believed_and_that_is_said(there, damage):
    expected = told(there.hunt())
    path = checkpoint(there)
    text = path.read_bytes()
    if damage == "cut off":
        path.write_bytes(text[:-20])
    elif damage == "one bit":
        at = text.index(b"AwsApiCall")
        path.write_bytes(text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :])
    else:
        path.write_bytes(text + b"\x00\xff\n[]\n{}")
    found = there.hunt()
    assert told(found) == expected
    assert any("of the checkpoint were damaged" in note for note in found.coverage.notes)
    assert there.used > 3
    assert told(there.hunt()) == expected


def test_the_same_hunt_twice_at_once_is_refused_and_others_are_not(tmp_path):
    with (
        opened(tmp_path, "a"),
        opened(tmp_path, "b"),
        pytest.raises(CheckpointInUse, match="is running here"),
        opened(tmp_path, "a"),
    ):
        pass
    with opened(tmp_path, "a"):
        pass


def test_a_hunt_may_wait_for_the_end_of_another_and_use_what_it_finished(tmp_path):
    def ask():
        with opened(tmp_path, "a", wait=60) as kept:
            return kept.get(["x"])

    with ThreadPoolExecutor(1) as pool:
        with opened(tmp_path, "a") as kept:
            waiting = pool.submit(ask)
            kept.put(["x"], {"n": 1})
            assert not waiting.done()
        assert waiting.result(30) == {"n": 1}


def test_fresh_forgets_and_what_is_long_unused_goes(tmp_path):
    with opened(tmp_path, "a") as kept:
        kept.put(["x"], {"n": 1})
        assert kept.get(["x"]) == {"n": 1}
    with opened(tmp_path, "a") as kept:
        assert kept.get(["x"]) == {"n": 1}
        assert kept.get(["y"]) is None
    with opened(tmp_path, "a", fresh=True) as kept:
        assert kept.get(["x"]) is None
    (path,) = tmp_path.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    old = path.stat().st_mtime - UNUSED - 60
    os.utime(path, (old, old))
    with opened(tmp_path, "b"):
        assert not path.exists()


def test_another_question_is_asked_anew(there, monkeypatch):
    there.hunt()
    monkeypatch.setattr(elastic_hunt.queries, "exports", lambda: elastic_hunt.queries.Asked("exports", {"match_none": {}}, bool, limited=False))  # fmt: skip
    assert not there.hunt().findings
