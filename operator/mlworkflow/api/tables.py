"""Runs as data frames. pandas is imported when a table is asked for: it is part of the extra `steps`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mlworkflow.api import files
from mlworkflow.core import paths
from mlworkflow.runs.completing import deciding_metrics
from mlworkflow.runs.errors import RunsError
from mlworkflow.runs.run import Run, Runs

if TYPE_CHECKING:
    import pandas as pd

METRICS = ("task", "attempt", "name", "step", "value")


def trials(run: Run, step: str | None) -> pd.DataFrame:
    """The trials of a `tune` step, of the only one where none is named. `run` has all of its tasks (`completing`). Raises RunsError."""
    tuning = [each["name"] for each in (run.resource.get("spec") or {}).get("steps") or [] if "tune" in each]
    if step is None:
        if len(tuning) != 1:
            raise RunsError(f"{run.id} has {len(tuning)} steps that tune: name one", ", ".join(tuning))
        step = tuning[0]
    run.task(step)
    table: pd.DataFrame = files.pandas("a table").DataFrame([_trial(task) for task in run.below(step)])
    return table


async def metrics(runs: Runs, run: Run) -> pd.DataFrame:
    """Every number of the records of a run. Raises RunsError."""
    pandas = files.pandas("a table")
    rows, deciding = [], deciding_metrics(run)
    for task, attempt in sorted(await runs.attempts(run), key=lambda each: (paths.segments(each[0]), each[1])):
        if (data := await runs.raw_record(run, task, attempt)) is not None:
            name = deciding.get(paths.parent(task) or "", "")
            rows += [(task, attempt, *row) for row in _numbers(json.loads(data), name)]
    table: pd.DataFrame = pandas.DataFrame(rows, columns=METRICS).astype({"step": "Int64", "value": "float64"})
    return table


def _trial(task: Mapping[str, Any]) -> dict[str, Any]:
    facts = {key: task.get(key) for key in ("phase", "value", "reason", "attempts", "startedAt", "finishedAt")}
    number = int(str(task["name"]).rpartition("/")[2])
    chosen = {f"params.{name}": value for name, value in (task.get("params") or {}).items()}
    left = {f"outputs.{name}": value for name, value in (task.get("outputs") or {}).items()}
    return {"trial": number, **facts, **chosen, **left}


def _numbers(record: Mapping[str, Any], deciding: str) -> Iterator[tuple[str, int | None, float | None]]:
    """(name, step, value): values on the way, then the last of each name, then output parameters that are numbers."""
    said = record.get("metrics") or {}
    yield from ((deciding, step, value) for step, value in record.get("curve") or [])
    yield from ((name, None, value) for name, value in said.items())
    for name, value in (record.get("parameters") or {}).items():
        if isinstance(value, int | float) and not isinstance(value, bool) and name not in said:
            yield name, None, value
