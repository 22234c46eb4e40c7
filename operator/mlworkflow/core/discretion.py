"""What of a spec is passed on and kept: all of it but its webhooks, whose headers may hold secrets. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WEBHOOKS = ("onSuccess", "onFailure")


def without_webhooks(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A spec without the webhooks of its steps."""
    shown = {key: [_step(step) for step in value] if key == "steps" else value for key, value in spec.items()}
    if isinstance(exits := spec.get("onExit"), Mapping):
        shown["onExit"] = {
            when: [_step(step) for step in value] if isinstance(value, list) else value for when, value in exits.items()
        }
    return shown


def _step(step: Any) -> Any:
    if not isinstance(step, Mapping):
        return step
    shown = {key: value for key, value in step.items() if key not in _WEBHOOKS}
    return {**shown, "steps": [_step(one) for one in step["steps"]]} if "steps" in step else shown
