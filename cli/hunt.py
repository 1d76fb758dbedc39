"""`vmexport hunt`: exports in past logs that no alert told of. Over files it needs no database, no server and no AWS account."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.moments import WHEN, moment

if TYPE_CHECKING:
    from tasks.hunting.coverage import Period


def hunt(
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="PATH", help="A folder (or file) of CloudTrail and S3 access logs, or s3://BUCKET/PREFIX"
        ),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A Parquet store, in place of PATH (vmexport store ingest makes it)"),
    ] = None,
    elasticsearch: Annotated[
        bool, typer.Option("--elasticsearch", help="The cluster of VMEXPORT_ELASTICSEARCH_URL, in place of PATH")
    ] = False,
    trino: Annotated[
        bool, typer.Option("--trino", help="The store as VMEXPORT_TRINO_URL has it declared, in place of PATH")
    ] = False,
    athena: Annotated[
        bool, typer.Option("--athena", help="The store as VMEXPORT_ATHENA_DATABASE has it declared, in place of PATH")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Of Elasticsearch: ask for days again that an earlier hunt has finished")
    ] = False,
    bucket_account: Annotated[
        str | None, typer.Option(metavar="ACCOUNT", help="Who owns the bucket; default: VMEXPORT_HUNT_LOG_ACCOUNT")
    ] = None,
    since: Annotated[str | None, typer.Option(help=f"Only what happened since then: {WHEN}")] = None,
    until: Annotated[str | None, typer.Option(help="Only what happened until then, likewise")] = None,
    rules: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A folder of Sigma rules (or one file) to ask as well: hunts")
    ] = None,
    who_exported: Annotated[
        bool, typer.Option("--who-exported", help="Only the table of who exports, where to, how often")
    ] = False,
    validate: Annotated[
        bool, typer.Option("--validate", help="Check the log files by CloudTrail's digest files beside them, too")
    ] = False,
    digest_keys: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE", help="What `aws cloudtrail list-public-keys` printed, one for each Region; or `aws`: ask it"
        ),
    ] = None,
    keep_keys: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A new file for the keys that --digest-keys aws gets: evidence")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes; default: one for each processor")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as one JSON document")] = False,
) -> None:
    """Every export in the logs of one place, what else its keys did, who read what was exported, and what rules match.

    The answer always says what part of the logs it covers. Exit 1 when something was found (not with --who-exported), 0 when
    nothing was, 2 when nothing could be searched. With --validate exit 1 as well when a file is not as it was delivered.

    Example: vmexport hunt /srv/logs --since 90d --rules hunts --validate --digest-keys keys.json
    """
    from cli.console import UsageProblem, say, say_json, show
    from cli.hunt_buckets import estimate_of
    from cli.hunt_integrity import Validation
    from cli.hunt_progress import Progress
    from cli.hunt_sources import Where, source
    from cli.rule_packs import pack
    from decisions.hunt import who_exports
    from decisions.hunt_page import hunt_page, who_page
    from tasks.hunting.hunt import hunt as search
    from tasks.hunting.place import PlaceUnusable
    from tasks.hunting.table import TableUnanswered

    where = Where(path=path, store=store, elasticsearch=elasticsearch, trino=trino, athena=athena)
    period = _period(since, until)
    loaded = pack(rules) if rules else None
    validation = Validation(validate, path, digest_keys or (), keep_keys)
    keys = validation.keys()
    with (
        Progress() as progress,
        source(where, period, progress.told, workers, bucket_account, fresh, validate) as asked,
    ):
        try:
            result = search(asked, period, loaded, follow=not who_exported)
            result = validation.of(result, asked, keys, period, workers, progress.told)
        except (TableUnanswered, PlaceUnusable) as error:
            raise UsageProblem(str(error)) from error
    if as_json:
        rows = [row.model_dump(mode="json") for row in who_exports(result.findings)]
        answer = {"who_exported": rows} if who_exported else {"found": bool(result.alarming)}
        say_json(
            answer
            | estimate_of(asked, period)
            | validation.document(keys)
            | result.model_dump(mode="json", exclude={"findings"} if who_exported else None)
        )
    else:
        show(who_page(result) if who_exported else hunt_page(result))
    if not result.coverage.files_searched:
        say(f"Nothing of {where.named} could be searched: this is no answer.", error=True)
        raise typer.Exit(2)
    broken = result.coverage.integrity is not None and result.coverage.integrity.broken
    if broken or (result.alarming and not who_exported):
        raise typer.Exit(1)


def _period(since: str | None, until: str | None) -> Period:
    from cli.console import UsageProblem
    from tasks.hunting.coverage import Period

    begin, end = moment("--since", since), moment("--until", until)
    if begin and end and begin > end:
        raise UsageProblem("--since is after --until: nothing can have happened between them.")
    return Period(begin, end)
