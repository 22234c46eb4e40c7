"""From a fitted model to its bundle: the facts of the training step that it was fitted in."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from mlworkflow_steps.data.statistics import plain
from mlworkflow_steps.data.table import FEATURES, Table
from mlworkflow_steps.errors import StepFailure
from mlworkflow_steps.models import bundle
from mlworkflow_steps.models.estimator import Estimator, describe_estimator
from mlworkflow_steps.models.manifest import Manifest, versions
from mlworkflow_steps.models.preprocessor import Preprocessor
from mlworkflow_steps.models.rows import Rows
from mlworkflow_steps.models.targets import Target

_OTHER_LIBRARIES = ("lightgbm", "xgboost")


@dataclass(frozen=True, slots=True)
class Origin:
    """What every model of a training step has in common: `spec` is that of the estimator, `digests` are those of the step's inputs, `card` is what the author says, `onnx` whether
    the model is to be there as ONNX too.
    """

    target: Target
    spec: Any
    params: dict[str, Any]
    seed: int
    digests: dict[str, str]
    preprocessor: Preprocessor | None
    card: dict[str, str]
    onnx: bool

    def keep(self, path: Path, model: Estimator, rows: Rows, metrics: Mapping[str, float]) -> None:
        """Leaves the bundle at `path`. What cannot be loaded again, or then predicts something else, must not become an artifact."""
        try:
            bundle.write(
                path, model, self._manifest(model, rows, metrics), rows.features, self.preprocessor, onnx=self.onnx
            )
        except StepFailure:
            shutil.rmtree(path, ignore_errors=True)
            raise

    def _manifest(self, model: Estimator, rows: Rows, metrics: Mapping[str, float]) -> Manifest:
        modules = {type(part).__module__.partition(".")[0] for part in (model, *model.get_params(deep=True).values())}
        return Manifest(
            task=self.target.task,
            target=list(columns) if len(columns := self.target.columns) > 1 else "".join(columns),
            classes=self._classes(rows),
            schema=self._schema(rows),
            features=[str(name) for name in rows.features],
            features_digest=self.preprocessor.digest if self.preprocessor else "",
            estimator=describe_estimator(model),
            spec=self.spec,
            params=self.params,
            seed=self.seed,
            metrics={name: value for name, value in metrics.items() if np.isfinite(value)},
            baseline=_baseline(self.target, rows),
            inputs=self.digests,
            rows=len(rows),
            card=self.card,
            versions=versions([_distribution(name) for name in _OTHER_LIBRARIES if name in modules]),
        )

    def _classes(self, rows: Rows) -> list[Any]:
        """Those that this model has seen: a partition may have fewer than the table."""
        if self.target.task == "classification":
            return [plain(label) for label in np.unique(rows.known)]
        return list(self.target.classes)

    def _schema(self, rows: Rows) -> dict[str, Any]:
        """Of raw rows, and of the target where it is one column of classes or quantities."""
        frame, target = rows.features if self.preprocessor is None else rows.features[[]], ""
        if self.target.task in ("classification", "regression"):
            target = self.target.columns[0]
            frame = frame.assign(**{target: rows.known})
        return bundle.raw_schema(frame, target, self.preprocessor).as_json()


def read_preprocessor(path: Path, table: Table) -> Preprocessor | None:
    """What has made the features of `table`. Raises StepFailure where there is none and the table holds features, or another one, or it holds none."""
    digest = table.frame.attrs.get(FEATURES, "")
    if not path.exists():
        if digest:
            raise StepFailure(
                "InputMissing",
                "inputs.preprocessor: is missing, and the training table holds features: name the output that `prep` left with it, inputs: {preprocessor: {from: prep.preprocessor}}",
            )
        return None
    preprocessor = Preprocessor.read(path)
    if not digest:
        raise StepFailure(
            "FeatureCodeMismatch",
            "inputs.preprocessor: the training table holds raw rows; take the table and the preprocessor of the same `prep` step",
        )
    if preprocessor.digest != digest:
        raise StepFailure(
            "FeatureCodeMismatch",
            f"inputs.preprocessor: is {preprocessor.digest}, and the training table holds features made by {digest}: take both from the same `prep` step",
        )
    return preprocessor


def _distribution(library: str) -> str:
    """What it is installed as: XGBoost is there with and without what a GPU needs."""
    try:
        return metadata.distribution(library).name
    except metadata.PackageNotFoundError:
        return metadata.distribution(f"{library}-cpu").name


def _baseline(target: Target, rows: Rows) -> dict[str, Any]:
    """What a model that only knows the target would go by."""
    if target.task == "classification":
        labels, counts = np.unique(rows.known, return_counts=True)
        return {"counts": [[plain(label), int(count)] for label, count in zip(labels, counts, strict=True)]}
    if target.task == "regression":
        return {"mean": float(np.mean(rows.known))}
    of_each = {"multilabel": "shares", "multioutput": "means"}.get(target.task)
    return {of_each: [float(value) for value in rows.known.mean(axis=0)]} if of_each else {}
