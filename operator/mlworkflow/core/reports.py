"""`report: true` of a tune step as an ordinary step that nobody wrote, right after it. Pure; `model` calls it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec
from msgspec import UNSET, UnsetType

from mlworkflow.core.errors import Problem
from mlworkflow.core.fields import Common
from mlworkflow.core.names import MAX_NAME
from mlworkflow.core.parsing import parse_step
from mlworkflow.core.step import Step

SUFFIX = "-report"
OUTPUT = "study"


@dataclass(slots=True)
class Reports:
    """Adds the steps that reports stand for. `problems` is what is in their way."""

    defaults: Common | UnsetType
    problems: list[Problem] = field(default_factory=list)

    def add(self, steps: Mapping[str, Step], path: str) -> dict[str, Step]:
        """The steps of a list, and in it those of groups, each tune step that wants a report followed by it."""
        found: dict[str, Step] = {}
        for index, (name, step) in enumerate(steps.items()):
            where = f"{path}[{index}]"
            found[name] = replace(step, steps=self.add(step.steps, f"{where}.steps")) if step.steps else step
            if step.trial is None:
                continue
            where = f"{where}.tune.report"
            if not step.body.get("report"):
                found[name] = _without(step)
            elif problems := self._problems(step, steps):
                self.problems += [Problem(where, problem) for problem in problems]
            else:
                found[f"{name}{SUFFIX}"] = replace(self._implied(step, where), stands_for=where)
        return found

    def _problems(self, step: Step, steps: Mapping[str, Step]) -> list[str]:
        name = f"{step.name}{SUFFIX}"
        if name in steps:
            return [f"stands for a step '{name}', and there is one of this name"]
        if len(name) > MAX_NAME:
            return [f"stands for a step '{name}', which is longer than {MAX_NAME} characters: shorten the step's name"]
        if step.for_each is not None:
            return ["a step with forEach is many searches: a report is of one"]
        return []

    def _implied(self, step: Step, path: str) -> Step:
        common = Common() if self.defaults is UNSET else self.defaults
        inputs = {OUTPUT: {"from": f"{step.name}.{OUTPUT}"}}
        raw = {"name": f"{step.name}{SUFFIX}", "inputs": inputs, "study": {}, "allowFailure": True}
        return parse_step(raw, path, msgspec.structs.replace(common, image=UNSET))


def _without(step: Step) -> Step:
    """A search without a report leaves no document: with its times that would be another artifact in each run."""
    assert step.trial
    return replace(
        step, outputs={name: out for name, out in step.outputs.items() if name != OUTPUT or name in step.trial.outputs}
    )
