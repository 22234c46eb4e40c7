"""Steps as the agent runs them: a folder like $MLWF_ROOT with task.json in it, and a real process."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

STEPS = Path(__file__).parents[3] / "steps"
FOREST = {
    "pipeline": [
        {"name": "binarize", "use": "sklearn.preprocessing.Binarizer", "params": {"threshold": 7.5}},
        {"name": "forest", "use": "sklearn.ensemble.RandomForestClassifier", "params": {"n_estimators": 60}},
    ]
}


@dataclass(frozen=True, slots=True)
class Finished:
    """A step that has ended."""

    root: Path
    code: int
    log: str

    def output(self, name: str) -> Path:
        return self.root / "out" / name

    @property
    def params(self) -> dict[str, Any]:
        return {file.name: json.loads(file.read_text()) for file in (self.root / "out" / "params").iterdir()}

    @property
    def metrics(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.root / "run" / "metrics.jsonl").read_text().splitlines()]

    @property
    def failure(self) -> dict[str, str]:
        return dict(json.loads((self.root / "run" / "failure.json").read_text()))

    def digests(self, name: str) -> dict[str, str]:
        """The digest of every file of an output."""
        top = self.output(name)
        files = [top] if top.is_file() else sorted(top.rglob("*"))
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


RunStep = Callable[..., Finished]


def _laid(root: Path, kind: str, spec: Mapping[str, Any], inputs: Mapping[str, Path] | None) -> dict[str, str]:
    """The folders of a step, and the variables that say where they are."""
    for folder in ("in", "out", "run"):
        (root / folder).mkdir(parents=True)
    for name, source in (inputs or {}).items():
        (shutil.copytree if source.is_dir() else shutil.copy)(source, root / "in" / name)
    digests = {
        name: {"digest": f"sha256:{index:064x}", "size": 1, "type": "file"} for index, name in enumerate(inputs or {})
    }
    workflow = {"name": "w<b>&", "namespace": "ml", "uid": "u"}
    task = {
        "workflow": workflow,
        "step": kind,
        "task": kind,
        "attempt": 0,
        "kind": kind,
        "spec": spec,
        "params": {},
        "inputs": digests,
        "outputs": {},
    }
    (root / "run" / "task.json").write_text(json.dumps(task))
    variables = {
        "MLWF_ROOT": root,
        "MLWF_TASK": root / "run" / "task.json",
        "MLWF_IN": root / "in",
        "MLWF_OUT": root / "out",
    }
    variables["MLWF_METRICS"] = root / "run" / "metrics.jsonl"
    return {name: str(path) for name, path in variables.items()}


def _run(
    root: Path, kind: str, spec: Mapping[str, Any], inputs: Mapping[str, Path] | None = None, **environ: str
) -> Finished:
    env = {**os.environ, **_laid(root, kind, spec, inputs), "PYTHONPATH": str(STEPS), **environ}
    done = subprocess.run(
        [sys.executable, "-m", "mlworkflow_steps", kind],
        env=env,
        cwd=root,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return Finished(root, done.returncode, done.stdout + done.stderr)


@pytest.fixture(scope="session")
def run_step(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunStep]:
    """Runs `kind` with `spec` and `inputs` in a folder of its own."""

    def run(kind: str, spec: Mapping[str, Any], inputs: Mapping[str, Path] | None = None, **environ: str) -> Finished:
        return _run(tmp_path_factory.mktemp(kind) / "root", kind, spec, inputs, **environ)

    return run


@pytest.fixture(scope="session")
def run_here(tmp_path_factory: pytest.TempPathFactory) -> RunStep:
    """As `run_step`, in this process: for tests that are not about the process, whose imports take longer than its work."""
    import contextlib
    import importlib
    import io

    from mlworkflow_steps.context import Context
    from mlworkflow_steps.errors import StepFailure
    from threadpoolctl import threadpool_limits

    def run(kind: str, spec: Mapping[str, Any], inputs: Mapping[str, Path] | None = None) -> Finished:
        root, code, log = tmp_path_factory.mktemp(kind) / "root", 0, io.StringIO()
        context = Context.from_environment(_laid(root, kind, spec, inputs))
        with contextlib.redirect_stdout(log), threadpool_limits(1):
            try:
                importlib.import_module(f"mlworkflow_steps.kinds.{kind}").run(context)
            except StepFailure as failure:
                context.record_failure(failure)
                code = 1
        return Finished(root, code, log.getvalue())

    return run


@pytest.fixture(scope="session")
def digits(run_step: RunStep) -> Finished:
    """`prep` of the digits, 70/30, stratified."""
    return run_step(
        "prep", {"source": {"sklearn": "digits"}, "target": "target", "split": {"test": 0.3, "stratify": True}}
    )


@pytest.fixture(scope="session")
def forest(run_step: RunStep, digits: Finished) -> Finished:
    """`train` of the digits example."""
    spec = {"estimator": FOREST, "params": {"max_depth": 8}, "cv": 3, "seed": 7}
    return run_step("train", spec, {"train": digits.output("train")}, PYTHONHASHSEED="1")


@pytest.fixture(scope="session")
def bike_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bike table as CSV: the real one where MLWF_BIKE_TABLE names it, else one that is made here."""
    from bike import make_bike

    if "MLWF_BIKE_TABLE" in os.environ:
        return Path(os.environ["MLWF_BIKE_TABLE"])
    file = tmp_path_factory.mktemp("bike") / "bike.csv"
    make_bike().to_csv(file, index=False)
    return file


@pytest.fixture
def in_process(tmp_path: Path) -> Callable[..., Any]:
    """Runs a kind here, because it is expected to fail: the StepFailure."""
    import importlib

    from mlworkflow_steps.context import DEFAULT_ALLOWED_IMPORTS, Context
    from mlworkflow_steps.errors import StepFailure

    def run(kind: str, spec: Mapping[str, Any], inputs: Mapping[str, Path] | None = None) -> StepFailure:
        for folder in ("in", "out", "run"):
            (tmp_path / folder).mkdir(exist_ok=True)
        for name, source in (inputs or {}).items():
            (tmp_path / "in" / name).symlink_to(source)
        context = Context(
            workflow="w",
            step=kind,
            spec=spec,
            digests={},
            inputs=tmp_path / "in",
            outputs=tmp_path / "out",
            metrics=tmp_path / "run" / "metrics.jsonl",
            failure=tmp_path / "run" / "failure.json",
            allowed_imports=tuple(DEFAULT_ALLOWED_IMPORTS.split(",")),
            s3_endpoint="",
        )
        with pytest.raises(StepFailure) as caught:
            importlib.import_module(f"mlworkflow_steps.kinds.{kind}").run(context)
        return caught.value

    return run
