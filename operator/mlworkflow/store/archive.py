"""Runs that have ended, as their resources told them: what is left to be asked when the resource is gone.

A document for each run, beside its records, and a list that is read without reading any document: each of its lines is the key of an
empty object. A document is written before its line and removed after it, so whatever is killed in between, no line is of nothing for
long: garbage collection drops those that are. Synchronous: callers on an event loop use a thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from mlworkflow.core import discretion
from mlworkflow.core.status import moment
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.errors import InvalidKey, NotFound
from mlworkflow.store.layout import (
    Line,
    archive_prefix,
    line_key,
    parse_line_key,
    records_prefix,
    workflow_key,
)

_METADATA = ("name", "namespace", "uid", "generation", "creationTimestamp", "labels", "annotations")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def archive(store: ArtifactStore, run: str, resource: Mapping[str, Any]) -> None:
    """Keep a run that has ended, which is called `run`, in the place of an earlier end of it. Raises StoreError."""
    namespace, line = _namespace(resource), _line(run, resource)
    document = msgspec.json.encode({"id": run, **_kept(resource)}, order="sorted")
    store.write_bytes(workflow_key(namespace, line.uid), document)
    store.write_bytes(line_key(namespace, line), b"{}")
    for other in list(lines(store, namespace, run)):
        if other.uid == line.uid and other != line:
            store.delete(line_key(namespace, other))


def is_archived(store: ArtifactStore, run: str, resource: Mapping[str, Any]) -> bool:
    """Whether this end of a run is kept. Raises StoreError."""
    return store.stat(line_key(_namespace(resource), _line(run, resource))) is not None


def lines(store: ArtifactStore, namespace: str, run: str = "") -> Iterator[Line]:
    """The list, in no order, of all runs or of those that are called `run` or ``<run>.…``. Raises StoreError."""
    for key in store.list(archive_prefix(namespace, run)):
        with contextlib.suppress(InvalidKey):
            yield parse_line_key(key)


def read(store: ArtifactStore, namespace: str, uid: str) -> dict[str, Any] | None:
    """The resource of a run, with `id`, what it is called; None where it is not kept. Raises StoreError, `msgspec.DecodeError`."""
    try:
        return msgspec.json.decode(store.read_bytes(workflow_key(namespace, uid)), type=dict[str, Any])
    except NotFound:
        return None


def purge(store: ArtifactStore, namespace: str, uid: str) -> int:
    """Remove all that is kept of a run but its artifacts, which others may share; how many objects that were. Raises StoreError."""
    document = read(store, namespace, uid)
    last, count = workflow_key(namespace, uid), 0
    for key in [key for key in store.list(records_prefix(namespace, uid)) if key != last]:
        store.delete(key)
        count += 1
    if document is not None:
        for line in list(lines(store, namespace, str(document["id"]))):
            if line.uid == uid:
                store.delete(line_key(namespace, line))
        store.delete(last)
        count += 1
    return count


def drop_lines_of_none(store: ArtifactStore, namespace: str) -> None:
    """Remove the lines of runs whose document is gone. Raises StoreError."""
    for line in list(lines(store, namespace)):
        if store.stat(workflow_key(namespace, line.uid)) is None:
            store.delete(line_key(namespace, line))


def name_in(document: bytes) -> str:
    """The name of the workflow of a document; empty for what is none."""
    try:
        return str(msgspec.json.decode(document)["metadata"]["name"])
    except (msgspec.DecodeError, UnicodeError, LookupError, TypeError):
        return ""


def _line(run: str, resource: Mapping[str, Any]) -> Line:
    status = resource["status"]
    ended = moment(status.get("finishedAt") or "") or 0.0
    return Line(run, round(ended * 1000), str(resource["metadata"]["uid"]), str(status["phase"]))


def _namespace(resource: Mapping[str, Any]) -> str:
    return str(resource["metadata"].get("namespace") or "default")


def _kept(resource: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of a run, without what may hold a secret."""
    metadata = {field: resource["metadata"][field] for field in _METADATA if resource["metadata"].get(field)}
    if annotations := metadata.pop("annotations", None):
        metadata["annotations"] = {name: text for name, text in annotations.items() if name != _LAST_APPLIED}
    spec = discretion.without_webhooks(resource.get("spec") or {})
    about = {field: resource[field] for field in ("apiVersion", "kind") if field in resource}
    return {**about, "metadata": metadata, "spec": spec, "status": dict(resource["status"])}
