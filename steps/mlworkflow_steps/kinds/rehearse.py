"""`rehearse`: a model as it will be served. A fresh process of the step's own image loads it and predicts its golden rows."""

from __future__ import annotations

import json

from mlworkflow_steps.context import Context
from mlworkflow_steps.errors import StepFailure
from mlworkflow_steps.models import serving
from mlworkflow_steps.spec import Fields


def run(context: Context) -> None:
    """Leaves the verdict. Raises StepFailure (CannotServe) after that, where the model cannot be served in this image."""
    fields = Fields(context.spec, "rehearse")
    tolerance, level = fields.number("tolerance"), fields.text("level") or "block"
    fields.done()
    model = context.input("model")
    problem = serving.problem(model, tolerance=serving.TOLERANCE if tolerance is None else tolerance)
    verdict = {"format": 1, "passed": not problem, "problem": problem, "model": context.digests.get("model", "")}
    context.output("verdict").write_text(json.dumps(verdict, indent=2) + "\n", encoding="utf-8")
    context.set_parameter("passed", not problem)
    if problem and level == "block":
        raise StepFailure("CannotServe", problem)
    print(problem or "the model was loaded in a fresh process and says what it said at training")
