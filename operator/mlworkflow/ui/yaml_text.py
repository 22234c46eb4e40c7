"""A workflow as somebody would write it, from the resource that it has become. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

_CONTROL = ("rerun", "cancel", "suspend", "approvals")
"""What was asked of the run, and is no part of the workflow."""
_ADDED = "kubectl.kubernetes.io/last-applied-configuration"


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Text of several lines as it is, and no anchors. By libyaml where it is there: ten times as fast."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def workflow_yaml(resource: Mapping[str, Any]) -> str:
    """Without status and what a server has added."""
    metadata = resource.get("metadata") or {}
    kept = {name: metadata[name] for name in ("name", "labels", "annotations") if metadata.get(name)}
    if notes := {name: value for name, value in (kept.get("annotations") or {}).items() if name != _ADDED}:
        kept["annotations"] = notes
    else:
        kept.pop("annotations", None)
    spec = {name: value for name, value in (resource.get("spec") or {}).items() if name not in _CONTROL}
    written = {"apiVersion": resource.get("apiVersion"), "kind": resource.get("kind"), "metadata": kept, "spec": spec}
    return str(yaml.dump(written, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110))
