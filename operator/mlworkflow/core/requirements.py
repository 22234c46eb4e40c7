"""`requirements` of a `python` step, as the step that installs them. Pure; `references` puts it before all others."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from mlworkflow.core.fields import Common
from mlworkflow.core.step import Step

OUTPUT = "environment"
_PLACE = ("image", "image_pull_secrets", "node_selector", "tolerations", "affinity")
"""What says for which Python and which machine something is installed: it is that of the step, all else is the workflow's default."""
_PIP = re.compile(r"PIP_\w+|(HTTPS?|NO)_PROXY", re.IGNORECASE)


def requirements_of(step: Step) -> list[str]:
    """What a step has to have installed."""
    return list(step.body.get("requirements", ())) if step.kind.name == "python" else []


def installing(step: Step, defaults: Common | UnsetType) -> tuple[str, dict[str, Any], Common]:
    """Name, step as it would be written, and common fields of the step that installs what `step` needs: the same for all that need the same."""
    common = Common() if defaults is UNSET else defaults
    place = {name: getattr(step.common, name) for name in _PLACE}
    own = (
        [] if step.common.env is UNSET else [each for each in step.common.env if _PIP.fullmatch(str(each.get("name")))]
    )
    body = {"requirements": sorted(set(requirements_of(step)))}
    facts = [body, own, {name: value for name, value in place.items() if value is not UNSET}]
    name = f"requirements-{hashlib.sha256(msgspec.json.encode(facts, order='sorted')).hexdigest()[:8]}"
    return name, {"name": name, "environment": body}, msgspec.structs.replace(common, **place, env=own or UNSET)


def texts_of(common: Common) -> Iterator[tuple[str, Any]]:
    """The fields of the step that installs in which somebody may have written expressions."""
    yield from ((name, getattr(common, name)) for name in ("image", "env"))
