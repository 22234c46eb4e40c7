"""`evaluate`: a model bundle on a table it has not seen: the report, its JSON twin, every metric, and the gate's verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mlworkflow_steps.context import Context
from mlworkflow_steps.data.table import file_digest, read_table
from mlworkflow_steps.errors import SpecInvalid, StepFailure, first_line
from mlworkflow_steps.models import loading
from mlworkflow_steps.models.columns import target_of, values_of
from mlworkflow_steps.models.manifest import versions
from mlworkflow_steps.models.model import Model
from mlworkflow_steps.models.scores import DEFAULTS, SCORES, outcome_of, scores_named
from mlworkflow_steps.report.facts import (
    baseline_outcome,
    class_rows,
    computed,
    confusion_of,
    gate_checks,
    importances,
    worst_rows,
)
from mlworkflow_steps.report.page import Report
from mlworkflow_steps.spec import Fields


@dataclass(frozen=True, slots=True)
class Evaluate:
    """The spec of the kind, parsed. `gate`: metric → {min and/or max: limit}."""

    metrics: list[str] | None
    gate: dict[str, dict[str, float]]
    target: str | None

    @classmethod
    def parse(cls, spec: Mapping[str, Any]) -> Evaluate:
        fields = Fields(spec, "evaluate")
        bounds = fields.child("gate")
        parsed = cls(
            metrics=fields.texts("metrics"),
            gate={name: _limits(bounds.child(name)) for name in fields.mapping("gate")},
            target=fields.text("target"),
        )
        fields.done()
        return parsed


def run(context: Context) -> None:
    """Leaves report, scores and the metrics. Raises StepFailure (GateFailed) after that, where the model is not good enough."""
    spec = Evaluate.parse(context.spec)
    model = loading.load(context.input("model"))
    report = _measured(context, spec, model)
    passed = all(check.passed for check in report.checks)
    context.output("report").write_text(report.html(), encoding="utf-8")
    context.output("scores").write_text(
        json.dumps(_scores(report, passed), indent=2, allow_nan=False) + "\n", encoding="utf-8"
    )
    for name, value in report.values.items():
        context.set_parameter(name, value)
        context.emit_metric(name, value)
        print(f"{name} {value:.4f}" + (f" (baseline {report.baseline[name]:.4f})" if name in report.baseline else ""))
    context.set_parameter("passed", passed)
    if not passed:
        raise StepFailure("GateFailed", "; ".join(check.message for check in report.checks if not check.passed))


def _limits(fields: Fields) -> dict[str, float]:
    limits = {name: value for name in ("min", "max") if (value := fields.number(name)) is not None}
    fields.done()
    if not limits:
        raise SpecInvalid(fields.path, "needs `min` or `max`")
    return limits


def _measured(context: Context, spec: Evaluate, model: Model) -> Report:
    known = [score.name for score in SCORES.values() if score.task == model.task]
    scores = scores_named(known if spec.metrics is None else spec.metrics, model.task, "evaluate.metrics")
    gated = scores_named(list(spec.gate), model.task, "evaluate.gate")
    table = read_table(context.input("test"))
    target = target_of(table, spec.target or model.manifest.target, "evaluate.target")
    features, true = model.columns_of(table.frame), values_of(table.frame[target])
    try:
        outcome = outcome_of(model, features, true)
        values = computed(list(dict.fromkeys([*scores, *gated])), outcome)
        main = SCORES[DEFAULTS[model.task][0]]
        important = importances(model, features, true, main)
    except (ValueError, TypeError) as error:
        raise StepFailure("PredictFailed", f"the model cannot predict this table: {first_line(error)}") from error
    for score in gated if spec.metrics is None else dict.fromkeys([*scores, *gated]):
        if score.name not in values:
            path = "evaluate.gate" if score.name in spec.gate else "evaluate.metrics"
            raise StepFailure(
                "MetricUnknown", f"{path}: '{score.name}' cannot be computed here: it needs {score.needs}"
            )
    return Report(
        workflow=context.workflow,
        step=context.step,
        manifest=model.manifest,
        outcome=outcome,
        values=values,
        baseline=computed([SCORES[name] for name in values], baseline_outcome(true, model.manifest.baseline, outcome)),
        checks=gate_checks(spec.gate, values),
        importances=important,
        importance_metric=main.name,
        worst=worst_rows(outcome, model.task),
        digests=_digests(context, model),
    )


def _digests(context: Context, model: Model) -> dict[str, str]:
    """What came in, by digest: the table that the model was trained on, the test table, and the model as the task names it."""
    digests = {
        "training table": model.manifest.inputs.get("train", ""),
        "test table": context.digests.get("test") or file_digest(context.input("test")),
    }
    return digests | ({"model": context.digests["model"]} if "model" in context.digests else {})


def _scores(report: Report, passed: bool) -> dict[str, Any]:
    """The JSON twin of the report."""
    facts: dict[str, Any] = {
        "format": 1,
        "task": report.manifest.task,
        "target": report.manifest.target,
        "rows": len(report.outcome.true),
        "metrics": dict(report.values),
        "baseline": dict(report.baseline),
        "passed": passed,
        "gate": [asdict(check) | {"passed": check.passed} for check in report.checks],
        "importances": [{"feature": name, report.importance_metric: value} for name, value in report.importances],
        "worst_rows": [asdict(row) for row in report.worst],
        "digests": dict(report.digests),
        "versions": versions(),
    }
    if report.manifest.task == "classification":
        labels, counts = confusion_of(report.outcome)
        facts["confusion"] = {"labels": labels, "counts": counts.tolist()}
        facts["classes"] = [asdict(row) for row in class_rows(report.outcome)]
    return facts
