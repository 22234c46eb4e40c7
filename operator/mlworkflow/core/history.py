"""What a search leaves of its trials: the table, and all that is known of them as one document. Pure; `policies.studies` publishes both.

The table has no times: same trials, same bytes, so that what reads it is found in the cache. The document has them; the kind `study` makes the
page and the table with all columns of it, where a report is wanted.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from mlworkflow.core.kinds.tune import Tune
from mlworkflow.core.observation import Values
from mlworkflow.core.state import Task
from mlworkflow.core.status import stamp

POINTS = 200
"""Values on the way that the document has of a trial, evenly chosen, the last among them."""
FORMAT = 1
"""Of the document. A reader refuses a higher one."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A trial: its number, its state, its parameters, its numbers by metric (None where it left none), and what it said on the way."""

    number: int
    task: Task
    params: Mapping[str, Any]
    values: Mapping[str, float | None]
    curve: Values = ()


@dataclass(frozen=True, slots=True)
class Search:
    """A search that has ended: who made it, from when to when (seconds since the epoch), why it ended early (empty: it did not), and what was best."""

    workflow: str
    step: str
    started: float | None
    finished: float
    ended: str
    best: int
    pareto: Sequence[int]


def table(study: Tune, trials: Sequence[Tried]) -> bytes:
    """The trials as CSV: number, phase, values, reason, and a column per parameter."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [*sorted(study.space), *sorted(study.fixed)]
    writer.writerow(["trial", "phase", *(metric.name for metric in study.objectives), "reason", *names])
    for trial in trials:
        values = ["" if value is None else json.dumps(value) for value in trial.values.values()]
        cells = (_cell(trial.params, name) for name in names)
        writer.writerow([trial.number, trial.task.phase, *values, trial.task.reason, *cells])
    return text.getvalue().encode()


def document(study: Tune, trials: Sequence[Tried], search: Search) -> bytes:
    """The search and its trials as JSON."""
    written = msgspec.to_builtins(study)
    about = {field: written[field] for field in ("space", "fixed", "enqueue", "constraints") if field in written}
    return msgspec.json.encode(
        {
            "format": FORMAT,
            "workflow": search.workflow,
            "step": search.step,
            **about,
            "algorithm": written.get("algorithm", {"grid": {}}),
            "objectives": [{"name": metric.name, "goal": metric.goal} for metric in study.objectives],
            "budget": {"max": study.trials.max, "parallel": study.trials.parallel, **written.get("trials", {})},
            "started": stamp(search.started),
            "finished": stamp(search.finished),
            "ended": search.ended,
            "best": search.best,
            "pareto": list(search.pareto),
            "trials": [_trial(trial) for trial in trials],
        },
        order="sorted",
    )


def _trial(trial: Tried) -> dict[str, Any]:
    task = trial.task
    took = None if task.started_at is None or task.finished_at is None else round(task.finished_at - task.started_at, 3)
    return {
        "number": trial.number,
        "phase": str(task.phase),
        "reason": task.reason,
        "message": task.message,
        "params": trial.params,
        "values": {name: value for name, value in trial.values.items() if value is not None},
        "started": stamp(task.started_at),
        "finished": stamp(task.finished_at),
        "seconds": took,
        "attempts": task.attempt + 1,
        "cached": task.is_cached,
        "artifacts": {name: artifact.digest for name, artifact in task.artifacts.items()},
        **({"curve": _thinned(trial.curve)} if trial.curve else {}),
    }


def _thinned(curve: Values) -> Values:
    every = -(-len(curve) // POINTS)
    return curve[::-1][::every][::-1]


def _cell(params: Mapping[str, Any], name: str) -> str:
    value = params.get(name, "")
    return value if isinstance(value, str) else json.dumps(value)
