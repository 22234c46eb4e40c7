"""The fields of `status`: the schema, from which the CRD is generated. `status` writes them and reads them back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

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
    """A task: a step, or what one is made of: an item, a trial, a step of a group."""

    name: Annotated[str, Meta(description="The step's name; `sweep/3`, `folds/1.prep` for what a step is made of.")] = (
        ""
    )
    phase: Annotated[str, Meta(description="Pending, Running, Succeeded, Failed, Skipped or Cancelled.")] = ""
    reason: Annotated[
        str, Meta(description="One word: OOMKilled, ImagePullBackOff, DeadlineExceeded, OutputMissing, GateFailed, …")
    ] = ""
    message: Annotated[
        str,
        Meta(description="What happened, with the last log lines when it failed. While running: what it waits for."),
    ] = ""
    attempts: Annotated[int, Meta(description="Attempts so far.")] = 0
    failures: Annotated[
        int, Meta(description="Attempts that failed by their own fault; `retry.limit` bounds them.")
    ] = 0
    losses: Annotated[int, Meta(description="Attempts lost to the infrastructure; not counted by `retry`.")] = 0
    pod: Annotated[str, Meta(description="The Pod of the last attempt.")] = ""
    started_at: Annotated[Time, Meta(description="First start.")] = ""
    finished_at: Annotated[Time, Meta(description="End.")] = ""
    retry_at: Annotated[Time, Meta(description="When the next attempt starts.")] = ""
    since: Annotated[int, Meta(description="The first attempt that counts, where a person had the task run again.")] = 0
    items: Annotated[str, Meta(description="Of a step with forEach: how many items, and a mark of which.")] = ""
    progress: Annotated[
        str, Meta(description="Of a task that is made of others: how many of them have ended / are known.")
    ] = ""
    params: Annotated[Mapping[str, Json], Meta(description="Of a trial: its parameters.")] = {}
    value: Annotated[float | None, Meta(description="Of a trial: the number that decides, of several the first.")] = (
        None
    )
    outputs: Annotated[Mapping[str, Json], Meta(description="Output parameters.")] = {}
    large_outputs: Annotated[
        list[str],
        Meta(description="Output parameters that are too large to stand here; the record in the store has them."),
    ] = []
    artifacts: Annotated[Mapping[str, ArtifactRef], Meta(description="Output artifacts, by their content.")] = {}
    cached: Annotated[bool, Meta(description="The result is that of an earlier run of the same work: nothing ran.")] = (
        False
    )
    webhook: Annotated[
        str, Meta(description="Of `onSuccess` or `onFailure`: `Delivered`, or `GivenUp: ` and the reason.")
    ] = ""


class Ending(Status, frozen=True):
    """How the workflow ends, while the steps of `onExit` run."""

    phase: Annotated[str, Meta(description="Succeeded, Failed or Cancelled.")]
    at: Annotated[Time, Meta(description="Since when that is certain.")]
    reason: Annotated[str, Meta(description="One word.")] = ""
    message: Annotated[str, Meta(description="The first cause.")] = ""


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
    steps: Annotated[
        list[TaskStatus], Meta(description="The steps, in the order of the spec; those of `onExit` after the others.")
    ] = []
    tasks: Annotated[
        list[TaskStatus],
        Meta(
            description="What the steps are made of: items, trials, the steps of groups. Of more than 500 a choice: those that have failed, the first of those that wait to be tried again and that run, and the last trials "
            "that have succeeded; what has succeeded or was pruned is in the records of the store."
        ),
    ] = []
    ending: Annotated[Ending | None, Meta(description="How the workflow ends, while the steps of `onExit` run.")] = None
    rerun: Annotated[str, Meta(description="The last `spec.rerun` that was honoured.")] = ""
