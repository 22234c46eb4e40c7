"""What a bundle says of itself: `bundle.json`. Nothing in it tells the time, the machine or the run, so that same work is same bytes."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from mlworkflow_steps.data.table import Task
from mlworkflow_steps.errors import StepFailure, first_line

FORMAT = 1
FILE = "bundle.json"
LIBRARIES = ("scikit-learn", "numpy", "scipy", "pandas", "pyarrow", "skops")


@dataclass(frozen=True, slots=True)
class Manifest:
    """The facts of a model.

    `schema` is that of raw rows, the target among them (`data.schema`, as JSON); `features` names what the estimator takes, in its order, and `features_digest`
    is "" where the two are the same. `target` is the column that is predicted, a list where there are several, "" where there is none. `spec` and `params` are as the workflow has them, `estimator` is one line for people. `inputs` has the digest of each input of
    the training step, `rows` how many it was fitted to. `baseline` is what a model that only knows the target would predict. `versions` is by distribution.
    `card` is what the author says of the model (`card`), `onnx` what became of `model.onnx` (`exchange`), empty where nobody asked for it.
    """

    task: Task
    target: Any
    classes: list[Any]
    schema: dict[str, Any]
    features: list[str]
    estimator: str
    spec: Any
    params: dict[str, Any]
    seed: int
    metrics: dict[str, float]
    baseline: dict[str, Any]
    inputs: dict[str, str]
    rows: int
    versions: dict[str, str]
    features_digest: str = ""
    card: dict[str, str] = field(default_factory=dict)
    onnx: dict[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Raises StepFailure (ModelInvalid) where the directory is no bundle of a format that this version knows."""
        try:
            facts = json.loads((folder / FILE).read_text(encoding="utf-8"))
            if facts.get("format") != FORMAT:
                raise StepFailure(
                    "ModelInvalid", f"the bundle has format {facts.get('format')}; this version reads format {FORMAT}"
                )
            return cls(**facts)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise StepFailure("ModelInvalid", f"'{folder.name}' is no model bundle: {first_line(error)}") from error

    @property
    def outputs(self) -> list[str]:
        """What each column of the predictions is of, where a row has several: labels, or targets."""
        if self.task == "multilabel":
            return [str(label) for label in self.classes]
        return list(map(str, self.target)) if self.task == "multioutput" else []

    def as_bytes(self) -> bytes:
        return (json.dumps(asdict(self), indent=2, sort_keys=True, allow_nan=False) + "\n").encode()

    def requirements(self) -> bytes:
        """What a process needs to load the model, pinned, as pip reads it."""
        return "".join(f"{name}=={version}\n" for name, version in self.versions.items() if name != "python").encode()


def versions(used: Sequence[str] = ()) -> dict[str, str]:
    """Python and the libraries that a model needs, `used` included, by distribution."""
    found = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    return found | {name: metadata.version(name) for name in (*LIBRARIES, *used)}
