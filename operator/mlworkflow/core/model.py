"""The resource, parsed once at the edge: `Workflow.parse` is the only way from a dict to these values.

The schema is in `fields` and `kinds`. The body of a step's kind stays as written (its expressions are evaluated when the step starts) after it has been checked against its struct.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from mlworkflow.core import names
from mlworkflow.core.duration import seconds
from mlworkflow.core.errors import Problem, SpecError
from mlworkflow.core.fields import Common, Input, Output, PodCleanup, Retry, SpecFields, StepFields, Ttl, Webhook
from mlworkflow.core.kinds import KINDS, Kind


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
    on_success: Webhook | None = None
    on_failure: Webhook | None = None

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
    ttl: Ttl | None = None
    pod_cleanup: PodCleanup = "Never"

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
            ttl=Ttl.of(spec.ttl),
            pod_cleanup=spec.pod_cleanup,
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
            for field in ("name", "after", "when", "inputs", "onSuccess", "onFailure")
            if raw.get(field)
        ]
        if kind.name == "tune":
            problems.append(Problem(f"{path}.tune", "a trial cannot be a tune step itself"))
    elif not fields.name:
        problems.append(Problem(f"{path}.name", "is missing"))
    for field, webhook in (("onSuccess", fields.on_success), ("onFailure", fields.on_failure)):
        problems += _webhook(webhook, f"{path}.{field}")
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
        on_success=fields.on_success or None,
        on_failure=fields.on_failure or None,
    )


def _webhook(webhook: Webhook | UnsetType, path: str) -> list[Problem]:
    if webhook is UNSET:
        return []
    problems = []
    for name, value in webhook.headers.items():
        if name.lower() in names.OWN_HEADERS or name.lower().startswith("webhook-"):
            problems.append(Problem(f"{path}.headers.{name}", "is set by the sender"))
        if "${{" in value:
            problems.append(Problem(f"{path}.headers.{name}", "an expression is not evaluated here"))
    return problems


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
