"""Which types a model file may name. A bundle can come from anyone who may write to the store, so loading it must not run their code.

skops trusts scikit-learn's estimators and NumPy's arrays by itself. Beyond that only *classes* are trusted, defined (not
merely imported) in a module below an allowed prefix, and the numeric functions that feature selection, metrics and splines refer to. A prefix alone would not do: `numpy.testing` has a function that runs a text as a program, and a class of
NumPy's removes a folder when it is collected.
"""

from __future__ import annotations

import importlib
from types import FunctionType

from mlworkflow_steps.errors import StepFailure

_NUMERIC = ("scipy.interpolate.", "scipy.sparse.", "scipy.spatial.", "scipy.stats.")
_FUNCTIONS = ("sklearn.feature_selection.", "sklearn.metrics.", "scipy._lib.array_api_compat.numpy._aliases.")
_REFUSED = ("sklearn.datasets.", "sklearn.externals.", "sklearn.utils._test", "sklearn.conftest")


def trusted_types(named: list[str], allowed: tuple[str, ...]) -> list[str]:
    """`named` itself, if every one of these types may be loaded. Raises StepFailure (ModelInvalid) that lists the others."""
    refused = [name for name in named if not _is_trusted(name, allowed)]
    if refused:
        raise StepFailure("ModelInvalid", f"the model names types that are not trusted: {', '.join(refused)}")
    return named


def _is_trusted(name: str, allowed: tuple[str, ...]) -> bool:
    if not name.startswith((*allowed, *_NUMERIC, *_FUNCTIONS)) or name.startswith(_REFUSED):
        return False
    module_name, _, attribute = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(module_name), attribute, None)
    except ImportError:
        return False
    if getattr(found, "__module__", None) != module_name:
        return False
    return isinstance(found, type) or (isinstance(found, FunctionType) and name.startswith(_FUNCTIONS))
