"""The resource's `status`: a run written down, and read back after a restart.

What is written is for people first; what a restart needs and cannot find in Pods or commit records is among it. `StatusFields` is the
schema of it all, from which the CRD is generated.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from mlworkflow.core.duration import human
from mlworkflow.core.errors import Problem
from mlworkflow.core.graph import Graph
from mlworkflow.core.model import Workflow
from mlworkflow.core.names import Reason
from mlworkflow.core.state import PENDING, Phase, Run, Task, trial_id, trials_of, value_named
from mlworkflow.core.values import ArtifactRef, Json

Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class Status(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Base of every object in `status`. Unknown fields are ignored: a newer operator may have written them."""


class Condition(Status, frozen=True):
    """A condition in the form that Kubernetes tools expect."""

    type: Annotated[str, Meta(description="`Valid` or `Succeeded`.")]
    status: Annotated[str, Meta(description="`True`, `False` or `Unknown`.")]
    reason: Annotated[str, Meta(description="One word.")]
    message: Annotated[str, Meta(description="One sentence.")]
    last_transition_time: Annotated[Time, Meta(description="When `status` last changed.")]
    observed_generation: Annotated[int, Meta(description="The generation of the spec it speaks of.")]


class TaskStatus(Status, frozen=True):
    """What a step and a trial have in common."""

    phase: Annotated[str, Meta(description="Pending, Running, Succeeded, Failed, Skipped or Cancelled.")] = ""
    reason: Annotated[
        str, Meta(description="One word: OOMKilled, ImagePullBackOff, DeadlineExceeded, OutputMissing, GateFailed, …")
    ] = ""
    message: Annotated[str, Meta(description="What happened, with the last log lines when it failed.")] = ""
    attempts: Annotated[int, Meta(description="Attempts so far.")] = 0
    failures: Annotated[
        int, Meta(description="Attempts that failed by their own fault; `retry.limit` bounds them.")
    ] = 0
    losses: Annotated[int, Meta(description="Attempts lost to the infrastructure; not counted by `retry`.")] = 0
    pod: Annotated[str, Meta(description="The Pod of the last attempt.")] = ""
    started_at: Annotated[Time, Meta(description="First start.")] = ""
    finished_at: Annotated[Time, Meta(description="End.")] = ""
    retry_at: Annotated[Time, Meta(description="When the next attempt starts.")] = ""


class TrialStatus(TaskStatus, frozen=True):
    """A trial of a tune step."""

    number: Annotated[int, Meta(description="From 0.")] = 0
    value: Annotated[float | None, Meta(description="The number that decides.")] = None


class StepStatus(TaskStatus, frozen=True):
    """A step."""

    name: Annotated[str, Meta(description="The step's name.")] = ""
    outputs: Annotated[Mapping[str, Json], Meta(description="Output parameters.")] = {}
    artifacts: Annotated[Mapping[str, ArtifactRef], Meta(description="Output artifacts, by their content.")] = {}
    trials: Annotated[list[TrialStatus], Meta(description="The trials of a tune step that have started.")] = []
    webhook: Annotated[
        str, Meta(description="Of `onSuccess` or `onFailure`: `Delivered`, or `GivenUp: ` and the reason.")
    ] = ""


class StatusFields(Status, frozen=True):
    """The state of a workflow."""

    observed_generation: Annotated[
        int, Meta(description="The generation of the spec that the operator has acted on.")
    ] = 0
    phase: Annotated[str, Meta(description="Pending, Running, Suspended, Succeeded, Failed or Cancelled.")] = ""
    progress: Annotated[str, Meta(description="Finished steps / all steps.")] = ""
    message: Annotated[
        str, Meta(description="For Failed: the first cause, in one sentence. While running: what it waits for.")
    ] = ""
    started_at: Annotated[Time, Meta(description="Start.")] = ""
    finished_at: Annotated[Time, Meta(description="End.")] = ""
    duration: Annotated[str, Meta(description="From start to end.")] = ""
    conditions: Annotated[list[Condition], Meta(description="`Valid` and `Succeeded`.")] = []
    steps: Annotated[list[StepStatus], Meta(description="The steps, in the order of the spec.")] = []


def written(workflow: Workflow, graph: Graph, run: Run, before: Mapping[str, Any], now: float) -> dict[str, Any]:
    """The status of a run. `before` is the status so far: conditions keep the time of their last change."""
    metric = {name: step.body["metric"]["name"] for name, step in workflow.steps.items() if step.trial}
    steps = [_step(name, run, metric.get(name)) for name in workflow.steps]
    done = sum(run.tasks.get(name, PENDING).phase in (Phase.SUCCEEDED, Phase.SKIPPED) for name in workflow.steps)
    verdict = {Phase.SUCCEEDED: "True", Phase.FAILED: "False", Phase.CANCELLED: "False"}.get(run.phase, "Unknown")
    status = StatusFields(
        observed_generation=workflow.generation,
        phase=str(run.phase),
        progress=f"{done}/{len(workflow.steps)}",
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


def read(status: Mapping[str, Any], workflow: Workflow) -> Run:
    """The run that `written` wrote down. Steps that the spec no longer has are forgotten."""
    fields = msgspec.convert(dict(status), StatusFields)
    tasks: dict[str, Task] = {}
    for step in fields.steps:
        known = workflow.steps.get(step.name)
        if known is None or not step.phase:
            continue
        tasks[step.name] = replace(_task(step), parameters=step.outputs, artifacts=step.artifacts, webhook=step.webhook)
        for trial in step.trials:
            metrics = {} if trial.value is None or not known.trial else {known.body["metric"]["name"]: trial.value}
            tasks[trial_id(step.name, trial.number)] = replace(_task(trial), metrics=metrics)
    phase = Phase(fields.phase) if fields.phase else Phase.PENDING
    succeeded = next((condition for condition in fields.conditions if condition.type == "Succeeded"), None)
    return Run(
        phase,
        succeeded.reason if succeeded else "",
        fields.message,
        moment(fields.started_at),
        moment(fields.finished_at),
        tasks,
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


def moment(stamp: str) -> float | None:
    """Seconds since the epoch of an RFC 3339 time; None for nothing."""
    return datetime.datetime.fromisoformat(stamp).timestamp() if stamp else None


def _step(name: str, run: Run, metric: str | None) -> StepStatus:
    task = run.tasks.get(name, PENDING)
    trials = []
    if metric is not None:
        for number, trial in trials_of(name, run.tasks).items():
            trials.append(TrialStatus(number=number, value=value_named(trial, metric), **_shared(trial)))
    return StepStatus(
        name=name,
        outputs=task.parameters,
        artifacts=task.artifacts,
        trials=trials,
        webhook=task.webhook,
        **_shared(task),
    )


def _shared(task: Task) -> dict[str, Any]:
    return {
        "phase": str(task.phase),
        "reason": task.reason,
        "message": task.message,
        "attempts": task.attempt + 1,
        "failures": task.failures,
        "losses": task.losses,
        "pod": task.handle,
        "started_at": stamp(task.started_at),
        "finished_at": stamp(task.finished_at),
        "retry_at": stamp(task.not_before or None),
    }


def _task(status: TaskStatus) -> Task:
    return Task(
        phase=Phase(status.phase),
        reason=status.reason,
        message=status.message,
        attempt=status.attempts - 1,
        failures=status.failures,
        losses=status.losses,
        not_before=moment(status.retry_at) or 0.0,
        started_at=moment(status.started_at),
        finished_at=moment(status.finished_at),
        handle=status.pod,
    )


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
