"""Cross-validation, fold by fold, so that every fold's result is out as soon as it is known and a bad trial can be stopped."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from mlworkflow_steps.data.table import Task
from mlworkflow_steps.errors import SpecInvalid, StepFailure
from mlworkflow_steps.models.estimator import Estimator
from mlworkflow_steps.models.rows import Rows, given
from mlworkflow_steps.models.scores import Array, Score, outcome_of
from mlworkflow_steps.spec import Fields

_FOLDS = 5
Fold = tuple[Array, Array]
"""The positions of the rows to learn from, and of those to predict."""


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """How the folds are made. `stratify` None: for classes, where neither groups, time nor a column of folds says otherwise."""

    folds: int = _FOLDS
    stratify: bool | None = None
    shuffle: bool = False
    seed: int = 0
    groups: str | None = None
    time: bool | str = False
    fold: str | None = None

    @classmethod
    def parse(cls, value: Any, path: str) -> CrossValidation:
        """A number of folds, or an object."""
        if not isinstance(value, dict):
            parent, _, name = path.rpartition(".")
            return cls(folds=Fields({name: value}, parent).integer(name, _FOLDS, at_least=2))
        fields = Fields(value, path)
        time = fields.get("time", False)
        if not isinstance(time, bool | str):
            raise SpecInvalid(fields.where("time"), "must be true, false or the name of a column")
        parsed = cls(
            folds=fields.integer("folds", _FOLDS, at_least=2),
            stratify=fields.boolean("stratify", default=False) if fields.has("stratify") else None,
            shuffle=fields.boolean("shuffle", default=False),
            seed=fields.integer("seed", 0, at_least=0, at_most=2**32 - 1),
            groups=fields.text("groups"),
            time=time,
            fold=fields.text("fold"),
        )
        fields.done()
        parsed._check(path)
        return parsed

    def _check(self, path: str) -> None:
        ways = [name for name, value in (("groups", self.groups), ("time", self.time), ("fold", self.fold)) if value]
        if len(ways) > 1:
            raise SpecInvalid(f"{path}.{ways[1]}", f"does not go with `{ways[0]}`: folds are made in one way")
        if (self.time or self.fold) and (self.shuffle or self.stratify):
            raise SpecInvalid(
                f"{path}.{ways[0]}", "says which rows belong together: neither `shuffle` nor `stratify` goes with it"
            )

    def divide(self, task: Task, rows: Rows) -> list[Fold]:
        """The folds. Raises StepFailure where the data has too few rows, groups or times for them."""
        if self.fold:
            return self._declared(rows)
        if self.time:
            return self._by_time(rows)
        stratify = task == "classification" and self.groups is None if self.stratify is None else self.stratify
        if stratify and task != "classification":
            raise SpecInvalid("train.cv.stratify", f"is for classes; the task is {task}")
        units, words = len(rows), "rows"
        if self.groups:
            units, words = len(np.unique(given(rows.groups))), "groups"
        elif stratify:
            units, words = int(np.unique(rows.known.astype(str), return_counts=True)[1].min()), "rows of every class"
        if units < self.folds:
            raise StepFailure("SplitInvalid", f"train.cv: {self.folds} folds need as many {words}; there are {units}")
        if self.groups:
            splitter: Any = StratifiedGroupKFold if stratify else GroupKFold
        else:
            splitter = StratifiedKFold if stratify else KFold
        made = splitter(self.folds, shuffle=self.shuffle, random_state=self.seed if self.shuffle else None)
        return list(made.split(rows.features, rows.known, rows.groups))

    def _declared(self, rows: Rows) -> list[Fold]:
        """A fold per value of the column, in the order of the values."""
        values, codes = np.unique(given(rows.folds), return_inverse=True)
        if len(values) < 2:
            raise StepFailure(
                "SplitInvalid",
                f"train.cv.fold: column '{self.fold}' has a single value, so there is nothing to learn from",
            )
        return [(np.flatnonzero(codes != code), np.flatnonzero(codes == code)) for code in range(len(values))]

    def _by_time(self, rows: Rows) -> list[Fold]:
        """Each fold is predicted from everything before it; rows of the same time are never divided."""
        time = given(rows.time)
        order = np.argsort(time, kind="stable")
        ordered = time[order]
        starts = [len(rows) * number // (self.folds + 1) for number in range(1, self.folds + 1)]
        cuts = [*np.searchsorted(ordered, ordered[starts]), len(rows)]
        if cuts[0] == 0 or any(later <= earlier for earlier, later in itertools.pairwise(cuts)):
            raise StepFailure("SplitInvalid", f"train.cv: {self.folds} folds by time need more different times")
        return [(order[:start], order[start:end]) for start, end in itertools.pairwise(cuts)]


def score_fold(
    fit: Callable[[Rows], Estimator], rows: Rows, fold: Fold, number: int, scores: Sequence[Score]
) -> dict[str, float]:
    """Each score's value in fold `number`. Raises StepFailure (MetricUnknown) where one cannot be computed there."""
    learn, unseen = rows.take(fold[0]), rows.take(fold[1])
    outcome = outcome_of(fit(learn), unseen.features, unseen.known)
    for score in scores:
        if not score.fits(outcome):
            raise StepFailure(
                "MetricUnknown",
                f"train.scoring: '{score.name}' cannot be computed in fold {number}: it needs {score.needs}",
            )
    return {score.name: score.compute(outcome) for score in scores}
