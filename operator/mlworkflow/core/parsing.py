"""From a dict to a step: `parse_step` is the only way. What the schema cannot say of one step by itself is checked here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from mlworkflow.core.errors import Problem, SpecError
from mlworkflow.core.expressions import OPEN
from mlworkflow.core.fields import ALWAYS, SOURCE, Common, Input, Lock, Output, StepFields, Webhook
from mlworkflow.core.kinds import KINDS, Kind, body_of
from mlworkflow.core.names import MAX_NAME, OWN_HEADERS, STEP_NAME
from mlworkflow.core.origins import Origin
from mlworkflow.core.step import Step

DEPTH = 8
"""How deep groups may be nested."""

OWN = ("retry", "timeout", "attempt_timeout")
"""Common fields that are a group's or a step's own: a group does not hand them down, and does not take them from the workflow's defaults."""

_NOT_IN_TRIALS = ("name", "after", "run_after", "when", "inputs", "for_each", "locks", "allow_failure")
_WEBHOOKS = ("on_success", "on_failure")


def parse_step(
    raw: Mapping[str, Any],
    path: str,
    defaults: Common | UnsetType = UNSET,
    *,
    trial_of: str = "",
    depth: int = 0,
) -> Step:
    """One step. `trial_of` names the tune step whose trials it describes. Raises SpecError."""
    kind = _kind(raw, path, depth)
    try:
        fields = msgspec.convert({key: value for key, value in raw.items() if key != kind.name}, StepFields)
    except msgspec.ValidationError as error:
        raise SpecError([schema_problem(error, path)]) from None
    body = body_of(kind, raw[kind.name])
    where = path if kind.is_list else f"{path}.{kind.name}"
    try:
        typed = msgspec.convert(body, kind.body)
    except msgspec.ValidationError as error:
        raise SpecError([schema_problem(error, where)]) from None
    problems = [Problem(f"{where}.{at}" if at else where, message) for at, message in kind.check(typed)]
    problems += _misplaced(fields, kind, path, trial_of, depth)
    if problems:
        raise SpecError(problems)
    name = fields.name or trial_of
    group, for_steps = kind.name == "steps", _merged(defaults, fields)
    trial = (
        parse_step(body["step"], f"{path}.tune.step", for_steps, trial_of=name, depth=depth)
        if kind.name == "tune"
        else None
    )
    steps = parse_steps(body["steps"], f"{path}.steps", _without_own(for_steps, defaults), depth + 1) if group else {}
    absent = kind.absent(typed)
    outputs = {
        name: Output(type=type_, optional=name in kind.optional_outputs)  # type: ignore[arg-type]
        for name, type_ in kind.outputs.items()
        if name not in absent
    }
    return Step(
        name=name,
        kind=kind,
        body=body,
        inputs=fields.inputs,
        outputs={**outputs, **(trial.outputs if trial else {}), **_passed_on(fields.outputs)},
        params=fields.params,
        after=tuple(fields.after),
        run_after=frozenset(fields.run_after or ["Succeeded"]),
        when=fields.when,
        common=_without_own(for_steps, UNSET, fields) if group else for_steps,
        for_each=None if fields.for_each is UNSET else fields.for_each,
        parallel=None if fields.parallel is UNSET else fields.parallel,
        max_failed=0 if fields.max_failed is UNSET else fields.max_failed,
        allow_failure=fields.allow_failure,
        locks=parse_locks(fields.locks),
        on_success=fields.on_success or None,
        on_failure=fields.on_failure or None,
        steps=steps,
        trial=trial,
        raw=raw,
    )


def parse_steps(
    raws: list[dict[str, Any]], path: str, defaults: Common | UnsetType = UNSET, depth: int = 0
) -> dict[str, Step]:
    """The steps of a list by name. Raises SpecError with the problems of all of them."""
    problems: list[Problem] = []
    steps: dict[str, Step] = {}
    for index, raw in enumerate(raws):
        try:
            step = parse_step(raw, f"{path}[{index}]", defaults, depth=depth)
        except SpecError as error:
            problems.extend(error.problems)
            continue
        if step.name in steps:
            problems.append(Problem(f"{path}[{index}].name", f"'{step.name}' is the name of an earlier step too"))
        steps[step.name] = step
    if problems:
        raise SpecError(problems)
    return steps


def parse_locks(locks: list[str | Lock]) -> tuple[Lock, ...]:
    """Locks, a bare name being one that a single holder fills."""
    return tuple(Lock(name=lock) if isinstance(lock, str) else lock for lock in locks)


def lock_problems(locks: list[str | Lock], path: str) -> Iterator[Problem]:
    """What the schema cannot say of bare names."""
    for index, lock in enumerate(locks):
        if isinstance(lock, str) and not (re.fullmatch(STEP_NAME, lock) and len(lock) <= MAX_NAME):
            yield Problem(f"{path}[{index}]", f"'{lock}': a name has lower case letters, digits and dashes")


def _kind(raw: Mapping[str, Any], path: str, depth: int) -> Kind:
    chosen = [kind for kind in KINDS if kind in raw]
    if len(chosen) != 1:
        given = " and ".join(chosen) or "none"
        raise SpecError([Problem(path, f"a step has exactly one of: {', '.join(KINDS)}; this one has {given}")])
    if depth > DEPTH:
        raise SpecError([Problem(path, f"groups are nested more than {DEPTH} deep")])
    return KINDS[chosen[0]]


def _misplaced(fields: StepFields, kind: Kind, path: str, trial_of: str, depth: int) -> Iterator[Problem]:
    """Fields that mean nothing where they stand."""
    for name in _WEBHOOKS:
        if (webhook := getattr(fields, name)) is not UNSET:
            if trial_of or depth:
                yield Problem(
                    f"{path}.{_camel(name)}", "belongs to a step of the workflow itself, not to what is in one"
                )
            yield from _webhook(webhook, f"{path}.{_camel(name)}")
    if trial_of:
        for name in _NOT_IN_TRIALS:
            if getattr(fields, name) != getattr(_NOTHING, name):
                yield Problem(f"{path}.{_camel(name)}", "belongs to the tune step, not to its trials")
        if kind.name in ("tune", "approve", "dataset", "model", "promote"):
            yield Problem(
                f"{path}.{kind.name}",
                f"a trial cannot be {'an' if kind.name[0] == 'a' else 'a'} {kind.name} step itself",
            )
    elif not fields.name:
        yield Problem(f"{path}.name", "is missing")
    if fields.for_each is UNSET:
        for name in ("parallel", "max_failed"):
            if getattr(fields, name) is not UNSET:
                yield Problem(f"{path}.{_camel(name)}", "belongs to a step with forEach")
    yield from lock_problems(fields.locks, f"{path}.locks")
    for name, source in fields.inputs.items():
        yield from _sources(source, f"{path}.inputs.{name}.from")
    is_group = kind.name == "steps"
    if is_group and fields.inputs:
        yield Problem(f"{path}.inputs", "a group has none of its own: its steps take what they need, from outside too")
    for name, output in fields.outputs.items():
        yield from _sources(output, f"{path}.outputs.{name}.from")
        given = sum(value is not UNSET for value in (output.from_, output.value))
        if is_group and given != 1:
            yield Problem(
                f"{path}.outputs.{name}", "an output of a group needs `from` (an artifact) or `value` (a parameter)"
            )
        elif not is_group and given:
            yield Problem(f"{path}.outputs.{name}", "`from` and `value` are for the outputs of a group")
        yield from _keep(output, is_group, f"{path}.outputs.{name}.keep")


def _keep(output: Output, is_group: bool, path: str) -> Iterator[Problem]:
    if is_group and output.keep == ALWAYS:
        yield Problem(path, "a group that fails leaves nothing itself: say `always` at the step that leaves it")
    if not output.lasts and not (output.is_artifact and output.value is UNSET):
        yield Problem(
            path, "a parameter is part of the step's record, which stays as long as the run: `success` or `always`"
        )


def _webhook(webhook: Webhook, path: str) -> Iterator[Problem]:
    for name, value in webhook.headers.items():
        if name.lower() in OWN_HEADERS or name.lower().startswith("webhook-"):
            yield Problem(f"{path}.headers.{name}", "is set by the sender")
        if OPEN in value:
            yield Problem(f"{path}.headers.{name}", "an expression is not evaluated here")


def _sources(value: Input | Output, path: str) -> Iterator[Problem]:
    if value.from_ is UNSET or isinstance(value.from_, Origin):
        return
    texts = [value.from_] if isinstance(value.from_, str) else value.from_
    if not texts or len(texts) > SOURCES:
        yield Problem(path, f"names 1 to {SOURCES} artifacts")
    for text in texts:
        if not re.fullmatch(SOURCE, text):
            yield Problem(path, f"'{text}' is no artifact of a step: write <step>.<output>")


SOURCES = 32
"""Artifacts that `from` may name."""

_NOTHING = StepFields()


def _passed_on(outputs: Mapping[str, Output]) -> dict[str, Output]:
    """A group's outputs with their types: what has a `value` is a parameter."""
    return {
        name: msgspec.structs.replace(output, type="json")
        if output.value is not UNSET and output.is_artifact
        else output
        for name, output in outputs.items()
    }


def _merged(defaults: Common | UnsetType, fields: Common) -> Common:
    """A step's common fields over the defaults, field by field."""
    values = {}
    for name in Common.__struct_fields__:
        own = getattr(fields, name)
        values[name] = own if own is not UNSET or defaults is UNSET else getattr(defaults, name)
    return Common(**values)


def _without_own(common: Common, defaults: Common | UnsetType, fields: Common | UnsetType = UNSET) -> Common:
    """`common` with the fields of `OWN` as `fields` says, or as the defaults around it do."""
    source = fields if fields is not UNSET else defaults
    return msgspec.structs.replace(
        common, **{name: UNSET if source is UNSET else getattr(source, name) for name in OWN}
    )


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def schema_problem(error: msgspec.ValidationError, path: str) -> Problem:
    """msgspec's words (`… - at `$.a[0]``) as a problem with the whole field path."""
    message, _, where = str(error).partition(" - at `$")
    message = message.replace("Object contains unknown field", "unknown field").replace(
        "Object missing required field", "missing field"
    )
    return Problem(f"{path}{where.rstrip('`')}", message)
