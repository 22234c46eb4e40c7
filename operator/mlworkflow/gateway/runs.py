"""What the gateway needs from the engine: the `Runs` protocol, and the documents that pass between them.

The engine (or a test) implements `Runs`; the gateway authenticates, signs, checks what is in the store and translates
errors. Struct fields are camelCase on the wire. All methods run on the event loop and must not block it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Protocol

import msgspec

from mlworkflow.core.observation import Result
from mlworkflow.core.values import ArtifactRef
from mlworkflow.store.layout import AttemptKey

ARTIFACT_TYPES = frozenset({"artifact", "file", "directory"})
_LONGEST = 366 * 86400.0
PARAMETER_TYPES = frozenset({"string", "number", "integer", "boolean", "json"})


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a step's token: a Pod, by the claims of its token, or (locally) the attempt it was made for. `rider` is which of the trials that share
    the Pod speaks, by its own word: it has to be one of the Pod's."""

    namespace: str
    pod: str = ""
    pod_uid: str = ""
    service_account: str = ""
    rider: str = ""
    attempt: AttemptKey | None = None


class WorkflowRef(msgspec.Struct, frozen=True):
    """The workflow a task belongs to."""

    name: str
    namespace: str
    uid: str


class OutputSpec(msgspec.Struct, frozen=True):
    """A declared output: `type` is in `ARTIFACT_TYPES` or `PARAMETER_TYPES`; `keep` is ``success``, ``always`` (after a failure too) or a
    duration.
    """

    type: str = "artifact"
    optional: bool = False
    keep: str = "success"

    @property
    def is_artifact(self) -> bool:
        """Whether it is an object in the store, not a value in the record."""
        return self.type in ARTIFACT_TYPES


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt has to do (contract, section 3); `checkpoint` is what an attempt before it left to resume from."""

    workflow: WorkflowRef
    step: str
    task: str
    attempt: int
    kind: str
    spec: Any = None
    command: Sequence[str] = ()
    params: dict[str, Any] = {}
    inputs: dict[str, ArtifactRef] = {}
    outputs: dict[str, OutputSpec] = {}
    checkpoint: ArtifactRef | None = None


class Ended(msgspec.Struct, frozen=True, rename="camel"):
    """How the user's container ended, as the kubelet reported it; `reason` as in ``Completed``, ``Error``,
    ``OOMKilled``.
    """

    exit_code: int
    reason: str = ""


class Point(msgspec.Struct, frozen=True):
    """One value of one metric; None where it was not a finite number."""

    name: str
    value: float | None
    step: float | None = None


class Batch(msgspec.Struct, frozen=True):
    """Points of metrics, in their order. `first` says how many this attempt sent before them; of the first `heard` points that it has sent, these ones
    included, it has had an answer before, or needs none any more: it is not stopped by them.
    """

    metrics: list[Point]
    first: Annotated[int, msgspec.Meta(ge=0)] | None = None
    heard: Annotated[int, msgspec.Meta(ge=0)] = 0


class Heard(msgspec.Struct, frozen=True):
    """The answer: whether to `stop`, and whether to send everything `again` from the first point, because it is not known here."""

    stop: bool = False
    again: bool = False


class Waiting(msgspec.Struct, frozen=True):
    """What an attempt waits for: `noun` because of `words`, for `since` seconds, and for `left` more unless it gets on."""

    noun: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    words: Annotated[str, msgspec.Meta(max_length=1000)]
    since: Annotated[float, msgspec.Meta(ge=0, le=_LONGEST)]
    left: Annotated[float, msgspec.Meta(ge=0, le=_LONGEST)]


class Runs(Protocol):
    """The running attempts, as the engine knows them. Errors are those of `mlworkflow.gateway.errors`."""

    def attempt_of(self, caller: Caller) -> AttemptKey:
        """The attempt whose Pod this caller is (by name *and* uid); not called when `caller.attempt` is known.

        Raises `Forbidden` when the Pod is no step of ours, `NotReady` when the engine may not have seen it yet.
        """

    def task(self, key: AttemptKey) -> Task:
        """The task of an attempt; raises `Superseded` when it has been replaced or has committed, `NotReady` before
        it is known.
        """

    async def container_ended(self, key: AttemptKey, wait: float) -> Ended | None:
        """How the user's container ended, or None if it has not after `wait` seconds; raises `Superseded`."""

    async def commit(self, key: AttemptKey, result: Result) -> None:
        """Writes the attempt's record (once) and wakes its workflow; returns when the record is in the store.

        The gateway has checked the result against the task and the store. A repetition of what was committed already
        may return as if it were new; anything else for a finished attempt raises `Superseded`. `StoreError` passes
        through.
        """

    async def checkpoint(self, key: AttemptKey, checkpoint: ArtifactRef) -> None:
        """Keeps a checkpoint, which is in the store, for the task's next attempt; raises `Superseded`."""

    async def log(self, key: AttemptKey, log: ArtifactRef) -> None:
        """Keeps the log, which is in the store, of an attempt that may have been stopped or replaced; never `Superseded`."""

    async def leave(self, key: AttemptKey, outputs: Mapping[str, ArtifactRef]) -> None:
        """Keeps what an attempt left, which is in the store, that may have been stopped or replaced; never `Superseded`."""

    async def metrics(self, key: AttemptKey, batch: Batch) -> Heard:
        """Takes metrics as they come; where a pruner looks at them, the answer waits a while for its word. Raises `Superseded`."""

    def series(self, key: AttemptKey) -> Sequence[Point]:
        """What an attempt that runs has said of its metrics so far; nothing where nobody here knows."""

    def waiting(self, key: AttemptKey, waiting: Waiting | None) -> None:
        """Notes what an attempt waits for, or (None) that it goes on; raises `Superseded`."""
