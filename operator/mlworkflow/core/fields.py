"""The fields of a resource: the schema. The CRD, its documentation and the reference page are generated from these structs.

`model` turns a resource into values; nothing else reads the fields of a step's common part past the edge.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from mlworkflow.core import names
from mlworkflow.core.values import Duration, Fields, Json

OutputType = Literal["artifact", "file", "directory", "string", "number", "integer", "boolean", "json"]
ARTIFACT_TYPES = frozenset({"artifact", "file", "directory"})
StepName = Annotated[str, Meta(pattern=names.STEP_NAME, max_length=names.MAX_NAME)]


class Input(Fields, frozen=True):
    """Where an input comes from."""

    from_: Annotated[str, Meta(pattern=r"^[^.]+\.[^.]+$", description="`<step>.<output>` of another step.")] = (
        msgspec.field(name="from")
    )

    @property
    def step(self) -> str:
        return self.from_.partition(".")[0]

    @property
    def output(self) -> str:
        return self.from_.partition(".")[2]


class Output(Fields, frozen=True):
    """What a step leaves at `$MLWF_OUT/<name>`, or, for a parameter's type, at `$MLWF_OUT/params/<name>`."""

    type: Annotated[
        OutputType,
        Meta(
            description="`artifact` (a file or a directory as found), `file`, `directory`, or an output parameter: `string`, `number`, `integer`, `boolean`, `json`."
        ),
    ] = "artifact"
    optional: Annotated[bool, Meta(description="The step succeeds without it.")] = False

    @property
    def is_artifact(self) -> bool:
        return self.type in ARTIFACT_TYPES


class Retry(Fields, frozen=True):
    """How often a failed step is tried again. Evictions, lost nodes and deleted Pods do not count here."""

    limit: Annotated[int, Meta(ge=0, le=100, description="Further attempts after the first.")] = 2
    backoff: Annotated[Duration, Meta(description="Wait before the first further attempt.")] = "10s"
    factor: Annotated[float, Meta(ge=1, le=10, description="Each wait is this much longer than the one before.")] = 2.0
    cap: Annotated[Duration, Meta(description="No wait is longer.")] = "5m"


class Common(Fields, frozen=True):
    """What every kind of step has, and `defaults` too. Fields named as in a Pod mean what they mean in a Pod."""

    image: Annotated[
        str | UnsetType,
        Meta(description="The image of the step. Default: the operator's steps image for built-in kinds."),
    ] = UNSET
    retry: Annotated[Retry | UnsetType, Meta(description="Try again after a failure. Default: once only.")] = UNSET
    timeout: Annotated[
        Duration | UnsetType, Meta(description="From the step's first start to its end, every attempt included.")
    ] = UNSET
    pending_timeout: Annotated[
        Duration | UnsetType,
        Meta(description="How long a Pod may wait to start (no node fits, the image cannot be pulled). Default: 10m."),
    ] = UNSET
    env: Annotated[
        list[dict[str, Json]] | UnsetType,
        Meta(description="Environment variables of the step's container, as in a Pod."),
    ] = UNSET
    resources: Annotated[
        dict[str, Json] | UnsetType, Meta(description="Requests and limits of the step's container, as in a Pod.")
    ] = UNSET
    volumes: Annotated[list[dict[str, Json]] | UnsetType, Meta(description="Volumes of the Pod.")] = UNSET
    volume_mounts: Annotated[
        list[dict[str, Json]] | UnsetType, Meta(description="Volume mounts of the step's container.")
    ] = UNSET
    node_selector: Annotated[dict[str, str] | UnsetType, Meta(description="Labels that the node must have.")] = UNSET
    tolerations: Annotated[list[dict[str, Json]] | UnsetType, Meta(description="Taints that the Pod tolerates.")] = (
        UNSET
    )
    affinity: Annotated[dict[str, Json] | UnsetType, Meta(description="Affinity of the Pod.")] = UNSET
    service_account_name: Annotated[
        str | UnsetType, Meta(description="Service account of the Pod. Its token is not mounted into the step.")
    ] = UNSET
    security_context: Annotated[
        dict[str, Json] | UnsetType,
        Meta(description="Laid over the restricted security context that the step's container has by default."),
    ] = UNSET
    image_pull_secrets: Annotated[
        list[dict[str, str]] | UnsetType, Meta(description="Secrets to pull images with.")
    ] = UNSET
    priority_class_name: Annotated[str | UnsetType, Meta(description="Priority class of the Pod.")] = UNSET
    scheduler_name: Annotated[str | UnsetType, Meta(description="Scheduler of the Pod.")] = UNSET
    termination_grace_period_seconds: Annotated[
        Annotated[int, Meta(ge=0)] | UnsetType, Meta(description="Seconds between SIGTERM and SIGKILL. Default: 30.")
    ] = UNSET
    labels: Annotated[dict[str, str] | UnsetType, Meta(description="Further labels of the Pod.")] = UNSET
    annotations: Annotated[dict[str, str] | UnsetType, Meta(description="Further annotations of the Pod.")] = UNSET
    pod_template: Annotated[
        dict[str, Json] | UnsetType,
        Meta(
            description="Laid over the finished Pod, for whatever is missing here (`metadata`, `spec`); lists of named things merge by name."
        ),
    ] = UNSET


HeaderName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]+$", max_length=128)]


class Webhook(Fields, frozen=True):
    """A POST of JSON that says how a step ended, signed by the Standard Webhooks specification."""

    url: Annotated[
        str,
        Meta(
            pattern=r"^https?://[^\s{}]+$", max_length=2048, description="http or https, as it is: no expression in it."
        ),
    ]
    headers: Annotated[
        dict[HeaderName, Annotated[str, Meta(pattern=r"^[^\r\n]*$", max_length=4096)]],
        Meta(max_length=32, description="Further headers, as they are: no expression in them."),
    ] = {}


class StepFields(Common, frozen=True):
    """A step: `name`, exactly one kind, and what is common to all kinds."""

    name: Annotated[StepName, Meta(description="Unique in the workflow; lower case letters, digits and dashes.")] = ""
    inputs: Annotated[
        dict[str, Input], Meta(max_length=64, description="Artifacts of earlier steps, found at `$MLWF_IN/<name>`.")
    ] = {}
    outputs: Annotated[
        dict[str, Output], Meta(max_length=64, description="What the step leaves, beyond what its kind leaves anyway.")
    ] = {}
    params: Annotated[
        dict[str, Json],
        Meta(max_length=256, description="Any JSON values: `$MLWF_PARAM_<NAME>` and the file `$MLWF_PARAMS`."),
    ] = {}
    after: Annotated[
        list[str], Meta(max_length=256, description="Steps that must have succeeded first; order without data.")
    ] = []
    when: Annotated[
        str, Meta(description="An expression; where it is false the step is skipped, and so is what depends on it.")
    ] = ""
    on_success: Annotated[Webhook | UnsetType, Meta(description="Called when the step has succeeded.")] = UNSET
    on_failure: Annotated[Webhook | UnsetType, Meta(description="Called when the step has failed for good.")] = UNSET


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
    timeout: Annotated[Duration | UnsetType, Meta(description="From the start of the workflow to its end.")] = UNSET
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
