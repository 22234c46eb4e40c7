"""`train`: an estimator by its import path, cross-validated where asked, fitted to the whole training part, kept as a bundle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlworkflow_steps.agent.code import digest as code_digest
from mlworkflow_steps.context import Context
from mlworkflow_steps.data.statistics import plain
from mlworkflow_steps.data.table import FEATURES, Table, file_digest, read_table
from mlworkflow_steps.errors import SpecInvalid, StepFailure
from mlworkflow_steps.models.card import parse_card
from mlworkflow_steps.models.columns import values_of
from mlworkflow_steps.models.crossval import CrossValidation
from mlworkflow_steps.models.estimator import build, describe_estimator, set_params, set_seed
from mlworkflow_steps.models.fitting import Recipe
from mlworkflow_steps.models.keeping import Origin, read_preprocessor
from mlworkflow_steps.models.partitions import Partition, train_divided
from mlworkflow_steps.models.progress import Progress
from mlworkflow_steps.models.rows import Rows, rows_of
from mlworkflow_steps.models.stopping import EarlyStopping
from mlworkflow_steps.models.targets import Target, find_target
from mlworkflow_steps.models.training import Trainer
from mlworkflow_steps.models.weights import ClassWeight, check_class_weight, parse_class_weight
from mlworkflow_steps.spec import Fields

_TABLES = ("train", "validation")
_SAID = {"fold": "fold", "validation": "round"}


@dataclass(frozen=True, slots=True)
class Train:
    """The spec of the kind, parsed. An empty `target` is the table's own."""

    estimator: Any
    params: dict[str, Any]
    target: list[str]
    cv: CrossValidation | None
    scoring: list[str] | None
    sample_weight: str | None
    class_weight: ClassWeight | None
    stopping: EarlyStopping | None
    partition: Partition | None
    card: dict[str, str]
    onnx: bool
    seed: int

    @classmethod
    def parse(cls, spec: Mapping[str, Any]) -> Train:
        fields = Fields(spec, "train")
        cv, target = fields.get("cv"), fields.get("target", [])
        parsed = cls(
            estimator=fields.get("estimator", ""),
            params=fields.mapping("params"),
            target=[target] if isinstance(target, str) else fields.texts("target") or [],
            cv=None if cv is None else CrossValidation.parse(cv, fields.where("cv")),
            scoring=fields.texts("scoring"),
            sample_weight=fields.text("sampleWeight"),
            class_weight=parse_class_weight(fields.get("classWeight")),
            stopping=EarlyStopping.parse(fields.child("earlyStopping")) if fields.has("earlyStopping") else None,
            partition=Partition.parse(fields.child("partition")) if fields.has("partition") else None,
            card=parse_card(fields.child("card")),
            onnx=fields.boolean("onnx", default=False),
            seed=fields.integer("seed", 0, at_least=0, at_most=2**32 - 1),
        )
        fields.done()
        return parsed

    def roles(self) -> dict[str, tuple[str, str] | None]:
        """Columns that are no features, by what they are: (name, where the spec says so)."""
        cv = self.cv or CrossValidation()
        named = {
            "weights": (self.sample_weight, "train.sampleWeight"),
            "groups": (cv.groups, "train.cv.groups"),
            "time": (cv.time if isinstance(cv.time, str) else None, "train.cv.time"),
            "folds": (cv.fold, "train.cv.fold"),
            "partition": (self.partition.by if self.partition else None, "train.partition.by"),
        }
        return {role: (column, path) if column else None for role, (column, path) in named.items()}


def run(context: Context) -> None:
    """Leaves the bundle `model`, and its metrics as output parameters; of a cross-validation also every fold's scores as `fold_<score>`."""
    spec = Train.parse(context.spec)
    estimator = build(spec.estimator, context.allowed_imports, "train.estimator")
    set_params(estimator, spec.params, context.allowed_imports, "train.params")
    set_seed(estimator, spec.seed)
    table = read_table(context.input("train"))
    target = find_target(estimator, table, spec.target)
    rows = _rows(table, target, spec)
    _check(spec, target, rows)
    digests = _digests(context)
    preprocessor = read_preprocessor(context.inputs / "preprocessor", table)
    origin = Origin(target, spec.estimator, spec.params, spec.seed, digests, preprocessor, spec.card, spec.onnx)
    trainer = Trainer(
        recipe=Recipe(estimator, target.task, spec.seed, spec.class_weight, spec.stopping),
        cv=spec.cv,
        scoring=spec.scoring,
        validation=_validation(context, spec, target, rows),
        progress=Progress(context.checkpoint, _key(context.spec, digests)),
        keep=origin.keep,
    )

    def observe(name: str, value: float, step: int | None) -> None:
        context.emit_metric(name, value, step=step)
        kind, _, score = name.partition("_")
        if kind in _SAID and step is not None:
            print(f"{_SAID[kind]} {step}: {score} {value:.4f}", flush=True)

    if target.task != "clustering":
        trainer.scores()
    if spec.partition is None:
        folds, metrics = trainer.train(context.output("model"), rows, observe)
    else:
        divided = train_divided(trainer, rows, spec.partition, context.output("model"), observe)
        folds, metrics = divided.folds, divided.metrics | divided.counts()
        context.set_parameter("partitions", divided.routes.partitions)
    _leave(context, folds, metrics)
    print(f"{describe_estimator(estimator)}: {len(rows)} rows, {rows.features.shape[1]} features, {_predicted(target)}")


def _rows(table: Table, target: Target, spec: Train) -> Rows:
    rows = rows_of(table, target.columns, target.true_of(table.frame), spec.roles())
    return replace(rows, time=np.arange(len(rows))) if spec.cv is not None and spec.cv.time is True else rows


def _check(spec: Train, target: Target, rows: Rows) -> None:
    """What the spec asks for and this task cannot give."""
    check_class_weight(spec.class_weight, target.task, rows.true)
    if target.task == "clustering":
        for name, value in (("cv", spec.cv), ("earlyStopping", spec.stopping), ("partition", spec.partition)):
            if value is not None:
                raise SpecInvalid(
                    f"train.{name}",
                    "needs something to predict; clusters are scored by `silhouette` and others, which a `tune` can go by",
                )


def _validation(context: Context, spec: Train, target: Target, rows: Rows) -> Rows | None:
    """The input `validation`, if there is one."""
    if not (context.inputs / "validation").exists():
        return None
    table = read_table(context.input("validation"))
    if table.frame.attrs.get(FEATURES) != rows.features.attrs.get(FEATURES):
        raise StepFailure(
            "FeatureCodeMismatch", "inputs.validation: the table was made by other `features` than the training table"
        )
    by = [spec.partition.by] if spec.partition else []
    missing = [str(name) for name in (*rows.features, *target.columns, *by) if name not in table.frame]
    if missing:
        raise StepFailure("ColumnNotFound", f"inputs.validation: the table lacks columns: {', '.join(missing)}")
    partition = values_of(table.frame[by[0]]) if by else None
    return Rows(table.frame[list(rows.features)], target.true_of(table.frame), partition=partition)


def _digests(context: Context) -> dict[str, str]:
    """The digest of every input, as the task tells it; of a table that somebody put there by hand, that of its file."""
    unknown = [name for name in _TABLES if name not in context.digests and (context.inputs / name).exists()]
    return {**context.digests, **{name: file_digest(context.inputs / name) for name in unknown}}


def _key(spec: Mapping[str, Any], digests: Mapping[str, str]) -> str:
    """What the results of folds follow from, and nothing else."""
    return hashlib.sha256(json.dumps([code_digest(), digests, spec], sort_keys=True).encode()).hexdigest()


def _leave(context: Context, folds: list[dict[str, float]], metrics: Mapping[str, float]) -> None:
    for name in folds[0] if folds else ():
        context.set_parameter(f"fold_{name}", [plain(fold[name]) for fold in folds])
    for name, value in metrics.items():
        context.set_parameter(name, plain(value))
        if not name.startswith("cv_") or name.endswith("_std"):
            context.emit_metric(name, value)


def _predicted(target: Target) -> str:
    return f"target {', '.join(map(repr, target.columns))}" if target.columns else "no target"
