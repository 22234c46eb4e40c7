"""What is on record of a model, as JSON Schema: what `train` says of it (`bundle.json`), and what `evaluate` has measured (`scores`)."""

from __future__ import annotations

from typing import Any

import jsonschema

_DIGEST = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}
_NUMBERS = {"type": "object", "additionalProperties": {"type": "number"}}
_INTERVALS = {
    "type": "object",
    "additionalProperties": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
}
_NAMES = {"type": "array", "items": {"type": "string"}}


def _object(required: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "required": sorted(required), "properties": required, **more}


_CHECK = _object({"metric": {"type": "string"}, "bound": {"enum": ["min", "max", "minDelta", "minSamples", "canServe"]}, "limit": {"type": "number"}, "passed": {"type": "boolean"}, "judged": {"type": "boolean"}})  # fmt: skip
_SLICE = _object({"column": {"type": "string"}, "label": {"type": "string"}, "rows": {"type": "integer"}, "metrics": _NUMBERS, "intervals": _INTERVALS})  # fmt: skip
_IMPORTANCE = _object({"feature": {"type": "string"}, "spread": {"type": "number"}})
_OF_TASK = {
    "classification": ("confusion", "classes", "roc", "precision_recall", "calibration"),
    "multilabel": ("classes", "roc", "precision_recall", "calibration"),
    "regression": ("residuals",),
    "multioutput": ("targets",),
    "clustering": ("clusters",),
}

MODEL = _object(
    {
        "format": {"const": 1}, "task": {"enum": sorted(_OF_TASK)}, "target": {"type": ["string", "array"]}, "classes": {"type": "array"},
        "schema": _object({"columns": {"type": "object"}}), "features": _NAMES, "estimator": {"type": "string", "minLength": 1},
        "spec": {}, "params": {"type": "object"}, "seed": {"type": "integer"}, "metrics": _NUMBERS, "baseline": {"type": "object"},
        "inputs": {"type": "object", "additionalProperties": _DIGEST, "required": ["train"]}, "rows": {"type": "integer", "minimum": 1},
        "versions": {"type": "object", "required": ["python", "scikit-learn", "numpy"]}, "card": {"type": "object"}, "onnx": {"type": "object"},
        "features_digest": {"type": "string"},
    },
    additionalProperties=False,
)  # fmt: skip
SCORES = _object(
    {
        "format": {"const": 1}, "task": {"enum": sorted(_OF_TASK)}, "target": {"type": "string"}, "rows": {"type": "integer"},
        "metrics": {**_NUMBERS, "minProperties": 1}, "intervals": _INTERVALS, "confidence": {"type": "number"}, "seed": {"type": "integer"},
        "baseline": _NUMBERS, "champion": {"type": ["object", "null"]}, "passed": {"type": "boolean"}, "gate": {"type": "array", "items": _CHECK},
        "slices": {"type": "array", "items": _SLICE}, "worst_rows": {"type": "array"}, "digests": {"type": "object", "additionalProperties": {"type": "string"}},
        "versions": {"type": "object"}, "importances": {"type": "array", "items": _IMPORTANCE}, "partial_dependence": {"type": "array"}, "tree_path": {"type": ["object", "null"]},
        "over_time": _object({"column": {"type": "string"}, "periods": {"type": "array"}}),
    },
    allOf=[
        {"if": {"properties": {"task": {"const": task}}}, "then": {"required": list(parts)}}
        for task, parts in _OF_TASK.items()
    ],
)  # fmt: skip


def check(record: Any, schema: dict[str, Any]) -> None:
    """Raises jsonschema.ValidationError with the path of what is wrong."""
    jsonschema.validate(record, schema, cls=jsonschema.Draft202012Validator)
