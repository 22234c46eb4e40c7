"""From a directory to a model. What a directory is, is told by a file that it has; each form of model has a module with `load(path)`.

All forms answer as `model.Model` does: `predict`, `predict_proba`, `task`, `classes`, `schema`, `manifest`.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from mlworkflow_steps.errors import StepFailure

FORMS = {"bundle.json": "mlworkflow_steps.models.bundle", "router.json": "mlworkflow_steps.models.router"}
"""File → the module that loads a directory which has it. The first one that is there counts."""


def load(path: Path) -> Any:
    """The model at `path`. Raises StepFailure (ModelInvalid) where it is none."""
    for file, module in FORMS.items():
        if (path / file).is_file():
            return importlib.import_module(module).load(path)
    raise StepFailure("ModelInvalid", f"'{path.name}' is no model: it has no {' and no '.join(FORMS)}")
