"""A fitted preprocessor as a directory. It travels within the bundle of every model that was trained on its features.

    preprocessor.skops   the fitted transformer: raw DataFrame → DataFrame of features
    features.json        {format, features: as declared, inputs: [{name, type}], outputs: [names], target, digest}
    sample.parquet       the first 20 raw rows of the training part
    statistics.parquet   what each raw column was like there (`data.marginals`)
    code/*.py            what the user ships of their own, if anything

`digest` is of everything else in `features.json` and of the bytes of `preprocessor.skops`, whose types name the code by its digest. Same
spec and data, same libraries: same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mlworkflow_steps.data.marginals import marginals
from mlworkflow_steps.data.table import FEATURES, Table, read_table, write_table
from mlworkflow_steps.errors import StepFailure, first_line
from mlworkflow_steps.features import code
from mlworkflow_steps.features.fitted import Features
from mlworkflow_steps.models import storage

FORMAT = 1
FOLDER = "preprocessor"
STATISTICS = "statistics.parquet"
_FACTS, _FITTED, _SAMPLE = "features.json", "preprocessor.skops", "sample.parquet"
_SAMPLED = 20


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
        """Raises StepFailure: ModelInvalid where the directory is none, or names a type that is not trusted; CodeNotAllowed."""
        try:
            facts: dict[str, Any] = json.loads((path / _FACTS).read_text(encoding="utf-8"))
            code.import_written(path, os.environ)
            transformer = storage.load(path / _FITTED)
            digest = facts.pop("digest")
            if facts["format"] != FORMAT or digest != _digest(facts, (path / _FITTED).read_bytes()):
                raise StepFailure(
                    "ModelInvalid", f"'{path.name}' is no preprocessor of format {FORMAT}, or was changed"
                )
            return cls(path, digest, facts["inputs"], facts["outputs"], facts.get("target") or "", transformer)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise StepFailure("ModelInvalid", f"'{path.name}' is no preprocessor: {first_line(error)}") from error

    @property
    def sample(self) -> pd.DataFrame | None:
        """The first raw rows that it was fitted to."""
        file = self.path / _SAMPLE
        return read_table(file).frame if file.is_file() else None

    def transform(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The features of raw rows, marked as such. Raises StepFailure: ColumnNotFound, ColumnInvalid, PredictFailed where it cannot."""
        try:
            made: pd.DataFrame = self.transformer.transform(rows)
        except (ValueError, TypeError, KeyError) as error:
            raise StepFailure(
                "PredictFailed", f"the model's preprocessor refuses these rows: {first_line(error)}"
            ) from error
        made.attrs[FEATURES] = self.digest
        return made


def write(
    path: Path, features: Features, rows: pd.DataFrame, *, declared: list[Any], target: str, sources: Mapping[str, str]
) -> Preprocessor:
    """Leaves the directory and reads it again. `rows` are the raw ones that it was fitted to. `sources`: module of the user's → text. Raises StepFailure (ModelInvalid) where skops cannot store it."""
    fitted = storage.dumps(features)
    facts: dict[str, Any] = {
        "format": FORMAT,
        "features": declared,
        "inputs": [{"name": each["name"], "type": each["type"]} for each in features.inputs],
        "outputs": list(features.outputs),
        "target": target,
    }
    path.mkdir(parents=True, exist_ok=True)
    code.write(sources, path)
    (path / _FITTED).write_bytes(fitted)
    text = json.dumps(facts | {"digest": _digest(facts, fitted)}, indent=1, sort_keys=True, allow_nan=False)
    (path / _FACTS).write_text(text + "\n", encoding="utf-8")
    raw = rows[[each["name"] for each in features.inputs]]
    write_table(Table(raw.head(_SAMPLED)), path / _SAMPLE)
    write_table(Table(marginals(raw)), path / STATISTICS)
    for entry in path.rglob("*"):  # modes are part of the artifact's digest, and umasks differ
        entry.chmod(0o755 if entry.is_dir() else 0o644)
    return Preprocessor.read(path)


def _digest(facts: Mapping[str, Any], fitted: bytes) -> str:
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )
    return f"sha256:{hashlib.sha256(canonical + fitted).hexdigest()}"
