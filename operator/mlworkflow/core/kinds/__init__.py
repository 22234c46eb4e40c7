"""The kinds of step. One file here is one kind: schema, documentation, CLI and chart follow from it.

A kind's module holds a `Fields` struct for the kind's body and a `KIND` that describes it. `KINDS` finds them all.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from mlworkflow.core.kinds._kind import Kind, body_of

__all__ = ["KINDS", "Kind", "body_of"]


def _find() -> Mapping[str, Kind]:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    kinds = [importlib.import_module(f"{__name__}.{name}").KIND for name in names]
    return MappingProxyType({kind.name: kind for kind in sorted(kinds, key=lambda kind: kind.order)})


KINDS = _find()
