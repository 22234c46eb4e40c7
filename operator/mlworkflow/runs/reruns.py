"""What `mlwf retry` asks for, as a merge patch of the spec. Pure: the request's id is a parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlworkflow.core.plan import Plan
from mlworkflow.core.state import Phase
from mlworkflow.local.patches import difference, merged
from mlworkflow.runs.errors import RunsError, Usage
from mlworkflow.runs.params import overridden
from mlworkflow.runs.run import Resource, Run

_ANSWERS = ("approvals", "suspend")
"""What people have said of the run since, which no file knows."""


def request(
    run: Run, request_id: str, *, steps: Sequence[str] = (), edited: Resource | None = None, params: Sequence[str] = ()
) -> dict[str, Any] | None:
    """The patch; None if nothing would run again. `edited` is a resource with the spec to go on with.

    Raises RunsError for a step that is not there, SpecError for a spec that is not sound.
    """
    spec: Mapping[str, Any] = run.resource["spec"]
    wanted = _wanted(run, spec, edited, params)
    plan = Plan.of({**run.resource, "spec": wanted})
    if unknown := [name for name in steps if name not in plan.workflow.steps]:
        raise RunsError(f"--step {unknown[0]}: {run.id} has no such step", f"it has: {', '.join(plan.workflow.steps)}")
    patch = difference(spec, wanted)
    if merged(spec, patch) != wanted:
        raise Usage("a null in the spec cannot be changed in place", "submit it as a workflow of its own")
    if run.phase is Phase.SUCCEEDED and not steps and not patch:
        return None
    if spec.get("cancel"):
        patch["cancel"] = False
    return {**patch, "rerun": {"id": request_id, "steps": list(steps)}}


def _wanted(run: Run, spec: Mapping[str, Any], edited: Resource | None, params: Sequence[str]) -> dict[str, Any]:
    """The spec to go on with, but for the request itself."""
    wanted = dict(spec)
    if edited is not None:
        name, own = (edited.get("metadata") or {}).get("name"), run.resource["metadata"]["name"]
        if name and name != own:
            raise Usage(
                f"the file is of the workflow '{name}', and {run.id} of '{own}'",
                "name the file of that one, or run this: mlwf submit FILE, or mlwf run FILE",
            )
        kept = {field: spec[field] for field in ("rerun", "cancel", *_ANSWERS) if field in spec}
        wanted = {**{field: value for field, value in edited["spec"].items() if field not in kept}, **kept}
    return dict(overridden({"spec": wanted}, params)["spec"])
