"""One rule, one meaning: the reference, DuckDB and the literals agree on fixtures and on records made from the rules."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from decisions.sigma import ESCAPED, Literal, Rule
from decisions.sigma_literals import literals
from decisions.sigma_sql import where
from decisions.sigma_sql_duckdb import DuckDb as Dialect
from decisions.sigma_sql_trino import Trino
from tasks.hunting import duckdb_engine
from tasks.hunting.fixtures import PACK, load
from tasks.hunting.raw_engine import Raw, is_record
from tasks.hunting.rules_check import DuckDb, Reference, check
from tests.hunting.packs import PACKS, traps
from tests.hunting.sigma_records import STRANGE, records


def made(rules: tuple[Rule, ...], each: int, seed: str) -> list[dict[str, Any]]:
    return [record for rule in rules for record in records(rule.detection, each, f"{seed}-{rule.id}")]


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("seed", ["a", "b"])
def test_duckdb_says_what_the_reference_says_of_records_made_from_the_rules(pack: str, seed: str):
    loaded = PACKS[pack]()
    population = made(loaded.rules, 40, seed)
    expected = Reference().matched(loaded.rules, population)
    told = DuckDb().matched(loaded.rules, population)
    names = {rule.id: rule.title for rule in loaded.rules}
    for record, wanted, found in zip(population, expected, told, strict=True):
        assert found == wanted, f"{[names[i] for i in found ^ wanted]} of {json.dumps(record)}"
    hit = set().union(*expected)
    assert len(hit) >= 0.9 * len(loaded.rules), f"weak: nothing matches {sorted(set(names) - hit)}"


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("engine", [Raw(), Raw(whole=True)], ids=lambda engine: engine.name)
def test_the_scanner_says_what_the_reference_says_of_records_made_from_the_rules(pack: str, engine: Raw):
    loaded = PACKS[pack]()
    named = {"eventName": "Named"}  # every record of a file has a name: without one it is none
    population = [one if is_record(one) else one | named for one in made(loaded.rules, 25, "raw")]
    expected = Reference().matched(loaded.rules, population)
    told = engine.matched(loaded.rules, population)
    names = {rule.id: rule.title for rule in loaded.rules}
    for record, wanted, found in zip(population, expected, told, strict=True):
        assert found == wanted, f"{[names[i] for i in found ^ wanted]} of {json.dumps(record)}"
    assert len(set().union(*expected)) >= 0.9 * len(loaded.rules)


@pytest.mark.parametrize("pack", PACKS)
def test_a_query_of_one_rule_says_the_same_without_the_list_of_names(pack: str):
    loaded = PACKS[pack]()
    population = made(loaded.rules, 15, "one")
    numbered = [record | {"eventID": str(number)} for number, record in enumerate(population)]
    expected = Reference().matched(loaded.rules, population)
    with duckdb_engine.connect() as connection:
        duckdb_engine.table_of(connection, "t", numbered)
        for rule in loaded.rules:
            regular, irregular = where(rule.detection, Dialect())
            number = "coalesce(\"eventID\", json_extract_string(rest, '$.eventID'))"
            query = f"select {number} from t where case when irregular then {irregular} else {regular} end"
            found = {int(n) for (n,) in connection.execute(query).fetchall()}
            assert found == {n for n, ids in enumerate(expected) if rule.id in ids}, rule.title


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("written", ["compact", "pretty", "java", "escaped"])
def test_no_match_is_without_its_literals(pack: str, written: str):
    loaded = PACKS[pack]()
    missed = []
    for rule in loaded.rules:
        population = list(records(rule.detection, 60, "literal"))
        matching = [r for r, ids in zip(population, Reference().matched([rule], population), strict=True) if ids]
        for group in rule.literals or ():
            wanted = re.compile(b"|".join([*(_expression(one) for one in group), ESCAPED]))
            missed += [
                (rule.title, wanted.pattern, raw) for r in matching if not wanted.search(raw := _raw(r, written))
            ]
    assert not missed, missed[0]


def _expression(literal: Literal) -> bytes:
    return b"(?i:%b)" % literal.pattern if literal.caseless else literal.pattern


def _raw(record: dict[str, Any], written: str) -> bytes:
    """The same record, as different writers of JSON would have it."""
    match written:
        case "pretty":
            return json.dumps(record, indent=2, ensure_ascii=False).encode()
        case "java":
            text = json.dumps(record).replace("/", "\\/")
            return re.sub(r"[<>&='](?!\\)", lambda m: f"\\u{ord(m[0]):04x}", text).encode()
        case "escaped":
            return re.sub(r"(?<=[a-z])[a-z]", lambda m: f"\\u{ord(m[0]):04x}", json.dumps(record)).encode()
        case _:
            return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def test_few_rules_are_costly():
    assert [rule.title for rule in load().rules if rule.costly] == []
    costly = {rule.id for rule in traps().rules if rule.costly}
    assert costly >= {"network_all", "network_six", "keyword-not", "percent-not", "null_field-not"}
    assert not costly & {
        "percent",
        "expression",
        "policy",
        "quote",
        "dashed",
        "resource",
        "there",
        "null_field",
    }


TEXT = st.one_of(st.text(max_size=6), st.sampled_from(STRANGE), st.text(alphabet="ab%_\\'\"*?ıİ\u212aik\n", max_size=6))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(value=TEXT, sought=TEXT, how=st.sampled_from(["", "|contains", "|startswith", "|endswith", "|cased"]))
def test_any_value_in_a_rule_and_any_value_in_a_record_mean_the_same_to_all(value: str, sought: str, how: str):
    from decisions.sigma_detection import search

    value, sought = (text.encode("utf-8", "replace").decode().replace("\0", "") for text in (value, sought))
    rules = [
        _rule("top", search({f"userAgent{how}": sought})),
        _rule("below", search({f"requestParameters.a.b{how}": sought})),
        _rule("neither", search({f"errorCode{how}": sought})),
    ]
    population = [
        {"userAgent": value, "requestParameters": {"a": {"b": value}}},
        {"userAgent": sought, "requestParameters": {"a": [{"b": sought}, {"b": [value]}]}},
        {"userAgent": value + sought, "requestParameters": {"a": {"b": {"c": sought}}}, "errorCode": sought + value},
    ]
    expected = Reference().matched(rules, population)
    assert DuckDb().matched(rules, population) == expected
    sought_for = [replace(rule, literals=literals(rule.detection)) for rule in rules]
    named = [one | {"eventName": "Named"} for one in population]
    assert Raw().matched(sought_for, named) == expected


def test_what_sql_takes_for_a_wildcard_is_none():
    from decisions.sigma_detection import search

    patterns = ["a_b?", "a%b?", r"a\\?c", "?_*", r"\*a?", "*%", "_*b", "a?b*c", "??", "*\u212a?", "i?k*", "É*x?"]
    values = ["a_bx", "axbx", "a%bx", "axxbx", "a\\xc", "a\\\\c", "x_", "xy", "*ab", "zab", "%", "_b", "ab", "axbyc", "éx", "ÉxX",
              "\u212ax", "IxK", "ıxk", "İ", "a\nb\nc", "", "😀x"]  # fmt: skip
    rules = [_rule(how + p, search({f"{field}{how}": p})) for p in patterns for how in ("", "|cased", "|contains")
             for field in ("userAgent", "requestParameters.a")]  # fmt: skip
    rules = [_rule(str(number), rule.detection) for number, rule in enumerate(rules)]
    population = [{"userAgent": value, "requestParameters": {"a": value}} for value in values]
    assert DuckDb().matched(rules, population) == Reference().matched(rules, population)


def test_a_whole_object_means_the_same_however_flat_it_is():
    """DuckDB takes a short way where nothing is nested (sigma_sql_duckdb.at); an object at the end of a path is never such."""
    from decisions.sigma_detection import search

    sought = ['*say "yes"*', '*"a":*', "*", None]
    rules = [_rule(f"{n} {field}", search({field: one})) for n, one in enumerate(sought)
             for field in ("requestParameters", "requestParameters.b")]  # fmt: skip
    flat = {"a": 'say "yes"'}
    values = [flat, {"b": flat}, {"b": {}}, {"b": [flat]}, {"b": "{", "a": "["}, {"b": 'say "yes"'}, {}, [], [flat], None, "say {", 'say "yes"']  # fmt: skip
    population = [{}, *({"requestParameters": value} for value in values)]
    assert DuckDb().matched(rules, population) == Reference().matched(rules, population)


def _rule(name: str, detection: Any) -> Rule:
    return Rule(name, name, "low", (), (), "", None, "cloudtrail", name, detection, None)


def test_lower_in_duckdb_gives_ascii_of_two_characters_alone():
    """What makes `lower` safe in place of `translate` (sigma_sql_duckdb.folded)."""
    with duckdb_engine.connect() as connection:
        found = connection.execute(
            "SELECT i FROM range(128, 1114112) t(i) WHERE i NOT BETWEEN 55296 AND 57343 "
            "AND regexp_matches(lower(chr(i::INTEGER)), '[\\x00-\\x7f]')"
        ).fetchall()
    assert found == [(0x130,), (0x212A,)]


def test_every_rule_of_ours_has_fixtures_and_all_engines_say_what_they_say():
    told = check(PACK, load(), [Reference(), DuckDb(), Raw(), Raw(whole=True)])
    assert told.problems == []
    assert told.without == []
    assert told.fixtures > 100


def test_trino_sql_holds_no_value_outside_a_literal():
    for rule in traps().rules:
        for predicate in where(rule.detection, Trino()):
            assert re.sub(r"'(?:[^']|'')*'", "", predicate).count("'") == 0
            assert "needle" not in re.sub(r"'(?:[^']|'')*'", "", predicate)
