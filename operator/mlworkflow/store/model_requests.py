"""What is asked of models, and what of a run may become one: for steps and for people alike.

A model is what a step that has succeeded has left as its output `model`, in the same namespace, or a version of any name there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from mlworkflow.core.names import MAX_NAME
from mlworkflow.core.origins import ALIAS
from mlworkflow.store import models
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.model_log import Made, Move, is_expectation
from mlworkflow.store.models import Candidate, NoModel, Wish
from mlworkflow.store.records import Record, load_run

OUTPUT = "model"
"""What the output is called by which a step leaves a model."""
JUDGE = "evaluate"
"""The kind of step whose results are known of the model that was its input `model`."""
METRICS = 200
"""Most metrics that are kept of a version."""
Text = Annotated[str, Meta(max_length=1024)]


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """That `alias` mean the model with `digest` of `run` (a uid), or a `version` (an alias, a number or a digest), or what it meant before (`rollback`):
    exactly one of these."""

    alias: Annotated[str, Meta(pattern=ALIAS, max_length=MAX_NAME)]
    by: Annotated[str, Meta(min_length=1, max_length=512)]
    id: Annotated[str, Meta(min_length=16, max_length=128)]
    message: Text = ""
    expect: Text = ""
    run: Text = ""
    digest: Text = ""
    version: Text = ""
    rollback: bool = False

    @property
    def wish(self) -> Wish:
        return Wish(self.alias, self.by, self.id, self.message, self.expect)


def carry_out(store: ArtifactStore, namespace: str, name: str, asked: Request) -> Move:
    """Do what a person asks for. Raises NoModel, AliasMoved, InvalidKey, `StoreError`."""
    if sum((bool(asked.run and asked.digest), bool(asked.version), asked.rollback)) != 1:
        raise NoModel("name either a model of a run, or a version, or ask for a rollback")
    if not is_expectation(asked.expect):
        raise NoModel(f"'{asked.expect}': what is expected is any, none, a version's number or its digest")
    if asked.rollback:
        return models.rollback(store, namespace, name, asked.wish)
    if asked.version:
        found = Candidate.of(models.find(store, namespace, name, asked.version))
    else:
        kept = load_run(store, namespace, asked.run).records.values()
        found = candidate(store, namespace, asked.run, kept, asked.digest)
    return models.promote(store, namespace, name, found, asked.wish)


def candidate(store: ArtifactStore, namespace: str, uid: str, records: Iterable[Record], digest: str) -> Candidate:
    """What may become a version: the model with a digest, of the run whose records these are, or of another if it is a version already.

    Raises NoModel, `StoreError`.
    """
    known = [record for record in records if record.is_success]
    made = [record for record in known if _is_left(record, digest)]
    if not made:
        if taken := models.registered(store, namespace, digest):
            return taken
        raise NoModel(f"{digest} is no model: no step of the run that succeeded left it as its output '{OUTPUT}'")
    first = min(made, key=lambda record: (record.kind != "train", record.task))
    judges = [record for record in known if record.kind == JUDGE and record.inputs.get(OUTPUT) == digest]
    metrics = {name: value for record in (first, *judges) for name, value in sorted(_numbers(record).items())}
    left = Made(first.workflow, uid, first.task, first.attempt)
    return Candidate(first.outputs[OUTPUT], left, dict(list(metrics.items())[:METRICS]))


def _is_left(record: Record, digest: str) -> bool:
    left = record.outputs.get(OUTPUT)
    return left is not None and left.digest == digest and left.type in ("file", "directory")


def _numbers(record: Record) -> dict[str, float]:
    """The metrics of a record, and its parameters that are numbers, by ``task.name``."""
    found = {**record.metrics, **record.parameters}
    return {
        f"{record.task}.{name}": float(value)
        for name, value in found.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }
