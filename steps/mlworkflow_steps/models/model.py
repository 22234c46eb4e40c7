"""A bundle that has been loaded: a DataFrame in, predictions out, whatever the model is made of.

Raw rows pass the bundle's own preprocessor. A frame that says that it holds features (`FEATURES` in its `attrs`, as `read_table` notes it) goes straight to the estimator if
they are this model's own, and is refused otherwise: features that were made by other code mean something else, whatever their names are.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mlworkflow_steps.data.schema import Schema
from mlworkflow_steps.data.table import FEATURES, Task, read_table
from mlworkflow_steps.errors import StepFailure
from mlworkflow_steps.models import storage
from mlworkflow_steps.models.manifest import Manifest
from mlworkflow_steps.models.preprocessor import FOLDER, STATISTICS, Preprocessor
from mlworkflow_steps.models.scores import Array

MODEL_FILE = "model.skops"


@dataclass(frozen=True, slots=True)
class Model:
    """`predict` gives one value a row (of several targets, one row a row), `predict_proba` rows × `classes`, where the estimator has such."""

    path: Path
    manifest: Manifest
    estimator: Any
    preprocessor: Preprocessor | None = None

    @classmethod
    def load(cls, path: Path) -> Model:
        """Raises StepFailure: ModelInvalid, LibraryMissing. No code of the bundle is run."""
        manifest = Manifest.read(path)
        preprocessor = Preprocessor.read(path / FOLDER) if manifest.features_digest else None
        if preprocessor is not None and preprocessor.digest != manifest.features_digest:
            raise StepFailure(
                "ModelInvalid", "the bundle's preprocessor is not the one that the model was trained with"
            )
        return cls(path, manifest, storage.load(path / MODEL_FILE), preprocessor)

    @property
    def task(self) -> Task:
        return self.manifest.task

    @property
    def classes(self) -> list[Any]:
        """Of a classification, what it tells apart, in the order of the columns of `predict_proba`."""
        return self.manifest.classes

    @property
    def classes_(self) -> Array:
        """The same as scikit-learn's tools expect it."""
        found: Array = self.estimator.classes_
        return found

    @property
    def schema(self) -> Schema:
        """What raw rows have to be like; the target may be missing."""
        return Schema.parse(self.manifest.schema, "bundle.json: schema")

    @property
    def statistics(self) -> pd.DataFrame | None:
        """What each raw column was like at training (`data.marginals`); None where that is not known."""
        places = (self.path / STATISTICS, self.path / FOLDER / STATISTICS)
        return next((read_table(file).frame for file in places if file.is_file()), None)

    def predict(self, frame: pd.DataFrame) -> Array:
        """Raises StepFailure (ColumnNotFound, FeatureCodeMismatch), and what the estimator raises."""
        found: Array = self.estimator.predict(self.features(frame))
        return found

    @property
    def predict_proba(self) -> Any:
        """A property, so that `hasattr` says whether there is such, as with scikit-learn's own."""
        estimate = self.estimator.predict_proba
        return lambda frame: estimate(self.features(frame))

    def features(self, frame: pd.DataFrame) -> pd.DataFrame:
        """What the estimator gets of these rows: its columns, in its order. Raises StepFailure."""
        columns = self.columns_of(frame)
        if self.preprocessor is None or FEATURES in frame.attrs:
            return columns
        return _chosen(self.preprocessor.transform(columns), self.manifest.features)

    def columns_of(self, frame: pd.DataFrame) -> pd.DataFrame:
        """What the model reads of these rows, raw or features as they are; the target and whatever else is there is left out. Raises StepFailure."""
        marked, own = frame.attrs.get(FEATURES, ""), self.manifest.features_digest
        if marked and marked != own:
            wanted = f"needs those of {own}" if own else "takes raw rows"
            raise StepFailure(
                "FeatureCodeMismatch", f"the table holds features made by {marked}, and the model {wanted}: give it the table before `features`, or train it anew"
            )  # fmt: skip
        if self.preprocessor is None or marked:
            return _chosen(frame, self.manifest.features)
        return _chosen(frame, [column["name"] for column in self.preprocessor.inputs])


def _chosen(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The columns of these names, in this order; others, the target among them, are left out."""
    if list(frame.columns) == names:
        return frame
    there = set(frame.columns)
    missing = [name for name in names if name not in there]
    if missing:
        raise StepFailure("ColumnNotFound", f"the table lacks columns that the model needs: {_named(missing, frame, names)}")  # fmt: skip
    return frame[list(names)]


def _named(missing: Sequence[str], frame: pd.DataFrame, names: Sequence[str]) -> str:
    """The missing ones, each with the column that it may be under another name."""
    extra = [str(name) for name in frame.columns if name not in set(names)]
    like = {name: difflib.get_close_matches(name, extra, n=1, cutoff=0.5) for name in missing[:20]}
    shown = ", ".join(f"{name} (is it '{close[0]}' now?)" if close else name for name, close in like.items())
    return shown + (f" and {len(missing) - len(like)} more" if len(missing) > len(like) else "")
