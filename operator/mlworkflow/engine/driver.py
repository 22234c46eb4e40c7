"""What the engine needs from whoever runs attempts: Pods in a cluster, processes on a laptop."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Protocol

from mlworkflow.core.actions import Order
from mlworkflow.core.cachefacts import Identity
from mlworkflow.core.observation import Attempt, AttemptId


class Refused(Exception):
    """The attempt cannot be created, now or ever; the message is that of who refused."""


class NotNow(Exception):
    """The attempt cannot be created at the moment (a quota, an API server that is away); the message says why."""


@dataclass(frozen=True, slots=True)
class Found:
    """A live look at an attempt: whether it is still there, and its log where it has one."""

    exists: bool
    log: bytes = b""


@dataclass(frozen=True, slots=True)
class ContainerEnd:
    """How the user's own container ended, where an agent waits beside it."""

    exit_code: int
    reason: str
    message: str = ""


class Driver(Protocol):
    """Runs attempts. Every call may be repeated and must then change nothing."""

    def attempts(self, uid: str) -> Mapping[AttemptId, Attempt]:
        """The attempts of a workflow that exist now."""

    async def start(self, order: Order, *others: Order) -> None:
        """Start an attempt, or adopt it; afterwards `attempts` shows it. Trials that may share a Pod (`trials.perPod`) are started together, and what the
        first of them is called is what their Pod is called. Raises Refused, or NotNow: of all of them."""

    async def stop(self, namespace: str, uid: str, attempt: AttemptId, handle: str, grace: int | None = None) -> None:
        """End an attempt: SIGTERM, grace period (`grace` seconds where they are not the step's own), SIGKILL. Returns at once."""

    async def find(self, namespace: str, uid: str, attempt: AttemptId, handle: str) -> Found:
        """Look at an attempt itself, past every cache."""

    async def identity(self, order: Order) -> Identity:
        """What an order runs, as far as it can be known before."""

    def image_digest(self, uid: str, attempt: AttemptId) -> str | None:
        """The digest of the image that an attempt runs, by the word of who runs it; empty where there is no image, None before it is known."""

    def container_end(self, uid: str, attempt: AttemptId) -> ContainerEnd | None:
        """How the user's container of a running attempt ended, or None while it runs."""

    async def log(self, namespace: str, uid: str, attempt: AttemptId, handle: str) -> bytes:
        """The log of the user's container, bounded; empty where there is none."""

    def follow(self, namespace: str, uid: str, attempt: AttemptId, handle: str) -> AsyncGenerator[bytes, None]:
        """The log of the user's container from its beginning, as it comes, until that has ended."""

    def identify(self, namespace: str, pod: str, pod_uid: str, rider: str = "") -> tuple[str, AttemptId] | None:
        """The workflow's uid and the attempt of a Pod of ours; None for any other. Of a Pod that trials share it is the one that `rider` names in it."""

    def command(self, order: Order) -> tuple[str, ...]:
        """What the agent is to run for an order, where this driver runs it."""

    @property
    def keeps_logs_apart(self) -> bool:
        """Whether the log of a step without an agent has to be asked for (`log`), because no agent kept it."""

    @property
    def is_synced(self) -> bool:
        """Whether `attempts` and `identify` speak of everything there is."""
