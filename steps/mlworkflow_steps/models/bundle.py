"""A model as one directory with one digest: everything that predicting takes, and what is known of it.

    bundle.json        what it is (`manifest`)
    model.skops        the fitted estimator, a whole pipeline if it is one
    preprocessor/      what makes features of raw rows, where `prep` has fitted such (`preprocessor`)
    golden.parquet     rows and what was predicted for them at training (`golden`)
    statistics.parquet what each raw column was like in the training table (`data.marginals`), where that is raw; else in `preprocessor/`
    requirements.txt   the libraries that loading takes, pinned
    card.md            what a person has to know of it (`card`)
    MLmodel            by which MLflow loads it (`flavour`)
    model.onnx         the estimator as ONNX, where that was asked for and can be (`exchange`)

Same data, same spec, same libraries: same bytes, down to the files' modes.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from mlworkflow_steps.data.kinds import kind_named
from mlworkflow_steps.data.marginals import marginals
from mlworkflow_steps.data.schema import Rule, Schema
from mlworkflow_steps.data.table import FEATURES, Table, write_table
from mlworkflow_steps.errors import StepFailure
from mlworkflow_steps.models import card, exchange, flavour, golden, manifest, storage
from mlworkflow_steps.models.manifest import Manifest
from mlworkflow_steps.models.model import MODEL_FILE, Model
from mlworkflow_steps.models.preprocessor import FOLDER, STATISTICS, Preprocessor

REQUIREMENTS = "requirements.txt"


def load(path: Path) -> Model:
    """The model of a bundle. Raises StepFailure: ModelInvalid, LibraryMissing."""
    return Model.load(path)


def write(
    path: Path,
    estimator: Any,
    facts: Manifest,
    rows: pd.DataFrame,
    preprocessor: Preprocessor | None = None,
    *,
    onnx: bool = False,
) -> Model:
    """Leaves the bundle at `path` and loads it again: the first of `rows`, raw or features as the estimator was fitted to, are its golden ones, or the
    raw rows that the preprocessor keeps.

    Raises StepFailure (ModelInvalid) where skops cannot store the estimator, or where it then predicts anything else.
    """
    exchanged, said = exchange.converted(estimator, rows.head(golden.ROWS)) if onnx else (None, {})
    facts = replace(facts, onnx=said)
    fitted = Model(path, facts, estimator, preprocessor)
    files = {
        MODEL_FILE: storage.dumps(estimator),
        manifest.FILE: facts.as_bytes(),
        REQUIREMENTS: facts.requirements(),
        card.FILE: card.card_of(facts).encode(),
        flavour.FILE: flavour.as_bytes(facts),
    }
    if exchanged is not None:
        files[exchange.FILE] = exchanged
    path.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (path / name).write_bytes(data)
    if preprocessor is not None:
        shutil.copytree(preprocessor.path, path / FOLDER, copy_function=shutil.copyfile)
    raw = preprocessor.sample if preprocessor is not None else None
    golden.write(path / golden.FILE, fitted, rows.head(golden.ROWS) if raw is None else raw)
    if FEATURES not in rows.attrs:
        write_table(Table(marginals(rows)), path / STATISTICS)
    fix_modes(path)
    loaded = load(path)
    if found := golden.differences(path / golden.FILE, loaded):
        raise StepFailure("ModelInvalid", f"the stored model predicts something else than the fitted one: {found[0]}")
    return loaded


def raw_schema(frame: pd.DataFrame, target: str, preprocessor: Preprocessor | None = None) -> Schema:
    """What raw rows are like: inferred from the training table, where that is raw; else what the preprocessor says of the columns that it reads."""
    if preprocessor is None:
        return Schema.infer(frame, target)
    label = Schema.infer(frame[[target]] if target in frame else frame[[]], target)
    rules = {column["name"]: Rule(kind_named(column["type"])) for column in preprocessor.inputs}
    return Schema(label.target, label.task, {**rules, **label.columns})


def fix_modes(path: Path) -> None:
    """Modes are part of the artifact's digest, and umasks differ."""
    for entry in path.rglob("*"):
        entry.chmod(0o755 if entry.is_dir() else 0o644)
