"""The fields of a step: the schema. The CRD, its documentation and the reference page are generated from these structs, and from those of `spec_fields`.

`model` turns a resource into values; nothing else reads the fields of a step's common part past the edge.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from mlworkflow.core import duration, names
from mlworkflow.core.origins import Origin
from mlworkflow.core.values import Duration, Fields, Integer, Json

OutputType = Literal["artifact", "file", "directory", "string", "number", "integer", "boolean", "json"]
ARTIFACT_TYPES = frozenset({"artifact", "file", "directory"})
EndPhase = Literal["Succeeded", "Failed", "Skipped"]
SUCCESS, ALWAYS = "success", "always"
KEEP = f"^{SUCCESS}$|^{ALWAYS}$|{duration.PATTERN}"
"""A text of `keep`."""
StepName = Annotated[str, Meta(pattern=names.STEP_NAME, max_length=names.MAX_NAME)]


# No pattern: msgspec crashes at the interpreter's end over a text's pattern in a union with a list (its issue 717). `step` checks what such texts say.
Source = str | list[str]
Anywhere = Source | Origin
SOURCE = r"^[^.]+\.[^.]+$"
"""A text of `from`."""
Listed = list[Json] | str


def _sources(text: str | list[str]) -> tuple[tuple[str, str], ...]:
    texts = [text] if isinstance(text, str) else text
    return tuple((text.partition(".")[0], text.partition(".")[2]) for text in texts)


class Input(Fields, frozen=True):
    """Where an input comes from."""

    from_: Annotated[
        Anywhere,
        Meta(
            description="`<step>.<output>` of another step; of a list, the first that exists. Or data that no step has left: `{http: …}`, "
            "`{s3: …}`, `{dataset: …}` or `{model: …}`, the same for the whole run."
        ),
    ] = msgspec.field(name="from")
    optional: Annotated[bool, Meta(description="The step runs without it where it does not exist.")] = False
    default: Annotated[
        Json | UnsetType,
        Meta(
            description="Taken where it does not exist: the content of a file, a text as it is, anything else as JSON."
        ),
    ] = UNSET

    @property
    def sources(self) -> tuple[tuple[str, str], ...]:
        """(step, output), in the order of preference. A reference has been replaced by the step that it stands for."""
        return () if isinstance(self.from_, Origin) else _sources(self.from_)

    @property
    def is_required(self) -> bool:
        return not self.optional and self.default is UNSET


class Output(Fields, frozen=True):
    """What a step leaves at `$MLWF_OUT/<name>`, or, for a parameter's type, at `$MLWF_OUT/params/<name>`; of a group, what it passes on."""

    type: Annotated[
        OutputType,
        Meta(
            description="`artifact` (a file or a directory as found), `file`, `directory`, or an output parameter: `string`, `number`, `integer`, `boolean`, `json`."
        ),
    ] = "artifact"
    optional: Annotated[bool, Meta(description="The step succeeds without it.")] = False
    keep: Annotated[
        str,
        Meta(
            pattern=KEEP,
            max_length=32,
            description="`success`: kept where the step succeeds, as long as the run; `always`: also where an attempt fails; a duration (`30d`): as "
            "`success`, and the artifact is removed that long after the step has ended.",
        ),
    ] = SUCCESS
    from_: Annotated[
        Source | UnsetType,
        Meta(
            description="Of a group: the artifact `<step>.<output>` of one of its steps; of a list, the first that exists."
        ),
    ] = msgspec.field(name="from", default=UNSET)
    value: Annotated[
        Json | UnsetType, Meta(description="Of a group: a parameter, with expressions over the group's steps.")
    ] = UNSET

    @property
    def sources(self) -> tuple[tuple[str, str], ...]:
        """(step, output) of a group's artifact, in the order of preference."""
        return () if self.from_ is UNSET else _sources(self.from_)

    @property
    def is_artifact(self) -> bool:
        return self.type in ARTIFACT_TYPES

    @property
    def lasts(self) -> bool:
        """Whether it is kept as long as its run."""
        return self.keep in (SUCCESS, ALWAYS)


class RetryOnly(Fields, frozen=True):
    """Which failures are tried again: those that any of these names."""

    exit_codes: Annotated[list[int], Meta(description="Exit codes of the step's command.")] = []
    reasons: Annotated[list[str], Meta(description="Reasons as in the status: `OOMKilled`, `Error`, …")] = []
    expression: Annotated[
        str, Meta(description="An expression over `last`: `exitCode`, `reason`, `message`, `attempt`, `failures`.")
    ] = ""


class Retry(Fields, frozen=True):
    """How often a failed step is tried again. What the infrastructure ends (an eviction, a lost node, a deleted Pod) counts by itself: `losses`."""

    limit: Annotated[int, Meta(ge=0, le=100, description="Further attempts after the first.")] = 2
    only: Annotated[RetryOnly | UnsetType, Meta(description="Which failures are tried again. Default: all.")] = UNSET
    losses: Annotated[
        int, Meta(ge=0, le=100, description="How many attempts the infrastructure may end before the step fails.")
    ] = 3
    backoff: Annotated[Duration, Meta(description="Wait before the first further attempt.")] = "10s"
    factor: Annotated[float, Meta(ge=1, le=10, description="Each wait is this much longer than the one before.")] = 2.0
    cap: Annotated[Duration, Meta(description="No wait is longer.")] = "5m"


class Lock(Fields, frozen=True):
    """A lock of the namespace, held while the step runs."""

    name: Annotated[
        str, Meta(pattern=names.STEP_NAME, max_length=names.MAX_NAME, description="Who names the same lock shares it.")
    ]
    size: Annotated[int, Meta(ge=1, description="How many may hold it at once.")] = 1


class IntSpan(Fields, frozen=True):
    """Whole numbers from `min` to `max`, both included."""

    min: Annotated[Integer, Meta(description="The first number.")]
    max: Annotated[Integer, Meta(description="The last number.")]
    step: Annotated[Integer, Meta(description="Distance between neighbours.")] = 1


class ForEach(Fields, frozen=True):
    """The items of a fan-out: exactly one of these."""

    items: Annotated[Listed | UnsetType, Meta(description="The items themselves.")] = UNSET
    range: Annotated[
        Integer | IntSpan | UnsetType, Meta(description="Numbers: `5` is 0 to 4, or `{min, max, step}`.")
    ] = UNSET
    matrix: Annotated[
        dict[str, Listed] | UnsetType,
        Meta(description="Every combination; an item is an object. The last list varies fastest."),
    ] = UNSET


class Cache(Fields, frozen=True):
    """When the result of an earlier run of the same work in the namespace is taken, instead of doing it again."""

    enabled: Annotated[
        bool | UnsetType,
        Meta(
            description="Default: true for `profile`, `prep`, `validate`, `train`, `evaluate` and `python`, false for a container of your own."
        ),
    ] = UNSET
    max_age: Annotated[
        Duration | UnsetType,
        Meta(description="Take no result that is older. Default: any that the installation still keeps."),
    ] = UNSET
    salt: Annotated[
        str,
        Meta(
            max_length=256,
            description="A text that is part of what is compared. It vouches for what cannot be known: the data behind a path or a URL, "
            "the code of a command that a local run starts. Change it when they change.",
        ),
    ] = ""


class Common(Fields, frozen=True):
    """What every kind of step has, and `defaults` too. Fields named as in a Pod mean what they mean in a Pod."""

    image: Annotated[
        str | UnsetType,
        Meta(description="The image of the step. Default: the operator's steps image for built-in kinds."),
    ] = UNSET
    retry: Annotated[Retry | UnsetType, Meta(description="Try again after a failure. Default: once only.")] = UNSET
    cache: Annotated[
        Cache | UnsetType, Meta(description="Whether an earlier result of the same work is taken instead of a new one.")
    ] = UNSET
    timeout: Annotated[
        Duration | UnsetType, Meta(description="From the step's first start to its end, every attempt included.")
    ] = UNSET
    attempt_timeout: Annotated[
        Duration | UnsetType,
        Meta(
            description="From the moment that an attempt runs to its end. An attempt over it has failed, and `retry` counts it."
        ),
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
        dict[str, Input],
        Meta(
            max_length=64,
            description="Artifacts of earlier steps, and data from elsewhere, found at `$MLWF_IN/<name>`.",
        ),
    ] = {}
    outputs: Annotated[
        dict[str, Output], Meta(max_length=64, description="What the step leaves, beyond what its kind leaves anyway.")
    ] = {}
    params: Annotated[
        dict[str, Json],
        Meta(max_length=256, description="Any JSON values: `$MLWF_PARAM_<NAME>` and the file `$MLWF_PARAMS`."),
    ] = {}
    after: Annotated[
        list[str],
        Meta(max_length=256, description="Steps that must have ended first as `runAfter` says; order without data."),
    ] = []
    run_after: Annotated[
        list[EndPhase],
        Meta(
            max_length=3,
            description="In which phases a step of `after` lets this one run: `Succeeded`, `Failed`, `Skipped`. Default: `[Succeeded]`.",
        ),
    ] = []
    when: Annotated[
        str, Meta(description="An expression; where it is false the step is skipped, and so is what depends on it.")
    ] = ""
    for_each: Annotated[
        Listed | ForEach | UnsetType,
        Meta(
            description="Run the step once per item: a list, an expression that gives one, or `{range}` or `{matrix}`. `item` and `index` are "
            "names in its expressions. Its outputs are lists: of parameters, and of artifacts as a directory."
        ),
    ] = UNSET
    parallel: Annotated[
        Annotated[int, Meta(ge=1)] | UnsetType, Meta(description="Items at once. Default: no limit.")
    ] = UNSET
    max_failed: Annotated[
        Annotated[int, Meta(ge=0)] | Annotated[str, Meta(pattern=r"^([0-9]|[1-9][0-9]|100)%$")] | UnsetType,
        Meta(description="How many items may fail, as a number or a share (`20%`). Default: 0."),
    ] = UNSET
    allow_failure: Annotated[
        bool, Meta(description="A failure does not fail the workflow, and `after` takes it for a success.")
    ] = False
    locks: Annotated[
        list[str | Lock],
        Meta(
            max_length=16,
            description="Locks of the namespace, held while an attempt runs: a name (one holder), or `{name, size}`.",
        ),
    ] = []
    on_success: Annotated[Webhook | UnsetType, Meta(description="Called when the step has succeeded.")] = UNSET
    on_failure: Annotated[Webhook | UnsetType, Meta(description="Called when the step has failed for good.")] = UNSET
