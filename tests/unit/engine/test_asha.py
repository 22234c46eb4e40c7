"""Successive halving on a real model and real data: as good as trials that are all run to their end, for much less training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

from .pruned import Trials, a_search

EPOCHS = 15
SPACE = {
    "alpha": {"float": {"min": 1e-7, "max": 10.0, "log": True}},
    "eta0": {"float": {"min": 1e-5, "max": 1.0, "log": True}},
    "loss": {"choice": ["log_loss", "hinge", "modified_huber"]},
}


class Digits:
    """Models that are trained on as they are asked about; `epochs` counts the passes over the data."""

    def __init__(self) -> None:
        data = load_digits()
        split = train_test_split(data.data / 16, data.target, test_size=0.5, stratify=data.target, random_state=0)
        self.x, self.x_test, self.y, self.y_test = split
        self.epochs = 0
        self._models: dict[str, tuple[SGDClassifier, list[float]]] = {}

    def accuracy(self, params: Mapping[str, Any], epoch: int) -> float:
        """On what was held back, after so many passes."""
        model = SGDClassifier(**params, learning_rate="constant", random_state=0)
        model, scores = self._models.setdefault(repr(sorted(params.items())), (model, []))
        while len(scores) < epoch:
            model.partial_fit(self.x, self.y, classes=numpy.arange(10))
            scores.append(float(model.score(self.x_test, self.y_test)))
            self.epochs += 1
        return scores[epoch - 1]


async def test_twenty_trials_with_asha_are_as_good_as_twenty_full_ones_for_far_less_training(tmp_path: Path) -> None:
    digits = Digits()
    builder = a_search({"asha": {"min_resource": 1, "reduction_factor": 3}}, trials=20, parallel=4, space=SPACE)
    trials = Trials(builder, tmp_path, digits.accuracy, EPOCHS)
    best = (await trials.run())["best"]["value"]
    with_asha = digits.epochs
    tasks = trials.operator.live.run.tasks
    full = max(digits.accuracy(tasks[f"t/{number}"].params, EPOCHS) for number in range(20))
    assert digits.epochs == 20 * EPOCHS
    assert best >= full - 0.005
    assert with_asha <= 0.6 * digits.epochs
