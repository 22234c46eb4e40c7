"""`canServe: {image: …}` of an evaluate step as an ordinary step that nobody wrote, right before it: a Pod of that image rehearses the model, and the gate reads its verdict. Pure; `model` calls it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec

from mlworkflow.core.errors import Problem
from mlworkflow.core.fields import Input
from mlworkflow.core.names import MAX_NAME
from mlworkflow.core.parsing import parse_step
from mlworkflow.core.step import Step

SUFFIX = "-serving"
INPUT, VERDICT = "serving", "verdict"
_MODEL = "model"


@dataclass(slots=True)
class Rehearsals:
    """Adds the steps that serving images stand for. `problems` is what is in their way."""

    problems: list[Problem] = field(default_factory=list)

    def add(self, steps: Mapping[str, Step], path: str) -> dict[str, Step]:
        """The steps of a list, and in it those of groups, each evaluate step that names an image after the step that asks it."""
        found: dict[str, Step] = {}
        for index, (name, step) in enumerate(steps.items()):
            where = f"{path}[{index}]"
            if step.trial is not None:
                step = replace(step, trial=self._of_trial(step.trial, f"{where}.tune.step"))
            if step.steps:
                step = replace(step, steps=self.add(step.steps, f"{where}.steps"))
            elif (image := image_of(step)) and _MODEL in step.inputs:
                where = f"{where}.evaluate.canServe"
                if problem := _problem(step, steps):
                    self.problems.append(Problem(where, problem))
                else:
                    asked = _implied(step, image, where)
                    found[asked.name] = asked
                    step = replace(step, inputs={**step.inputs, INPUT: Input(from_=f"{asked.name}.{VERDICT}")})
            found[name] = step
        return found

    def _of_trial(self, trial: Step, path: str) -> Step:
        if image_of(trial):
            self.problems.append(
                Problem(f"{path}.evaluate.canServe", "a trial asks no image of its own: try it once, of the best model")
            )
        return replace(trial, steps=self.add(trial.steps, f"{path}.steps")) if trial.steps else trial


def _problem(step: Step, steps: Mapping[str, Step]) -> str:
    """What is in the way of the step that an image stands for; "" where nothing is."""
    name = f"{step.name}{SUFFIX}"
    if name in steps:
        return f"stands for a step '{name}', and there is one of this name"
    if len(name) > MAX_NAME:
        return f"stands for a step '{name}', which is longer than {MAX_NAME} characters: shorten the step's name"
    if step.for_each is not None:
        return "a step with forEach is many models: write a `rehearse` step with forEach before it"
    return f"leaves the input '{INPUT}', and there is one of this name" if INPUT in step.inputs else ""


def image_of(step: Step) -> str:
    """The serving image that an evaluate step names; "" where it names none."""
    given = step.body.get("canServe") if step.kind.name == "evaluate" else None
    return str(given["image"]) if isinstance(given, Mapping) else ""


def _implied(step: Step, image: str, path: str) -> Step:
    """Where and when the evaluate step is, but in the other image."""
    raw = {"name": f"{step.name}{SUFFIX}", "rehearse": {"level": "warn"}}
    common = msgspec.structs.replace(step.common, image=image)
    return replace(
        parse_step(raw, path, common),
        inputs={_MODEL: step.inputs[_MODEL]},
        after=step.after,
        run_after=step.run_after,
        when=step.when,
        stands_for=path,
    )
