"""What is said of a run that has ended: an in-toto statement with SLSA provenance, worked out from its resource and its records. Pure.

Subjects are the outputs of the attempts that count, each by name and digest; `byproducts` are all records of the run by the digest of
their bytes, so that no word of any of them can be changed unseen. The same run gives the same statement.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from mlworkflow.core import names, paths
from mlworkflow.core.discretion import without_webhooks
from mlworkflow.core.observation import AttemptId
from mlworkflow.core.origins import uri_of
from mlworkflow.core.state import Phase
from mlworkflow.core.values import ArtifactRef
from mlworkflow.store.records import Record

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = f"https://{names.GROUP}/{names.VERSION}/workflow"
OPERATOR = f"https://{names.GROUP}/builders/operator"
LOCAL = f"https://{names.GROUP}/builders/local"
PHASE = "mlworkflow_phase"


class Evidence(NamedTuple):
    """A record, and the digest of its bytes as they are in the store."""

    record: Record
    digest: str


Records = Mapping[AttemptId, Evidence]


class Builder(NamedTuple):
    """Who ran it, and in which version."""

    id: str
    version: str


def statement(resource: Mapping[str, Any], records: Records, builder: Builder) -> dict[str, Any]:
    """The statement of a run that has ended."""
    metadata, status = resource["metadata"], resource["status"]
    return {
        "_type": STATEMENT,
        "subject": _subjects(status, records),
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "workflow": {"name": metadata["name"], "namespace": metadata.get("namespace", "default")},
                    "spec": without_webhooks(resource.get("spec") or {}),
                },
                "internalParameters": {"generation": int(metadata.get("generation") or 1)},
                "resolvedDependencies": [*_inputs(records), *_origins(records), *_images(records), *_code(records)],
            },
            "runDetails": {
                "builder": {"id": builder.id, "version": {"mlworkflow": builder.version}},
                "metadata": {
                    "invocationId": metadata["uid"],
                    "startedOn": status.get("startedAt", ""),
                    "finishedOn": status.get("finishedAt", ""),
                    PHASE: status.get("phase", ""),
                },
                "byproducts": _byproducts(records),
            },
        },
    }


def encode(said: Mapping[str, Any]) -> bytes:
    """A statement as bytes; equal statements are equal bytes."""
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def counted(status: Mapping[str, Any], records: Records) -> Iterator[tuple[AttemptId, Record]]:
    """The attempts whose results stand, in the order of their names: the last of each task, where it succeeded and the status does not say otherwise."""
    last = dict(sorted(records))
    known = {task["name"]: task for task in (*(status.get("steps") or []), *(status.get("tasks") or []))}
    for task, number in sorted(last.items()):
        record, shown = records[task, number].record, known.get(task)
        if shown is None:  # the status leaves out much that succeeded, but never a step itself
            stands = paths.parent(task) is not None
        else:
            stands = shown.get("phase") == Phase.SUCCEEDED and int(shown.get("attempts") or 0) == number + 1
        if stands and record.is_success:
            yield (task, number), record


def artifacts(status: Mapping[str, Any], records: Records) -> dict[str, ArtifactRef]:
    """Every artifact that the run left, by ``task.name``."""
    return {
        f"{task}.{name}": artifact
        for (task, _), record in counted(status, records)
        for name, artifact in sorted(record.outputs.items())
    }


def record_name(attempt: AttemptId) -> str:
    """How a record is called in a statement and in what is said of it: ``train/0.json``, as its key ends."""
    return f"{attempt[0]}/{attempt[1]}.json"


def _subjects(status: Mapping[str, Any], records: Records) -> list[dict[str, Any]]:
    """A statement needs a subject: that of a run without artifacts is its records."""
    found = [_descriptor(name, left.digest) for name, left in artifacts(status, records).items()]
    listed = hashlib.sha256(encode({"byproducts": _byproducts(records)})).hexdigest()
    return found or [{"name": "records", "digest": {"sha256": listed}}]


def _byproducts(records: Records) -> list[dict[str, Any]]:
    return [_descriptor(record_name(attempt), found.digest) for attempt, found in sorted(records.items())]


def _inputs(records: Records) -> list[dict[str, Any]]:
    """Inputs that no step of the run made."""
    made = {left.digest for found in records.values() for left in found.record.outputs.values()}
    given = {
        (f"{task}.{name}", digest)
        for (task, _), found in records.items()
        for name, digest in found.record.inputs.items()
        if digest not in made
    }
    return [_descriptor(name, digest) for name, digest in sorted(given)]


def _origins(records: Records) -> list[dict[str, Any]]:
    """What came from outside of the run, and from where: what import, dataset and model steps left."""
    return [
        {"name": f"{task}.{name}", "uri": uri_of(found.record.kind, found.record.spec), "digest": _digest(left.digest)}
        for (task, _), found in sorted(records.items())
        if found.record.kind in ("import", "dataset", "model")
        for name, left in sorted(found.record.outputs.items())
    ]


def _images(records: Records) -> list[dict[str, Any]]:
    images = {(found.record.image, found.record.image_digest) for found in records.values() if found.record.image}
    described = []
    for image, known in sorted(images):
        digest = (known or image).rpartition("@")[2] if known or "@" in image else ""
        described.append({"uri": image, **({"digest": _digest(digest)} if digest.startswith("sha256:") else {})})
    return described


def _code(records: Records) -> list[dict[str, Any]]:
    """What code and libraries the steps ran with, where they said it."""
    codes = {found.record.code.partition(" ")[0] for found in records.values()}
    return [_descriptor("code", code) for code in sorted(codes) if code.startswith("sha256:")]


def _descriptor(name: str, digest: str) -> dict[str, Any]:
    return {"name": name, "digest": _digest(digest)}


def _digest(digest: str) -> dict[str, str]:
    return {"sha256": digest.removeprefix("sha256:")}
