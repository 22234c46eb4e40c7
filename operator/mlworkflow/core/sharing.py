"""Who of several workflows may start how many Pods, where there is not room for all: the higher priority first, and within one the fewest Pods first. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """What one workflow has (`pods` that run) and would have more (`wanted`)."""

    uid: str
    priority: int
    pods: int
    wanted: int


def share(free: int, mine: Claim, others: Iterable[Claim]) -> int:
    """How many of `free` places are for `mine`, which may want them all: they are given out one by one, each to whoever has the least."""
    rivals = [claim for claim in others if claim.wanted > 0 and claim.uid != mine.uid]
    if free <= 0 or not rivals:
        return max(free, 0)
    queue = [(-claim.priority, claim.pods, claim.uid, claim.wanted) for claim in rivals]
    queue.append((-mine.priority, mine.pods, mine.uid, free))
    heapq.heapify(queue)
    given = 0
    for _ in range(free):
        priority, pods, uid, wanted = heapq.heappop(queue)
        given += uid == mine.uid
        if wanted > 1:
            heapq.heappush(queue, (priority, pods + 1, uid, wanted - 1))
        if not queue:
            break
    return given
