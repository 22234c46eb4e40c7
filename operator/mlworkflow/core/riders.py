"""Trials that share a Pod (`trials.perPod`): attempts that run in it one after another, each as if it had the Pod to itself.

Which attempts are in a Pod is fixed when it is created: its name is that of the first of them, and an annotation lists all. In their Pod they are
called ``<task>/<attempt>``: that is how the agent says which of them speaks, and how its container's last word says which one ran. Pure. Callers:
`engine`, `core.pods`, `kube`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from mlworkflow.core import paths
from mlworkflow.core.actions import Order

LONGEST_LINE = 1 << 16
"""Bytes of a line that are waited for."""
MARK = b"mlworkflow: now "
"""What the line of a Pod's log begins with that says whose the lines after it are."""


class Rider(Struct, frozen=True, array_like=True):
    """An attempt, as the annotation of its Pod has it: the fields are those of an order."""

    task: str
    attempt: int
    failures: int = 0
    losses: int = 0
    fingerprint: str = ""

    @property
    def name(self) -> str:
        return named(self.task, self.attempt)


def named(task: str, attempt: int) -> str:
    """What an attempt is called within its Pod."""
    return f"{task}/{attempt}"


def written(orders: Sequence[Order]) -> str:
    """The annotation of a Pod."""
    riders = [Rider(one.task, one.attempt, one.failures, one.losses, one.fingerprint) for one in orders]
    return msgspec.json.encode(riders).decode()


def read(annotation: str) -> list[Rider]:
    """The attempts that an annotation lists; none where it cannot be read."""
    try:
        return msgspec.json.decode(annotation, type=list[Rider])
    except msgspec.DecodeError:
        return []


def seated(orders: Sequence[Order]) -> list[tuple[Order, ...]]:
    """Which orders share a Pod: trials of one search, in their order, as many as may and whose Pods would be the same.

    One that has failed before has a Pod to itself, and so has one that was lost twice: it cannot be the death of others, or they its own, again and again.
    """
    seats: list[list[Order]] = []
    free: dict[tuple[str, bytes], list[Order]] = {}  # by search and Pod: where there may be a seat left
    for order in orders:
        if order.per_pod == 1 or order.failures or order.losses > 1:
            seats.append([order])
            continue
        key = (paths.parent(order.task) or "", _pod_of(order))
        found = free.get(key)
        if found is None or len(found) >= order.per_pod:
            found = free[key] = []
            seats.append(found)
        found.append(order)
    return [tuple(seat) for seat in seats]


def _pod_of(order: Order) -> bytes:
    """What the Pods of two trials of a search may differ in."""
    return msgspec.json.encode([order.image, order.env, order.resources, order.step.kind.variables(order.spec)])


class Part:
    """Of the log of a Pod that trials share the lines of one of them, which come in pieces; with `is_own` also those of nobody, before the first begins.
    `is_over`: there are none any more."""

    def __init__(self, name: str, *, is_own: bool = False) -> None:
        self._own = MARK + name.encode()
        self._is_own = is_own
        self.is_over = self._has_begun = False
        self._rest = b""

    def of(self, piece: bytes, *, is_last: bool = False) -> bytes:
        """The lines of that one among those which this piece ends."""
        *lines, self._rest = (self._rest + piece).splitlines(keepends=True) or [b""]
        if is_last or self._rest.endswith(b"\n") or len(self._rest) > LONGEST_LINE:
            lines.append(self._rest)
            self._rest = b""
        found = []
        for line in lines:
            if line.startswith(MARK):
                self.is_over |= self._has_begun
                self._is_own = self._has_begun = line.rstrip() == self._own
            elif self._is_own:
                found.append(line)
        return b"".join(found)


def part(log: bytes, name: str) -> bytes:
    """The lines of one trial in the log of its Pod."""
    return Part(name).of(log, is_last=True)
