"""Pods that one of several operators does not know: the others create Pods too, of which it hears a moment later, and of none while it is cut off.

Such a Pod is told to ask again; the Service may bring it to another operator then. Caller: the gateway, by way of `engine.runs`.
"""

from __future__ import annotations

from collections.abc import Callable

PATIENCE = 30.0
"""Seconds for which a Pod that is not known may yet be ours: far more than a watch is late, or a member that is cut off takes to lapse."""
MOST = 4096
"""Pods that are remembered; of more the first are forgotten, and have their time again."""


class Strangers:
    """`is_fenced` says whether this operator has lapsed, `now` gives seconds."""

    def __init__(self, is_fenced: Callable[[], bool], now: Callable[[], float]) -> None:
        self._is_fenced, self._now = is_fenced, now
        self._since: dict[str, float] = {}

    def may_be_ours(self, pod_uid: str) -> bool:
        """Whether a Pod that we do not know may be that of a step."""
        since = self._since.setdefault(pod_uid, self._now())
        if len(self._since) > MOST:
            del self._since[next(iter(self._since))]
        return self._is_fenced() or self._now() - since < PATIENCE
