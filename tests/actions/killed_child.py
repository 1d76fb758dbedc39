"""A process that carries out a plan and is killed at one moment, as by the kernel: nothing of it is cleaned up."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Mapping
from typing import Any

import botocore
from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from tasks.actions.registry import actions
from tasks.actions.run import carry_out

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["__main__", __name__])


def exit_code_of(case: str, plan_hash: str, moment: str) -> int | None:
    """How a process ended that carried the plan out up to `moment`: `-9` when it came so far.

    `moment`: the kind of an action, whose `verify` it does not survive, or the name of an API, whose answer it does not.
    """
    child = _processes.Process(target=_until, args=(dict(os.environ), PREFECT_API_URL.value(), case, plan_hash, moment))
    child.start()
    child.join(60)
    code = child.exitcode
    child.kill()
    child.join()
    return code


def _until(environment: Mapping[str, str], prefect: str, case: str, plan_hash: str, moment: str) -> None:
    os.environ.update(environment)
    if moment in actions():
        setattr(actions()[moment], "verify", _die)  # noqa: B010 - a crash, where the method would be
    else:
        botocore.register_initializer(lambda session: session.register(f"after-call.*.{moment}", _die))
    with temporary_settings({PREFECT_API_URL: prefect, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        asyncio.run(carry_out(case, plan_hash))


def _die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
