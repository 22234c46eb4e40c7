"""What the world looks like: the facts that `decide` works on, gathered by a driver (Pods or processes)."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from msgspec import Struct

from mlworkflow.core.values import ArtifactRef

AttemptId: TypeAlias = tuple[str, int]
"""(task, attempt number)."""

Values: TypeAlias = tuple[tuple[int, float | None], ...]
"""What a trial has said of its metric on the way, in its order: (step, value); None where that was not a finite number."""


class Seen(StrEnum):
    """How a driver sees an attempt."""

    WAITING = "Waiting"  # not started yet: no node, no image
    RUNNING = "Running"
    ENDED = "Ended"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt as its driver sees it.

    `reason` and `message` say why it waits or how it ended; `lost` that the infrastructure ended it (eviction, preemption,
    a lost node, a deleted Pod) and not the step itself. `leaving` says that its end has been asked for already, `lingering` that the
    attempt has ended although what it ran in goes on (an injected container that never ends). `created_at` and `running_since` are by
    our own clock: when the driver created or first saw the attempt, and when it first saw the step's own container run;
    `waiting_since` is when it began to wait, where that is later (an image is pulled after the inputs were fetched). `failures` and
    `losses` are its order's: what the attempts before it cost; so is `fingerprint`: what it runs from. `aboard` are all that share its Pod, in the order
    in which they run; empty where it has the Pod to itself.
    """

    task: str
    number: int
    handle: str
    seen: Seen
    created_at: float
    exit_code: int | None = None
    reason: str = ""
    message: str = ""
    lost: bool = False
    leaving: bool = False
    lingering: bool = False
    running_since: float | None = None
    waiting_since: float | None = None
    failures: int = 0
    losses: int = 0
    fingerprint: str = ""
    aboard: tuple[AttemptId, ...] = ()


class Result(Struct, frozen=True, rename="camel", omit_defaults=True):
    """How an attempt ended, in its own words: what it leaves and, where it failed, why. `exitCode` 0 means success.

    `fingerprint` is ours, and says what it ran from (`core.fingerprint`); `code` is the agent's, and says what code and libraries it ran with.
    `curve` is ours too: what a trial of a search with a pruner said of its metric on the way. `cached_from` is the attempt (``<workflow uid>/<task>/<attempt>``) whose result this is, where nothing ran.
    """

    exit_code: int
    reason: str = ""
    message: str = ""
    outputs: Mapping[str, ArtifactRef] = {}
    parameters: Mapping[str, Any] = {}
    metrics: Mapping[str, float] = {}
    logs: ArtifactRef | None = None
    fingerprint: str = ""
    code: str = ""
    cached_from: str = ""
    curve: Values = ()
    started_at: float = 0.0
    finished_at: float = 0.0

    @property
    def is_success(self) -> bool:
        return self.exit_code == 0 and not self.reason


@dataclass(frozen=True, slots=True)
class Probed:
    """The answer to a `Probe`: does the attempt still exist, and the last lines of its log where it does. Its record, if any, is in `results`."""

    exists: bool
    tail: str = ""


@dataclass(frozen=True, slots=True)
class Curve:
    """What an attempt of a trial has said on the way; by the first `judged` values it has been decided whether to go on, or is not to be any more."""

    values: Values = ()
    judged: int = 0

    @property
    def is_open(self) -> bool:
        return self.judged < len(self.values)


@dataclass(frozen=True, slots=True)
class Room:
    """What others leave for a workflow: `pods` more may start (None: no limit), `held` says how many hold each lock of the namespace.

    `is_known` is false while that cannot be said, after a start of the operator.
    """

    pods: int | None = None
    held: Mapping[str, int] = field(default_factory=dict)
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Recalled:
    """How many trials of another search a search was told of, and of how many that had succeeded."""

    count: int
    of: int


@dataclass(frozen=True, slots=True)
class Observations:
    """Everything seen of one workflow.

    `attempts` are those the driver sees now, `results` the committed records known so far, `probed` the answers to earlier probes,
    `refused` the attempts that could not be created at all, with the words of who refused. `waiting` says what the whole workflow waits for, `waits`
    what single attempts do, by their own word. `chosen` are the parameters of trials that were chosen and written down, `choosing` the tune steps
    for which that is under way, `unchosen` those for which it cannot be done, and why. `curves` are those of trials that may be stopped by them, by the
    trial's attempt, `judging` the tune steps for which that is being decided. `recalled` says what searches were told of others.
    """

    attempts: Mapping[AttemptId, Attempt] = field(default_factory=dict)
    results: Mapping[AttemptId, Result] = field(default_factory=dict)
    probed: Mapping[AttemptId, Probed] = field(default_factory=dict)
    refused: Mapping[AttemptId, str] = field(default_factory=dict)
    waiting: str = ""
    room: Room = Room()
    waits: Mapping[AttemptId, str] = field(default_factory=dict)
    chosen: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    choosing: Set[str] = frozenset()
    unchosen: Mapping[str, str] = field(default_factory=dict)
    curves: Mapping[AttemptId, Curve] = field(default_factory=dict)
    judging: Set[str] = frozenset()
    recalled: Mapping[str, Recalled] = field(default_factory=dict)
