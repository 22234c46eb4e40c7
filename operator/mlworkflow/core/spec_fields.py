"""The fields of a workflow: the schema of `spec`. `fields` has those of its steps."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from mlworkflow.core.fields import Common, Lock
from mlworkflow.core.values import Duration, Fields, Json


class OnExit(Fields, frozen=True):
    """Steps for the end of the workflow, whatever it is. They see `workflow.phase`, `.reason` and `.message`, and every step's phase."""

    always: Annotated[list[dict[str, Json]], Meta(description="At every end.")] = []
    succeeded: Annotated[list[dict[str, Json]], Meta(description="When the workflow has succeeded.")] = []
    failed: Annotated[list[dict[str, Json]], Meta(description="When it has failed or was cancelled.")] = []
    timeout: Annotated[Duration, Meta(description="For all of them together.")] = "30m"


class Approval(Fields, frozen=True):
    """A person's answer to an `approve` step."""

    approved: Annotated[bool, Meta(description="Yes or no.")]
    by: Annotated[str, Meta(min_length=1, max_length=256, description="Who: the user's name, as the cluster knows it.")]
    comment: Annotated[str, Meta(max_length=4096, description="Why.")] = ""
    inputs: Annotated[dict[str, Json], Meta(description="The values that the step asks for.")] = {}
    attempt: Annotated[
        int, Meta(ge=0, description="Of which attempt of the step; a step that runs again asks again.")
    ] = 0


class Rerun(Fields, frozen=True):
    """A request to run steps again. `mlwf retry` writes it."""

    id: Annotated[str, Meta(min_length=1, max_length=64, description="Another id is another request.")]
    steps: Annotated[
        list[str],
        Meta(
            max_length=256,
            description="These steps, and what depends on them. Default: what has failed, and what has changed.",
        ),
    ] = []


PodCleanup = Literal["Never", "StepSucceeded", "StepEnded", "WorkflowSucceeded", "WorkflowEnded"]


class Ttl(Fields, frozen=True):
    """How long after its end a workflow is deleted, by how it ended."""

    succeeded: Annotated[Duration | UnsetType, Meta(description="After Succeeded. Default: it is kept.")] = UNSET
    failed: Annotated[Duration | UnsetType, Meta(description="After Failed and Cancelled. Default: it is kept.")] = (
        UNSET
    )

    @classmethod
    def of(cls, value: Ttl | str | UnsetType) -> Ttl | None:
        """A plain duration stands for both."""
        if value is UNSET:
            return None
        return value if isinstance(value, Ttl) else cls(value, value)


class SpecFields(Fields, frozen=True):
    """A workflow."""

    steps: Annotated[list[dict[str, Json]], Meta(min_length=1, description="The steps, in any order.")]
    params: Annotated[
        dict[str, Json],
        Meta(
            max_length=256,
            description="Values by name, of any JSON type; `params.<name>` in expressions, `-p name=value` on the command line.",
        ),
    ] = {}
    parallelism: Annotated[
        Annotated[int, Meta(ge=1)] | UnsetType, Meta(description="Pods at once in this workflow. Default: no limit.")
    ] = UNSET
    timeout: Annotated[
        Duration | UnsetType,
        Meta(description="From the start of the workflow to its end; `onExit` has a time of its own."),
    ] = UNSET
    fail_fast: Annotated[
        bool, Meta(description="The first failure stops everything else, instead of letting independent branches end.")
    ] = False
    on_exit: Annotated[OnExit | UnsetType, Meta(description="Steps for the end, whatever it is.")] = UNSET
    priority: Annotated[int, Meta(description="Who is served first where Pods are limited: the higher number.")] = 0
    locks: Annotated[
        list[str | Lock],
        Meta(
            max_length=16,
            description="Locks of the namespace, held from the first step to the end: a name, or `{name, size}`.",
        ),
    ] = []
    approvals: Annotated[
        dict[str, Approval],
        Meta(max_length=1024, description="Answers to `approve` steps, by step; `mlwf approve` writes them."),
    ] = {}
    rerun: Annotated[Rerun | UnsetType, Meta(description="Run steps again; `mlwf retry` writes it.")] = UNSET
    suspend: Annotated[bool, Meta(description="Start nothing new while this is true; what runs goes on.")] = False
    cancel: Annotated[bool, Meta(description="Stop what runs and end as Cancelled.")] = False
    defaults: Annotated[Common | UnsetType, Meta(description="For every step that does not say otherwise.")] = UNSET
    ttl: Annotated[
        Ttl | Duration | UnsetType,
        Meta(
            description="How long after its end the workflow is deleted: `succeeded` and `failed` (which is Cancelled too), or one duration for both. Default: it is kept."
        ),
    ] = UNSET
    pod_cleanup: Annotated[
        PodCleanup,
        Meta(
            description="When Pods that have ended are deleted, once their logs are kept; `kubectl logs` works until then. Default: with the workflow."
        ),
    ] = "Never"
