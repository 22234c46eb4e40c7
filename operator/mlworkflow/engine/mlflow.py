"""What MLflow is told of a run that has ended: a run of its own for the workflow, and below it one for each training and each trial. Pure; `mirroring` tells it.

Everything follows from the resource and the records, with times of theirs, so what is told twice is the same twice: `key` names a run for ever.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlworkflow.core import names, paths
from mlworkflow.core.status import moment
from mlworkflow.core.values import ArtifactRef
from mlworkflow.store.layout import AttemptKey
from mlworkflow.store.records import Record

KEY = f"{names.GROUP}/key"
"""The tag by which a run is found again."""
UID = f"{names.GROUP}/uid"
"""The tag that all runs of one run of a workflow have."""
DIGEST = f"{names.GROUP}/digest"
"""The tag that says what a version of a model is."""
LONGEST_KEY, LONGEST_PARAM, LONGEST_TAG = 250, 6000, 5000
"""Characters that MLflow takes."""
_STATUS = {"Succeeded": "FINISHED", "Failed": "FAILED", "Cancelled": "KILLED"}
_NOT_TOLD = frozenset({"source", "code", "card", "step"})
"""Of a kind's body: whole programs and texts."""


@dataclass(frozen=True, slots=True)
class Point:
    """A value of a metric, at a step of its own."""

    name: str
    value: float
    step: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """A run as MLflow has it; times in milliseconds."""

    key: str
    name: str
    status: str
    started: int
    ended: int
    params: Mapping[str, str]
    metrics: tuple[Point, ...]
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Registered:
    """A model that the run has given a name: which run of MLflow it belongs to."""

    name: str
    artifact: ArtifactRef
    key: str


def experiment_of(resource: Mapping[str, Any]) -> str:
    """The experiment: ``<namespace>/<workflow>``."""
    metadata = resource["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}"


def model_of(namespace: str, name: str) -> str:
    """What a model of a namespace is called, where all share their names."""
    return f"{namespace}.{name}"


def told(resource: Mapping[str, Any], records: Mapping[AttemptKey, Record], deciding: Mapping[str, str]) -> list[Told]:
    """The workflow's run first. `deciding` is the name of the metric that decides by `tune` step."""
    last = _last(records)
    whole = _workflow(resource, last)
    return [whole, *(_task(resource, record, deciding) for record in last.values() if _has_own(record))]


def registered(resource: Mapping[str, Any], records: Mapping[AttemptKey, Record]) -> list[Registered]:
    """The models that steps of the run promoted."""
    last, uid = _last(records), resource["metadata"]["uid"]
    found = []
    for record in last.values():
        if record.kind != "promote" or not record.is_success or (record.spec or {}).get("dryRun"):
            continue
        digest = record.inputs.get("model")
        makers = [
            each
            for each in last.values()
            for left in each.outputs.values()
            if left.digest == digest and each.kind != "promote"
        ]
        if maker := min(makers, key=lambda each: (not _has_own(each), each.task), default=None):
            artifact = next(left for left in maker.outputs.values() if left.digest == digest)
            key = _key(uid, maker.task, maker.attempt) if _has_own(maker) else _key(uid)
            found.append(Registered(str(record.spec["model"]), artifact, key))
    return found


def _last(records: Mapping[AttemptKey, Record]) -> dict[str, Record]:
    """The record of each task's last attempt."""
    return {
        key.task: record for key, record in sorted(records.items(), key=lambda each: (each[0].task, each[0].attempt))
    }


def _has_own(record: Record) -> bool:
    """Whether it is a run of its own: a training, or a trial of whatever kind."""
    return record.kind == "train" or (
        bool(record.params) and paths.parent(record.task) is not None and "/" in record.task
    )


def _key(uid: str, task: str = "", attempt: int = 0) -> str:
    return f"{uid}/{task}/{attempt}" if task else uid


def _workflow(resource: Mapping[str, Any], last: Mapping[str, Record]) -> Told:
    metadata, status = resource["metadata"], resource["status"]
    points = [
        Point(f"{record.task}.{point.name}"[:LONGEST_KEY], point.value, point.step)
        for record in last.values()
        if paths.parent(record.task) is None and record.kind != "tune"
        for point in _points(record, "")
    ]
    return Told(
        key=_key(metadata["uid"]),
        name=str(metadata["name"]),
        status=_STATUS.get(str(status.get("phase")), "FAILED"),
        started=_milliseconds(moment(status.get("startedAt") or "")),
        ended=_milliseconds(moment(status.get("finishedAt") or "")),
        params=dict(_params((resource.get("spec") or {}).get("params") or {})),
        metrics=tuple(points),
        tags=_tags(_key(metadata["uid"]), resource, message=str(status.get("message", ""))),
    )


def _task(resource: Mapping[str, Any], record: Record, deciding: Mapping[str, str]) -> Told:
    uid = resource["metadata"]["uid"]
    body = {name: value for name, value in (record.spec or {}).items() if name not in _NOT_TOLD}
    inner = body.pop("params", None) or {}
    key = _key(uid, record.task, record.attempt)
    digests = {f"{names.GROUP}/outputs.{name}": left.digest for name, left in record.outputs.items()}
    digests |= {f"{names.GROUP}/inputs.{name}": digest for name, digest in record.inputs.items()}
    return Told(
        key=key,
        name=f"{record.workflow}.{record.task}",
        status="FINISHED" if record.is_success else "KILLED" if record.reason == names.Reason.PRUNED else "FAILED",
        started=_milliseconds(record.started_at),
        ended=_milliseconds(record.finished_at),
        params={**dict(_params(body)), **dict(_params(record.params)), **dict(_params(inner))},
        metrics=tuple(_points(record, deciding.get(paths.parent(record.task) or "", ""))),
        tags={
            **_tags(key, resource, message=record.message),
            f"{names.GROUP}/task": record.task,
            f"{names.GROUP}/attempt": str(record.attempt),
            f"{names.GROUP}/image": record.image_digest or record.image,
            f"{names.GROUP}/cachedFrom": record.cached_from,
            **digests,
        },
    )


def _tags(key: str, resource: Mapping[str, Any], message: str) -> dict[str, str]:
    metadata = resource["metadata"]
    return {
        KEY: key,
        UID: metadata["uid"],
        f"{names.GROUP}/workflow": metadata["name"],
        f"{names.GROUP}/namespace": metadata["namespace"],
        f"{names.GROUP}/message": message,
    }


def _params(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Flat names and texts."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _params(value, f"{above}{name}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield _named(f"{above}{name}"), text[:LONGEST_PARAM]


def _points(record: Record, deciding: str) -> Iterator[Point]:
    """Values on the way, lists of numbers value by value, and single numbers."""
    yield from (Point(_named(deciding), value, step) for step, value in record.curve if value is not None and deciding)
    for name, value in {**record.metrics, **record.parameters}.items():
        values = value if isinstance(value, list) else [value]
        if all(isinstance(each, int | float) and not isinstance(each, bool) and math.isfinite(each) for each in values):
            last = record.curve[-1][0] + 1 if name == deciding and record.curve else 0
            yield from (Point(_named(name), float(each), last + step) for step, each in enumerate(values))


def _named(name: str) -> str:
    """A name as MLflow takes it."""
    return "".join(letter if letter.isalnum() or letter in "_-. /" else "_" for letter in name)[:LONGEST_KEY]


def _milliseconds(at: float | None) -> int:
    return round((at or 0.0) * 1000)
