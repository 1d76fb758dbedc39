"""`vmexport serve`: receiver, worker, and a local Prefect server and database where none are configured."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer


def serve(
    home: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder for evidence, logs and the embedded database [default: VMEXPORT_HOME or var/]"
        ),
    ] = None,
) -> None:
    """Run everything that takes alerts and answers them, until Ctrl-C. It needs VMEXPORT_RECEIVER_SECRET.

    Example: VMEXPORT_RECEIVER_SECRET=$(cat /etc/vmexport/secret) vmexport serve
    """
    from cli import services
    from cli.console import UsageProblem, say
    from cli.processes import NotReady, keep_alive
    from settings.home import home as settings
    from settings.receiver import receiver

    receiver()  # fails here, not at the first alert, when the secret is missing
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        running = services.start(
            home or settings().home, say, prefect_port=settings().prefect_port, receiver_port=receiver().port
        )
    except NotReady as error:
        raise UsageProblem(str(error)) from error
    say(
        f"Prefect UI   {running.prefect_url}\nalerts to    {running.receiver_url}/alerts/elastic\nCtrl-C stops everything."
    )
    try:
        while not stop.wait(1):
            for name in keep_alive(running.parts):
                say(f"{name} had died and was started again")
    except NotReady as error:
        raise UsageProblem(str(error)) from error
    finally:
        running.stop()
