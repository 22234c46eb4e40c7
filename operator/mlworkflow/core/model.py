"""The resource, parsed once at the edge: `Workflow.parse` is the only way from a dict to these values.

The structs below are the schema: the CRD, its documentation and the reference page are generated from them. The body of a
step's kind stays as written (its expressions are evaluated when the step starts) after it has been checked against its struct.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from mlworkflow.core import names
from mlworkflow.core.duration import seconds
from mlworkflow.core.errors import Problem, SpecError
from mlworkflow.core.kinds import KINDS, Kind
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


@dataclass(frozen=True, slots=True)
class Step:
    """A parsed step: `common` has the workflow's defaults in it, `body` is the kind's part as written, `outputs` all of them."""

    name: str
    kind: Kind
    body: Mapping[str, Any]
    inputs: Mapping[str, Input]
    outputs: Mapping[str, Output]
    params: Mapping[str, Any]
    after: tuple[str, ...]
    when: str
    common: Common
    trial: Step | None = None

    @property
    def timeout(self) -> float | None:
        return None if self.common.timeout is UNSET else seconds(self.common.timeout)

    @property
    def pending_timeout(self) -> float:
        return 600.0 if self.common.pending_timeout is UNSET else seconds(self.common.pending_timeout)

    @property
    def retry(self) -> Retry:
        return Retry(limit=0) if self.common.retry is UNSET else self.common.retry


@dataclass(frozen=True, slots=True)
class Workflow:
    """A parsed resource. Parsing checks each field by itself; `validate.problems` checks how they fit together."""

    name: str
    namespace: str
    uid: str
    generation: int
    params: Mapping[str, Any]
    steps: Mapping[str, Step]
    parallelism: int | None
    timeout: float | None
    suspend: bool
    cancel: bool

    @classmethod
    def parse(cls, resource: Mapping[str, Any]) -> Workflow:
        """The workflow of a resource (apiVersion, kind, metadata, spec). Raises SpecError with every problem found."""
        problems: list[Problem] = []
        metadata = resource.get("metadata") or {}
        name = str(metadata.get("name") or "")
        if resource.get("apiVersion") != names.API_VERSION or resource.get("kind") != names.KIND:
            problems.append(Problem("apiVersion", f"expected apiVersion {names.API_VERSION} and kind {names.KIND}"))
        if not name or len(name) > names.MAX_NAME:
            problems.append(
                Problem("metadata.name", f"must have 1 to {names.MAX_NAME} characters: it becomes a label of every Pod")
            )
        try:
            spec = msgspec.convert(resource.get("spec") or {}, SpecFields)
        except msgspec.ValidationError as error:
            raise SpecError([*problems, schema_problem(error, "spec")]) from None
        steps: dict[str, Step] = {}
        for index, raw in enumerate(spec.steps):
            try:
                step = parse_step(raw, f"spec.steps[{index}]", spec.defaults)
            except SpecError as error:
                problems.extend(error.problems)
                continue
            if step.name in steps:
                problems.append(
                    Problem(f"spec.steps[{index}].name", f"'{step.name}' is the name of an earlier step too")
                )
            steps[step.name] = step
        if problems:
            raise SpecError(problems)
        return cls(
            name=name,
            namespace=str(metadata.get("namespace") or "default"),
            uid=str(metadata.get("uid") or ""),
            generation=int(metadata.get("generation") or 1),
            params=spec.params,
            steps=steps,
            parallelism=None if spec.parallelism is UNSET else spec.parallelism,
            timeout=None if spec.timeout is UNSET else seconds(spec.timeout),
            suspend=spec.suspend,
            cancel=spec.cancel,
        )


def parse_step(raw: Mapping[str, Any], path: str, defaults: Common | UnsetType = UNSET, *, trial_of: str = "") -> Step:
    """One step. `trial_of` names the tune step whose trials it describes. Raises SpecError."""
    chosen = [kind for kind in KINDS if kind in raw]
    unknown_kind = f"a step has exactly one of: {', '.join(KINDS)}"
    if len(chosen) != 1:
        raise SpecError([Problem(path, f"{unknown_kind}; this one has {' and '.join(chosen) or 'none'}")])
    kind = KINDS[chosen[0]]
    try:
        fields = msgspec.convert({key: value for key, value in raw.items() if key != kind.name}, StepFields)
    except msgspec.ValidationError as error:
        raise SpecError([schema_problem(error, path)]) from None
    try:
        body = msgspec.convert(raw[kind.name] or {}, kind.body)
    except msgspec.ValidationError as error:
        raise SpecError([schema_problem(error, f"{path}.{kind.name}")]) from None
    problems = [Problem(f"{path}.{kind.name}.{where}", message) for where, message in kind.check(body)]
    if trial_of:
        problems += [
            Problem(f"{path}.{field}", "belongs to the tune step, not to its trials")
            for field in ("name", "after", "when", "inputs")
            if raw.get(field)
        ]
        if kind.name == "tune":
            problems.append(Problem(f"{path}.tune", "a trial cannot be a tune step itself"))
    elif not fields.name:
        problems.append(Problem(f"{path}.name", "is missing"))
    if problems:
        raise SpecError(problems)
    trial = None
    if kind.name == "tune":
        trial = parse_step(raw["tune"]["step"], f"{path}.tune.step", _merged(defaults, fields), trial_of=fields.name)
    outputs = {name: Output(type=type_, optional=name in kind.optional_outputs) for name, type_ in kind.outputs.items()}  # type: ignore[arg-type]
    return Step(
        name=fields.name or trial_of,
        kind=kind,
        body=raw[kind.name] or {},
        inputs=fields.inputs,
        outputs={**outputs, **(trial.outputs if trial else {}), **fields.outputs},
        params=fields.params,
        after=tuple(fields.after),
        when=fields.when,
        common=_merged(defaults, fields),
        trial=trial,
    )


def _merged(defaults: Common | UnsetType, fields: Common) -> Common:
    """A step's common fields over the defaults, field by field."""
    values = {}
    for name in Common.__struct_fields__:
        own = getattr(fields, name)
        values[name] = own if own is not UNSET or defaults is UNSET else getattr(defaults, name)
    return Common(**values)


def schema_problem(error: msgspec.ValidationError, path: str) -> Problem:
    """msgspec's words (`… - at `$.a[0]``) as a problem with the whole field path."""
    message, _, where = str(error).partition(" - at `$")
    message = message.replace("Object contains unknown field", "unknown field").replace(
        "Object missing required field", "missing field"
    )
    return Problem(f"{path}{where.rstrip('`')}", message)
