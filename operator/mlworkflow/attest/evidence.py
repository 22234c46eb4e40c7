"""The records of a run from a store, and its statement to it. Synchronous: callers on an event loop use a thread."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Mapping
from typing import Any

from mlworkflow.attest import model
from mlworkflow.attest.keys import SigningKey
from mlworkflow.attest.statement import Builder, Evidence, Records, counted, encode, statement
from mlworkflow.core.observation import AttemptId
from mlworkflow.core.subject import Subject
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.errors import NotFound
from mlworkflow.store.layout import cas_key, provenance_key, record_key, signature_key
from mlworkflow.store.records import decode, record_keys

_log = logging.getLogger(__name__)


def of_bytes(data: bytes) -> Evidence:
    """Raises `msgspec.DecodeError`, which a `msgspec.ValidationError` is too."""
    return Evidence(decode(data), f"sha256:{hashlib.sha256(data).hexdigest()}")


def gather(store: ArtifactStore, namespace: str, uid: str) -> Records:
    """Every record of a run. Raises StoreError, `msgspec.DecodeError`."""
    found: dict[AttemptId, Evidence] = {}
    for key in record_keys(store, namespace, uid):
        found[key.task, key.attempt] = of_bytes(store.read_bytes(record_key(*key)))
    return found


def is_attested(store: ArtifactStore, resource: Mapping[str, Any]) -> bool:
    """Whether the store has a statement of this end of a run. Raises StoreError."""
    metadata = resource["metadata"]
    try:
        envelope = json.loads(store.read_bytes(provenance_key(metadata["namespace"], metadata["uid"])))
        said = json.loads(base64.b64decode(envelope["payload"]))
        finished = said["predicate"]["runDetails"]["metadata"]["finishedOn"]
    except NotFound:
        return False
    except (ValueError, KeyError, TypeError):
        return True  # spoilt, which is for `verify` to tell: what was tampered with is not quietly put right
    return bool(finished == resource["status"].get("finishedAt"))


def attest(store: ArtifactStore, resource: Mapping[str, Any], key: SigningKey, builder: Builder) -> None:
    """Sign the models of a run that has ended, and last its statement, which takes the place of an earlier one. Raises StoreError, `msgspec.DecodeError`."""
    metadata = resource["metadata"]
    records = gather(store, metadata["namespace"], metadata["uid"])
    _sign_models(store, resource, records, key)
    envelope = key.sign(encode(statement(resource, records, builder)))
    store.write_bytes(provenance_key(metadata["namespace"], metadata["uid"]), envelope)


def _sign_models(store: ArtifactStore, resource: Mapping[str, Any], records: Records, key: SigningKey) -> None:
    namespace, uid = resource["metadata"]["namespace"], resource["metadata"]["uid"]
    for (task, attempt), record in counted(resource["status"], records):
        for name, artifact in model.models(record).items():
            at = signature_key(namespace, uid, task, attempt, name)
            try:
                if store.stat(at) is None:
                    signature = model.sign(store.read(cas_key(namespace, artifact.digest)), artifact, name, key)
                    store.write_bytes(at, signature)
            except (model.Unsignable, NotFound) as error:
                about = Subject(namespace, record.workflow, uid, task)
                _log.warning("%s: the model output=%s is not signed: %s", about, name, error)
