"""Whether a result may be committed: it must name what the task declares, and everything it names must be in the
store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from mlworkflow.core.observation import Result
from mlworkflow.core.values import ArtifactRef
from mlworkflow.gateway._deposits import Deposits
from mlworkflow.gateway.errors import Absent, Invalid
from mlworkflow.gateway.runs import Task
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.layout import AttemptKey, cas_key
from mlworkflow.store.presence import renewed


async def check_result(store: ArtifactStore, deposits: Deposits, key: AttemptKey, task: Task, result: Result) -> None:
    """Raises `Invalid` with all that is wrong, `NotReady` while that is being found out; `StoreError` passes through."""
    problems = list(_undeclared(task, result))
    if result.is_success:
        problems += _missing(task, result)
    if problems:
        raise Invalid("; ".join(problems[:20]))
    if not (named := _named(result)):
        return
    absent = await asyncio.to_thread(lambda: dict(_absent(store, key.namespace, named)))
    for name, artifact in named:
        if name not in absent and not await deposits.is_sound(key, artifact):
            absent[name] = f"output {name!r} is not in the store"
    if absent:
        raise Absent("; ".join(list(absent.values())[:20]), sorted(absent))


async def check_stored(
    store: ArtifactStore, deposits: Deposits, key: AttemptKey, name: str, artifact: ArtifactRef
) -> None:
    """Raises `Invalid` unless an artifact is in the store as it is said to be, `NotReady` while that is being found out; `StoreError`
    passes through.
    """
    problem = await asyncio.to_thread(_problem, store, key.namespace, name, artifact)
    if problem or not await deposits.is_sound(key, artifact):
        raise Invalid(problem or f"output {name!r} is not in the store")


def _undeclared(task: Task, result: Result) -> Iterator[str]:
    for name, artifact in result.outputs.items():
        declared = task.outputs.get(name)
        if declared is None or not declared.is_artifact:
            yield f"output {name!r} is not declared as an artifact"
        elif artifact.type not in ("file", "directory") or declared.type not in ("artifact", artifact.type):
            yield f"output {name!r} is declared as {declared.type}, not {artifact.type}"
    for name in result.parameters:
        declared = task.outputs.get(name)
        if declared is not None and declared.is_artifact:
            yield f"output {name!r} is declared as an artifact, not as a parameter"


def _missing(task: Task, result: Result) -> Iterator[str]:
    for name, declared in task.outputs.items():
        if not declared.optional and name not in (result.outputs if declared.is_artifact else result.parameters):
            yield f"output {name!r} is missing"


def _named(result: Result) -> list[tuple[str, ArtifactRef]]:
    return [*result.outputs.items(), *([("logs", result.logs)] if result.logs is not None else [])]


def _absent(
    store: ArtifactStore, namespace: str, named: Sequence[tuple[str, ArtifactRef]]
) -> Iterator[tuple[str, str]]:
    for name, artifact in named:
        if problem := _problem(store, namespace, name, artifact):
            yield name, problem


def _problem(store: ArtifactStore, namespace: str, name: str, artifact: ArtifactRef) -> str:
    size = renewed(store, cas_key(namespace, artifact.digest))
    if size is None:
        return f"output {name!r} is not in the store"
    return "" if size == artifact.size else f"output {name!r} has {size} bytes in the store, not {artifact.size}"
