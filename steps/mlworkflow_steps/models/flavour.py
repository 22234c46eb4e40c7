"""What makes a bundle a model of MLflow's too: the file `MLmodel`, which names this module as the one that loads it.

`mlflow.pyfunc.load_model` takes the directory itself, or whatever MLflow has been given it as, in a process that has `mlworkflow[steps]`. The name of this
module stands in every bundle.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlworkflow_steps.models import loading
from mlworkflow_steps.models.manifest import Manifest

FILE = "MLmodel"


def as_bytes(facts: Manifest) -> bytes:
    """The file: YAML, and JSON as well. It tells neither time nor run."""
    flavour = {"loader_module": __name__, "python_version": facts.versions["python"]}
    known = {"task": facts.task, "target": facts.target, "estimator": facts.estimator}
    return (json.dumps({"flavors": {"python_function": flavour}, "metadata": known}, indent=2) + "\n").encode()


def _load_pyfunc(path: str) -> Any:
    """MLflow calls it by this name, with the directory. Raises StepFailure."""
    return loading.load(Path(path))
