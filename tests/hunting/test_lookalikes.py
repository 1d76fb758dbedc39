"""Callers may put objects into a request that look like records: none is taken for one, and none hides one."""

from __future__ import annotations

import json
from pathlib import Path

from decisions.sigma import load_rules
from tasks.hunting import searches
from tasks.hunting.scanner import Scanner
from tests.hunting.logs_of import compact, event, export, write
from tests.hunting.test_scanner import LIMIT, RULES, WANTED, found, scan


def test_records_within_a_record_are_none(tmp_path: Path) -> None:
    """A list of look-alikes in a request is not taken for records, and does not hide a true one that holds it."""
    fakes = [export(number) for number in (7, 8, 9)]
    holder = event(5, "InvokeModel", requestParameters={"documents": fakes})
    told = scan(write(tmp_path, compact([event(1), holder, event(6)])))
    assert found(told) == []
    told = scan(write(tmp_path, compact([event(1), export(2, additionalEventData={"documents": fakes}), event(6)])))
    assert found(told) == WANTED
    assert told.problems == []


def test_a_record_with_records_in_it_answers_all_that_is_asked_of_it(tmp_path: Path) -> None:
    """What stands before a list of look-alikes is found as well as what stands behind it."""
    parameters = {"key": "ASIAEXPORTER00000001", "d": [event(n) for n in (7, 8, 9)], "object": "export-i-0a1b2c3d"}
    searched = [searches.keys("keys", ["ASIAEXPORTER00000001"]), searches.objects("objects", ["export-i-0a1b2c3d"])]
    path = write(tmp_path, compact([event(1), event(2, requestParameters=parameters), event(3)]))
    told = scan(path, Scanner(searched, LIMIT))
    assert [(hit.searches, json.loads(hit.raw)["eventID"]) for hit in told.hits] == [
        (("keys", "objects"), event(2)["eventID"])
    ]


def test_what_looks_like_a_record_is_nobodys_activity(tmp_path: Path) -> None:
    """Of a list in a request that begins with something else, too: the call itself is what is found, once."""
    reads = [event(n, "GetObject", requestParameters={"key": "export-i-0a1b2c3d"}) for n in (7, 8, 9)]
    holder = event(2, "InvokeModel", requestParameters={"documents": [{"x": 1}, *reads, *reads]})
    objects = Scanner([searches.objects("objects", ["export-i-0a1b2c3d"])], LIMIT)
    real = event(4, "GetObject", requestParameters={"key": "vms/export-i-0a1b2c3d.ova"})
    told = scan(write(tmp_path, compact([event(1), holder, event(3), real, holder, event(6)])), objects)
    assert found(told) == [holder["eventID"], real["eventID"], holder["eventID"]]


def test_records_within_a_record_are_none_beside_a_rule_that_tires(tmp_path: Path) -> None:
    """As long as every record is parsed for such a rule, they show themselves; after that they are to be proved, too."""
    loaded = load_rules({n: RULES.format(name=n, id=n, selection="{userAgent|re: '^[a-z]'}") for n in ("a", "b")})
    assert all(rule.costly for rule in loaded.rules)
    fakes = [export(number) for number in (7, 8, 9)]
    records = [*(event(n) for n in range(200)), event(200, requestParameters={"d": fakes}), export(201), event(202)]
    scanner = Scanner([searches.exports(), *searches.rules(loaded.rules)], LIMIT)
    told = scan(write(tmp_path, compact(records)), scanner)
    assert [json.loads(hit.raw)["eventID"] for hit in told.hits if "exports" in hit.searches] == [
        export(201)["eventID"]
    ]
    assert told.tired == {"a", "b"}
