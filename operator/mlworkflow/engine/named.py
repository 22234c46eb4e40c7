"""What names stand for, and what they are made to stand for: the effects of steps that name a dataset or a model. Synchronous: run in a thread.

Everything here may be done again after a crash: a lookup changes nothing, and a move of an alias is known by the attempt that asked for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlworkflow.core.actions import LookUp, Promote
from mlworkflow.core.model import Workflow
from mlworkflow.core.names import Reason
from mlworkflow.core.observation import Result
from mlworkflow.core.values import ArtifactRef
from mlworkflow.store import datasets, models
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.model_requests import OUTPUT, candidate
from mlworkflow.store.records import Record


@dataclass(frozen=True, slots=True)
class Settled:
    """What is to be committed: outputs, or the reason of a failure. `left_by` is the attempt whose outputs these are."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, ArtifactRef] = field(default_factory=dict)
    left_by: str = ""
    reason: str = ""
    message: str = ""


def settled(store: ArtifactStore, workflow: Workflow, known: Sequence[Result], action: LookUp | Promote) -> Settled:
    """Carry it out; `known` are the results of the run. Raises `StoreError`."""
    namespace = workflow.namespace
    try:
        if isinstance(action, Promote):
            return _promoted(store, workflow, known, action)
        if action.step.kind.name == "dataset":
            version = datasets.find(store, namespace, action.name, action.version)
            return Settled({"digest": version.digest}, {"data": version.artifact})
        found = models.find(store, namespace, action.name, action.version)
        left_by = f"{found.made.uid}/{found.made.task}/{found.made.attempt}" if found.made else ""
        return Settled({"digest": found.digest, "version": found.number}, {"data": found.artifact}, left_by)
    except datasets.NoDataset as missing:
        return Settled(reason=Reason.INPUT_INVALID, message=f"dataset: {missing}")
    except models.NoModel as missing:
        if isinstance(action, LookUp) and action.is_optional and not isinstance(missing, models.ModelGone):
            return Settled()
        return Settled(reason=Reason.INPUT_INVALID, message=f"model: {missing}")
    except models.AliasMoved as moved:
        return Settled(reason=Reason.ALIAS_MOVED, message=str(moved))


def _promoted(store: ArtifactStore, workflow: Workflow, known: Sequence[Result], action: Promote) -> Settled:
    records = [record for record in known if isinstance(record, Record)]
    model = candidate(store, workflow.namespace, workflow.uid, records, action.inputs[OUTPUT].digest)
    wish = models.Wish(
        alias=action.alias,
        by=f"{workflow.namespace}/{workflow.name} ({workflow.uid})",
        id=f"{workflow.uid}/{action.task}/{action.attempt}",
        message=action.message,
        expect=action.expect,
    )
    carried_out = models.foretell if action.is_dry_run else models.promote
    move = carried_out(store, workflow.namespace, action.name, model, wish)
    return Settled({"version": move.version, "previous": move.previous, "digest": move.digest})
