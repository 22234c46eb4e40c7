"""Inputs by reference (`from: {http: …}`, `{s3: …}`, `{dataset: …}`, `{model: …}`), and what `python` steps need, as ordinary steps: one for each that differs, before all others. Pure.

So what a reference stands for is found out once, when the run starts, and committed: every step and every attempt of the run has the same bytes,
and whoever looks at steps needs to know of nothing else.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from mlworkflow.core.errors import ExpressionError, Problem
from mlworkflow.core.expressions import Expression, split, walk
from mlworkflow.core.fields import Common, Input, Retry
from mlworkflow.core.kinds._python_use import ENVIRONMENT, REPOSITORY
from mlworkflow.core.origins import Origin, problems_of
from mlworkflow.core.parsing import parse_step
from mlworkflow.core.requirements import (
    FETCHED,
    INSTALLED,
    fetching,
    installing,
    repository_of,
    requirements_of,
    texts_of,
)
from mlworkflow.core.step import Step

OUTPUT = "data"
KNOWN = frozenset({"params", "workflow"})
"""What an expression in a reference may speak of: nothing else is known at the start of a run."""
RETRY = Retry(limit=4)
"""Of the steps that nobody wrote, where `defaults` has none: the world outside is not always there."""
NAMED = ("dataset", "model")
"""What has a name in the namespace: there is nothing to be fetched."""
_SHOWN = 24
_EXPRESSION = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)
_Steps = Mapping[str, Step]


@dataclass(slots=True)
class Expansion:
    """Replaces references by the steps that they stand for. `steps` are these, `problems` what is wrong with references."""

    params: Mapping[str, Any]
    defaults: Common | UnsetType
    steps: dict[str, Step] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def expand(self, steps: _Steps, path: str) -> dict[str, Step]:
        """The steps of a list, each reference in them replaced."""
        return {name: self._step(step, f"{path}[{index}]") for index, (name, step) in enumerate(steps.items())}

    def check_names(self, names: Iterator[str]) -> None:
        """A step that somebody wrote has none of the names that we made."""
        for name in names:
            if name in self.steps:
                self.problems.append(
                    Problem(self.steps[name].stands_for, f"stands for a step '{name}', and there is one of this name")
                )

    def _step(self, step: Step, path: str) -> Step:
        inner = self.expand(step.steps, f"{path}.steps") if step.steps else {}
        trial = self._step(step.trial, f"{path}.tune.step") if step.trial else None
        own = {
            name: self._replaced(source, f"{path}.inputs.{name}.from")
            for name, source in step.inputs.items()
            if isinstance(source.from_, Origin)
        }
        own |= self._needed(step, path)
        if trial and trial.inputs:  # a trial has the inputs of its tune step
            own |= trial.inputs
            trial = step.trial
        if not own and trial is step.trial and all(inner[name] is step.steps[name] for name in inner):
            return step
        return replace(step, inputs={**step.inputs, **own}, steps=inner, trial=trial)

    def _needed(self, step: Step, path: str) -> dict[str, Input]:
        """The inputs that have what a step's `requirements` and `git` name."""
        found: dict[str, Input] = {}
        if requirements_of(step):
            made = installing(step, self.defaults)
            found[ENVIRONMENT] = self._made(made, INSTALLED, f"{path}.python.requirements")
            for at, value in texts_of(made[2]):
                self.problems += self._expressions(value, f"{path}.{at}")
        if (body := repository_of(step)) is not None:
            found[REPOSITORY] = self._made(fetching(body, self.defaults), FETCHED, f"{path}.python.git")
            self.problems += self._expressions(body, f"{path}.python.git")
        for name in found.keys() & step.inputs.keys():
            self.problems.append(
                Problem(
                    f"{path}.inputs.{name}",
                    "is made by a step that nobody wrote already: `requirements` or `git` stand for it",
                )
            )
        return found

    def _made(self, step: tuple[str, dict[str, Any], Common], output: str, stands_for: str) -> Input:
        """The output of a step that nobody wrote."""
        name, raw, common = step
        if name not in self.steps:
            self.steps[name] = replace(parse_step(raw, stands_for, common), stands_for=stands_for)
        return Input(from_=f"{name}.{output}")

    def _replaced(self, source: Input, path: str) -> Input:
        assert isinstance(source.from_, Origin)
        problems = [*self._problems(source.from_, path)]
        self.problems += problems
        if problems:
            return source
        name, is_optional = name_of(source.from_), source.from_.model is not UNSET and not source.is_required
        if name not in self.steps or (self.steps[name].body.get("optional") and not is_optional):
            self.steps[name] = replace(self._implied(name, source.from_, path, is_optional), stands_for=path)
        return msgspec.structs.replace(source, from_=f"{name}.{OUTPUT}")

    def _implied(self, name: str, reference: Origin, path: str, is_optional: bool) -> Step:
        """`is_optional`: whoever names it can do without; one that cannot is enough for it to have to exist."""
        fields = msgspec.to_builtins(reference)
        body: dict[str, Any] = {"import": fields}
        if named := next((kind for kind in NAMED if kind in fields), None):
            body = {named: {"name": fields[named], **({"optional": True} if is_optional else {})}}
        common = Common() if self.defaults is UNSET else self.defaults
        retry = RETRY if common.retry is UNSET else common.retry
        return parse_step({"name": name, **body}, path, msgspec.structs.replace(common, image=UNSET, retry=retry))

    def _problems(self, reference: Origin, path: str) -> Iterator[Problem]:
        for at, message in problems_of(reference):
            yield Problem(f"{path}.{at}" if at else path, message)
        yield from self._expressions(msgspec.to_builtins(reference), path)

    def _expressions(self, value: Any, path: str) -> Iterator[Problem]:
        """What is wrong with expressions that are evaluated at the start of the run."""
        for at, text in walk(value, ""):
            where = f"{path}.{at}" if at and at[0] != "[" else f"{path}{at}"
            try:
                expressions = [part for part in split(text) if isinstance(part, Expression)]
            except ExpressionError as error:
                yield Problem(where, str(error))
                continue
            for expression in expressions:
                if unknown := sorted(expression.roots - KNOWN):
                    message = f"'{expression.source}': '{unknown[0]}' is not known at the start of a run; params and workflow are"
                    yield Problem(where, message)
                for name in sorted(expression.parameters or ()):
                    if name not in self.params and name.replace("_", "-") not in self.params:
                        yield Problem(where, f"'{expression.source}': spec.params has no '{name}'")


def name_of(reference: Origin) -> str:
    """The name of the step that a reference stands for: readable first, a hash of all that it says last."""
    fields = msgspec.to_builtins(reference)
    kind = next(kind for kind in (*NAMED, "http", "s3") if kind in fields)
    text = str(fields[kind]).partition("@" if kind in NAMED else "?")[0]
    last = _EXPRESSION.sub("", text).rstrip("/").rpartition("/")[2]
    readable = re.sub(r"[^a-z0-9]+", "-", last.lower())[:_SHOWN].strip("-") or "data"
    digest = hashlib.sha256(msgspec.json.encode(fields, order="sorted")).hexdigest()[:8]
    return f"{kind if kind in NAMED else 'import'}-{readable}-{digest}"
