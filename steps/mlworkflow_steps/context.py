"""A step's view of the step contract (docs/step-contract.md): the folders, the task, and how results are left.

Every kind gets a `Context` and touches nothing outside it, so that it runs the same in a Pod, on a laptop, and in a test.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlworkflow_steps.errors import StepFailure

DEFAULT_ALLOWED_IMPORTS = "sklearn.,lightgbm.,xgboost."


@dataclass(frozen=True, slots=True)
class Context:
    """The task of one step and where it reads and writes.

    `spec` is the body of the step's kind with its expressions evaluated; `digests` has the digest of each input by name; `params` are the
    step's parameters, and `declared` its outputs: name → {type, optional, …}; `checkpoint` is the folder that the next attempt finds
    again, None where nobody keeps one.
    """

    workflow: str
    step: str
    spec: Mapping[str, Any]
    digests: Mapping[str, str]
    inputs: Path
    outputs: Path
    metrics: Path
    failure: Path
    allowed_imports: tuple[str, ...]
    s3_endpoint: str
    params: Mapping[str, Any] = field(default_factory=dict)
    declared: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    checkpoint: Path | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Context:
        """Raises StepFailure where the process was not started as a step."""
        if "MLWF_TASK" not in environ:
            raise StepFailure(
                "InputMissing", "MLWF_TASK is not set: a built-in step is started by its agent, or by `mlwf run`"
            )
        path = Path(environ["MLWF_TASK"])
        root = Path(environ["MLWF_ROOT"]) if "MLWF_ROOT" in environ else path.parent.parent
        task = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            workflow=task["workflow"]["name"],
            step=task["step"],
            spec=task["spec"],
            digests={name: value["digest"] for name, value in task.get("inputs", {}).items() if "digest" in value},
            inputs=Path(environ.get("MLWF_IN", root / "in")),
            outputs=Path(environ.get("MLWF_OUT", root / "out")),
            metrics=Path(environ.get("MLWF_METRICS", root / "run" / "metrics.jsonl")),
            failure=root / "run" / "failure.json",
            allowed_imports=allowed_imports(environ),
            s3_endpoint=environ.get("MLWF_S3_ENDPOINT", ""),
            params=task.get("params", {}),
            declared=task.get("outputs", {}),
            checkpoint=Path(environ["MLWF_CHECKPOINT"]) if "MLWF_CHECKPOINT" in environ else None,
        )

    def input(self, name: str) -> Path:
        """The file or directory of an input."""
        path = self.inputs / name
        if not path.exists():
            present = sorted(entry.name for entry in self.inputs.iterdir()) if self.inputs.is_dir() else []
            raise StepFailure("InputMissing", f"the step has no input '{name}'; it has: {', '.join(present) or 'none'}")
        return path

    def output(self, name: str) -> Path:
        """Where the output `name` is to be left."""
        self.outputs.mkdir(parents=True, exist_ok=True)
        return self.outputs / name

    def set_parameter(self, name: str, value: Any) -> None:
        """Leaves an output parameter."""
        folder = self.outputs / "params"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(value, allow_nan=False), encoding="utf-8")

    def set_text(self, name: str, value: str) -> None:
        """Leaves an output parameter that is declared as a text."""
        folder = self.outputs / "params"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(value, encoding="utf-8")

    def emit_metric(self, name: str, value: float, *, step: int | None = None) -> None:
        """Appends to the metrics, which the agent sends on as they come. What JSON has no number for is left out."""
        if not math.isfinite(value):
            return
        line = {"name": name, "value": value} if step is None else {"name": name, "value": value, "step": step}
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def record_failure(self, failure: StepFailure) -> None:
        """Leaves the reason and the message for the agent's commit record."""
        self.failure.write_text(json.dumps({"reason": failure.reason, "message": failure.message}), encoding="utf-8")


def allowed_imports(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The prefixes that the import path of an estimator may have."""
    text = environ.get("MLWF_ALLOWED_IMPORTS", DEFAULT_ALLOWED_IMPORTS)
    return tuple(prefix.strip() for prefix in text.split(",") if prefix.strip())
