"""A case that was exported proves itself: whatever is done to the folder, the place is named."""

from __future__ import annotations

import json
import os
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from records import cases, evidence, ledger
from records.database import transaction

CASE = "VMX-20260302-ABCD"


@pytest.fixture
def case(database):
    """Three pieces of evidence, eight entries."""
    ledger.append(CASE, "case-opened", "inbox", {"event_id": "e-1"})
    for n in range(3):
        evidence.store(CASE, f"policy {n}", "s3:GetBucketPolicy", b'{"n": %d}' % n, "application/json")
        ledger.append(CASE, "gap", "flow", {"what": f"logs of day {n}", "why": "AccessDenied"})
    ledger.append(CASE, "case-closed", "flow", {"verdict": "malicious"})
    return CASE


@pytest.fixture
def folder(case, tmp_path):
    cases.export(case, tmp_path / "export")
    return tmp_path / "export"


def lines(folder):
    return (folder / "ledger.jsonl").read_bytes().splitlines(keepends=True)


def rewrite(path, content):
    path.chmod(0o600)
    path.write_bytes(content)


def test_an_untouched_export_and_its_case_are_whole(case, folder):
    assert cases.verify_directory(folder) == ()
    assert cases.verify_case(case) == ()
    assert sorted(p.name for p in folder.iterdir()) == ["evidence", "ledger.jsonl", "manifest.json"]


def test_the_manifest_counts_entries_and_names_the_head(case, folder):
    said = json.loads((folder / "manifest.json").read_bytes())
    assert (said["case"], said["entries"], said["head"]) == (case, 8, ledger.entries(case)[-1].hash)
    assert [e["id"] for e in said["evidence"]] == ["EV-0001", "EV-0002", "EV-0003"]
    assert cases.verify_directory(folder, head=said["head"]) == ()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_of_any_file_is_noticed(folder, data):
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    path = data.draw(st.sampled_from(files))
    original = path.read_bytes()
    place = data.draw(st.integers(0, len(original) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda v: v != original[place]))
    rewrite(path, original[:place] + bytes([value]) + original[place + 1 :])
    try:
        assert cases.verify_directory(folder) != ()
    finally:
        rewrite(path, original)
    assert cases.verify_directory(folder) == ()


@pytest.mark.parametrize("place", range(8))
def test_a_changed_entry_is_named(folder, place):
    content = lines(folder)
    entry = json.loads(content[place])
    entry["by"] = "person:mallory@example.com"
    content[place] = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    rewrite(folder / "ledger.jsonl", b"".join(content))
    assert f"entry {place + 1} was changed after it was written" in cases.verify_directory(folder)


def test_a_line_that_means_the_same_and_is_written_otherwise_is_named(folder):
    content = lines(folder)
    content[2] = content[2].replace(b'":', b'": ', 1)
    rewrite(folder / "ledger.jsonl", b"".join(content))
    assert any("ledger.jsonl line 3 was changed" in problem for problem in cases.verify_directory(folder))


@pytest.mark.parametrize("place", range(7))
def test_a_removed_entry_is_named(folder, place):
    content = lines(folder)
    del content[place]
    rewrite(folder / "ledger.jsonl", b"".join(content))
    assert f"entry {place + 1} is missing" in cases.verify_directory(folder)


def test_a_cut_off_end_is_noticed_by_the_manifest_and_even_without_it_by_a_known_head(folder):
    head = json.loads((folder / "manifest.json").read_bytes())["head"]
    rewrite(folder / "ledger.jsonl", b"".join(lines(folder)[:-1]))
    assert "manifest.json speaks of 8 entries, ledger.jsonl holds 7" in cases.verify_directory(folder)
    from records.case_folder import _parse, manifest, manifest_bytes

    entries, _ = _parse(b"".join(lines(folder)))
    rewrite(folder / "manifest.json", manifest_bytes(manifest(entries, b"".join(lines(folder)))))
    assert any("cut off" in problem for problem in cases.verify_directory(folder, head=head))


def test_exchanged_entries_are_named(folder):
    content = lines(folder)
    random.Random(7).shuffle(content)
    rewrite(folder / "ledger.jsonl", b"".join(content))
    assert any("order" in problem or "moved" in problem for problem in cases.verify_directory(folder))


def test_missing_changed_and_added_evidence_is_named(folder):
    first, second, third = sorted((folder / "evidence" / CASE).iterdir())
    first.unlink()
    rewrite(second, b"{}")
    third.rename(third.with_name("EV-0009.json"))
    (folder / "evidence" / "notes.txt").write_text("added")
    said = "\n".join(cases.verify_directory(folder))
    assert "EV-0001 cannot be read" in said
    assert "EV-0002 at" in said
    assert "EV-0003 cannot be read" in said
    assert "EV-0009.json' does not belong" in said
    assert "evidence/notes.txt' does not belong" in said


@pytest.mark.timeout(20)
def test_links_and_pipes_in_place_of_files_are_named_and_not_followed(folder, tmp_path):
    first, second, third = sorted((folder / "evidence" / CASE).iterdir())
    (tmp_path / "same").write_bytes(first.read_bytes())
    first.unlink()
    first.symlink_to(tmp_path / "same")
    second.unlink()
    os.mkfifo(second)
    third.unlink()
    third.mkdir()
    (folder / "elsewhere").symlink_to("/etc")
    said = "\n".join(cases.verify_directory(folder))
    for name in ("EV-0001", "EV-0002", "EV-0003"):
        assert f"{name} cannot be read" in said
    assert "'elsewhere' does not belong" in said


@pytest.mark.parametrize("name", ["ledger.jsonl", "manifest.json"])
def test_a_missing_file_of_the_export_is_named(folder, name):
    (folder / name).unlink()
    assert any(name in problem for problem in cases.verify_directory(folder))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"{}\n",
        b"[" * 100000 + b"\n",
        b'{"seq": 1e999}\n',
        b"\xff\xfe\n",
        b"null\n",
        b'{"a": ' + b"9" * 5000 + b"}\n",
    ],
)
def test_a_ledger_that_is_none_is_said_to_be_none(folder, content):
    rewrite(folder / "ledger.jsonl", content)
    assert any("ledger.jsonl" in problem for problem in cases.verify_directory(folder))


def test_a_path_in_a_forged_ledger_does_not_lead_out_of_the_folder(folder, tmp_path):
    from decisions.ledger import GENESIS, next_entry
    from records.case_folder import ledger_lines, manifest, manifest_bytes

    (tmp_path / "outside").write_bytes(b"x")
    piece = ledger.entries(CASE, "evidence-collected")[0].data | {"stored_at": "../../outside"}
    forged = next_entry(CASE, (0, GENESIS), ledger.entries(CASE)[0].time, "evidence-collected", "evidence", piece)
    rewrite(folder / "ledger.jsonl", ledger_lines([forged]))
    rewrite(folder / "manifest.json", manifest_bytes(manifest([forged], ledger_lines([forged]))))
    assert any("leads out of the evidence folder" in problem for problem in cases.verify_directory(folder))


def test_a_folder_that_is_no_export_is_said_to_be_none_and_a_full_one_is_not_written_into(case, folder, tmp_path):
    assert cases.verify_directory(tmp_path / "nowhere") != ()
    with pytest.raises(FileExistsError):
        cases.export(case, folder)
    with pytest.raises(LookupError):
        cases.export("VMX-20260302-NONE", tmp_path / "none")
    with pytest.raises(LookupError):
        cases.verify_case("VMX-20260302-NONE")


DAMAGE = {
    "update ledger set by = 'x' where seq = 4": "entry 4 was changed",
    "update ledger set key = 'x' where seq = 4": "entry 4 was changed",
    "update ledger set data = '{' where seq = 4": "entry 4 of VMX-20260302-ABCD was changed",
    "delete from ledger where seq = 4": "entry 4 is missing",
    "delete from ledger where seq = 8": "entry 8 was written last",
    "delete from evidence where number = 2": "differs between ledger and evidence table",
    "update evidence set sha256 = 'x' where number = 2": "differs between ledger and evidence table",
}


@pytest.mark.parametrize("statement", DAMAGE)
def test_what_is_changed_in_the_database_past_its_triggers_is_named(case, statement):
    with transaction() as connection:
        for table in ("ledger", "evidence"):
            connection.execute(text(f"alter table {table} disable trigger all"))
        connection.execute(text(statement))
    assert any(DAMAGE[statement] in problem for problem in cases.verify_case(case))


def test_damage_in_the_evidence_folder_is_named(case, tmp_path):
    first, second, third = sorted((tmp_path / "evidence" / case).iterdir())
    rewrite(first, b"{}")
    second.unlink()
    (third.parent / "EV-0004-added.json").write_text("{}")
    said = "\n".join(cases.verify_case(case))
    assert "EV-0001 at" in said
    assert "EV-0002 cannot be read" in said
    assert "EV-0004-added.json' lies in the evidence store" in said
    cases.export(case, tmp_path / "export")
    assert len(cases.verify_directory(tmp_path / "export")) == 2
