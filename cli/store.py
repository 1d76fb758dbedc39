"""`vmexport store`: the Parquet store of CloudTrail and S3 access logs: filling it, looking after it, declaring it to others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import store_ddl

if TYPE_CHECKING:
    from tasks.hunting.ingest import IngestResult

app = typer.Typer(
    no_args_is_help=True,
    help="The Parquet store of CloudTrail and S3 access logs: a hunt over it takes a fraction of a second.",
)
app.command("ddl")(store_ddl.ddl)
Dir = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of the store")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object")]


@app.command("ingest")
def ingest(
    path: Annotated[str, typer.Argument(metavar="PATH", help="A folder (or file) of logs, or s3://BUCKET/PREFIX")],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The folder of the store; it is made")],
    since: Annotated[
        str | None, typer.Option(help="Of a bucket: only files delivered since 30d, 2026-03-01 or an ISO 8601 moment")
    ] = None,
    bucket_account: Annotated[
        str | None, typer.Option(metavar="ACCOUNT", help="Who owns the bucket; default: VMEXPORT_HUNT_LOG_ACCOUNT")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes; default: one for each processor")
    ] = None,
    as_json: Json = False,
) -> None:
    """Read the log files that the store does not have yet; stopped at any moment, the next call goes on from there.

    Exports found in them wait for the inbox as findings. Exit 1 when a file could not be read or only in part, or an export
    was found that was not known; 0 otherwise.

    Example: vmexport store ingest /srv/logs --to /srv/store
    """
    from cli.console import say, say_json
    from cli.hunt_progress import Progress
    from cli.store_source import log_source
    from cli.store_work import case_store, working
    from settings.logs import logs
    from tasks.hunting.ingest import ingest as fill
    from tasks.hunting.store import Store

    limit = logs().log_file_max_bytes
    with case_store(), log_source(path, since, bucket_account, limit) as (source, lost), Progress() as progress:
        with working(to):
            result = fill(Store(to), source, limit, workers, progress.told)
        result.unreadable = [*result.unreadable, *lost()]
    if as_json:
        say_json(_as_object(result))
    else:
        for line in _as_text(result):
            say(line)
    if result.not_whole or result.unreadable or result.new_findings:
        raise typer.Exit(1)


@app.command("status")
def status(folder: Dir, as_json: Json = False) -> None:
    """What the store holds, and whether its folder is as its manifest says. Exit 1 if it is not.

    Example: vmexport store status /srv/store
    """
    from cli.console import FindingExit, say, say_json
    from cli.store_work import case_store, working
    from tasks.hunting.store import Store
    from tasks.hunting.store_status import status as asked

    with case_store(), working(folder):
        told = asked(Store(folder))
    if as_json:
        say_json(told.model_dump(mode="json"))
    else:
        for line in told.sentences():
            say(line)
    if told.problems:
        raise FindingExit("The folder is not as the manifest says. See docs/store.md, “When something is wrong”.")


@app.command("compact")
def compact(folder: Dir, as_json: Json = False) -> None:
    """Make few large sorted parts of each day's many small ones, and store once what was delivered twice.

    Example: vmexport store compact /srv/store
    """
    from dataclasses import asdict

    from cli.console import say, say_json
    from cli.hunt_progress import Progress
    from cli.store_work import case_store, working
    from decisions.hunt import size_words
    from tasks.hunting.compaction import compacted
    from tasks.hunting.ingest import opened_for_work
    from tasks.hunting.store import Store

    with case_store(), working(folder), opened_for_work(Store(folder)) as opened, Progress() as progress:
        done = compacted(opened, progress.told)
    if as_json:
        say_json(asdict(done))
        return
    sizes = f"{size_words(done.bytes_before)} to {size_words(done.bytes_after)}"
    say(
        f"{done.parts_before:,} parts became {done.parts_after:,} ({sizes}), {done.twice:,} redelivered rows were removed."
    )


@app.command("expire")
def expire(
    folder: Dir,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="400d, or the first day to keep: 2026-03-01")
    ],
    as_json: Json = False,
) -> None:
    """Delete whole days that are older; the files that they came from count as read, and are not read again.

    Rows that tell no day (`dt=unknown`) stay.

    Example: vmexport store expire /srv/store --older-than 400d
    """
    from cli.console import say, say_json
    from cli.moments import moment
    from cli.store_work import case_store, working
    from tasks.hunting.compaction import expired
    from tasks.hunting.ingest import opened_for_work
    from tasks.hunting.store import Store

    before = moment("--older-than", older_than).date().isoformat()
    with case_store(), working(folder), opened_for_work(Store(folder)) as opened:
        gone = expired(opened, before)
    days = sorted({part.day for part in gone})
    rows = sum(part.rows for part in gone)
    if as_json:
        say_json({"before": before, "days": days, "parts": len(gone), "rows": rows})
    else:
        say(f"{len(days):,} day(s) before {before} were deleted: {rows:,} rows in {len(gone):,} parts.")


def _as_object(result: IngestResult) -> dict[str, object]:
    from dataclasses import asdict

    told = asdict(result)
    told["new_findings"] = [finding.model_dump(mode="json") for finding in result.new_findings]
    return told


def _as_text(result: IngestResult) -> list[str]:
    from decisions.hunt import named, size_words

    size = f"{size_words(result.raw_bytes)} ({size_words(result.packed_bytes)} packed)"
    told = [
        f"Read {result.files_read:,} of {result.files_found:,} files: {size}, {result.events:,} events; "
        f"{result.files_known:,} had been read before, {result.twice:,} events were delivered twice."
    ]
    told += named("had changed since they were read, and were read again", result.changed)
    whole = [f"{file.key}: {'; '.join(file.problems)}" for file in result.not_whole if file.state == "damaged"]
    told += named("could be read only in part", whole)
    none = [f"{file.key}: {'; '.join(file.problems)}" for file in result.not_whole if file.state == "quarantined"]
    told += named("could NOT be read", [*none, *(f"{path}: {why}" for path, why in result.unreadable)])
    exports = [f"{f.id}: {f.title} by {f.caller}" for f in result.new_findings]
    return told + named("new export(s) found; they wait for the inbox", exports, "")
