"""`evaluate`: a model on a table it has not seen, beside the champion if there is one: the report, its JSON twin, every metric, and the gate's verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlworkflow_steps.context import Context
from mlworkflow_steps.data.table import Table, file_digest, read_table
from mlworkflow_steps.errors import SpecInvalid, StepFailure, first_line
from mlworkflow_steps.evaluation.evaluation import About, Evaluation, Plan, evaluate
from mlworkflow_steps.evaluation.facts import facts_of
from mlworkflow_steps.evaluation.gate import Bound, Check, rejection, served
from mlworkflow_steps.evaluation.intervals import Bootstrap
from mlworkflow_steps.evaluation.latency import latencies
from mlworkflow_steps.evaluation.slices import SliceBy
from mlworkflow_steps.evaluation.subject import Subject
from mlworkflow_steps.evaluation.truth import truth_of
from mlworkflow_steps.models import loading, serving
from mlworkflow_steps.models.manifest import versions
from mlworkflow_steps.models.scores import scores_named, scores_of
from mlworkflow_steps.report.evaluation_page import evaluation_page
from mlworkflow_steps.spec import Fields

_MODEL, _CHAMPION, _TEST, _SERVING = "model", "champion", "test", "serving"


@dataclass(frozen=True, slots=True)
class Evaluate:
    """The spec of the kind, parsed. `target` is empty where the model names it; `serving_image` is the one whose verdict the input `serving` is."""

    metrics: list[str] | None
    gate: Mapping[str, Bound]
    target: list[str]
    slices: list[SliceBy]
    time: str
    bootstrap: Bootstrap
    can_serve: bool
    serving_image: str

    @classmethod
    def parse(cls, spec: Mapping[str, Any]) -> Evaluate:
        fields = Fields(spec, "evaluate")
        bounds = fields.child("gate")
        is_elsewhere = isinstance(fields.get("canServe", False), Mapping)
        target = fields.get("target", [])
        confidence = fields.number("confidence")
        parsed = cls(
            metrics=fields.texts("metrics"),
            gate={name: Bound.parse(bounds.child(name)) for name in fields.mapping("gate")},
            target=[target] if isinstance(target, str) else (fields.texts("target") or []),
            slices=SliceBy.parse_all(fields.get("slices", []), fields.where("slices")),
            time=fields.text("time") or "",
            bootstrap=Bootstrap(
                seed=fields.integer("seed", 0, at_least=0, at_most=2**32 - 1),
                confidence=0.95 if confidence is None else float(confidence),
            ),
            can_serve=not is_elsewhere and fields.boolean("canServe", default=False),
            serving_image=fields.child("canServe").required_text("image") if is_elsewhere else "",
        )
        fields.done()
        if not 0.5 <= parsed.bootstrap.confidence < 1:
            raise SpecInvalid(fields.where("confidence"), f"is a share from 0.5 to below 1, not {confidence:g}")
        if parsed.needs_slices and not parsed.slices:
            raise SpecInvalid(
                fields.where("slices"), "is missing: the gate has rules for slices, and this says what they are"
            )
        return parsed

    @property
    def needs_slices(self) -> bool:
        return any(bound.slices is not None for bound in self.gate.values())


def run(context: Context) -> None:
    """Leaves report, scores and the metrics. Raises StepFailure (GateFailed) after that, where the model is not good enough."""
    spec = Evaluate.parse(context.spec)
    table = read_table(context.input(_TEST))
    if table.frame.empty:
        raise StepFailure("SourceInvalid", "the input 'test' has no rows: nothing can be measured on it")
    rehearsed = _rehearsed(context, spec)
    try:
        subject, about = _subject(context, _MODEL, table, spec)
    except StepFailure as failure:
        if why := rejection(rehearsed):  # nothing can be measured of a model that cannot even be loaded
            raise StepFailure("GateFailed", why) from failure
        raise
    rival = _rival(context, table, spec, subject) if (context.inputs / _CHAMPION).exists() else None
    try:
        found = evaluate(subject, about, table.frame, _plan(spec, subject, table, rehearsed), rival)
        latency = latencies(subject.model.predict, subject.features, matrix=subject.matrix)
    except (ValueError, TypeError) as error:
        raise StepFailure("PredictFailed", f"the model cannot predict this table: {first_line(error)}") from error
    _leave(context, found, _digests(context, about))
    for name, value in latency.items():
        context.emit_metric(name, value)
        print(f"{name} {value:.3f}")
    if why := rejection(found.checks):
        raise StepFailure("GateFailed", why)


def _rehearsed(context: Context, spec: Evaluate) -> list[Check]:
    """Whether the model can be served, where that is a rule: here, or as a step before this one has seen it in the serving image."""
    if spec.serving_image:
        verdict = json.loads(context.input(_SERVING).read_text(encoding="utf-8"))
        return [served(str(verdict["problem"]), spec.serving_image)]
    return [served(serving.problem(context.input(_MODEL)))] if spec.can_serve else []


def _plan(spec: Evaluate, subject: Subject, table: Table, rehearsed: list[Check]) -> Plan:
    known = [score.name for score in scores_of(subject.task)]
    scores = scores_named(known if spec.metrics is None else spec.metrics, subject.task, "evaluate.metrics")
    gated = scores_named(list(spec.gate), subject.task, "evaluate.gate")
    if spec.slices and subject.task == "clustering":
        raise SpecInvalid(
            "evaluate.slices", "is for predictions, which are right or wrong in every row; clusters are not"
        )
    if spec.time and spec.time not in table.frame:
        raise StepFailure("ColumnNotFound", f"evaluate.time: the table has no column '{spec.time}'; it has: {', '.join(map(str, table.frame.columns))}")  # fmt: skip
    return Plan(
        scores=list(dict.fromkeys([*scores, *gated])),
        gate=spec.gate,
        slices=spec.slices,
        time=spec.time,
        bootstrap=spec.bootstrap,
        has_all_scores=spec.metrics is None,
        checks=rehearsed,
    )


def _subject(context: Context, name: str, table: Table, spec: Evaluate) -> tuple[Subject, About]:
    """The model of an input, on the columns of the table that it takes, and what its bundle says of it."""
    model = loading.load(context.input(name))
    manifest, features = model.manifest, model.columns_of(table.frame)
    target = [manifest.target] if isinstance(manifest.target, str) else list(manifest.target)
    true = truth_of(table, spec.target or target, model.task, model.classes, "evaluate.target")
    about = About(
        target=", ".join(target),
        estimator=manifest.estimator,
        spec=manifest.spec,
        params=manifest.params,
        seed=manifest.seed,
        features=manifest.features,
        versions=manifest.versions,
        metrics=manifest.metrics,
        rows=manifest.rows,
        baseline=manifest.baseline,
        training=manifest.inputs.get("train", ""),
    )
    return Subject.of(model, features, true.values, true.labels), about


def _rival(context: Context, table: Table, spec: Evaluate, subject: Subject) -> tuple[Subject, About]:
    try:
        rival, about = _subject(context, _CHAMPION, table, spec)
    except StepFailure as failure:
        raise StepFailure(failure.reason, f"the input 'champion' cannot be compared: {failure.message}") from failure
    if rival.task != subject.task:
        raise StepFailure("ModelInvalid", f"the input 'champion' is a model for {rival.task}, and the model for {subject.task}: they cannot be compared")  # fmt: skip
    return rival, about


def _digests(context: Context, about: About) -> dict[str, str]:
    """What came in, by digest: the table that the model was trained on, the test table, and the models as the task names them."""
    known = {name: context.digests[name] for name in (_MODEL, _CHAMPION) if name in context.digests}
    test = context.digests.get(_TEST) or file_digest(context.input(_TEST))
    return {"training table": about.training, "test table": test} | known


def _leave(context: Context, found: Evaluation, digests: Mapping[str, str]) -> None:
    facts = facts_of(found, digests, versions())
    context.output("scores").write_text(json.dumps(facts, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    page = evaluation_page(found, f"{context.workflow} / {context.step}", digests)
    context.output("report").write_text(page, encoding="utf-8")
    for name, value in found.values.items():
        context.set_parameter(name, value)
        context.emit_metric(name, value)
        others = {"baseline": found.baseline, "champion": found.champion.values if found.champion else {}}
        beside = [f"{other} {values[name]:.4f}" for other, values in others.items() if name in values]
        print(f"{name} {value:.4f}" + (f" ({', '.join(beside)})" if beside else ""))
    context.set_parameter("passed", facts["passed"])
