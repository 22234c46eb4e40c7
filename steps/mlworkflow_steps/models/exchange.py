"""A model as ONNX, which other languages and servers read: `model.onnx`, where the estimator can be converted and then says the same.

The converter (skl2onnx, the extra `onnx`) is imported only where a training step asks for it. What it makes is run on the golden rows, so that a file that is there can be relied upon; why there is
none stands in `bundle.json`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier

from mlworkflow_steps.errors import first_line
from mlworkflow_steps.models.scores import Array

FILE = "model.onnx"
TOLERANCE = 1e-5
_MOST_COLUMNS = 2000
_PRECISIONS = ("float", "double")
"""In this order: a forest rounds its input itself, gradient boosting does not, and most runtimes know only the first for the rest."""


def converted(estimator: Any, features: pd.DataFrame) -> tuple[bytes | None, dict[str, Any]]:
    """The file, or None, and what `bundle.json` says of it. `features` are rows as the estimator takes them, to compare the two with."""
    if features.shape[1] > _MOST_COLUMNS:
        return None, _not(f"it takes {features.shape[1]:,} columns, and more than {_MOST_COLUMNS:,} are not converted")
    try:
        import skl2onnx
    except ImportError as error:
        return None, _not(f"{first_line(error)}: pip install 'mlworkflow[onnx]' in the image of the step")
    apart = 0.0
    for precision in _PRECISIONS:
        try:
            made = _convert(skl2onnx, estimator, features, precision)
            apart = _difference(made, estimator, features, precision)
        except Exception as error:  # the converter has no errors of its own: any means that it cannot
            return None, _not(first_line(error))
        if apart <= TOLERANCE:
            facts = {"converted": True, "precision": precision, "inputs": inputs_of(made, features), "difference": apart}  # fmt: skip
            return made.SerializeToString(deterministic=True), facts
    if np.isinf(apart):
        return None, _not("as ONNX it predicts other classes for the golden rows")
    return None, _not(
        f"as ONNX its predictions of the golden rows are up to {apart:.2g} apart, and may be {TOLERANCE:g}"
    )


def _not(why: str) -> dict[str, Any]:
    return {"converted": False, "why": why}


def _convert(skl2onnx: Any, estimator: Any, features: pd.DataFrame, precision: str) -> Any:
    from skl2onnx.common import data_types

    number = {"float": data_types.FloatTensorType, "double": data_types.DoubleTensorType}[precision]
    if _is_by_name(estimator):
        types = [
            (str(name), (number if pd.api.types.is_numeric_dtype(column) else data_types.StringTensorType)([None, 1]))
            for name, column in features.items()
        ]
    else:
        types = [("X", number([None, features.shape[1]]))]
    options: Any = {id(estimator): {"zipmap": False}} if is_classifier(estimator) else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return skl2onnx.convert_sklearn(estimator, "mlworkflow", types, options=options)


def _is_by_name(estimator: Any) -> bool:
    """Whether the estimator chooses columns by their names: then each is an input of its own."""
    first = estimator.steps[0][1] if hasattr(estimator, "steps") else estimator
    return hasattr(first, "transformers")


def _difference(made: Any, estimator: Any, features: pd.DataFrame, precision: str) -> float:
    """How far the predictions are apart at most, relatively above 1; infinite where a class is another."""
    from onnx.reference import ReferenceEvaluator

    number = {"float": np.float32, "double": np.float64}[precision]
    found: Any = ReferenceEvaluator(made).run(None, fed(inputs_of(made, features), features, number))
    expected = np.asarray(estimator.predict(features))
    expected = expected.astype(int) if expected.dtype == bool else expected  # as ONNX has them
    if not hasattr(estimator, "predict_proba"):
        return _apart(expected, found[0])
    if list(map(str, expected)) != list(map(str, found[0])):
        return float("inf")
    return _apart(estimator.predict_proba(features), found[1])


def inputs_of(made: Any, features: pd.DataFrame) -> dict[str, list[str]]:
    """Input of the ONNX graph → the columns that it takes. The converter gives columns names of its own."""
    if not _by_name(made):
        return {"X": list(map(str, features))}
    known = {re.sub(r"\W", "_", str(name)): str(name) for name in features}
    return {entry.name: [known[entry.name]] for entry in made.graph.input}


def fed(inputs: Mapping[str, list[str]], features: pd.DataFrame, number: Any) -> dict[str, Array]:
    """Rows as `model.onnx` takes them. `number` is the NumPy type of its precision."""

    def type_of(names: list[str]) -> Any:
        return number if pd.api.types.is_numeric_dtype(features[names[0]]) else object

    return {entry: features[names].to_numpy(dtype=type_of(names)) for entry, names in inputs.items()}


def _by_name(made: Any) -> bool:
    return [entry.name for entry in made.graph.input] != ["X"]


def _apart(expected: Any, found: Any) -> float:
    expected, found = np.asarray(expected), np.asarray(found)
    if not np.issubdtype(expected.dtype, np.number):
        return 0.0 if list(map(str, expected.ravel())) == list(map(str, found.ravel())) else float("inf")
    numbers, others = expected.astype(float).ravel(), found.astype(float).ravel()
    return float(np.max(np.abs(numbers - others) / np.maximum(1.0, np.abs(numbers)), initial=0.0))
