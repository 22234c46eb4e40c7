"""From the `estimator` of a spec to an unfitted scikit-learn estimator.

    part      = "import.path"
              | {use: import.path, params: {…}}
              | {pipeline: [{name, …part}, …]}
              | {columns: [{name, use, params, select: [column, …] | column}, …], remainder: passthrough | drop}

A list of columns is a table to its part, a single name one column of texts: what a vectorizer takes.

A value in `params`, or in a list there, may itself be `{use: …}`: an estimator within an estimator.
"""

from __future__ import annotations

import difflib
import inspect
import os
import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from mlworkflow_steps.errors import SpecInvalid, StepFailure, first_line
from mlworkflow_steps.models.imports import import_class
from mlworkflow_steps.spec import Fields, describe

Estimator = Any
_BOOSTING = ("lightgbm.", "xgboost.")
_LIGHTGBM = {"deterministic": True, "force_col_wise": True, "verbosity": -1}
_FORMS = ("use", "pipeline", "columns")
_PLACEHOLDERS = ("passthrough", "drop")


def build(spec: Any, allowed: tuple[str, ...], path: str) -> Estimator:
    """The estimator that `spec` describes. Raises StepFailure."""
    if isinstance(spec, str):
        return _instance(import_class(spec, allowed, path), {}, path)
    fields = Fields(spec, path)
    form = fields.exactly_one(_FORMS)
    fields.text("name")
    estimator = {"use": _use, "pipeline": _pipeline, "columns": _columns}[form](fields, allowed)
    fields.done()
    return estimator


def set_params(estimator: Estimator, params: Mapping[str, Any], allowed: tuple[str, ...], path: str) -> None:
    """Sets parameters by name; a name that a pipeline itself does not know goes to its last step."""
    known = estimator.get_params(deep=True)
    last = f"{estimator.steps[-1][0]}__" if hasattr(estimator, "steps") else ""
    for name, value in params.items():
        full_name = next((full for full in (name, f"{last}{name}") if _takes(estimator, known, full)), None)
        if full_name is None:
            raise StepFailure(
                "ParamsInvalid", f"{path}.{name}: {type(estimator).__name__} has no such parameter{_hint(name, known)}"
            )
        try:
            estimator.set_params(**{full_name: _value(value, allowed, f"{path}.{name}")})
        except (TypeError, ValueError) as error:
            raise StepFailure("ParamsInvalid", f"{path}.{name}: {first_line(error)}") from error


def _takes(estimator: Estimator, known: Mapping[str, Any], name: str) -> bool:
    """Whether there is such a parameter. The boosting libraries take more of them than their signatures name."""
    owner = name.rpartition("__")[0]
    part = known.get(owner) if owner else estimator
    return name in known or type(part).__module__.startswith(_BOOSTING)


def set_seed(estimator: Estimator, seed: int) -> None:
    """Every `random_state` that nobody has set. The boosting libraries also get as many threads as the process has been told to
    use, and LightGBM one way to add up: by themselves they take every core and whatever they find faster at the moment."""
    params = estimator.get_params(deep=True)
    unset = {name for name, value in params.items() if value is None}
    chosen: dict[str, Any] = {name: seed for name in unset if name.split("__")[-1] == "random_state"}
    parts = {"": estimator} | {f"{name}__": part for name, part in params.items() if hasattr(part, "get_params")}
    for prefix, part in parts.items():
        if type(part).__module__.startswith(_BOOSTING) and f"{prefix}n_jobs" in unset:
            chosen[f"{prefix}n_jobs"] = int(os.environ.get("OMP_NUM_THREADS", "1"))
        if type(part).__module__.startswith("lightgbm."):
            chosen |= {f"{prefix}{name}": value for name, value in _LIGHTGBM.items() if f"{prefix}{name}" not in params}
    estimator.set_params(**chosen)


def seed_globally(seed: int) -> None:
    """The global generators, which a library may use behind our back. Before every fit, so that what was fitted before makes no difference."""
    random.seed(seed)
    np.random.seed(seed)


def describe_estimator(estimator: Estimator) -> str:
    """One line for people: `Binarizer → RandomForestClassifier`."""
    if hasattr(estimator, "steps"):
        return " → ".join(describe_estimator(part) for _, part in estimator.steps)
    if hasattr(estimator, "transformers"):
        return "(" + " | ".join(describe_estimator(part) for _, part, _ in estimator.transformers) + ")"
    return estimator if isinstance(estimator, str) else type(estimator).__name__


def _use(fields: Fields, allowed: tuple[str, ...]) -> Estimator:
    class_ = import_class(fields.required_text("use"), allowed, fields.where("use"))
    params = fields.mapping("params")
    values = {name: _value(value, allowed, f"{fields.where('params')}.{name}") for name, value in params.items()}
    estimator = _instance(class_, values, fields.where("params"))
    set_params(estimator, params, allowed, fields.where("params"))
    return estimator


def _instance(class_: type[Any], values: Mapping[str, Any], path: str) -> Estimator:
    """With those of its parameters that have no default; the others are set afterwards, name by name."""
    signature = inspect.signature(class_).parameters.values()
    required = [
        parameter.name
        for parameter in signature
        if parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    for name in required:
        if name not in values:
            raise StepFailure("ParamsInvalid", f"{path}: {class_.__name__} needs the parameter '{name}'")
    return class_(**{name: values[name] for name in required})


def _pipeline(fields: Fields, allowed: tuple[str, ...]) -> Estimator:
    from sklearn.pipeline import Pipeline

    specs = fields.objects("pipeline")
    parts = [build(spec, allowed, f"{fields.where('pipeline')}[{index}]") for index, spec in enumerate(specs)]
    return Pipeline(list(zip(_names(specs, parts, fields.where("pipeline")), parts, strict=True)))


def _columns(fields: Fields, allowed: tuple[str, ...]) -> Estimator:
    from sklearn.compose import ColumnTransformer

    specs = fields.objects("columns")
    parts: list[Estimator] = []
    columns: list[list[str] | str] = []
    for index, spec in enumerate(specs):
        part = Fields(spec, f"{fields.where('columns')}[{index}]")
        part.text("name")
        placeholder = part.get("use") in _PLACEHOLDERS
        parts.append(part.get("use") if placeholder else _use(part, allowed))
        one = part.get("select")
        columns.append(one if isinstance(one, str) else [str(column) for column in part.objects("select")])
        part.done()
    remainder = fields.text("remainder") or "passthrough"
    if remainder not in _PLACEHOLDERS:
        raise SpecInvalid(fields.where("remainder"), f"must be passthrough or drop, not {describe(remainder)}")
    names = _names(specs, parts, fields.where("columns"))
    return ColumnTransformer(list(zip(names, parts, columns, strict=True)), remainder=remainder)


def _names(specs: list[Any], parts: list[Estimator], path: str) -> list[str]:
    """The given names, else the class names in lower case, numbered where one is there more than once."""
    given = [spec.get("name") if isinstance(spec, Mapping) else None for spec in specs]
    defaults = [(part if isinstance(part, str) else type(part).__name__).lower() for part in parts]
    total, seen, names = Counter(defaults), Counter[str](), list[str]()
    for name, default in zip(given, defaults, strict=True):
        seen[default] += 1
        names.append(name or (default if total[default] == 1 else f"{default}-{seen[default]}"))
    for name, count in Counter(names).items():
        if count > 1 or "__" in name:
            raise SpecInvalid(
                path, f"the name '{name}' {'is there twice' if count > 1 else 'must not contain two underscores'}"
            )
    return names


def _value(value: Any, allowed: tuple[str, ...], path: str) -> Any:
    if isinstance(value, list):
        return [_value(item, allowed, f"{path}[{index}]") for index, item in enumerate(value)]
    return build(value, allowed, path) if isinstance(value, Mapping) and "use" in value else value


def _hint(name: str, known: Mapping[str, Any]) -> str:
    inner = [other for other in known if other.endswith(f"__{name}")]
    close = (
        inner
        or difflib.get_close_matches(name, known, n=1)
        or difflib.get_close_matches(name, [other.split("__")[-1] for other in known], n=1)
    )
    return f"; did you mean '{close[0]}'?" if close else f"; it has: {', '.join(sorted(known))}"
