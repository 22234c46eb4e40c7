"""One evaluation: a model on a table, beside a baseline and, where there is one, the champion; put together here from the modules around."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from mlworkflow_steps.data.table import Task
from mlworkflow_steps.errors import StepFailure
from mlworkflow_steps.evaluation.baseline import baseline_outcome
from mlworkflow_steps.evaluation.curves import Calibration, Curve, calibration, precision_recall, roc
from mlworkflow_steps.evaluation.dependence import Dependence, Interaction, dependences, interaction
from mlworkflow_steps.evaluation.errors import Period, WorstRow, over_time, time_column, worst_rows
from mlworkflow_steps.evaluation.gate import Bound, Check, Measured, checks_of
from mlworkflow_steps.evaluation.importance import Importances, importances
from mlworkflow_steps.evaluation.intervals import Bootstrap, Interval
from mlworkflow_steps.evaluation.slices import SliceBy, slices_of
from mlworkflow_steps.evaluation.subject import Subject
from mlworkflow_steps.evaluation.tree import TreePath, tree_path
from mlworkflow_steps.models.scores import DEFAULTS, SCORES, Outcome, Score, computed, residuals_of

_DEPENDENCES = 6
_WORST_COLUMNS = 4
_OF_SLICES: dict[Task, tuple[str, ...]] = {
    "classification": ("accuracy", "f1_macro"),
    "regression": ("rmse", "mae"),
    "multilabel": ("f1_micro", "subset_accuracy"),
    "multioutput": ("r2", "mae"),
    "clustering": ("silhouette",),
}


@dataclass(frozen=True, slots=True)
class About:
    """What a bundle says of its model: for the page, and for the baseline. `metrics` are those of the training,
    `rows` how many it was fitted to, `training` the digest of their table."""

    target: str
    estimator: str
    spec: Any
    params: Mapping[str, Any]
    seed: int
    features: Sequence[str]
    versions: Mapping[str, str]
    metrics: Mapping[str, float]
    rows: int
    baseline: Mapping[str, Any]
    training: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for. `time` "": the first column of moments, if there is one. Of `scores` those that the gate names must be there, and the others too
    unless they are just all (`has_all_scores`). `checks` are verdicts that are known already.
    """

    scores: Sequence[Score]
    gate: Mapping[str, Bound]
    slices: Sequence[SliceBy]
    time: str
    bootstrap: Bootstrap
    has_all_scores: bool = True
    checks: Sequence[Check] = ()


@dataclass(frozen=True, slots=True)
class Champion:
    """The model that is in use, on the same rows. `ahead` is by how much the new one is better, `intervals` how far that is chance."""

    about: About
    values: Mapping[str, float]
    ahead: Mapping[str, float]
    intervals: Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class SliceResult:
    """A slice, the main metrics in it, and of a quantity the mean of predicted − true. `champion` has its metrics there."""

    column: str
    label: str
    rows: int
    values: Mapping[str, float]
    intervals: Mapping[str, Interval]
    champion: Mapping[str, float] | None
    error: float | None

    @property
    def name(self) -> str:
        return f"{self.column}={self.label}"


@dataclass(frozen=True, slots=True)
class Inside:
    """What a model uses and where it is wrong. What does not fit the task is empty; clusters have nothing of it."""

    importances: Importances | None = None
    dependences: list[Dependence] = field(default_factory=list)
    dependence_rows: int = 0
    interaction: Interaction | None = None
    roc: list[Curve] = field(default_factory=list)
    precision_recall: list[Curve] = field(default_factory=list)
    calibration: Calibration | None = None
    time: str = ""
    periods: list[Period] = field(default_factory=list)
    worst: list[WorstRow] = field(default_factory=list)
    path: TreePath | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that is known: metrics with their intervals and the baseline's, the champion, the gate's verdicts, slices, and the inside."""

    task: Task
    about: About
    outcome: Outcome
    values: Mapping[str, float]
    intervals: Mapping[str, Interval]
    baseline: Mapping[str, float]
    champion: Champion | None
    checks: list[Check]
    slices: list[SliceResult]
    inside: Inside
    bootstrap: Bootstrap

    @property
    def rows(self) -> int:
        return len(self.outcome.predicted)


def evaluate(
    subject: Subject, about: About, frame: pd.DataFrame, plan: Plan, rival: tuple[Subject, About] | None
) -> Evaluation:
    """`frame` is the whole table, `rival` the champion on it. Raises StepFailure (MetricUnknown) where a metric that was named cannot be computed."""
    outcome = _outcome(subject, plan)
    values = computed(plan.scores, outcome)
    _require(plan, values)
    dummy = None if subject.task == "clustering" else baseline_outcome(about.baseline, outcome)
    other = None if rival is None else _outcome(rival[0], plan)
    champion = None if rival is None or other is None else _champion(rival[1], outcome, other, values, plan)
    slices = _slices(outcome, other, frame, subject.task, plan)
    whole = Measured(values, None if champion is None else champion.values, len(outcome.predicted))
    parts = [Measured(each.values, each.champion, each.rows, each.name) for each in slices]
    return Evaluation(
        task=subject.task,
        about=about,
        outcome=outcome,
        values=values,
        intervals=plan.bootstrap.intervals(values, outcome, values),
        baseline={} if dummy is None else computed([SCORES[name] for name in values], dummy),
        champion=champion,
        checks=[*plan.checks, *checks_of(plan.gate, whole, parts)],
        slices=slices,
        inside=Inside() if subject.task == "clustering" else _inside(subject, frame, outcome, plan),
        bootstrap=plan.bootstrap,
    )


def _require(plan: Plan, values: Mapping[str, float]) -> None:
    """What the gate names, and what `metrics` names, has to be there."""
    for score in plan.scores:
        if score.name not in values and (score.name in plan.gate or not plan.has_all_scores):
            path = "evaluate.gate" if score.name in plan.gate else "evaluate.metrics"
            raise StepFailure(
                "MetricUnknown", f"{path}: '{score.name}' cannot be computed here: it needs {score.needs}"
            )


def _outcome(subject: Subject, plan: Plan) -> Outcome:
    return subject.clusters(plan.bootstrap.seed) if subject.task == "clustering" else subject.outcome()


def _champion(about: About, outcome: Outcome, other: Outcome, values: dict[str, float], plan: Plan) -> Champion:
    found = computed([SCORES[name] for name in values], other)
    ahead = {name: SCORES[name].better_by(values[name], found[name]) for name in found}
    return Champion(about, found, ahead, plan.bootstrap.advantages(ahead, outcome, other, ahead))


def _slices(outcome: Outcome, other: Outcome | None, frame: pd.DataFrame, task: Task, plan: Plan) -> list[SliceResult]:
    gated = [name for name, bound in plan.gate.items() if bound.slices is not None]
    scores = [SCORES[name] for name in dict.fromkeys([*gated, *_OF_SLICES[task]])]
    found = []
    for part in slices_of(frame, plan.slices, "evaluate.slices"):
        inside = outcome.at(part.rows)
        values = computed(scores, inside)
        error = float(residuals_of(inside).mean()) if task == "regression" else None
        champion = None if other is None else computed(scores, other.at(part.rows))
        intervals = plan.bootstrap.intervals(values, inside, values)
        found.append(SliceResult(part.column, part.label, int(part.rows.sum()), values, intervals, champion, error))
    return found


def _inside(subject: Subject, frame: pd.DataFrame, outcome: Outcome, plan: Plan) -> Inside:
    seed = plan.bootstrap.seed
    important = importances(subject, outcome, SCORES[DEFAULTS[subject.task][0]], seed)
    names = [each.feature for each in important.found if each.loss > 0] if important else []
    shown, rows = dependences(subject, names[:_DEPENDENCES], seed)
    time = plan.time or time_column(frame)
    worst = worst_rows(outcome, subject.task, frame, names[:_WORST_COLUMNS])
    has_probabilities = subject.task != "regression" and outcome.probabilities is not None
    return Inside(
        importances=important,
        dependences=shown,
        dependence_rows=rows,
        interaction=interaction(subject, names[0], names[1], seed) if len(names) > 1 else None,
        roc=roc(outcome) if has_probabilities else [],
        precision_recall=precision_recall(outcome) if has_probabilities else [],
        calibration=calibration(outcome) if has_probabilities else None,
        time=time,
        periods=over_time(outcome, subject.task, frame[time]) if time else [],
        worst=worst,
        path=tree_path(subject, worst[0].row if worst else 0),
    )
