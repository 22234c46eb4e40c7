"""The record of an attempt: what came out, what went in. Lineage, the cache and crash recovery all read these.

A record is written once. JSON on the wire has camelCase names; `encode` is canonical (sorted keys, no spaces), so
equal records are equal bytes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import msgspec

from mlworkflow.core.observation import Result
from mlworkflow.core.values import ArtifactRef
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.errors import InvalidKey, NotFound
from mlworkflow.store.layout import AttemptKey, parse_record_key, record_key, records_prefix

__all__ = ["ArtifactRef", "Record", "Result", "decode", "encode", "load_records", "read_record", "write_record"]


class Record(Result, frozen=True, kw_only=True, rename="camel"):
    """A result and what it came from (contract, section 4); `inputs` is name → digest."""

    workflow: str
    step: str
    task: str
    attempt: int
    kind: str
    image: str = ""
    spec: Any = None
    params: dict[str, Any] = {}
    inputs: dict[str, str] = {}


def encode(value: msgspec.Struct) -> bytes:
    """A struct as canonical JSON."""
    return msgspec.json.encode(value, order="sorted")


def decode(data: bytes) -> Record:
    """A record from its bytes; raises `msgspec.ValidationError` or `msgspec.DecodeError`."""
    return msgspec.json.decode(data, type=Record)


def read_record(store: ArtifactStore, key: AttemptKey) -> Record | None:
    """The record of an attempt, or None if nothing was committed."""
    try:
        return decode(store.read_bytes(record_key(*key)))
    except NotFound:
        return None


def write_record(store: ArtifactStore, key: AttemptKey, record: Record) -> bool:
    """Writes a record once; False, with nothing changed, if the attempt has one already."""
    return store.write_bytes(record_key(*key), encode(record), if_absent=True)


def record_keys(store: ArtifactStore, namespace: str, uid: str) -> Iterator[AttemptKey]:
    """The attempts of a workflow that have a record; objects under other names are not ours and are passed over."""
    for key in store.list(records_prefix(namespace, uid)):
        with contextlib.suppress(InvalidKey):
            yield parse_record_key(key)


def load_records(store: ArtifactStore, namespace: str, uid: str) -> dict[AttemptKey, Record]:
    """Every record of a workflow; one that was deleted meanwhile is left out."""
    found = {key: read_record(store, key) for key in record_keys(store, namespace, uid)}
    return {key: record for key, record in found.items() if record is not None}
