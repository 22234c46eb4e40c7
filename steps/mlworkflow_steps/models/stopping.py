"""Early stopping: as many rounds as a part of the rows that is held back says are good, then a fit on all rows with that many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from mlworkflow_steps.data.table import Task
from mlworkflow_steps.errors import SpecInvalid, StepFailure
from mlworkflow_steps.models.estimator import Estimator
from mlworkflow_steps.models.rounds import Training, Way, way_of, without_own_stopping
from mlworkflow_steps.models.rows import Rows
from mlworkflow_steps.models.scores import DEFAULTS, Array, Score, outcome_of, scores_named
from mlworkflow_steps.models.weights import ClassWeight, row_weights, weight_argument
from mlworkflow_steps.spec import Fields

Report = Callable[[int, float], None]
"""(rounds so far, the score then)"""


@dataclass(frozen=True, slots=True)
class EarlyStopping:
    """`validation` is the share of the rows that is held back. None: what the task or the estimator suggests."""

    score: str | None = None
    rounds: int | None = None
    every: int | None = None
    patience: int = 5
    min_delta: float = 0.0
    validation: float = 0.1

    @classmethod
    def parse(cls, fields: Fields) -> EarlyStopping:
        share, delta = fields.number("validation"), fields.number("minDelta")
        parsed = cls(
            score=fields.text("score"),
            rounds=fields.integer("rounds", 0, at_least=1) or None,
            every=fields.integer("every", 0, at_least=1) or None,
            patience=fields.integer("patience", 5, at_least=1),
            min_delta=0.0 if delta is None else float(delta),
            validation=0.1 if share is None else float(share),
        )
        fields.done()
        if not 0 < parsed.validation < 1:
            raise SpecInvalid(fields.where("validation"), f"is a share above 0 and below 1, not {parsed.validation}")
        if parsed.min_delta < 0:
            raise SpecInvalid(fields.where("minDelta"), "must not be below 0")
        return parsed

    def score_of(self, task: Task) -> Score:
        """Raises StepFailure (MetricUnknown) where the task has no such score."""
        return scores_named([self.score or DEFAULTS[task][0]], task, "train.earlyStopping.score")[0]


@dataclass(frozen=True, slots=True)
class Stopped:
    """A fitted model, how many rounds it had, and the score of that many on what was held back."""

    model: Estimator
    rounds: int
    value: float


def held_back(rows: Rows, share: float, seed: int, *, stratify: bool) -> tuple[Rows, Rows]:
    """The rows to learn from and those held back: whole groups where there are any, the latest where there is a time, else at random."""
    units = np.unique(rows.groups) if rows.groups is not None else np.arange(len(rows))
    size = max(1, round(len(units) * share))
    if size >= len(units):
        raise StepFailure(
            "SplitInvalid",
            f"train.earlyStopping.validation: {len(units)} rows or groups are too few to hold {share} of them back",
        )
    if rows.time is not None:
        ordered = np.sort(rows.time, kind="stable")
        late = rows.time >= ordered[len(rows) - size]
        if late.all():
            raise StepFailure("SplitInvalid", "train.earlyStopping.validation: all rows have the same time")
    elif rows.groups is not None:
        late = np.isin(rows.groups, np.random.RandomState(seed).permutation(units)[:size])
    else:
        late = np.zeros(len(rows), dtype=bool)
        late[_drawn(rows.known if stratify else None, len(rows), size, seed)] = True
    return rows.take(np.flatnonzero(~late)), rows.take(np.flatnonzero(late))


def _drawn(classes: Array | None, rows: int, size: int, seed: int) -> Array:
    """Positions at random. With classes: so many of each as its share, and never its only row."""
    shuffled = np.random.RandomState(seed).permutation(rows)
    if classes is None:
        return shuffled[:size]
    _, codes, counts = np.unique(classes[shuffled], return_inverse=True, return_counts=True)
    quota = np.minimum(np.round(counts * size / rows).astype(int), counts - 1)
    if not quota.any():
        return shuffled[:size]
    return np.concatenate([shuffled[np.flatnonzero(codes == code)[:number]] for code, number in enumerate(quota)])


def fit_in_rounds(
    estimator: Estimator, rows: Rows, validation: Rows | None, *, stopping: EarlyStopping, score: Score,
    class_weight: ClassWeight | None, seed: int, report: Report,
) -> Stopped:  # fmt: skip
    """Fits the pipeline on all `rows`, with the best number of rounds. `validation` are rows of their own, else a part of `rows` is held back."""
    way = way_of(estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator)
    learn = rows
    if validation is None:
        stratify = "classification" in score.tasks and rows.true is not None and rows.true.ndim == 1
        learn, validation = held_back(rows, stopping.validation, seed, stratify=stratify)
    rounds, value = _best_rounds(estimator, learn, validation, way, stopping, score, class_weight, report)
    head, part, data = _prepared(estimator, rows, class_weight)
    return Stopped(_joined(estimator, head, way.fitted(part, data, rounds)), rounds, value)


def _best_rounds(
    estimator: Estimator, learn: Rows, validation: Rows, way: Way, stopping: EarlyStopping, score: Score,
    class_weight: ClassWeight | None, report: Report,
) -> tuple[int, float]:  # fmt: skip
    head, part, data = _prepared(estimator, learn, class_weight)
    unseen = validation.features if head is None else head.transform(validation.features)
    most, every = stopping.rounds or way.most, stopping.every or way.every
    best, best_rounds, without_gain = -np.inf, 0, 0
    had = 0
    while had < most and without_gain < stopping.patience:
        rounds = min(had + every, most)
        part = way.grow(part, data, had, rounds)
        had = rounds
        outcome = outcome_of(part, unseen, validation.known)
        if not score.fits(outcome):
            raise StepFailure(
                "MetricUnknown",
                f"train.earlyStopping.score: '{score.name}' cannot be computed on the rows held back: it needs {score.needs}",
            )
        value = score.compute(outcome)
        report(rounds, value)
        gain = -value if score.lower else value
        without_gain += 1
        if gain > best + (stopping.min_delta if best_rounds else 0.0):
            best, best_rounds, without_gain = gain, rounds, 0
    if not best_rounds:
        raise StepFailure("FitFailed", f"train.earlyStopping: '{score.name}' is no number after any round")
    return best_rounds, -best if score.lower else best


def _prepared(
    estimator: Estimator, rows: Rows, class_weight: ClassWeight | None
) -> tuple[Estimator | None, Estimator, Training]:
    """The fitted parts before the last one (None: there are none), the unfitted last one, and what it is to be fitted to."""
    weights = row_weights(rows, class_weight)
    weight_argument(estimator, weights)
    arguments = {} if weights is None else {"sample_weight": weights}
    estimator = clone(estimator)
    if not hasattr(estimator, "steps"):
        return None, without_own_stopping(estimator), Training(rows.features, rows.known, arguments)
    head, part = estimator[:-1], estimator.steps[-1][1]
    if len(head) == 0:
        return None, without_own_stopping(part), Training(rows.features, rows.known, arguments)
    return (
        head,
        without_own_stopping(part),
        Training(head.fit_transform(rows.features, rows.known), rows.known, arguments),
    )


def _joined(estimator: Estimator, head: Estimator | None, part: Estimator) -> Estimator:
    if not hasattr(estimator, "steps"):
        return part
    return Pipeline([*(head.steps if head is not None else []), (estimator.steps[-1][0], part)])
