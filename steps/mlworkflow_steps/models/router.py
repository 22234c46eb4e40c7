"""A partitioned model: one directory with a bundle for each value of a column, and one for all the rest.

    router.json          {format, column, type, partitions: {value: folder}, fallback: folder, rows: {value: number}, why: {value: text}}
    parent/              the model of all rows
    partitions/0000/     a model of the rows of one value
    golden.parquet       as in a bundle, for the whole
    requirements.txt, MLmodel

`partitions` has every value that training has seen, and leads to the fallback where `why` says so. A value that it has not seen, or none,
is the fallback's too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlworkflow_steps.data.kinds import kind_named
from mlworkflow_steps.data.schema import Rule, Schema
from mlworkflow_steps.data.statistics import plain
from mlworkflow_steps.data.table import Task
from mlworkflow_steps.errors import StepFailure, first_line
from mlworkflow_steps.models.manifest import Manifest
from mlworkflow_steps.models.model import Model
from mlworkflow_steps.models.scores import Array

FILE = "router.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Routes:
    """What `router.json` says. `type` is that of the column as pandas names it; `why` says of a value that has no model of its own why not."""

    column: str
    type: str
    partitions: dict[str, str]
    fallback: str
    rows: dict[str, int]
    why: dict[str, str]
    format: int = FORMAT

    @classmethod
    def read(cls, folder: Path) -> Routes:
        """Raises StepFailure (ModelInvalid)."""
        try:
            facts = json.loads((folder / FILE).read_text(encoding="utf-8"))
            if facts.get("format") != FORMAT:
                raise StepFailure(
                    "ModelInvalid", f"the router has format {facts.get('format')}; this version reads format {FORMAT}"
                )
            return cls(**facts)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise StepFailure("ModelInvalid", f"'{folder.name}' has no sound {FILE}: {first_line(error)}") from error

    def as_bytes(self) -> bytes:
        return (json.dumps(asdict(self), indent=2, sort_keys=True, allow_nan=False) + "\n").encode()

    def of(self, values: pd.Series) -> Array:
        """The folder of the model for each of these values."""
        codes, unique = pd.factorize(keys_of(values), use_na_sentinel=True)
        folders = np.array([*(self.partitions.get(key, self.fallback) for key in unique), self.fallback], dtype=object)
        return folders[codes]


def keys_of(values: pd.Series) -> Array:
    """Values as `router.json` names them, None where there is none: 3 and 3.0 are the same, whatever a file made of them."""
    codes, unique = pd.factorize(values, use_na_sentinel=True)
    return np.array([*map(_key, unique), None], dtype=object)[codes]


def _key(value: Any) -> str:
    value = plain(value)
    if isinstance(value, float) and value == int(value):
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value)


@dataclass(frozen=True, slots=True)
class Router:
    """Answers as `Model` does, each row by the model of its value."""

    path: Path
    routes: Routes
    models: Mapping[str, Model]

    @property
    def parent(self) -> Model:
        return self.models[self.routes.fallback]

    @property
    def manifest(self) -> Manifest:
        """That of the parent."""
        return self.parent.manifest

    @property
    def task(self) -> Task:
        return self.parent.task

    @property
    def classes(self) -> list[Any]:
        return self.parent.classes

    @property
    def classes_(self) -> Array:
        return self.parent.classes_

    @property
    def schema(self) -> Schema:
        """That of the parent, and the column by which rows are told apart, whose values may be new or missing."""
        schema = self.parent.schema
        column = {self.routes.column: Rule(kind_named(self.routes.type), missing=1.0)}
        return Schema(schema.target, schema.task, {**column, **schema.columns})

    @property
    def statistics(self) -> pd.DataFrame | None:
        """Those of the parent, which has seen all rows."""
        return self.parent.statistics

    def predict(self, frame: pd.DataFrame) -> Array:
        """Raises StepFailure (ColumnNotFound, FeatureCodeMismatch), and what the estimators raise."""
        return self._routed(frame, lambda model, rows: model.predict(rows))

    @property
    def predict_proba(self) -> Any:
        """A property, so that `hasattr` says whether all of them tell classes apart and have such. A class that a partition has not seen has probability 0 there."""
        if self.task != "classification" or not all(hasattr(model, "predict_proba") for model in self.models.values()):
            raise AttributeError("predict_proba")
        return lambda frame: self._routed(frame, self._probabilities)

    def columns_of(self, frame: pd.DataFrame) -> pd.DataFrame:
        """What is read of these rows: the parent's columns, and the one by which they are told apart. Raises StepFailure."""
        column = self.routes.column
        if column not in frame:
            raise StepFailure(
                "ColumnNotFound", f"the table lacks column '{column}', which says by which model a row is predicted"
            )
        columns = self.parent.columns_of(frame)
        return columns if column in columns else columns.assign(**{column: frame[column]})

    def _routed(self, frame: pd.DataFrame, ask: Any) -> Array:
        rows = self.columns_of(frame)
        folders = self.routes.of(rows[self.routes.column])
        places = [np.flatnonzero(folders == folder) for folder in self.models]
        answers = [ask(model, rows.iloc[at]) for model, at in zip(self.models.values(), places, strict=True) if len(at)]
        if not answers:  # no rows: whatever the parent says to that
            return np.asarray(ask(self.parent, rows))
        order = np.argsort(np.concatenate(places), kind="stable")
        return np.asarray(np.concatenate(answers)[order])

    def _probabilities(self, model: Model, rows: pd.DataFrame) -> Array:
        found = model.predict_proba(rows)
        aligned = np.zeros((len(rows), len(self.classes_)))
        aligned[:, np.searchsorted(self.classes_, model.classes_)] = found
        return aligned


def load(path: Path) -> Router:
    """Raises StepFailure: ModelInvalid, LibraryMissing."""
    routes = Routes.read(path)
    folders = sorted({routes.fallback, *routes.partitions.values()})
    for folder in folders:
        if not (path / folder).resolve().is_relative_to(path.resolve()):
            raise StepFailure("ModelInvalid", f"{FILE}: '{folder}' is no folder of the model")
    return Router(path, routes, {folder: Model.load(path / folder) for folder in folders})
