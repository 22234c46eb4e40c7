"""From an import path in a spec to a class, within the prefixes that are allowed."""

from __future__ import annotations

import difflib
import importlib
from typing import Any

from mlworkflow_steps.errors import StepFailure, first_line


def import_class(name: str, allowed: tuple[str, ...], path: str) -> type[Any]:
    """The class of a dotted name. Raises StepFailure: ImportNotAllowed, or EstimatorInvalid where it is no estimator's class."""
    if not name.startswith(allowed):
        raise StepFailure(
            "ImportNotAllowed",
            f"{path}: '{name}' may not be imported; allowed are names that start with {', '.join(allowed)} (MLWF_ALLOWED_IMPORTS)",
        )
    module_name, _, class_name = name.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except (ImportError, OSError) as error:  # a library of the system that the module needs may be missing too
        raise StepFailure(
            "EstimatorInvalid", f"{path}: there is no module '{module_name}' in this image: {first_line(error)}"
        ) from error
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        close = difflib.get_close_matches(class_name, dir(module), n=1)
        raise StepFailure(
            "EstimatorInvalid",
            f"{path}: '{module_name}' has no class '{class_name}'{f'; did you mean {close[0]!r}?' if close else ''}",
        )
    # An allowed module may itself have imported something that is not allowed.
    if not f"{found.__module__}.".startswith(allowed):
        raise StepFailure(
            "ImportNotAllowed",
            f"{path}: '{name}' is a class of '{found.__module__}', which is not among {', '.join(allowed)}",
        )
    if not hasattr(found, "fit") or not hasattr(found, "get_params"):
        raise StepFailure("EstimatorInvalid", f"{path}: '{name}' is no estimator: it cannot be fitted")
    return found
