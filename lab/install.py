"""Extends moto in this process, once, and refuses a moto that it was not written for."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

MOTO = "5.2.5"
MODULES = ("lab.iam", "lab.sts", "lab.scp", "lab.trail", "lab.access_logs", "lab.s3", "lab.vm_export")
"""Every module that changes moto, in order; each has `install()`. What the gate does needs no change of moto."""

_lock = Lock()
_installed = False


class MotoChanged(RuntimeError):
    """moto is not the version that the lab extends, or has gained or lost what the lab adds or replaces."""


def install() -> None:
    """Make moto in this process the lab's: idempotent; MotoChanged where moto is not as expected."""
    global _installed
    with _lock:
        if _installed:
            return
        # moto reads these at import; its own list has 1301 images and costs seconds in every account.
        os.environ.setdefault("MOTO_DISABLE_GLOBAL_CORS", "true")
        os.environ.setdefault("MOTO_AMIS_PATH", str(Path(__file__).with_name("amis.json")))
        _check_version()
        _keep_lab_time()
        for name in MODULES:
            importlib.import_module(name).install()
        _installed = True


def add_action(response_class: type, operation: str, method: Callable[[Any], Any]) -> None:
    """Give a moto response class an API action (`CreateInstanceExportTask`) that it lacks; MotoChanged if it has it."""
    from moto.core.utils import camelcase_to_underscores

    name = camelcase_to_underscores(operation)
    if hasattr(response_class, name):
        raise MotoChanged(f"moto {MOTO} has {response_class.__name__}.{name} already: remove the lab's {operation}")
    setattr(response_class, name, method)


def replace(owner: Any, name: str, substitute: Callable[..., Any]) -> Callable[..., Any]:
    """Replace an existing function or method of moto and answer the original; MotoChanged if it is gone."""
    if not hasattr(owner, name):
        raise MotoChanged(f"moto has no {owner.__name__}.{name} any more: look at what the lab replaces")
    original = getattr(owner, name)
    setattr(owner, name, substitute)
    return original


def _check_version() -> None:
    import moto

    if moto.__version__ != MOTO:
        raise MotoChanged(f"the lab extends moto {MOTO}, found {moto.__version__}: install requirements.lock")


def _keep_lab_time() -> None:
    """Replace moto's utcnow where it is defined and wherever a module has bound it already."""
    import moto.core.utils

    from lab import clock

    original = replace(moto.core.utils, "utcnow", clock.utcnow)
    for name, module in list(sys.modules.items()):
        if name.startswith("moto.") and getattr(module, "utcnow", None) is original:
            module.utcnow = clock.utcnow  # type: ignore[attr-defined] - a name bound by import, which no type tells
