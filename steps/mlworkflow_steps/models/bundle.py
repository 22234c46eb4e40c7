"""A model as a directory: `model.skops` (the whole fitted pipeline), `model.json` (what it is), `requirements.txt`.

Same data, same spec, same libraries: same bytes, down to the files' modes. So nothing in it tells the time, the machine or the
run. Loading runs no pickle; see `trust` for what it does accept.
"""

from __future__ import annotations

import json
import os
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import skops.io
from skops.io.exceptions import UnsupportedTypeException

from mlworkflow_steps.context import allowed_imports
from mlworkflow_steps.data.table import Task
from mlworkflow_steps.errors import StepFailure, first_line
from mlworkflow_steps.models.canonical import canonical
from mlworkflow_steps.models.trust import trusted_types

FORMAT = 1
LIBRARIES = ("scikit-learn", "numpy", "scipy", "pandas", "skops")

_MODEL, _CARD, _REQUIREMENTS = "model.skops", "model.json", "requirements.txt"


@dataclass(frozen=True, slots=True)
class Card:
    """What `model.json` says. `features` are {name, type}; `baseline` is what a model that only knows the target would predict."""

    task: Task
    target: str
    features: list[dict[str, str]]
    classes: list[Any]
    estimator: str
    spec: Any
    params: dict[str, Any]
    seed: int
    metrics: dict[str, float]
    baseline: dict[str, Any]
    train: dict[str, Any]
    versions: dict[str, str]
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle on disk."""

    path: Path
    card: Card

    @classmethod
    def read(cls, path: Path) -> Bundle:
        """Raises StepFailure (ModelInvalid) where the directory is no bundle of a format that this version knows."""
        try:
            facts = json.loads((path / _CARD).read_text(encoding="utf-8"))
            if facts.get("format") != FORMAT:
                raise StepFailure(
                    "ModelInvalid", f"the bundle has format {facts.get('format')}; this version reads format {FORMAT}"
                )
            return cls(path, Card(**facts))
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise StepFailure("ModelInvalid", f"'{path.name}' is no model bundle: {first_line(error)}") from error

    @classmethod
    def write(cls, path: Path, model: Any, card: Card) -> Bundle:
        """Leaves the bundle at `path`. Raises StepFailure (ModelInvalid) where skops cannot store the model."""
        try:
            model_file = canonical(skops.io.dumps(model))
        except (UnsupportedTypeException, TypeError) as error:
            raise StepFailure(
                "ModelInvalid", f"the fitted model cannot be stored without pickle: {first_line(error)}"
            ) from error
        path.mkdir(parents=True, exist_ok=True)
        requirements = "".join(f"{name}=={version}\n" for name, version in card.versions.items() if name != "python")
        files = {
            _MODEL: model_file,
            _CARD: (json.dumps(asdict(card), indent=2, sort_keys=True, allow_nan=False) + "\n").encode(),
            _REQUIREMENTS: requirements.encode(),
        }
        for name, data in files.items():
            (path / name).write_bytes(data)
            (path / name).chmod(0o644)  # modes are part of the artifact's digest, and umasks differ
        return cls(path, card)

    def load_model(self) -> Any:
        """The fitted model. Raises StepFailure (ModelInvalid) where it is damaged or names a type that is not trusted."""
        file = self.path / _MODEL
        try:
            trusted = trusted_types(skops.io.get_untrusted_types(file=file), allowed_imports(os.environ))
            return skops.io.load(file, trusted=trusted)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, zipfile.BadZipFile) as error:
            raise StepFailure("ModelInvalid", f"the model cannot be loaded: {first_line(error)}") from error


def versions(used: Sequence[str] = ()) -> dict[str, str]:
    """Python and the libraries that a model needs, `used` included, by distribution."""
    found = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    return found | {name: metadata.version(name) for name in (*LIBRARIES, *used)}
