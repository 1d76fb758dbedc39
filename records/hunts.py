"""What hunts keep: which log files were read, which run did what, and what was found, each event once.

Findings that somebody must look at are `new` until whoever hands them to the inbox says what became of them: they are their
own outbox, kept in the transaction that says that their file was read.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from decisions.hunt import TOLD, HuntFinding
from records.database import transaction
from records.manifest import FileRead
from records.tables import hunt_finding, hunt_run, log_file

AT_ONCE = 5000
"""Rows of one statement: PostgreSQL takes 65,535 parameters."""


class AlreadyRunning(RuntimeError):
    """Another run of this hunt is at work in this place."""


@dataclass(frozen=True)
class Run:
    """One run of a hunt."""

    id: int
    hunt: str
    target: str
    since: datetime | None
    until: datetime | None
    state: str
    """`running`, `done` or `failed`; one that was killed is still `running`."""
    started_at: datetime
    ended_at: datetime | None
    why: str | None
    counts: dict[str, Any]
    """What the run says of itself: findings by kind, files, bytes, how far it is."""


@dataclass(frozen=True)
class Kept:
    """One finding, and what became of it."""

    finding: HuntFinding
    state: str
    first_run: int | None
    found_at: datetime
    decided_at: datetime | None
    case_id: str | None
    why: str | None


def known_files(connection: Connection, reader: str, source: str) -> dict[str, tuple[int, str]]:
    """Every file of the source that was read: its key, with its size and etag then."""
    query = select(log_file.c.key, log_file.c.size, log_file.c.etag)
    rows = connection.execute(query.where(log_file.c.reader == reader, log_file.c.source == _text(source)))
    return {key: (size, etag) for key, size, etag in rows}


def files_done_within(connection: Connection, reader: str, source: str, files: Iterable[FileRead]) -> None:
    """Note that files were read, as a part of the caller's transaction; of a file that was read before the last time counts."""
    now = datetime.now(UTC)
    rows = {_text(file.key): _file_row(reader, source, file, now) for file in files}
    for begin in range(0, len(rows), AT_ONCE):
        statement = insert(log_file).values([rows[key] for key in sorted(rows)[begin : begin + AT_ONCE]])
        columns = {name: statement.excluded[name] for name in ("size", "etag", "state", "events", "problems", "day", "read_at")}  # fmt: skip
        keys = ["reader", "source", "key"]
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=columns))


def files_not_whole(reader: str) -> tuple[FileRead, ...]:
    """Files that were read in part, or not at all, with the reasons."""
    query = select(log_file).where(log_file.c.reader == reader, log_file.c.state != "done")
    with transaction() as connection:
        rows = connection.execute(query.order_by(log_file.c.source, log_file.c.key)).mappings().all()
    return tuple(
        FileRead(
            row["key"],
            row["size"],
            row["etag"],
            row["state"],
            row["events"],
            tuple(json.loads(row["problems"] or "[]")),
            row["day"],
        )
        for row in rows
    )


def findings_within(connection: Connection, findings: Iterable[HuntFinding], run: int | None = None) -> set[str]:
    """Keep findings as a part of the caller's transaction; the ids of those that were not known.

    Of one that is known nothing changes. New ones are `new` when somebody must be told (TOLD), else `noted`.
    """
    now = datetime.now(UTC)
    rows = {_text(one.id): _finding_row(one, run, now) for one in findings}
    added: set[str] = set()
    ordered = sorted(rows)  # in one order: two runs with the same findings do not lock each other out
    for begin in range(0, len(ordered), AT_ONCE):
        statement = insert(hunt_finding).values([rows[name] for name in ordered[begin : begin + AT_ONCE]])
        added.update(connection.execute(statement.on_conflict_do_nothing().returning(hunt_finding.c.id)).scalars())
    return added


def new_findings(connection: Connection, limit: int) -> tuple[HuntFinding, ...]:
    """What is still to be handed to the inbox, in order of event time; locked to the end of the caller's transaction.

    What another process has locked is left out: two of them hand out no finding twice.
    """
    query = select(hunt_finding.c.document).where(hunt_finding.c.state == "new")
    order = query.order_by(hunt_finding.c.event_time, hunt_finding.c.id).limit(limit)
    rows = connection.execute(order.with_for_update(skip_locked=True)).scalars()
    return tuple(HuntFinding.model_validate_json(document) for document in rows)


def decided_within(
    connection: Connection,
    ids: Collection[str],
    state: Literal["handed", "noted"],
    case_id: str | None = None,
    why: str | None = None,
) -> None:
    """What became of findings, as a part of the caller's transaction."""
    statement = hunt_finding.update().where(hunt_finding.c.id.in_([_text(name) for name in ids]))
    values = {"state": state, "case_id": case_id, "why": _text(why) if why else None, "decided_at": datetime.now(UTC)}
    connection.execute(statement.values(**values))


def findings(connection: Connection, hunt: str | None = None, kinds: Collection[str] = ()) -> tuple[Kept, ...]:
    """What was found, by hunt and kinds, oldest event first."""
    query = select(hunt_finding)
    if hunt is not None:
        query = query.where(hunt_finding.c.hunt == hunt)
    if kinds:
        query = query.where(hunt_finding.c.kind.in_(kinds))
    rows = connection.execute(query.order_by(hunt_finding.c.event_time, hunt_finding.c.id)).mappings()
    kept = ("state", "first_run", "found_at", "decided_at", "case_id", "why")
    return tuple(
        Kept(HuntFinding.model_validate_json(row["document"]), **{name: row[name] for name in kept}) for row in rows
    )


def begin_run(hunt: str, target: str, since: datetime | None, until: datetime | None) -> Run:
    """A new run. Raises AlreadyRunning: one that was killed is ended, or gone on with, by whoever knows that it is dead."""
    row = {"hunt": hunt, "target": _text(target), "since": since, "until": until, "state": "running"}
    statement = hunt_run.insert().values(**row, started_at=datetime.now(UTC), counts="{}").returning(hunt_run)
    try:
        with transaction() as connection:
            return _run(connection.execute(statement).one())
    except IntegrityError as error:
        raise AlreadyRunning(f"a run of {hunt} over {target} is at work, or was killed") from error


def tell_run(connection: Connection, run: int, counts: Mapping[str, Any]) -> None:
    """Replace what a run says of itself, as a part of the caller's transaction."""
    connection.execute(hunt_run.update().where(hunt_run.c.id == run).values(counts=json.dumps(counts)))


def end_run(connection: Connection, run: int, state: Literal["done", "failed"], why: str | None = None) -> None:
    """It ended, as a part of the caller's transaction; a run that has ended stays as it is."""
    values = {"state": state, "ended_at": datetime.now(UTC), "why": _text(why) if why else None}
    connection.execute(hunt_run.update().where(hunt_run.c.id == run, hunt_run.c.state == "running").values(**values))


def last_run(hunt: str, target: str, state: Literal["running", "done", "failed"]) -> Run | None:
    """The latest run of a hunt in a place that is in this state."""
    query = select(hunt_run).where(
        hunt_run.c.hunt == hunt, hunt_run.c.target == _text(target), hunt_run.c.state == state
    )
    with transaction() as connection:
        row = connection.execute(query.order_by(hunt_run.c.id.desc()).limit(1)).one_or_none()
    return _run(row) if row else None


def waiting(connection: Connection) -> int:
    """How many findings are still to be handed to the inbox."""
    return connection.execute(select(func.count()).where(hunt_finding.c.state == "new")).scalar_one()


def _run(row: Row[Any]) -> Run:
    fields = dict(row._mapping)
    return Run(**fields | {"counts": json.loads(fields["counts"])})


def _file_row(reader: str, source: str, file: FileRead, now: datetime) -> dict[str, Any]:
    problems = json.dumps(file.problems) if file.problems else None
    named = {"reader": reader, "source": _text(source), "key": _text(file.key), "etag": _text(file.etag)}
    told = {"size": file.size, "state": file.state, "events": file.events, "problems": problems, "day": file.day}
    return named | told | {"read_at": now}


def _finding_row(finding: HuntFinding, run: int | None, now: datetime) -> dict[str, Any]:
    named = {"id": _text(finding.id), "hunt": _text(finding.hunt), "kind": finding.kind, "event_time": finding.time}
    state = "new" if finding.kind in TOLD else "noted"
    return named | {"document": finding.model_dump_json(), "state": state, "first_run": run, "found_at": now}


def _text(value: str) -> str:
    """As PostgreSQL can hold it: without NUL, and without the bytes of a file's name that are no UTF-8."""
    return value.replace("\0", "\ufffd").encode("utf-8", "backslashreplace").decode()
