"""A run with all of its tasks: of many, the status leaves those that have succeeded or were pruned to their records, which are read here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mlworkflow.core import paths
from mlworkflow.core.names import Reason
from mlworkflow.core.state import Phase
from mlworkflow.core.status import stamp
from mlworkflow.runs.run import Run, Runs

READERS = 8
"""Records that are read at once."""


async def completed(runs: Runs, run: Run) -> Run:
    """The run, and in its status every task that has a record. Raises RunsError."""
    last: dict[str, int] = {}
    for task, attempt in await runs.attempts(run):
        if task not in run.known:
            last[task] = max(attempt, last.get(task, 0))
    if not last:
        return run
    free, metrics = asyncio.Semaphore(READERS), deciding_metrics(run)

    async def read(task: str, attempt: int) -> Mapping[str, Any] | None:
        async with free:
            data = await runs.raw_record(run, task, attempt)
        return None if data is None else _told(task, attempt, json.loads(data), metrics.get(paths.parent(task) or ""))

    found = await asyncio.gather(*(read(*each) for each in last.items()))
    tasks = [*(run.status.get("tasks") or []), *(task for task in found if task)]
    tasks.sort(key=lambda task: [(level.step, level.again, level.numbers) for level in paths.segments(task["name"])])
    return replace(run, resource={**run.resource, "status": {**run.status, "tasks": tasks}})


def _told(task: str, attempt: int, record: Mapping[str, Any], metric: str | None) -> dict[str, Any]:
    """A record as the status would tell it."""
    reason, values = record.get("reason", ""), {**record.get("parameters", {}), **record.get("metrics", {})}
    is_good = not record["exitCode"] and not reason
    phase = Phase.SUCCEEDED if is_good else Phase.CANCELLED if reason == Reason.PRUNED else Phase.FAILED
    told = {
        "reason": reason,
        "message": record.get("message", ""),
        "startedAt": stamp(record.get("startedAt")),
        "finishedAt": stamp(record.get("finishedAt")),
        "params": record.get("params"),
        "value": values.get(metric) if metric else None,
        "outputs": record.get("parameters"),
        "artifacts": record.get("outputs"),
        "cached": bool(record.get("cachedFrom")),
    }
    shown = {
        key: value for key, value in told.items() if value is not None and value not in ("", {}) and value is not False
    }
    return {"name": task, "phase": str(phase), "attempts": attempt + 1, **shown}


def deciding_metrics(run: Run) -> dict[str, str]:
    """The number that decides, of each search among the workflow's own steps."""
    found = {}
    for step in (run.resource.get("spec") or {}).get("steps") or []:
        if tune := step.get("tune"):
            found[step["name"]] = (tune.get("metrics") or [tune.get("metric") or {}])[0].get("name", "")
    return found
