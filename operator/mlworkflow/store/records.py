"""What is kept of a run: the record of each attempt (what came out, what went in), and beside it where checkpoints and the
logs of attempts without a record are. Lineage, the cache and crash recovery all read these.

A record is written once. JSON on the wire has camelCase names; `encode` is canonical (sorted keys, no spaces), so
equal records are equal bytes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from mlworkflow.core import paths
from mlworkflow.core.observation import Result
from mlworkflow.core.values import ArtifactRef
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.errors import InvalidKey, NotFound
from mlworkflow.store.layout import (
    AttemptKey,
    CheckpointKey,
    PriorKey,
    TrialKey,
    checkpoint_key,
    left_key,
    log_key,
    parse_run_key,
    prior_key,
    record_key,
    records_prefix,
    runs_prefix,
    task_prefix,
    trial_key,
)

READERS, BATCH = 8, 512
"""How many records are read at the same time, and how many are held."""

__all__ = ["ArtifactRef", "Record", "Result", "decode", "encode", "load_run", "read_record"]


class Record(Result, frozen=True, kw_only=True, rename="camel"):
    """A result and what it came from (contract, section 4); `inputs` is name → digest, `sources` name → the outputs (``prep.train``) that it was to be
    taken from, the first that exists.

    `image_digest` is what the image was, where that is known; `missed` says why an earlier result was not taken instead. `keep` is
    output → duration, of those that are removed that long after it.
    """

    workflow: str
    step: str
    task: str
    attempt: int
    kind: str
    image: str = ""
    spec: Any = None
    params: dict[str, Any] = {}
    inputs: dict[str, str] = {}
    sources: dict[str, list[str]] = {}
    image_digest: str = ""
    missed: str = ""
    keep: dict[str, str] = {}


def encode(value: msgspec.Struct | Sequence[msgspec.Struct]) -> bytes:
    """Structs as canonical JSON."""
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


def write_checkpoint(store: ArtifactStore, key: CheckpointKey, checkpoint: ArtifactRef) -> None:
    """Notes where the last checkpoint of a task is, instead of the one before."""
    store.write_bytes(checkpoint_key(*key), encode(checkpoint))


def write_log(store: ArtifactStore, key: AttemptKey, log: ArtifactRef) -> None:
    """Notes where the log of an attempt is that has no record."""
    store.write_bytes(log_key(*key), encode(log))


def read_log(store: ArtifactStore, key: AttemptKey) -> ArtifactRef | None:
    """The log of an attempt that was stopped before it could commit, if it was kept."""
    return _ref(store, log_key(*key))


def record_keys(store: ArtifactStore, namespace: str, uid: str) -> Iterator[AttemptKey]:
    """The attempts of a workflow that have a record; objects under other names are not ours and are passed over."""
    for key in store.list(records_prefix(namespace, uid)):
        with contextlib.suppress(InvalidKey):
            found = parse_run_key(key)
            if isinstance(found, AttemptKey):
                yield found


class Raw(NamedTuple):
    """A record as it is in the store."""

    key: AttemptKey
    data: bytes


def raw_records(store: ArtifactStore, namespace: str) -> Iterator[Raw]:
    """Every record of every run of a namespace, in no order, a few read at a time; what was deleted meanwhile is left out. Raises StoreError."""

    def read(key: str) -> Raw | None:
        with contextlib.suppress(InvalidKey, NotFound):
            found = parse_run_key(key)
            return Raw(found, store.read_bytes(key)) if isinstance(found, AttemptKey) else None
        return None

    keys = store.list(runs_prefix(namespace))
    with ThreadPoolExecutor(READERS) as readers:
        while batch := list(islice(keys, BATCH)):
            yield from filter(None, readers.map(read, batch))


def write_left(store: ArtifactStore, key: AttemptKey, outputs: Mapping[str, ArtifactRef]) -> None:
    """Notes which artifacts an attempt left that has no record."""
    store.write_bytes(left_key(*key), msgspec.json.encode(outputs, order="sorted"))


def read_left(store: ArtifactStore, key: AttemptKey) -> dict[str, ArtifactRef]:
    """The artifacts of an attempt that was stopped before it could commit, as far as they were kept."""
    try:
        return msgspec.json.decode(store.read_bytes(left_key(*key)), type=dict[str, ArtifactRef])
    except NotFound:
        return {}


class Chosen(msgspec.Struct, frozen=True):
    """The parameters of a trial, and what the sampler noted with it: of the trial, and of the study from then on."""

    params: dict[str, Any]
    noted: dict[str, Any] = {}
    study: dict[str, Any] = {}


def write_trials(store: ArtifactStore, namespace: str, uid: str, chosen: Mapping[str, Chosen]) -> None:
    """Notes what was chosen for trials that follow each other, by task in their order, before any attempt of them: all of it or nothing."""
    store.write_bytes(trial_key(namespace, uid, next(iter(chosen))), encode([*chosen.values()]))


def _read_trials(store: ArtifactStore, key: str, first: str) -> dict[str, Chosen]:
    study, _, number = first.rpartition("/")
    found = msgspec.json.decode(store.read_bytes(key), type=list[Chosen] | Chosen)  # earlier versions kept each alone
    batch = found if isinstance(found, list) else [found]
    return {paths.numbered(study, index): one for index, one in enumerate(batch, int(number))}


class Known(msgspec.Struct, frozen=True):
    """A trial of another search: its parameters, and its numbers in the order of the metrics."""

    params: dict[str, Any]
    values: list[float]


class Prior(msgspec.Struct, frozen=True):
    """What a search was told of another one: `source` as the spec names it, the run's uid, the trials that fit, and of how many that had succeeded."""

    source: str
    uid: str = ""
    trials: list[Known] = []
    of: int = 0


def write_prior(store: ArtifactStore, namespace: str, uid: str, task: str, prior: Prior) -> None:
    """Notes what a search was told, before it chooses anything."""
    store.write_bytes(prior_key(namespace, uid, task), encode(prior))


class Kept(NamedTuple):
    """What an operator needs to know of a workflow's past: records by attempt; checkpoints, parameters of trials and what searches were told by task."""

    records: dict[AttemptKey, Record]
    checkpoints: dict[str, ArtifactRef]
    trials: dict[str, Chosen]
    priors: dict[str, Prior]


def load_run(store: ArtifactStore, namespace: str, uid: str, task: str = "") -> Kept:
    """Everything kept of a workflow, or of one of its tasks and what that is made of, by one listing; what was deleted meanwhile is left out."""
    kept = Kept({}, {}, {}, {})
    for key in store.list(task_prefix(namespace, uid, task) if task else records_prefix(namespace, uid)):
        with contextlib.suppress(InvalidKey):
            found = parse_run_key(key)
            if isinstance(found, AttemptKey):
                if record := read_record(store, found):
                    kept.records[found] = record
            elif isinstance(found, CheckpointKey) and (checkpoint := _ref(store, key)):
                kept.checkpoints[found.task] = checkpoint
            elif isinstance(found, TrialKey):
                with contextlib.suppress(NotFound):
                    kept.trials.update(_read_trials(store, key, found.task))
            elif isinstance(found, PriorKey):
                with contextlib.suppress(NotFound):
                    kept.priors[found.task] = msgspec.json.decode(store.read_bytes(key), type=Prior)
    return kept


def _ref(store: ArtifactStore, key: str) -> ArtifactRef | None:
    try:
        return msgspec.json.decode(store.read_bytes(key), type=ArtifactRef)
    except NotFound:
        return None
