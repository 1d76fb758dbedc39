"""The statements that declare the store: every column, once, in each engine's own words; nothing hostile gets into them."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.store_ddl import BEGINNINGS, ENGINES, TABLES, Engine, checked_location, checked_name, ddl, statements

LOCATION: dict[Engine, str] = {
    "athena": "s3://example-hunts/a/store",
    "trino": "local:///srv/store",
    "spark": "/srv/store",
}


def columns_of(statement: str) -> list[tuple[str, str]]:
    """Name and type of the columns that a CREATE declares, the partition's included."""
    return [(name, kind.lower()) for name, kind in re.findall(r"[`\"](\w+)[`\"] (\w+)", statement)]


@pytest.mark.parametrize("engine", ENGINES)
def test_every_column_of_both_tables_is_declared_in_its_order(engine: Engine) -> None:
    """With its type and the partition; names differ even where an engine makes them small."""
    words = {"varchar": "varchar" if engine == "trino" else "string"}
    made = statements(ddl(engine, LOCATION[engine]))
    for table, columns in TABLES.items():
        found = next(one for one in made if re.match(rf"CREATE (EXTERNAL )?TABLE [`\"]{table}[`\"]", one))
        listed = [(name, words.get(kind, kind)) for name, kind in (*columns, ("dt", "varchar"))]
        assert columns_of(found) == listed
        assert len({name.lower() for name, _ in listed}) == len(listed)
        assert f"/{table}" in found


def test_athena_needs_no_repair_and_loses_no_undated_row() -> None:
    """Partitions are projected from the first day that there can be to tomorrow; `dt=unknown` is a table of its own."""
    made = statements(ddl("athena", "s3://example-hunts/a/store/"))
    assert len(made) == 4
    assert not re.search("MSCK|ALTER", "".join(made))
    assert "'projection.dt.range' = '2013-11-13,NOW+1DAYS'" in made[0]
    assert "'projection.dt.format' = 'yyyy-MM-dd'" in made[0]
    assert "LOCATION 's3://example-hunts/a/store/cloudtrail/'" in made[0]
    assert "LOCATION 's3://example-hunts/a/store/cloudtrail/dt=unknown/'" in made[1]
    assert made[1].startswith("CREATE EXTERNAL TABLE `cloudtrail_undated`")
    assert "PARTITIONED" not in made[1]
    assert f"'{BEGINNINGS['access_log']},NOW+1DAYS'" in made[2]
    later = ddl("athena", "s3://example-hunts/store", first="2024-02-29")
    assert later.count("'2024-02-29,NOW+1DAYS'") == 2


def test_partitions_that_must_be_told_are_told() -> None:
    """To Trino by its procedure, in the schema of the table; to Spark by MSCK."""
    trino = statements(
        ddl("trino", "s3://example-hunts/store", {"cloudtrail": "hive.hunting.ct", "access_log": "h.al"})
    )
    assert trino[1] == "CALL \"hive\".system.sync_partition_metadata('hunting', 'ct', 'FULL')"
    assert trino[3] == "CALL system.sync_partition_metadata('h', 'al', 'FULL')"
    assert trino[0].startswith('CREATE TABLE "hive"."hunting"."ct" (')
    spark = statements(ddl("spark", "/srv/store", {"cloudtrail": "hunting.ct"}))
    assert spark[1] == "MSCK REPAIR TABLE `hunting`.`ct`"
    assert "LOCATION 'file:///srv/store/cloudtrail'" in spark[0]


@pytest.mark.parametrize(
    "location",
    [
        "s3://b/x'; DROP TABLE y --", "s3://b/${dt}", "s3://b/a\nb", "s3://b/a b", "s3://b/..", "s3://b/./a", "s3://", "s3:///a",
        "https://b/a", "b/a", "", "s3://b//a", "s3://b/ä", "s3://b/a`b", 's3://b/a"b', "s3://b/a\\b", "s3://b/a;b", "s3://b/a\0",
    ],
)  # fmt: skip
@pytest.mark.parametrize("engine", ENGINES)
def test_a_location_that_could_be_misread_is_refused(engine: Engine, location: str) -> None:
    """With a sentence that repeats it."""
    with pytest.raises(ValueError, match=re.escape(repr(location))):
        ddl(engine, location)


@pytest.mark.parametrize(
    "name", ["", "a b", "a`b", 'a"b', "a;b", "Cloudtrail", "a.b.c.d", "a..b", "1a", "ä", "a-b", "a\n"]
)
def test_a_name_that_would_need_more_than_quotes_is_refused(name: str) -> None:
    """Small letters, digits, underlines."""
    with pytest.raises(ValueError, match="no name of a table"):
        ddl("trino", "s3://b/a", {"cloudtrail": name})


def test_a_day_that_is_none_is_refused() -> None:
    """It stands in a property's value."""
    with pytest.raises(ValueError, match="no day"):
        ddl("athena", "s3://b/a", first="2024-13-01', 'x' = 'y")


@given(st.sampled_from(get_args(Engine)), st.text(max_size=40), st.text(max_size=20))
def test_no_text_ends_a_literal_or_a_name(engine: Engine, location: str, name: str) -> None:
    """Whatever is taken stands whole between its quotes, in as many statements as ever."""
    for prefix in ("", "s3://b/"):
        try:
            root, table = checked_location(engine, prefix + location), checked_name(name or "x")
        except ValueError:
            continue
        made = statements(ddl(engine, prefix + location, {"cloudtrail": table}))
        assert len(made) == 4
        assert sum(one.count(f"'{root}/cloudtrail") for one in made) == (2 if engine == "athena" else 1)
