"""MLflow and local runs: the one that has just ended, and those before it that MLflow could not be told of then."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from mlworkflow.core.errors import UsageError
from mlworkflow.engine.keeper import Duty
from mlworkflow.engine.mirroring import mirroring, note, noted
from mlworkflow.engine.mlflow_server import Server
from mlworkflow.local.home import Home, LocalRun
from mlworkflow.store.errors import StoreError

PATIENCE = 10.0
"""Seconds that a run waits in its end for MLflow."""
_PAUSE = 0.5
_log = logging.getLogger(__name__)


def mirror_all(home: Home, ended: LocalRun, environ: Mapping[str, str]) -> None:
    """Tell what is owed, for as long as a person waits. What cannot be told is told after a later run, and fails no run."""
    try:
        server = Server.find(environ)
        if server is None:
            return
        note(home.store, ended.resource, "")
        duty = mirroring(server, environ.get("MLFLOW_EXPERIMENT_NAME", ""))
        owed = [ended.resource, *(run.resource for run in home.runs() if run.id != ended.id and noted(home.store, run.resource) == "")]  # fmt: skip
    except (StoreError, UsageError) as error:
        _log.warning("%s: not told to MLflow: %s", ended.id, error)
        return
    deadline = time.monotonic() + PATIENCE
    for resource in owed:
        if not _tell(home, duty, resource, deadline) or time.monotonic() > deadline:
            return  # what is still owed is told after the next run


def _tell(home: Home, duty: Duty, resource: Mapping[str, Any], deadline: float) -> bool:
    """Whether the next one is worth trying."""
    while True:
        try:
            duty(home.store, resource)
            return True
        except (StoreError, OSError, msgspec.DecodeError) as error:
            if time.monotonic() + _PAUSE > deadline:
                _log.warning("%s: not told to MLflow yet: %s", resource["metadata"]["name"], error)
                return False
        except Exception:  # whatever it is, the run has ended well or not without it
            _log.exception("%s: not told to MLflow: a bug", resource["metadata"]["name"])
            return True
        time.sleep(_PAUSE)
