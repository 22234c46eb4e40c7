"""`train` in this process, on tables that are made here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlworkflow_steps
import numpy as np
import pandas as pd
from mlworkflow_steps.context import DEFAULT_ALLOWED_IMPORTS, Context
from mlworkflow_steps.data.table import Table, write_table
from mlworkflow_steps.kinds import evaluate, prep, train
from threadpoolctl import threadpool_limits

from tests.unit.steps.conftest import STEPS

FOREST = {"use": "sklearn.ensemble.RandomForestClassifier", "params": {"n_estimators": 5}}
TREE = "sklearn.tree.DecisionTreeRegressor"


@dataclass(frozen=True, slots=True)
class Trained:
    root: Path

    @property
    def model(self) -> Any:
        return mlworkflow_steps.load(self.root / "out" / "model")

    @property
    def params(self) -> dict[str, Any]:
        return {file.name: json.loads(file.read_text()) for file in (self.root / "out" / "params").iterdir()}

    def series(self, name: str) -> list[tuple[int, float]]:
        """The values of a metric with their steps, as they came."""
        lines = [json.loads(line) for line in (self.root / "run" / "metrics.jsonl").read_text().splitlines()]
        return [(line["step"], line["value"]) for line in lines if line["name"] == name and "step" in line]

    def bytes(self) -> dict[str, bytes]:
        top = self.root / "out" / "model"
        return {str(file.relative_to(top)): file.read_bytes() for file in sorted(top.rglob("*")) if file.is_file()}


def context_of(root: Path, spec: Mapping[str, Any]) -> Context:
    """A step's folders below `root`, and its view of them."""
    for folder in ("in", "out", "run", "checkpoint"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    return Context(
        workflow="w", step="step", spec=spec, digests={}, inputs=root / "in", outputs=root / "out",
        metrics=root / "run" / "metrics.jsonl", failure=root / "run" / "failure.json",
        allowed_imports=tuple(DEFAULT_ALLOWED_IMPORTS.split(",")), s3_endpoint="", checkpoint=root / "checkpoint",
    )  # fmt: skip


def train_here(
    root: Path,
    spec: Mapping[str, Any],
    target: str = "y",
    preprocessor: Path | None = None,
    **tables: pd.DataFrame | Path,
) -> Trained:
    """Runs the kind on `tables` by the name of their input. Raises what it raises."""
    context = context_of(root, spec)
    for name, table in tables.items():
        if isinstance(table, Path):
            shutil.copy(table, root / "in" / name)
        else:
            write_table(Table(table, target), root / "in" / name)
    if preprocessor is not None:
        shutil.copytree(preprocessor, root / "in" / "preprocessor")
    with threadpool_limits(1):  # as the kinds' own process does: waiting threads would spin
        train.run(context)
    return Trained(root)


def rows(number: int = 120, seed: int = 0) -> pd.DataFrame:
    """Two features, a class `y` and a quantity `q` that follow from them, and columns that say something about the rows."""
    random = np.random.RandomState(seed)
    a, b = random.normal(size=number), random.normal(size=number)
    return pd.DataFrame({
        "a": a, "b": b, "y": np.where(a + 0.3 * random.normal(size=number) > 0.5, "high", "low"),
        "q": 3 * a - b + 0.1 * random.normal(size=number),
        "weight": np.where(np.arange(number) % 2, 1.0, 0.0), "group": np.arange(number) % 6, "day": np.arange(number)[::-1] // 4,
        "part": np.where(np.arange(number) % 3 == 0, "x", np.where(np.arange(number) % 3 == 1, "y", "z")),
    })  # fmt: skip


def evaluated(root: Path, model: Path, test: pd.DataFrame) -> dict[str, Any]:
    """`evaluate` of a model on a table: its output parameters."""
    context = context_of(root, {})
    shutil.copytree(model, root / "in" / "model")
    write_table(Table(test), root / "in" / "test")
    with threadpool_limits(1):
        evaluate.run(context)
    return Trained(root).params


def prepared(root: Path, frame: pd.DataFrame, **body: Any) -> Path:
    """`prep` of a frame with its columns a and b scaled: the folder of its outputs."""
    context = context_of(root, {"source": {"input": "table"}, "target": "y", "features": [{"columns": ["a", "b"], "scale": "standard"}], **body})  # fmt: skip
    write_table(Table(frame), root / "in" / "table")
    prep.run(context)
    return root / "out"


def as_process(root: Path, spec: Mapping[str, Any], checkpoint: Path, **tables: pd.DataFrame) -> subprocess.Popen[str]:
    """The kind begins in a process of its own, as an attempt does, with the checkpoint of the attempts before it."""
    for folder in ("in", "out", "run"):
        (root / folder).mkdir(parents=True)
    checkpoint.mkdir(exist_ok=True)
    for name, frame in tables.items():
        write_table(Table(frame, "y"), root / "in" / name)
    task = {"workflow": {"name": "w"}, "step": "train", "spec": spec, "inputs": {}}
    (root / "run" / "task.json").write_text(json.dumps(task))
    environ = {"MLWF_ROOT": str(root), "MLWF_TASK": str(root / "run" / "task.json"), "MLWF_CHECKPOINT": str(checkpoint)}
    return subprocess.Popen(
        [sys.executable, "-m", "mlworkflow_steps", "train"],
        env={**os.environ, **environ, "PYTHONPATH": str(STEPS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def killed_when(process: subprocess.Popen[str], seen: Callable[[], bool]) -> None:
    """Kills a process as the memory limit would, once something is there."""
    while not seen():
        assert process.poll() is None, process.stdout and process.stdout.read()
        time.sleep(0.01)
    process.kill()
    process.communicate()


def ended(process: subprocess.Popen[str]) -> str:
    """What a process that ends well has said."""
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    return said
