"""A run of this machine that nobody runs, taken up by this process. Callers: `mlwf retry`, `detached`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlworkflow.core.errors import SpecError, UserError
from mlworkflow.local.home import Home
from mlworkflow.local.runner import LocalRunner, OnChange


class Taken(UserError):
    """Somebody else has it, or it is not there any more."""


def taken_up(home: Home, run_id: str, patch: Mapping[str, Any], on_change: OnChange) -> LocalRunner:
    """Its runner, with a patch of its spec, yet to be executed. Raises SpecError, Taken, with nothing changed."""
    found = home.run(run_id)
    lock = home.reclaim(found) if found else None
    current = home.run(run_id)  # as it is now that nobody else has it
    if lock is None or current is None:
        raise Taken(f"{run_id} has just been taken up or deleted by somebody else; look: mlwf list --local")
    try:
        return LocalRunner.again(home, current, lock, patch, on_change)
    except SpecError:
        home.release(current, lock)
        raise
