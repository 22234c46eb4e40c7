"""What runs inside a step of MLWorkflow: the agent and the built-in kinds.

Importing this package costs nothing, because the agent below it has to start at once: a model is loaded, and its libraries
imported, only when `load` is called.
"""

from __future__ import annotations

TYPE_CHECKING = False  # not imported from typing: that would cost every step's agent several milliseconds
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

__all__ = ["load"]


def load(path: str | Path) -> Any:
    """The fitted model of a bundle directory, as the `train` step left it. No pickle is run.

    Raises `mlworkflow_steps.errors.StepFailure` where the directory is no bundle or names a type that is not trusted.
    """
    from pathlib import Path

    from mlworkflow_steps.models.bundle import Bundle

    return Bundle.read(Path(path)).load_model()
