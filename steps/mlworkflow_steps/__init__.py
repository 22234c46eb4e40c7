"""What runs inside a step of MLWorkflow: the agent and the built-in kinds.

Importing this package costs nothing, because the agent below it has to start at once: a model is loaded, and its libraries
imported, only when `load` is called.
"""

from __future__ import annotations

TYPE_CHECKING = False  # not imported from typing: that would cost every step's agent several milliseconds
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from mlworkflow_steps.models.model import Model

__all__ = ["Model", "emit_metric", "load"]


def __getattr__(name: str) -> Any:
    """`Model`, the type of what `load` gives, for annotations; its libraries are imported when it is asked for."""
    if name == "Model":
        from mlworkflow_steps.models.model import Model

        return Model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load(path: str | Path) -> Model:
    """The model of a bundle directory, as the `train` step left it: `predict` and `predict_proba` of a DataFrame of raw rows, `task`, `classes`,
    `schema`, `manifest`. No pickle and no code of the bundle is run.

    Raises `mlworkflow_steps.errors.StepFailure` where the directory is no bundle, names a type that is not trusted, or needs a library that is not there.
    """
    from pathlib import Path

    from mlworkflow_steps.models import loading

    model: Model = loading.load(Path(path))
    return model


def emit_metric(name: str, value: float, *, step: int | None = None) -> None:
    """Says a metric of the step that this runs in, for `tune` and whoever watches: a line in the file that `MLWF_METRICS` names. Outside of a step nothing is said.

    What JSON has no number for is left out.
    """
    import json
    import math
    import os

    file = os.environ.get("MLWF_METRICS")
    if file and math.isfinite(value):
        line = (
            {"name": name, "value": float(value)}
            if step is None
            else {"name": name, "value": float(value), "step": step}
        )
        with open(file, "a", encoding="utf-8") as metrics:
            metrics.write(json.dumps(line) + "\n")
