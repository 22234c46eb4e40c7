"""What the live workflows leave for each other: Pods, where their number is limited, and the locks of a namespace.

Nothing is kept that could be lost or leak: who holds what follows from the tasks that run. After a start of the operator nothing that is shared is
given out before every workflow has been looked at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from mlworkflow.core.decide import Usage
from mlworkflow.core.observation import Room
from mlworkflow.core.sharing import Claim, share
from mlworkflow.engine.live import Live


@dataclass(frozen=True, slots=True)
class Limits:
    """Pods at once: of all workflows, of those of one namespace, and of some namespaces by name. None: no limit."""

    total: int | None = None
    namespace: int | None = None
    namespaces: Mapping[str, int] = field(default_factory=dict)

    def of(self, namespace: str) -> int | None:
        return self.namespaces.get(namespace, self.namespace)


NO_LIMITS = Limits()


class Sharing:
    """`lives` are the workflows that the engine has open; `is_known` says whether these are all there are."""

    def __init__(
        self,
        lives: Mapping[str, Live],
        limits: Limits = NO_LIMITS,
        is_known: Callable[[], bool] = lambda: True,
    ) -> None:
        self._lives = lives
        self._limits = limits
        self._is_known = is_known

    def room(self, live: Live) -> Room:
        """What there is for a workflow now."""
        is_known = self._is_known()
        return Room(self._pods(live, is_known), self._held(live), is_known)

    def settle(self, live: Live, usage: Usage, now: float) -> list[str]:
        """Take in what a workflow uses after a turn; the workflows for which there may be room now that there was not."""
        before, live.usage = live.usage, usage
        live.waiting_since = {lock: live.waiting_since.get(lock, now) for lock in usage.waits_for}
        return self._woken(live, before, usage)

    def leave(self, live: Live) -> list[str]:
        """A workflow is not live any more: the workflows for which there may be room now."""
        return self._woken(live, live.usage, Usage())

    def _woken(self, live: Live, before: Usage, after: Usage) -> list[str]:
        freed = {lock for lock, count in before.held.items() if after.held.get(lock, 0) < count}
        freed |= before.waits_for - after.waits_for
        has_room = after.pods < before.pods or after.wanted < before.wanted
        woken = [
            other
            for other in self._lives.values()
            if other is not live
            and ((has_room and other.usage.wanted) or (other.usage.waits_for & freed and _are_neighbours(other, live)))
        ]
        return [other.workflow.uid for other in sorted(woken, key=_turn)]

    def _pods(self, live: Live, is_known: bool) -> int | None:
        namespace = live.workflow.namespace
        limits = [(self._limits.total, list(self._lives.values())), (self._limits.of(namespace), [*self._near(live)])]
        shares = [
            share(limit - sum(each.usage.pods for each in lives), _claim(live), map(_claim, lives)) if is_known else 0
            for limit, lives in limits
            if limit is not None
        ]
        return min(shares, default=None)

    def _held(self, live: Live) -> dict[str, int]:
        """How often others hold each lock, and how many wait for it that come before this workflow."""
        held: dict[str, int] = {}
        for other in self._near(live):
            if other is live:
                continue
            for lock, count in other.usage.held.items():
                held[lock] = held.get(lock, 0) + count
            for lock in other.usage.waits_for:
                if _turn(other, lock) < _turn(live, lock):
                    held[lock] = held.get(lock, 0) + 1
        return held

    def _near(self, live: Live) -> Iterator[Live]:
        return (other for other in self._lives.values() if _are_neighbours(other, live))


def _are_neighbours(one: Live, other: Live) -> bool:
    return one.workflow.namespace == other.workflow.namespace


def _turn(live: Live, lock: str | None = None) -> tuple[float, float, str]:
    """Who comes first: the higher priority, then who has waited longer."""
    since = live.waiting_since.get(lock) if lock else min(live.waiting_since.values(), default=None)
    return -live.workflow.priority, float("inf") if since is None else since, live.workflow.uid


def _claim(live: Live) -> Claim:
    return Claim(live.workflow.uid, live.workflow.priority, live.usage.pods, live.usage.wanted)
