"""Training a model for each value of a column, and one for all rows that whatever has no model of its own falls back to."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from mlworkflow_steps.errors import SpecInvalid, StepFailure
from mlworkflow_steps.models import bundle, flavour, golden, router
from mlworkflow_steps.models.fitting import summary
from mlworkflow_steps.models.manifest import Manifest
from mlworkflow_steps.models.router import Routes, keys_of
from mlworkflow_steps.models.rows import Rows, given
from mlworkflow_steps.models.scores import Array
from mlworkflow_steps.models.training import Observe, Trainer
from mlworkflow_steps.spec import Fields

PARENT = "parent"
_MOST = 1000
_TOO_LITTLE = ("FitFailed", "SplitInvalid", "MetricUnknown")
"""Reasons for which a partition has no model of its own: the parent has been trained in the same way, so that it is for its rows."""


@dataclass(frozen=True, slots=True)
class Partition:
    """`by` is the column. A model of its own takes `min_rows` rows, and that each score of `min_metric` reaches its limit in the mean over the folds."""

    by: str
    min_rows: int
    min_metric: dict[str, float]

    @classmethod
    def parse(cls, fields: Fields) -> Partition:
        limits = fields.child("minMetric")
        parsed = cls(
            by=fields.required_text("by"),
            min_rows=fields.integer("minRows", 50, at_least=1),
            min_metric={name: _limit(limits, name) for name in fields.mapping("minMetric")},
        )
        fields.done()
        return parsed


@dataclass(frozen=True, slots=True)
class Divided:
    """What came of it: each fold's scores and the metrics of the parent, and the way from values to models."""

    folds: list[dict[str, float]]
    metrics: dict[str, float]
    routes: Routes

    def counts(self) -> dict[str, float]:
        """How many values have a model of their own, and how many fall back."""
        fallback = len(self.routes.why)
        return {"partition_count": len(self.routes.partitions) - fallback, "fallback_count": fallback}


def train_divided(trainer: Trainer, rows: Rows, partition: Partition, path: Path, observe: Observe) -> Divided:
    """Leaves the partitioned model at `path`. A model that an attempt before has finished is taken as it was left.

    Raises StepFailure where the parent cannot be trained, or the column has too many values.
    """
    _check_limits(trainer, partition)
    keys = keys_of(pd.Series(given(rows.partition)))
    values = sorted({key for key in keys if key is not None})
    if len(values) > _MOST:
        raise StepFailure(
            "PartitionInvalid",
            f"train.partition.by: column '{partition.by}' has {len(values)} values; a partitioned model has at most {_MOST}",
        )
    path.mkdir(parents=True, exist_ok=True)
    folds, metrics = _trained(trainer, rows, path, PARENT, observe)
    reasons = {}
    for index, value in enumerate(values):
        folder = f"partitions/{index:04d}"
        own = _of(trainer, value)
        reasons[value] = _own_model(own, rows.take(np.flatnonzero(keys == value)), partition, path, folder)
        print(f"{partition.by} {value}: {reasons[value] or folder}", flush=True)
    routes = Routes(
        column=partition.by,
        type=str(pd.Series(given(rows.partition)).dtype),
        partitions={
            value: PARENT if reasons[value] else f"partitions/{index:04d}" for index, value in enumerate(values)
        },
        fallback=PARENT,
        rows={value: int((keys == value).sum()) for value in values},
        why={value: reason for value, reason in reasons.items() if reason},
    )
    _join(path, routes, rows)
    return Divided(folds, metrics, routes)


def _limit(fields: Fields, name: str) -> float:
    limit = fields.number(name)
    if limit is None:
        raise SpecInvalid(fields.where(name), "must be a number")
    return float(limit)


def _check_limits(trainer: Trainer, partition: Partition) -> None:
    known = [score.name for score in trainer.scores()]
    for name in partition.min_metric:
        if trainer.cv is None:
            raise SpecInvalid(
                "train.partition.minMetric", "is about the mean over the folds, so `cv` has to say how they are made"
            )
        if name not in known:
            raise StepFailure(
                "MetricUnknown",
                f"train.partition.minMetric: '{name}' is not among the scores of the folds: {', '.join(known)}",
            )


def _of(trainer: Trainer, value: str) -> Trainer:
    """The trainer of one partition: of the rows to validate with, its own."""
    if trainer.validation is None:
        return trainer
    keys = keys_of(pd.Series(given(trainer.validation.partition)))
    return replace(trainer, validation=trainer.validation.take(np.flatnonzero(keys == value)))


def _own_model(trainer: Trainer, rows: Rows, partition: Partition, path: Path, folder: str) -> str:
    """Leaves the bundle of a partition, or says why there is none."""
    if len(rows) < partition.min_rows:
        return f"{len(rows)} rows, and minRows is {partition.min_rows}"
    if trainer.validation is not None and len(trainer.validation) == 0:
        return "the input validation has no rows of it"
    try:
        folds = trainer.folds(rows, f"{folder.replace('/', '-')}-")
        if short := _short_of(trainer, partition.min_metric, summary(folds)):
            return short
        _fitted(trainer, rows, path, folder, summary(folds))
    except StepFailure as failure:
        if failure.reason not in _TOO_LITTLE:
            raise
        return failure.message
    return ""


def _short_of(trainer: Trainer, limits: Mapping[str, float], found: Mapping[str, float]) -> str:
    """The first score that does not reach its limit, in words. A score that is no number reaches none."""
    for score in trainer.scores():
        value, limit = found.get(f"cv_{score.name}", float("nan")), limits.get(score.name)
        if limit is not None and not (value <= limit if score.lower else value >= limit):
            return f"cv_{score.name} is {value:.4g}, and minMetric is {limit:g}"
    return ""


def _trained(
    trainer: Trainer, rows: Rows, path: Path, folder: str, observe: Observe
) -> tuple[list[dict[str, float]], dict[str, float]]:
    folds = trainer.folds(rows, observe=observe)
    return folds, _fitted(trainer, rows, path, folder, summary(folds), observe)


def _fitted(
    trainer: Trainer, rows: Rows, path: Path, folder: str, known: Mapping[str, float], *observe: Observe
) -> dict[str, float]:
    """The bundle in `folder`, from an attempt before if it got that far: its metrics."""
    name = folder.replace("/", "-")
    trainer.progress.directory(name, path / folder, lambda at: trainer.fit(at, rows, known, *observe))
    return Manifest.read(path / folder).metrics


def _join(path: Path, routes: Routes, rows: Rows) -> None:
    """The files of the whole, and the proof that it predicts after a reload what it predicted before."""
    of_all = (bundle.REQUIREMENTS, flavour.FILE)
    files = {router.FILE: routes.as_bytes(), **{name: (path / PARENT / name).read_bytes() for name in of_all}}
    for name, data in files.items():
        (path / name).write_bytes(data)
    whole = router.load(path)
    chosen = rows.take(_spread(given(rows.partition), golden.ROWS))
    golden.write(path / golden.FILE, whole, chosen.features.assign(**{routes.column: chosen.partition}))
    bundle.fix_modes(path)
    if found := golden.differences(path / golden.FILE, router.load(path)):
        shutil.rmtree(path)
        raise StepFailure("ModelInvalid", f"the stored model predicts something else than the fitted one: {found[0]}")


def _spread(values: Array, number: int) -> Array:
    """Rows of as many values as can be: the first of each value, then the second, and so on."""
    turn = pd.Series(values).groupby(values, dropna=False).cumcount().to_numpy()
    return np.sort(np.argsort(turn, kind="stable")[:number])
