"""A step while a workflow is being written: a view of its part of the resource, and what becomes of the arguments of `mlwf.train(…)` and its like.

`kinds`, which is generated, has a function for each kind; all of them end in `make`. A step becomes part of the innermost workflow or group that is open (`scope`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
from msgspec import UNSET

from mlworkflow.api import scope
from mlworkflow.api.expressions import Expr, field
from mlworkflow.api.sources import Output, Source, from_
from mlworkflow.api.values import camel, plain
from mlworkflow.core.errors import Problem, SpecError
from mlworkflow.core.fields import ARTIFACT_TYPES
from mlworkflow.core.kinds import KINDS, Kind
from mlworkflow.schema.python_api import OWN, body_argument, step_argument


class Step:
    """A step: `raw` is what stands in the resource. ``step.model`` and ``step["model"]`` are outputs."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw

    @property
    def name(self) -> str:
        return str(self.raw.get("name", ""))

    @property
    def kind(self) -> Kind:
        return _kind(self.raw)

    @property
    def phase(self) -> Expr:
        """How it has ended: `Succeeded`, `Failed` or `Skipped`."""
        return Expr(f"steps{field(self.name)}.phase", is_whole=True)

    @property
    def outputs(self) -> list[str]:
        """The names of what it declares. A kind whose parameters follow from the data leaves more of these."""
        return list(_declared(self.raw))

    def leaves_artifact(self, name: str) -> bool:
        return _declared(self.raw).get(name) in ARTIFACT_TYPES

    def __getitem__(self, name: str) -> Output:
        known = _declared(self.raw)
        if name not in known and not _is_open(self.raw):
            words = f"leaves no '{name}'; it leaves: {', '.join(known) or 'nothing'}"
            raise SpecError([Problem(f"steps.{self.name}", words)])
        return Output(self, name)

    def __getattr__(self, name: str) -> Output:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except SpecError as error:
            raise AttributeError(str(error)) from None

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *_declared(self.raw)]

    def __repr__(self) -> str:
        return f"<step {self.name}: {self.kind.name}>"


class Group(Step):
    """A step that is a graph of its own. What is written in its `with` block (`group`) is inside."""

    def leaves(self, **outputs: Output | Expr) -> None:
        """What is seen of it from outside: artifacts of its steps, and values."""
        own = self.raw.setdefault("outputs", {})
        for name, output in outputs.items():
            is_artifact = isinstance(output, Output) and output.is_artifact
            own[name] = {"from": output.source} if is_artifact and isinstance(output, Output) else {"value": plain(output, f"outputs.{name}")}  # fmt: skip


@contextmanager
def group(name: str, **options: Any) -> Iterator[Group]:
    """A group of steps: with `when`, `for_each`, `retry` and `timeout` for all of them together. Only in a workflow."""
    around = scope.current()
    if around is None:
        raise SpecError(
            [Problem(f"steps.{name}", "a group is part of a workflow: write it in `with mlwf.Workflow(…)`")]
        )
    raw = {"name": scope.free_name(name), **_options(options, f"steps.{name}"), "steps": []}
    around.steps.append(raw)
    with scope.opened(scope.Scope(raw["steps"], around.spec)):
        yield Group(raw)


def make(kind: str, given: Mapping[str, Any]) -> Step:
    """A step from the arguments of a kind's function, `options` among them. Raises SpecError."""
    about = KINDS[kind]
    rest = {**given, **given["options"]}
    del rest["options"]
    rest = {name: value for name, value in rest.items() if value is not UNSET}
    body = {
        field: rest.pop(name)
        for field, name in ((each.name, body_argument(about, each.name)) for each in msgspec.structs.fields(about.body))
        if name in rest
    }
    own = {
        field: rest.pop(name) for field, name in ((each, step_argument(about, each)) for each in OWN) if name in rest
    }
    inputs = {**own.pop("inputs", {}), **{name: rest.pop(name) for name in about.inputs if name in rest}}
    return add(kind, own.pop("name", ""), body, inputs, {**own, **rest})


def add(
    kind: str, name: str, body: Mapping[str, Any], inputs: Mapping[str, Source], options: Mapping[str, Any]
) -> Step:
    """A step in the list that is open, if one is. `body` and `options` have their names in Python. Raises SpecError."""
    name = name or scope.free_name(kind)
    path = f"steps.{name}"
    taken = {key: from_(source, f"{path}.inputs.{key}") for key, source in inputs.items()}
    written: dict[str, Any] = {}
    for key, value in body.items():
        if isinstance(value, Step):
            taken = {**(value.raw.get("inputs") or {}), **taken}
            value = _moved(value)
        written[camel(key)] = plain(value, f"{path}.{kind}.{camel(key)}")
    raw = {"name": name, **({"inputs": taken} if taken else {}), kind: written, **_options(options, path)}
    if around := scope.current():
        around.steps.append(raw)
    return Step(raw)


def _moved(step: Step) -> dict[str, Any]:
    """What a step is as the step of trials: no step of the workflow any more, and its inputs are those of the search."""
    if around := scope.current():
        around.steps[:] = [each for each in around.steps if each is not step.raw]
    return {key: value for key, value in step.raw.items() if key not in ("name", "inputs")}


def _options(options: Mapping[str, Any], path: str) -> dict[str, Any]:
    return {camel(name): _option(name, value, f"{path}.{camel(name)}") for name, value in options.items()}


def _option(name: str, value: Any, path: str) -> Any:
    if name == "after":
        steps = [value] if isinstance(value, Step | str) else value
        return [step.name if isinstance(step, Step) else step for step in steps]
    if name == "outputs" and isinstance(value, Mapping):
        value = {key: {"type": each} if isinstance(each, str) else each for key, each in value.items()}
    return plain(value, path)


def _kind(raw: Mapping[str, Any]) -> Kind:
    return next(kind for name, kind in KINDS.items() if name in raw)


def _declared(raw: Mapping[str, Any]) -> dict[str, str]:
    """Output → type."""
    own = {
        name: "json" if "value" in (output or {}) else str((output or {}).get("type", "artifact"))
        for name, output in (raw.get("outputs") or {}).items()
    }
    tried = _trial(raw)
    return {**_kind(raw).outputs, **(_declared(tried) if tried else {}), **own}


def _is_open(raw: Mapping[str, Any]) -> bool:
    tried = _trial(raw)
    return _kind(raw).open_parameters or (tried is not None and _is_open(tried))


def _trial(raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
    body = raw.get("tune")
    return body.get("step") if isinstance(body, Mapping) else None
