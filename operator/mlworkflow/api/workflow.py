"""A workflow as Python writes it: the resource itself, with a few ways to add to it. The resource is the truth: what is read from YAML and written again is the same."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack, overload

import msgspec

from mlworkflow.api import scope
from mlworkflow.api.expressions import Expr, field
from mlworkflow.api.places import PlaceOptions, place_of
from mlworkflow.api.steps import Step
from mlworkflow.api.values import camel, plain
from mlworkflow.core import names, validate
from mlworkflow.core.errors import Problem, SpecError
from mlworkflow.core.model import EXITS
from mlworkflow.core.model import Workflow as Parsed
from mlworkflow.core.spec_fields import SpecFields
from mlworkflow.runs import documents
from mlworkflow.runs.code_files import with_code
from mlworkflow.runs.lint import Finding, lint, named

if TYPE_CHECKING:
    from mlworkflow.api.run import Run

_FIELDS = frozenset(each.name for each in msgspec.structs.fields(SpecFields)) - {"steps", "approvals", "rerun"}


class Workflow:
    """A workflow. What is called in its `with` block becomes its steps. `resource` is what `kubectl apply` would be given."""

    def __init__(
        self,
        name: str,
        *,
        params: Mapping[str, Any] | None = None,
        namespace: str = "",
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> None:
        """`fields` are those of `spec` (`parallelism`, `timeout`, `fail_fast`, `defaults`, `ttl`, …). Raises SpecError for one that there is not."""
        if unknown := sorted(fields.keys() - _FIELDS):
            known = ", ".join(sorted(_FIELDS))
            raise SpecError([Problem(f"spec.{camel(unknown[0])}", f"there is no such field; there are: {known}")])
        metadata = {"name": name, "namespace": namespace, "labels": labels, "annotations": annotations}
        spec = {"params": plain(params, "spec.params")} if params else {}
        spec |= {camel(key): plain(value, f"spec.{camel(key)}") for key, value in fields.items()}
        self.resource: dict[str, Any] = {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {key: plain(value, f"metadata.{key}") for key, value in metadata.items() if value},
            "spec": {**spec, "steps": []},
        }
        self._open: list[ExitStack] = []

    @classmethod
    def of(cls, resource: Mapping[str, Any]) -> Self:
        """A workflow that is there already, as it is."""
        made = cls.__new__(cls)
        made.resource, made._open = deepcopy(dict(resource)), []
        return made

    @property
    def name(self) -> str:
        metadata = self.resource.get("metadata") or {}
        return str(metadata.get("name") or metadata.get("generateName") or "")

    @property
    def spec(self) -> dict[str, Any]:
        return self.resource.setdefault("spec", {})  # type: ignore[no-any-return]

    @property
    def params(self) -> Params:
        """`wf.params.seed`: the value that the run will have. `wf.params(seed=8)` sets some."""
        return Params(self.spec)

    @property
    def steps(self) -> dict[str, Step]:
        """The workflow's own steps by name."""
        return {step.name: step for step in map(Step, self.spec.get("steps") or [])}

    def __getitem__(self, name: str) -> Step:
        return self.steps[name]

    def __enter__(self) -> Self:
        stack = ExitStack()
        stack.enter_context(scope.opened(scope.Scope(self.spec.setdefault("steps", []), self.spec)))
        self._open.append(stack)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.pop().close()

    @contextmanager
    def on_exit(self, when: Literal["always", "succeeded", "failed"] = "always") -> Iterator[None]:
        """What is called in this `with` block are steps for the end of the workflow."""
        if when not in EXITS:
            raise SpecError([Problem(f"spec.onExit.{when}", f"there are: {', '.join(EXITS)}")])
        steps = self.spec.setdefault("onExit", {}).setdefault(when, [])
        with scope.opened(scope.Scope(steps, self.spec)):
            yield

    def check(self) -> None:
        """Raises SpecError with everything that would keep it from running, each with its field."""
        validate.check(Parsed.parse(named(self.resource)))

    def lint(self) -> list[Finding]:
        """What `mlwf lint` says of it: `check`, and what will probably surprise."""
        (document,) = documents.parsed(self.to_yaml(), self.name)
        return lint(document)

    def to_yaml(self, path: str | Path | None = None) -> str:
        """As YAML; with `path` it is written there too."""
        text = documents.written(self.resource)
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def run(self, params: Mapping[str, Any] | None = None, *, home: str | Path | None = None) -> Run:
        """Begin it on this machine, in a process of its own, with some of its parameters replaced; `wait` for its end. Raises SpecError."""
        from mlworkflow.api.starting import run_here

        return run_here(self._with(params), place_of({"home": home, "local": True}))

    def submit(self, params: Mapping[str, Any] | None = None, **place: Unpack[PlaceOptions]) -> Run:
        """Begin it in a cluster, with some of its parameters replaced. Raises SpecError, RunsError."""
        from mlworkflow.api.starting import submit

        return submit(self._with(params), place_of(place))

    def _with(self, params: Mapping[str, Any] | None) -> dict[str, Any]:
        """The resource that is run. Raises SpecError where it cannot be."""
        made = Workflow.of(self.resource)
        made.params(**(params or {}))
        made.check()
        return made.resource

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from mlworkflow.api.drawing import drawing

        return {"text/plain": repr(self), "image/svg+xml": drawing(self.resource)}

    def __repr__(self) -> str:
        count = len(self.spec.get("steps") or [])
        return f"<workflow {self.name}: {count} step{'' if count == 1 else 's'}>"


class Params:
    """The parameters of a workflow: an attribute is the expression for one."""

    __slots__ = ("_spec",)

    def __init__(self, spec: dict[str, Any]) -> None:
        self._spec = spec

    def __getattr__(self, name: str) -> Expr:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Expr:
        return Expr(f"params{field(name)}", is_whole=True)

    def __call__(self, **values: Any) -> None:
        """Set some. Raises SpecError for one that there is not."""
        known = self._spec.get("params") or {}
        if unknown := sorted(values.keys() - known.keys()):
            raise SpecError([Problem(f"spec.params.{unknown[0]}", f"there is none; there are: {', '.join(known) or 'none'}")])  # fmt: skip
        if values:
            self._spec["params"] = {**known, **plain(values, "spec.params")}

    def __repr__(self) -> str:
        return f"<params {self._spec.get('params') or {}}>"

    def __dir__(self) -> list[str]:
        return list(self._spec.get("params") or {})


def load(source: str | Path) -> Workflow:
    """The workflow of a YAML file, the code of files that it names put into it. Raises RunsError where it cannot be read, or holds several."""
    found = [with_code(document) for document in documents.workflows(str(source))]
    if len(found) > 1:
        raise documents.BadFile(f"{source} holds {len(found)} workflows: mlwf.load_all gives all of them")
    return Workflow.of(found[0].resource)


def load_all(source: str | Path) -> list[Workflow]:
    """Every workflow of a YAML file. Raises RunsError."""
    return [Workflow.of(with_code(document).resource) for document in documents.workflows(str(source))]


def loads(text: str) -> Workflow:
    """The workflow of a text in YAML. Raises RunsError."""
    (document,) = documents.parsed(text, "the text")
    return Workflow.of(document.resource)


@overload
def workflow(function: Callable[..., Any], /) -> Callable[..., Workflow]: ...
@overload
def workflow(*, name: str = "", **fields: Any) -> Callable[[Callable[..., Any]], Callable[..., Workflow]]: ...
def workflow(function: Any = None, /, *, name: str = "", **fields: Any) -> Any:
    """A function whose arguments are a workflow's parameters and whose body calls its steps. Called, it gives the `Workflow`, with the arguments as the
    values of the parameters. `fields` are those of `Workflow`.
    """
    if function is None:
        return functools.partial(workflow, name=name, **fields)
    called = name or function.__name__.replace("_", "-").lower()
    signature = inspect.signature(function)

    @functools.wraps(function)
    def made(*args: Any, **kwargs: Any) -> Workflow:
        given = signature.bind_partial(*args, **kwargs)
        given.apply_defaults()
        if missing := [each for each in signature.parameters if each not in given.arguments]:
            words = f"has no value: give {function.__name__}() one, or a default"
            raise SpecError([Problem(f"spec.params.{missing[0]}", words)])
        with scope.closed(), Workflow(called, params=given.arguments, **fields) as built:
            function(**{each: built.params[each] for each in given.arguments})
        return built

    return made
