"""Trino as a table of a hunt: whole answers or none, days of both ways to declare partitions, hostile literals, cancelling."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

from decisions.sigma_sql import quoted
from settings.trino import TrinoSettings
from tasks.hunting.table import TableUnanswered
from tasks.hunting.trino_table import TrinoTable
from tests.hunting.logs_of import event
from tests.trino.conftest import Place
from tests.trino.stored import (
    DAYS,
    HOSTILE,
    access_log,
    asking,
    cloudtrail,
    declare,
    declare_projected,
    folder,
    lines,
    table_of,
)

__all__ = ["folder"]

WAYS = {"partitions": declare, "projected": declare_projected}


@pytest.mark.parametrize("way", WAYS)
def test_days_are_read_and_what_has_no_day_always_is(trino: Place, schema: str, folder: Path, way: str) -> None:
    """Both bounds belong to it; however partitions are declared, the rows are the same."""
    WAYS[way](asking(trino), trino, folder, schema)
    with table_of(trino, schema) as table:
        assert table.holds("cloudtrail")
        assert table.holds("access_log")

        def days(span: tuple[str, str] | None) -> dict[str, int]:
            return dict(table.rows(f"SELECT dt, count(*) FROM {table.relation('cloudtrail', span)} GROUP BY dt"))

        assert days(None) == {DAYS[0]: 21 + len(HOSTILE), DAYS[1]: 20, DAYS[2]: 20, "unknown": 2}
        assert days((DAYS[1], DAYS[2])) == {DAYS[1]: 20, DAYS[2]: 20, "unknown": 2}
        assert days(("2020-01-01", "2020-02-01")) == {"unknown": 2}
        unknown = f"SELECT count(*) FROM {table.relation('cloudtrail', None)} WHERE dt = 'unknown' OR dt = 'DROP'"
        assert list(table.rows(unknown)) == [(2,)]
        parts = table.parts("cloudtrail", (DAYS[1], DAYS[2]))
        files = [p for day in (*DAYS[1:], "unknown") for p in (folder / "cloudtrail" / f"dt={day}").iterdir()]
        assert parts.found == parts.searched == len(files)
        assert parts.packed_bytes == sum(file.stat().st_size for file in files)
        assert parts.notes


@pytest.mark.parametrize("way", WAYS)
def test_a_part_of_another_day_is_not_opened(trino: Place, schema: str, folder: Path, way: str) -> None:
    """Not even by the union of two tables; and a damaged part within is an error with its name, never fewer rows."""
    WAYS[way](asking(trino), trino, folder, schema)
    (folder / "cloudtrail" / f"dt={DAYS[2]}" / "broken.parquet").write_bytes(b"PAR1 no parquet PAR1")
    with table_of(trino, schema) as table:
        asked = 'SELECT "eventID" FROM {} WHERE "eventName" = \'DescribeInstances\''
        assert len(list(table.rows(asked.format(table.relation("cloudtrail", (DAYS[1], DAYS[1])))))) == 21
        with pytest.raises(TableUnanswered, match=r"broken\.parquet"):
            list(table.rows(asked.format(table.relation("cloudtrail", None))))


@pytest.mark.parametrize(
    "text", [*HOSTILE, "a\0b", "\ud83d\ude48", "%_\\'\"", "' OR 1=1 --", "/*", "${x}", "?", "\u0130ı\u212a"]
)
def test_a_hostile_literal_is_a_text_and_nothing_else(trino: Place, schema: str, text: str) -> None:
    """It comes back as the store would hold it."""
    with table_of(trino, schema) as table:
        kept = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
        assert list(table.rows(f"SELECT {quoted(text)}, 1")) == [(kept, 1)]


def test_what_is_not_there_is_told_and_what_is_something_else_is_refused(
    trino: Place, schema: str, folder: Path
) -> None:
    """One of the tables may be absent, both may not; Athena's stock table has our name and other columns."""
    with (
        table_of(trino, schema) as table,
        pytest.raises(TableUnanswered, match=f"no hive.{schema}.cloudtrail and no .*ddl"),
    ):
        table.holds("access_log")
    declare(asking(trino), trino, folder, schema)
    asking(trino)(f"DROP TABLE hive.{schema}.access_log")
    with table_of(trino, schema) as table:
        assert table.holds("cloudtrail")
        assert not table.holds("access_log")
    asking(trino)(f"DROP TABLE hive.{schema}.cloudtrail")
    asking(trino)(f"CREATE TABLE hive.{schema}.cloudtrail (eventversion varchar, useridentity varchar)")
    with (
        table_of(trino, schema) as table,
        pytest.raises(TableUnanswered, match=r"no table of the store.*vmexport store ddl"),
    ):
        table.holds("cloudtrail")


def test_an_error_is_a_sentence_with_trinos_own_words(trino: Place, schema: str) -> None:
    """Of the query, its name there included; of a server that is not there, what to see to."""
    with table_of(trino, schema) as table, pytest.raises(TableUnanswered, match=r"COLUMN_NOT_FOUND.*query 2\d+_"):
        list(table.rows("SELECT nothing"))
    nowhere = TrinoSettings(url="http://127.0.0.1:1", attempts=1)
    with TrinoTable(nowhere) as table, pytest.raises(TableUnanswered, match="VMEXPORT_TRINO_URL"):
        list(table.rows("SELECT 1"))


def test_a_failure_in_the_middle_is_no_short_answer(trino: Place, schema: str) -> None:
    """Rows that came before it are given up by whoever reads them."""
    read = 0
    with table_of(trino, schema) as table, pytest.raises(TableUnanswered, match="DIVISION_BY_ZERO"):
        for _ in table.rows(
            "SELECT 1 / (50000 - k * 9999 - m) FROM UNNEST(sequence(0, 9)) a(k), UNNEST(sequence(1, 9999)) b(m)"
        ):
            read += 1
    assert read < 99_990


def test_a_query_that_nobody_reads_on_is_cancelled(trino: Place, schema: str) -> None:
    """It does not go on in the cluster."""
    ask = asking(trino)
    long = f"SELECT '{schema}', n FROM UNNEST(sequence(1, 9999)) a(n), UNNEST(sequence(1, 9999)) b(m)"
    with table_of(trino, schema) as table:
        rows = table.rows(long)
        assert len(list(itertools.islice(rows, 5))) == 5
        rows.close()
        state = f"SELECT state, error_code FROM system.runtime.queries WHERE query LIKE 'SELECT ''{schema}''%'"
        end = time.monotonic() + 20
        while (told := ask(state)) != [["FAILED", "USER_CANCELED"]]:
            assert time.monotonic() < end, told
            time.sleep(0.1)


def test_records_without_number_are_read_to_the_last(trino: Place, schema: str) -> None:
    """More rows than one page of an answer holds."""
    folder = trino.files / schema
    cloudtrail(folder, (event(n, eventID=str(n), userAgent="x" * 500) for n in range(12_000)))
    access_log(folder, lines())
    declare(asking(trino), trino, folder, schema)
    with table_of(trino, schema) as table:
        found = [row[0] for row in table.rows(f'SELECT "eventID", * FROM {table.relation("cloudtrail", None)}')]
        assert sorted(map(int, found)) == list(range(12_000))
