"""The resource's `status`: a run written down, and read back after a restart.

What is written is for people first; what a restart needs and cannot find in Pods or commit records is among it.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from mlworkflow.core import abridging, paths
from mlworkflow.core.duration import human
from mlworkflow.core.errors import Problem
from mlworkflow.core.names import Reason
from mlworkflow.core.nodes import Node, Nodes
from mlworkflow.core.plan import Plan
from mlworkflow.core.state import PENDING, Phase, Run, Task, Verdict, value_named
from mlworkflow.core.status_fields import Condition, Ending, StatusFields, TaskStatus
from mlworkflow.core.study import deciding_metric
from mlworkflow.core.values import Json

LARGE = 8192
"""Bytes of an output parameter that the status still shows."""


def written(plan: Plan, run: Run, before: Mapping[str, Any], now: float) -> dict[str, Any]:
    """The status of a run. `before` is the status so far: conditions keep the time of their last change."""
    workflow, nodes = plan.workflow, plan.nodes
    names = list(workflow.all_steps())
    below = {name: task for name, task in run.tasks.items() if name not in workflow.all_steps()}
    progress = _progress(below)
    steps = [_shown(name, run.tasks.get(name, PENDING), nodes, progress) for name in names]
    shown = sorted(abridging.chosen(run.tasks, below, nodes).items(), key=lambda pair: nodes.position(pair[0]))
    tasks = [_shown(name, task, nodes, progress) for name, task in shown]
    done = sum(run.tasks.get(name, PENDING).phase in (Phase.SUCCEEDED, Phase.SKIPPED) for name in names)
    verdict = {Phase.SUCCEEDED: "True", Phase.FAILED: "False", Phase.CANCELLED: "False"}.get(run.phase, "Unknown")
    status = StatusFields(
        observed_generation=workflow.generation,
        phase=str(run.phase),
        progress=f"{done}/{len(names)}",
        message=run.message,
        started_at=stamp(run.started_at),
        finished_at=stamp(run.finished_at),
        duration=human(run.finished_at - run.started_at)
        if run.finished_at is not None and run.started_at is not None
        else "",
        conditions=_conditions(
            [
                ("Valid", "True", "Valid", "the spec is sound"),
                ("Succeeded", verdict, run.reason or str(run.phase), run.message),
            ],
            before,
            workflow.generation,
            now,
        ),
        steps=steps,
        tasks=tasks,
        ending=_ending(run),
        rerun=run.rerun,
    )
    return plain(status)


def invalid(problems: tuple[Problem, ...], before: Mapping[str, Any], generation: int, now: float) -> dict[str, Any]:
    """The status of a resource that cannot run: Failed, with every problem, and nothing was started."""
    message = "; ".join(map(str, problems))[:2048]
    reason = str(Reason.INVALID_SPEC)
    conditions = _conditions(
        [("Valid", "False", reason, message), ("Succeeded", "False", reason, message)], before, generation, now
    )
    started = before.get("startedAt") or stamp(now)
    status = StatusFields(
        observed_generation=generation,
        phase=str(Phase.FAILED),
        message=message,
        started_at=started,
        finished_at=stamp(now),
        conditions=conditions,
    )
    return {**{key: value for key, value in before.items() if key in ("steps", "progress")}, **plain(status)}


def is_invalid(status: Mapping[str, Any]) -> bool:
    """Whether a status says that the spec was not sound, so that nothing ever ran."""
    return any(
        condition["type"] == "Valid" and condition["status"] == "False" for condition in status.get("conditions") or []
    )


def read(status: Mapping[str, Any], nodes: Nodes) -> Run:
    """The run that `written` wrote down. Tasks that the spec no longer has a place for are forgotten."""
    fields = msgspec.convert(dict(status), StatusFields)
    tasks = {}
    for shown in (*fields.steps, *fields.tasks):
        node = nodes.get(shown.name)
        if node is not None and shown.phase:
            tasks[shown.name] = _task(shown, node)
    phase = Phase(fields.phase) if fields.phase else Phase.PENDING
    succeeded = next((condition for condition in fields.conditions if condition.type == "Succeeded"), None)
    ending = fields.ending
    return Run(
        phase,
        succeeded.reason if succeeded else "",
        fields.message,
        moment(fields.started_at),
        moment(fields.finished_at),
        tasks,
        None
        if ending is None
        else Verdict(Phase(ending.phase), ending.reason, ending.message, moment(ending.at) or 0.0),
        fields.rerun,
    )


def plain(status: StatusFields) -> dict[str, Any]:
    """As JSON types."""
    return dict(msgspec.to_builtins(status))


def stamp(moment: float | None) -> str:
    """RFC 3339 in UTC with milliseconds; nothing for None."""
    if moment is None:
        return ""
    return (
        datetime.datetime.fromtimestamp(round(moment, 3), datetime.UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


def cut_off(before: Mapping[str, Any], message: str, now: float | None = None) -> dict[str, Any]:
    """The status of a run that nobody goes on with, and that did not live to say so itself; `now` is its end."""
    ended = {
        field: [
            {**task, "phase": str(Phase.CANCELLED)} if task.get("phase") == Phase.RUNNING else task
            for task in before.get(field) or []
        ]
        for field in ("steps", "tasks")
    }
    finished = {} if now is None else {"finishedAt": stamp(now)}
    return {**before, "phase": str(Phase.CANCELLED), "message": message, **ended, **finished}


def moment(stamp: str) -> float | None:
    """Seconds since the epoch of an RFC 3339 time; None for nothing."""
    return datetime.datetime.fromisoformat(stamp).timestamp() if stamp else None


def _shown(name: str, task: Task, nodes: Nodes, progress: Mapping[str, str]) -> TaskStatus:
    large = [key for key, value in task.parameters.items() if _is_large(value)]
    node = nodes.get(name)
    metric = metric_of(node) if node else None
    return TaskStatus(
        name=name,
        phase=str(task.phase),
        reason=task.reason,
        message=task.message,
        attempts=task.attempt + 1,
        failures=task.failures,
        losses=task.losses,
        pod=task.handle,
        started_at=stamp(task.started_at),
        finished_at=stamp(task.finished_at),
        retry_at=stamp(task.not_before or None),
        since=task.since,
        items=task.items,
        progress=progress.get(name, ""),
        params=task.params,
        value=None if metric is None else value_named(task, metric),
        outputs={key: value for key, value in task.parameters.items() if key not in large},
        large_outputs=large,
        artifacts=task.artifacts,
        webhook=task.webhook,
        cached=task.is_cached,
    )


def _task(status: TaskStatus, node: Node) -> Task:
    metrics = {}
    if status.value is not None and (metric := metric_of(node)):
        metrics = {metric: status.value}
    return Task(
        phase=Phase(status.phase),
        reason=status.reason,
        message=status.message,
        attempt=status.attempts - 1,
        failures=status.failures,
        losses=status.losses,
        since=status.since,
        items=status.items,
        not_before=moment(status.retry_at) or 0.0,
        started_at=moment(status.started_at),
        finished_at=moment(status.finished_at),
        handle=status.pod,
        params=status.params,
        parameters=status.outputs,
        artifacts=status.artifacts,
        webhook=status.webhook,
        metrics=metrics,
        is_cached=status.cached,
    )


def metric_of(node: Node) -> str | None:
    """The name of the number that decides, of a trial."""
    return None if node.trial is None else deciding_metric(node.owner.body)


def _is_large(value: Json) -> bool:
    """Whether a value is too large for the status, which every watcher is sent at every change."""
    return isinstance(value, str | list | dict) and len(msgspec.json.encode(value)) > LARGE


def _progress(below: Mapping[str, Task]) -> dict[str, str]:
    """Of each task that is made of others: how many of them have ended / are known."""
    ended: Counter[str] = Counter()
    known: Counter[str] = Counter()
    for name, task in below.items():
        above = paths.parent(name) or ""
        known[above] += 1
        ended[above] += task.is_finished
    return {name: f"{ended[name]}/{count}" for name, count in known.items()}


def _ending(run: Run) -> Ending | None:
    if run.verdict is None or run.phase.is_finished:
        return None
    verdict = run.verdict
    return Ending(phase=str(verdict.phase), at=stamp(verdict.at), reason=verdict.reason, message=verdict.message)


def _conditions(
    wanted: list[tuple[str, str, str, str]], before: Mapping[str, Any], generation: int, now: float
) -> list[Condition]:
    earlier = {condition["type"]: condition for condition in before.get("conditions") or []}
    conditions = []
    for type_, status, reason, message in wanted:
        old = earlier.get(type_, {})
        since = old.get("lastTransitionTime") if old.get("status") == status else None
        conditions.append(Condition(type_, status, reason, message, since or stamp(now), generation))
    return conditions
