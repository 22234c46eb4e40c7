"""What the live workflows leave for each other: Pods, where their number is limited, and the locks of a namespace.

Nothing is kept that could be lost or leak: who holds what follows from the tasks that run. After a start of the operator nothing that is shared is
given out before every workflow has been looked at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
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
        live.waiting_since = {
            lock: now if lock in before.held else live.waiting_since.get(lock, now) for lock in usage.waits_for
        }
        return self._woken(live, before, usage)

    def is_awaited(self, live: Live, lock: str) -> bool:
        """Whether a workflow waits for a lock of this one's namespace."""
        return any(lock in other.usage.waits_for for other in self._near(live))

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
        total, limit = self._limits.total, self._limits.of(live.workflow.namespace)
        if total is None and limit is None:
            return None
        if not is_known:
            return 0
        shares = []
        if limit is not None:
            shares.append(share(self._free(limit, self._near(live)), _claim(live), map(_claim, self._near(live))))
        if total is not None:
            lives = list(self._lives.values())
            shares.append(share(self._free(total, lives), _claim(live), map(self._claim_on_all, lives)))
        return min(shares)

    def _free(self, limit: int, lives: Iterable[Live]) -> int:
        return limit - sum(live.usage.pods for live in lives)

    def _claim_on_all(self, live: Live) -> Claim:
        """What a workflow would take of the whole, which is no more than its namespace lets it."""
        limit = self._limits.of(live.workflow.namespace)
        claim = _claim(live)
        if limit is None or not claim.wanted:
            return claim
        return Claim(
            claim.uid, claim.priority, claim.pods, min(claim.wanted, max(0, self._free(limit, self._near(live))))
        )

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


def _turn(live: Live, lock: str | None = None) -> tuple[float, float, float, str]:
    """Who comes first: the higher priority, then who holds less of it (or held until now), then who has waited longer."""
    since = live.waiting_since.get(lock) if lock else min(live.waiting_since.values(), default=None)
    held = live.usage.held.get(lock, 0) if lock else sum(live.usage.held.values())
    return -live.workflow.priority, held, float("inf") if since is None else since, live.workflow.uid


def _claim(live: Live) -> Claim:
    return Claim(live.workflow.uid, live.workflow.priority, live.usage.pods, live.usage.wanted)
