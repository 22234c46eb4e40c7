"""The CustomResourceDefinition: what `kubectl apply` knows of a workflow before the operator sees it."""

from __future__ import annotations

from mlworkflow.core.fields import Common, Output, Retry
from mlworkflow.core.names import GROUP, KIND, PLURAL, VERSION
from mlworkflow.schema.resource import SPEC, STATUS, Schema, objects
from mlworkflow.schema.rules import NAME_RULE
from mlworkflow.schema.structural import Structural

NAME = f"{PLURAL}.{GROUP}"
SHORT_NAME = "mlwf"
_FILLED_IN = frozenset(struct.__name__ for struct in (Common, Output, Retry))

COLUMNS: tuple[Schema, ...] = (
    {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
    {"name": "Progress", "type": "string", "jsonPath": ".status.progress"},
    {"name": "Duration", "type": "string", "jsonPath": ".status.duration"},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    {"name": "Message", "type": "string", "jsonPath": ".status.message", "priority": 0},
)


def crd() -> Schema:
    """The whole object, as plain JSON."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": NAME},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": [SHORT_NAME],
                "categories": ["all"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": list(COLUMNS),
                    "schema": {"openAPIV3Schema": _resource()},
                }
            ],
        },
    }


def _resource() -> Schema:
    convert = Structural(objects(), _FILLED_IN)
    return {
        "description": "A machine-learning workflow: steps that prepare data, tune, train and evaluate, or run any image.",
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"description": f"{GROUP}/{VERSION}", "type": "string"},
            "kind": {"description": KIND, "type": "string"},
            "metadata": {"type": "object"},
            "spec": convert.object(SPEC),
            "status": convert.object(STATUS),
        },
        "x-kubernetes-validations": [NAME_RULE.as_schema()],
    }
