"""What a model file may name. A bundle can come from anyone who may write to the store, so loading it must not run their code.

skops trusts scikit-learn's estimators and NumPy's arrays by itself. Beyond that only *classes* are trusted, defined (not merely imported) in a module below an allowed prefix, the
numeric functions that feature selection, clustering, metrics and splines refer to, and a few names of NumPy's and SciPy's. A prefix alone would not do: `numpy.testing` has a function
that runs a text as a program, and SciPy's distributions run one that is part of their state, when they are loaded. For the same reason nothing in a file may be called: skops can call
constructors and bind methods, which no fitted estimator of scikit-learn's needs.

Classes of code that the author ships can be imported only where loading was allowed to run it (`features.code`).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from types import FunctionType
from typing import Any

from mlworkflow_steps.errors import StepFailure
from mlworkflow_steps.features.code import PREFIX

_SPARSE = ("csr", "csc", "coo", "bsr", "dia")
_EXACT = {
    "collections.OrderedDict",  # in which LightGBM keeps its parameters
    "numpy.dtype",
    "numpy.mean",
    "scipy.interpolate._bsplines.BSpline",
    *(f"scipy.sparse._{form}.{form}_{type_}" for form in _SPARSE for type_ in ("matrix", "array")),
    "mlworkflow_steps.features.fitted.Features",
    "mlworkflow_steps.features.transformers.DatetimeParts",
    "mlworkflow_steps.features.transformers.Ngrams",
}
_FUNCTIONS = (
    "sklearn.cluster._kmeans.",
    "sklearn.feature_selection.",
    "sklearn.metrics.",
    "scipy._lib.array_api_compat.numpy._aliases.",
)
_REFUSED = (
    "sklearn.callback.", "sklearn.conftest", "sklearn.datasets.", "sklearn.externals.", "sklearn.utils._test", "lightgbm.dask", "xgboost.dask", "xgboost.spark",
    "xgboost.testing", "xgboost.tracker",
)  # fmt: skip
_CALLING = ("ConstructorFromReduceNode", "MethodNode", "OperatorFuncNode", "PartialNode")


def refuse_calls(nodes: Iterable[Mapping[str, Any]]) -> None:
    """Raises StepFailure (ModelInvalid) where loading one of these nodes of a skops file would call what it names."""
    calls = {f"{node.get('__module__')}.{node['__class__']}" for node in nodes if node["__loader__"] in _CALLING}
    if calls:
        raise StepFailure(
            "ModelInvalid", f"the model has calls in it, which are not trusted: {', '.join(sorted(calls))}"
        )


def trusted_types(named: list[str], allowed: tuple[str, ...]) -> list[str]:
    """`named` itself, if every one of these types may be loaded. Raises StepFailure (ModelInvalid) that lists the others, and ImportError where one is
    in a library that is not there, or that cannot be imported here.
    """
    refused = [name for name in named if not _is_trusted(name, allowed)]
    if refused:
        raise StepFailure("ModelInvalid", f"the model names types that are not trusted: {', '.join(refused)}")
    return named


def _is_trusted(name: str, allowed: tuple[str, ...]) -> bool:
    if name in _EXACT:
        return True
    if not name.startswith((*allowed, *_FUNCTIONS, PREFIX)) or name.startswith(_REFUSED):
        return False
    module_name, _, attribute = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(module_name), attribute, None)
    except ModuleNotFoundError as error:
        if (
            error.name
            and error.name != module_name.partition(".")[0]
            and f"{module_name}.".startswith(f"{error.name}.")
        ):
            return False
        raise
    if getattr(found, "__module__", None) != module_name:
        return False
    return isinstance(found, type) or (isinstance(found, FunctionType) and name.startswith(_FUNCTIONS))
