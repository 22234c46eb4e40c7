"""What `prep` has fitted, as the directory that it left: raw rows to features, the same at training and at prediction.

    preprocessor.skops   the fitted transformer: raw DataFrame → DataFrame of features
    features.json        {format, features: as declared, inputs: [{name, type}], outputs: [names], target, digest}

It travels within the bundle of every model that was trained on its features.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mlworkflow_steps.data.table import FEATURES
from mlworkflow_steps.errors import StepFailure, first_line
from mlworkflow_steps.models import storage

FOLDER = "preprocessor"
_FACTS, _FITTED = "features.json", "preprocessor.skops"


@dataclass(frozen=True, slots=True)
class Preprocessor:
    """A fitted preprocessor. `digest` names what it does, down to its bytes; `inputs` are the raw columns that it reads."""

    path: Path
    digest: str
    inputs: list[dict[str, str]]
    outputs: list[str]
    target: str
    transformer: Any

    @classmethod
    def read(cls, path: Path) -> Preprocessor:
        """Raises StepFailure (ModelInvalid) where the directory is none, or names a type that is not trusted."""
        try:
            facts: Mapping[str, Any] = json.loads((path / _FACTS).read_text(encoding="utf-8"))
            transformer = storage.load(path / _FITTED)
            return cls(path, facts["digest"], facts["inputs"], facts["outputs"], facts.get("target") or "", transformer)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise StepFailure("ModelInvalid", f"'{path.name}' is no preprocessor: {first_line(error)}") from error

    def transform(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The features of raw rows, marked as such. Raises StepFailure (PredictFailed) where it cannot."""
        try:
            made: pd.DataFrame = self.transformer.transform(rows)
        except (ValueError, TypeError, KeyError) as error:
            raise StepFailure(
                "PredictFailed", f"the model's preprocessor refuses these rows: {first_line(error)}"
            ) from error
        made.attrs[FEATURES] = self.digest
        return made
