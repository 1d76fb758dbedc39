"""A hunt in the Parquet store finds what the same hunt finds in the files, and says what it covers."""

from __future__ import annotations

import gzip
import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.console import UsageProblem
from cli.main import app
from decisions.hunt import HuntFinding, HuntResult
from decisions.sigma import Loaded, load_rules
from lab.cloudtrail_generator import generate
from tasks.hunting.coverage import Period
from tasks.hunting.duckdb_table import DuckDbTable
from tasks.hunting.file_source import FileSource
from tasks.hunting.fixtures import load
from tasks.hunting.hunt import hunt
from tasks.hunting.store import Store
from tasks.hunting.table_source import TableSource
from tests.hunting.logs_of import ACCOUNT, compact, event, export, write
from tests.hunting.stores_of import store_of, stored

OPEN = Period()
Made = tuple[Path, Store, dict[str, Any]]


def in_store(store: Store, period: Period = OPEN, loaded: Loaded | None = None, **more: Any) -> HuntResult:
    """The hunt in a store."""
    with DuckDbTable(store) as table:
        return hunt(TableSource(table, period, **more), period, loaded)


def in_files(folder: Path, period: Period = OPEN, loaded: Loaded | None = None) -> HuntResult:
    """The hunt in files."""
    return hunt(FileSource(folder, period, 64 * 1024 * 1024, workers=1), period, loaded)


def told(result: HuntResult) -> dict[str, HuntFinding]:
    """Findings by id, but for where each was read."""
    return {one.id: one.model_copy(update={"origin": "", "record": None}) for one in result.findings}


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Logs of three accounts, the store of them, and the truth about them."""
    folder = tmp_path_factory.mktemp("logs")
    truth = generate(folder / "org", 30_000, days=14, seed=5)
    return folder / "org", stored(folder / "org", folder / "it's a store"), truth


PERIODS = {
    "open": OPEN,
    "both ends": Period(datetime(2026, 3, 4, 7, 30, tzinfo=UTC), datetime(2026, 3, 8, 12, 15, 59, tzinfo=UTC)),
    "since": Period(since=datetime(2026, 3, 9, tzinfo=UTC)),
    "until": Period(until=datetime(2026, 3, 6, 23, 59, 59, tzinfo=UTC)),
    "never": Period(until=datetime(2020, 1, 1, tzinfo=UTC)),
}


@pytest.mark.parametrize("name", PERIODS)
def test_store_and_files_give_the_same_findings(made_up: Made, name: str) -> None:
    """Ids, kinds, what belongs to what, and the numbers of rules; in every period."""
    folder, store, truth = made_up
    period = PERIODS[name]
    files, table = in_files(folder, period, load()), in_store(store, period, load())
    assert told(table) == told(files)
    assert table.counts == files.counts
    if name == "open":
        assert {one.event_id for one in table.findings if one.kind == "export"} == set(truth["exports"])
        assert sum(one.kind == "download" for one in table.findings) == len(truth["downloads"]) + len(truth["access_log_downloads"])  # fmt: skip
        assert {"rule", "correlation"} & set(table.counts)


def test_one_large_question_finds_what_many_small_ones_do(made_up: Made, tmp_path: Path) -> None:
    """As Trino and Athena are asked: whatever is cheaper for an engine, the findings are the same."""
    _, store, _ = made_up
    odd = store_of(tmp_path, hostile())
    for place, loaded in ((store, load()), (odd, None)):
        with DuckDbTable(place) as table:
            table.dialect.many_selects = False
            large = hunt(TableSource(table, OPEN), OPEN, loaded)
        assert told(large) == told(small := in_store(place, OPEN, loaded))
        assert large.counts == small.counts


def test_coverage_counts_what_is_there(made_up: Made) -> None:
    """Rows, days and times of the store; what nobody can know without the manifest is said."""
    folder, store, truth = made_up
    coverage, by_file = in_store(store).coverage, in_files(folder).coverage
    assert coverage.events == truth["events"]
    assert coverage.first is not None
    assert by_file.first is not None
    assert coverage.first <= by_file.first  # a file's times are those of its ends
    assert coverage.files_searched == coverage.files_found == len(store.parts()) + len(store.parts("access_log"))
    assert "is not known here" in " ".join(coverage.notes)
    assert coverage.gaps == ()
    part = in_store(store, PERIODS["both ends"]).coverage
    assert part.files_outside == coverage.files_found - part.files_searched > 0


def test_days_without_events_are_gaps(tmp_path: Path) -> None:
    """By account and Region, and where the period begins before the events do."""
    records = [event(n, eventTime=f"2026-03-{day}T10:00:00Z") for n, day in enumerate(("01", "02", "06", "08"))]
    records.append(event(9, eventTime="yesterday"))
    period = Period(datetime(2026, 2, 27, tzinfo=UTC), datetime(2026, 3, 20, tzinfo=UTC))
    words = " ".join(in_store(store_of(tmp_path, records), period).coverage.sentences())
    assert f"No CloudTrail event of account {ACCOUNT} in eu-central-1 for 2026-03-03 to 2026-03-05 (3 days)" in words
    assert "for 2026-03-07, though" in words
    assert "begin on 2026-03-01, after the period does" in words
    assert "end on 2026-03-08, before the period does" in words


HOSTILE = ("ASIA'; DROP TABLE cloudtrail; --", 'A"K', "Ä\u0130\u212a", "a\\b\\", "100%_*?", "\n\t", "{}[]", "x" * 200,
           "'' OR true", "ASIAEXAMPLE000000002", "key\x00end", "export-i-export-i-0123")  # fmt: skip


def hostile() -> list[dict[str, Any]]:
    """Records of callers whose keys are what no key is; each key is mentioned in other places, as a whole and as a part."""
    records: list[dict[str, Any]] = []
    rng = random.Random(3)
    for key in HOSTILE:
        n = len(records)
        identity = {"type": "AssumedRole", "accountId": ACCOUNT, "accessKeyId": key}
        task = f"export-i-{rng.getrandbits(68):017x}"
        records += [
            export(n, userIdentity=identity, responseElements={"exportTask": {"exportTaskId": task}}),
            event(n + 1, userIdentity=identity),
            event(n + 2, requestParameters={"a": [{"b": key}]}),
            event(n + 3, requestParameters={"a": f"{key}x"}),
            event(n + 4, userAgent=key),
            event(n + 5, errorMessage=f"no {key}"),
            event(n + 6, requestParameters={key: "a name"}),
            event(n + 7, responseElements={"credentials": {"accessKeyId": key}}),
            event(n + 8, requestParameters={"key": f"export-i-{task}.ova"}, eventName="GetObject"),
            event(n + 9, somethingNew={"deep": key}),
            event(n + 10, userIdentity=identity, awsRegion=["a", "list"]),
            event(n + 11, userIdentity=identity, eventID=None),
            event(n + 12, requestParameters={"text": json.dumps({"key": key})}),
            event(n + 13, userIdentity=identity, recipientAccountId="444455556666"),
            event(n + 14, userIdentity=identity, recipientAccountId=None),
            event(n + 15, requestID=f"arn:{task}"),
        ]
    return records


def test_hostile_keys_and_objects_mean_the_same(tmp_path: Path) -> None:
    """Quotes, NUL, wildcards, Unicode: nothing is lost, and nothing is taken for what it is not."""
    records = hostile()
    for n in range(len(HOSTILE)):  # of one file no more than 64 records that hold a key are read
        write(tmp_path / "logs", compact(records[16 * n : 16 * n + 16]), name=f"{n}.json.gz")
    files = in_files(tmp_path / "logs")
    assert not files.coverage.gaps
    table = in_store(store_of(tmp_path / "store", records))
    assert told(table) == told(files)
    exports = [one for one in table.findings if one.kind == "export"]
    assert {one.access_key_id for one in exports} == set(HOSTILE)
    assert len([one for one in table.findings if one.kind == "download"]) == len(HOSTILE)
    named = [{one for finding in table.findings for one in finding.about if one == export.id} for export in exports]
    assert all(named)


ODD = (
    {"eventName": 5}, {"eventSource": None}, {"eventTime": None}, {"eventTime": 5}, {"eventTime": "2026-03-02T10:00:00+02:00"},
    {"eventID": 7}, {"eventID": ""}, {"eventID": None}, {"userAgent": ["x"]}, {"userIdentity": "root"}, {"userIdentity": None},
    {"requestParameters": [1]}, {"recipientAccountId": 111122223333}, {"readOnly": "true"}, {"managementEvent": "false"},
)  # fmt: skip


def test_exports_of_any_shape_are_found(tmp_path: Path) -> None:
    """Records that AWS does not write so; without an eventID the hash of the content is the name, on both sides."""
    records = [export(n, requestID=str(n)) | odd for n, odd in enumerate(ODD)]
    write(tmp_path / "logs", compact(records))
    files, table = in_files(tmp_path / "logs"), in_store(store_of(tmp_path / "store", records))
    assert told(table) == told(files)
    assert sum(one.kind == "export" for one in table.findings) >= 11
    unread = [{gap.split("cannot be read")[1] for gap in result.coverage.gaps if "cannot be read" in gap} for result in (files, table)]  # fmt: skip
    assert unread[0] == unread[1] != set()


def test_a_redelivered_record_is_one_finding(tmp_path: Path) -> None:
    """In another part of the store, too."""
    store_of(tmp_path, [export(1), export(1)])
    result = in_store(store_of(tmp_path, [export(1), event(2)]))
    assert [one.kind for one in result.findings] == ["export", "activity"]


def test_a_damaged_part_is_named_and_the_others_are_searched(tmp_path: Path) -> None:
    """Cut off, overwritten within, or no Parquet at all; and what is being written is no part."""
    store = store_of(tmp_path, [export(n, eventTime=f"2026-03-{n:02}T10:00:00Z") for n in range(1, 6)])
    parts = store.parts()
    parts[0].write_bytes(parts[0].read_bytes()[:-200])
    parts[1].write_bytes(b"PAR1 no")
    content = bytearray(parts[2].read_bytes())
    content[4:1500] = bytes(1496)
    parts[2].write_bytes(content)
    (parts[3].parent / "_unfinished.parquet").write_bytes(b"")
    result = in_store(store)
    assert [one.time.day for one in result.findings if one.kind == "export"] == [4, 5]
    assert [problem.path for problem in result.coverage.quarantined] == [
        str(p.relative_to(tmp_path)) for p in parts[:3]
    ]
    assert "3 file(s) could NOT be searched" in " ".join(result.coverage.sentences())
    assert result.coverage.files_found == 5
    assert result.coverage.files_searched == 2


@pytest.mark.parametrize("what", ["nothing", "an empty folder", "only damaged parts", "another period"])
def test_a_store_in_which_nothing_can_be_searched_is_no_answer(tmp_path: Path, what: str) -> None:
    """Exit 2, and never "nothing found"."""
    since = "2026-01-01"
    if what == "an empty folder":
        (tmp_path / "cloudtrail").mkdir()
    elif what != "nothing":
        [part] = store_of(tmp_path, [event(1)]).parts()
        if what == "another period":
            since = "2026-06-01"
        else:
            part.write_bytes(b"nothing")
    done = CliRunner().invoke(app, ["hunt", "--store", str(tmp_path), "--since", since])
    assert done.exit_code == 2
    assert "Nothing was searched" in done.output
    assert "this is no answer" in done.output
    assert ("could NOT be searched" in done.output) == (what == "only damaged parts")


def test_the_command_tells_a_finding_and_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 1 with a finding, 0 without, a sentence where no store is."""
    monkeypatch.setenv("VMEXPORT_HOME", str(tmp_path / "home"))  # no database runs there
    store_of(tmp_path / "found", [export(1)])
    store_of(tmp_path / "nothing", [event(1)])
    done = CliRunner().invoke(app, ["hunt", "--store", str(tmp_path / "found"), "--json"])
    assert done.exit_code == 1
    answer = json.loads(done.stdout)
    assert [one["kind"] for one in answer["findings"]] == ["export"]
    assert answer["coverage"]["unit"] == "parts"
    assert CliRunner().invoke(app, ["hunt", "--store", str(tmp_path / "nothing")]).exit_code == 0
    for wrong in (["--store", str(tmp_path / "no")], ["--store", str(tmp_path), str(tmp_path)], []):
        done = CliRunner().invoke(app, ["hunt", *wrong])
        assert isinstance(done.exception, UsageProblem)
        assert str(tmp_path) in str(done.exception) or "PATH or one of --store" in str(done.exception)


TOO_MUCH = "title: Nobody can\nid: nobody\nlogsource: {product: aws, service: cloudtrail}\ndetection: {s: {userAgent|re: '(a{900}){900}'}, condition: s}\n"  # fmt: skip
EXPORTS = "title: Exports\nid: exports-rule\nlogsource: {product: aws, service: cloudtrail}\ndetection: {s: {eventName: ExportImage}, condition: s}\n"  # fmt: skip
LINES = "title: Reads\nid: reads\nlogsource: {product: aws, service: s3access}\ndetection: {s: {operation: REST.GET.OBJECT}, condition: s}\n"  # fmt: skip


def test_a_rule_that_the_engine_refuses_is_named_and_the_others_are_asked(tmp_path: Path) -> None:
    """It is not left out in silence, and it costs no other rule its answer."""
    store = store_of(tmp_path, [event(1, "ExportImage", eventSource="other.amazonaws.com")])
    result = in_store(store, OPEN, load_rules({"a.yml": TOO_MUCH, "b.yml": EXPORTS, "c.yml": LINES}))
    assert [one.hunt for one in result.findings] == ["exports-rule"]
    assert {name for name, _ in result.refused_rules} == {"a.yml", "c.yml"}
    assert "no S3 access logs" in dict(result.refused_rules)["c.yml"]


def test_rules_about_access_logs_are_asked_of_their_table(made_up: Made) -> None:
    """The same lines as in the files."""
    folder, store, truth = made_up
    rules = load_rules({"c.yml": LINES})
    files, table = in_files(folder, OPEN, rules), in_store(store, OPEN, rules)
    assert told(table) == told(files)
    assert table.counts["reads"] == files.counts["reads"] >= len(truth["access_log_downloads"])


def test_too_many_hits_are_counted_and_said(tmp_path: Path) -> None:
    """What is kept is bounded, for exports and for each rule; the numbers are whole."""
    others = [event(n, "ExportImage", eventSource="other.amazonaws.com") for n in range(40)]
    store = store_of(tmp_path, [*others, *(export(n) for n in range(50, 90))])
    result = in_store(store, OPEN, load_rules({"b.yml": EXPORTS}), kept=10)
    assert result.counts["exports-rule"] == 40
    assert sum(one.kind == "rule" for one in result.findings) == 10
    gaps = " ".join(result.coverage.gaps)
    assert "30 hit(s) of exports-rule were counted and not kept" in gaps
    assert "30 hit(s) of exports were counted and not kept" in gaps


def test_lines_of_access_logs_alone_are_searched(tmp_path: Path, made_up: Made) -> None:
    """A store without CloudTrail is an answer about what is there."""
    _, store, _ = made_up
    (tmp_path / "access_log").symlink_to(store.root / "access_log")
    result = in_store(Store(tmp_path), OPEN, load_rules({"b.yml": EXPORTS, "c.yml": LINES}))
    assert result.counts["reads"] > 0
    assert "no CloudTrail events" in dict(result.refused_rules)["b.yml"]
    assert result.coverage.files_searched > 0


def test_gzip_of_a_store_is_not_read_as_one(tmp_path: Path) -> None:
    """Only parts of the store are."""
    store = store_of(tmp_path, [export(1)])
    (store.parts()[0].parent / "x.json.gz").write_bytes(gzip.compress(compact([export(2)])))
    assert len(in_store(store).findings) == 1
