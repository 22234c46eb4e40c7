"""Records of attempts: made from an order and a result, read from the store and written to it off the event loop."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec
from msgspec import structs

from mlworkflow.core.actions import Order, Publish
from mlworkflow.core.observation import Attempt, AttemptId, Result
from mlworkflow.core.step import Step
from mlworkflow.core.values import ArtifactRef
from mlworkflow.gateway.runs import Point
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.errors import NotFound
from mlworkflow.store.layout import AttemptKey, CheckpointKey, cas_key, checkpoint_key, record_key, series_key
from mlworkflow.store.presence import is_present
from mlworkflow.store.records import (
    Chosen,
    Kept,
    Prior,
    Record,
    encode,
    load_run,
    read_record,
    write_checkpoint,
    write_left,
    write_log,
    write_prior,
    write_trials,
)

WriteNew: TypeAlias = Callable[[str, bytes], Awaitable[bool]]
"""Writes a small object under a key, once: False, and nothing written, if there is one. Raises StoreError."""
TAIL_LINES, TAIL_BYTES = 10, 2048
LOOKED_AT = 1 << 20
"""Bytes at the end of a log in which a trial's metric is looked for."""


async def load(store: ArtifactStore, namespace: str, uid: str) -> tuple[dict[AttemptId, Result], Kept]:
    """Every committed result of a workflow, and with it the last checkpoint of each task that left one, the parameters chosen for trials, and what
    searches were told.
    """
    found = await asyncio.to_thread(load_run, store, namespace, uid)
    return {(key.task, key.attempt): record for key, record in found.records.items()}, found


async def keep_prior(store: ArtifactStore, key: AttemptKey, prior: Prior) -> None:
    """Note what a search was told of another one."""
    await asyncio.to_thread(write_prior, store, key.namespace, key.uid, key.task, prior)


async def keep_trials(store: ArtifactStore, key: AttemptKey, chosen: Mapping[str, Chosen]) -> None:
    """Note the parameters of trials that follow each other, by task in their order, in one object; `key` says of which workflow."""
    await asyncio.to_thread(write_trials, store, key.namespace, key.uid, chosen)


def in_threads(store: ArtifactStore) -> WriteNew:
    """As any store does it."""

    async def write_new(key: str, data: bytes) -> bool:
        return await asyncio.to_thread(store.write_bytes, key, data, if_absent=True)

    return write_new


async def commit(
    store: ArtifactStore,
    write_new: WriteNew,
    key: AttemptKey,
    order: Order,
    result: Result,
    *,
    image_digest: str = "",
    missed: str = "",
) -> Result:
    """Write an attempt's record, once; what the store holds afterwards."""
    record = Record(
        **{**structs.asdict(result), "fingerprint": order.fingerprint},
        workflow=order.workflow,
        step=order.step.name,
        task=order.task,
        attempt=order.attempt,
        kind=order.step.kind.name,
        image=order.image,
        spec=dict(order.spec),
        params=dict(order.params),
        keep={name: output.keep for name, output in order.outputs.items() if not output.lasts},
        inputs={name: artifact.digest for name, artifact in order.inputs.items()},
        sources=_sources(order.step, order.inputs),
        image_digest=image_digest,
        missed=missed,
    )
    return await _write(store, write_new, key, record)


async def publish(
    store: ArtifactStore, write_new: WriteNew, key: AttemptKey, workflow: str, action: Publish, result: Result
) -> Result:
    """Write the record of a task that the engine itself carried out, once; what the store holds afterwards."""
    record = Record(
        **{**structs.asdict(result), "fingerprint": action.fingerprint},
        workflow=workflow,
        step=action.step.name,
        task=action.task,
        attempt=action.attempt,
        kind=action.step.kind.name,
        spec=dict(action.step.body),
        params=dict(action.params),
        keep={name: output.keep for name, output in action.step.outputs.items() if not output.lasts},
        inputs={name: artifact.digest for name, artifact in action.inputs.items()},
        sources=_sources(action.step, action.inputs),
    )
    return await _write(store, write_new, key, record)


def _sources(step: Step, inputs: Iterable[str]) -> dict[str, list[str]]:
    declared = {name: step.inputs[name].sources for name in inputs if name in step.inputs}
    return {name: [".".join(source) for source in sources] for name, sources in declared.items() if sources}


async def _write(store: ArtifactStore, write_new: WriteNew, key: AttemptKey, record: Record) -> Result:
    if await write_new(record_key(*key), encode(record)):
        return record
    return await read(store, key) or record


async def read(store: ArtifactStore, key: AttemptKey) -> Record | None:
    """The record of an attempt, if it committed."""
    return await asyncio.to_thread(read_record, store, key)


async def keep_checkpoint(store: ArtifactStore, key: AttemptKey, checkpoint: ArtifactRef) -> None:
    """Note where a task's last checkpoint is."""
    where = CheckpointKey(key.namespace, key.uid, key.task)
    await asyncio.to_thread(write_checkpoint, store, where, checkpoint)


async def drop_checkpoint(store: ArtifactStore, key: AttemptKey) -> None:
    """Forget where a task's last checkpoint is."""
    await asyncio.to_thread(store.delete, checkpoint_key(key.namespace, key.uid, key.task))


async def keep_log(store: ArtifactStore, key: AttemptKey, log: ArtifactRef) -> None:
    """Note where the log of an attempt is that cannot commit any more."""
    await asyncio.to_thread(write_log, store, key, log)


async def keep_left(store: ArtifactStore, key: AttemptKey, outputs: Mapping[str, ArtifactRef]) -> None:
    """Note what an attempt left that cannot commit any more."""
    await asyncio.to_thread(write_left, store, key, outputs)


async def keep_series(store: ArtifactStore, key: AttemptKey, points: Sequence[Point]) -> None:
    """Keep what an attempt has said of its metrics on the way."""
    await asyncio.to_thread(store.write_bytes, series_key(*key), msgspec.json.encode(points))


async def put(store: ArtifactStore, namespace: str, data: bytes, type_: str = "file") -> ArtifactRef:
    """Store a small artifact by its content."""
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    key = cas_key(namespace, digest)
    if not await asyncio.to_thread(is_present, store, key, len(data)):
        await asyncio.to_thread(store.write_bytes, key, data)
    return ArtifactRef(digest, len(data), type_)


async def end_of(store: ArtifactStore, namespace: str, log: ArtifactRef) -> str:
    """The last mebibyte of a log; nothing where it is not there any more."""

    def read() -> bytes:
        kept = b""
        for chunk in store.read(cas_key(namespace, log.digest)):
            kept = (kept + chunk)[-LOOKED_AT:]
        return kept

    try:
        return (await asyncio.to_thread(read)).decode(errors="replace")
    except NotFound:
        return ""


def spoken_for(attempt: Attempt, log: bytes, logs: ArtifactRef | None, now: float) -> Result:
    """The result of an attempt whose agent could not speak any more: how its container ended, and the end of its log."""
    cause = attempt.message or f"exit code {attempt.exit_code}"
    return Result(
        exit_code=attempt.exit_code or 1,
        reason=attempt.reason or "Error",
        message=f"{cause}\n{tail(log)}".rstrip(),
        logs=logs,
        started_at=attempt.created_at,
        finished_at=now,
    )


def tail(log: bytes) -> str:
    """The last lines of a log, for a message."""
    lines = log[-TAIL_BYTES:].decode(errors="replace").splitlines()
    return "\n".join(lines[-TAIL_LINES:])
