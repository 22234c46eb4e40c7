"""What a `python` step needs beside its inputs, as steps that make it: `requirements` installed, `git` fetched. Pure; `references` puts them before all others."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from mlworkflow.core.fields import Common, Retry, RetryOnly
from mlworkflow.core.step import Step

INSTALLED, FETCHED = "environment", "code"
"""The outputs of these steps."""
_PLACE = ("image", "image_pull_secrets", "node_selector", "tolerations", "affinity")
"""What says for which Python and which machine something is installed: it is that of the step, all else is the workflow's default."""
_RETRY = Retry(limit=4, only=RetryOnly(reasons=["GitUnreachable"]))
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


def repository_of(step: Step) -> dict[str, Any] | None:
    """What is to be fetched for a step, as the body of a `git` step."""
    given = step.body.get("git") if step.kind.name == "python" else None
    return None if given is None else {key: value for key, value in given.items() if key != "path"}


def fetching(body: Mapping[str, Any], defaults: Common | UnsetType) -> tuple[str, dict[str, Any], Common]:
    """As `installing`, of the step that fetches a repository. It is tried again where that may help."""
    common = Common() if defaults is UNSET else defaults
    retry = _RETRY if common.retry is UNSET else common.retry
    name = f"git-{hashlib.sha256(msgspec.json.encode(body, order='sorted')).hexdigest()[:8]}"
    return name, {"name": name, "git": dict(body)}, msgspec.structs.replace(common, image=UNSET, retry=retry)


def texts_of(common: Common) -> Iterator[tuple[str, Any]]:
    """The fields of the step that installs in which somebody may have written expressions."""
    yield from ((name, getattr(common, name)) for name in ("image", "env"))
