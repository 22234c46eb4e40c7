"""Kubernetes Events of workflows, for `kubectl describe`: in the background, few, and never at a workflow's cost.

The name of an event follows from what it tells, so that after a restart, or by two operators, nothing is told twice. A workflow tells ten pieces of news at once and
one a minute after that; what comes between is told together, with its count and the last message. What cannot be told is dropped with a line in the log.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from mlworkflow.core import names
from mlworkflow.core.model import Workflow
from mlworkflow.core.status import stamp
from mlworkflow.engine.news import News, news
from mlworkflow.engine.telling import Turned
from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.errors import AlreadyExists, ApiError
from mlworkflow.kube.objects import Json
from mlworkflow.kube.paths import EVENTS

_log = logging.getLogger(__name__)
AT_ONCE, EVERY = 10, 60.0
"""Events of a workflow: so many at once, and one more after so many seconds."""
ROOM = 1000
LONGEST = 1000
"""Bytes of a message; the API server takes 1,024."""
PAUSE = 0.05
"""Seconds between two events of whatever workflows: twenty a second are no burden to the API server."""
LOOK = 5.0
"""Seconds after which news is looked at again that had to wait."""


@dataclass(slots=True)
class _Held:
    """News of one reason that is told together."""

    news: News
    first: float
    last: float
    count: int = 1


@dataclass(slots=True)
class _Teller:
    """Of one workflow: how many events it may tell now, as of when, and what waits."""

    workflow: Workflow
    left: float
    at: float
    held: dict[str, _Held] = field(default_factory=dict)


class EventSender:
    """`tell` is for the engine; `clock` is the engine's. Close it in the end."""

    def __init__(
        self,
        client: KubeClient,
        clock: Callable[[], float],
        *,
        room: int = ROOM,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client, self._clock, self._room, self._sleep = client, clock, room, sleep
        self._tellers: dict[str, _Teller] = {}
        self._waiting: deque[tuple[str, Json]] = deque()
        self._sending: asyncio.Task[None] | None = None
        self._refused: set[int] = set()

    def tell(self, turned: Turned) -> None:
        """A turn has changed a run. Returns at once."""
        for one in news(turned):
            self._take(turned.plan.workflow, one)

    async def close(self) -> None:
        """Stop; what is still to be sent is dropped."""
        if self._sending:
            self._sending.cancel()
            await asyncio.wait([self._sending])

    def _take(self, workflow: Workflow, one: News) -> None:
        now = self._clock()
        teller = self._tellers.setdefault(workflow.uid, _Teller(workflow, AT_ONCE, now))
        held = teller.held.get(one.reason)
        if held is None:
            teller.held[one.reason] = _Held(one, now, now)
        else:
            held.news, held.last, held.count = one, now, held.count + 1
        self._flush(teller, now, is_last=one.is_last)
        if one.is_last:
            del self._tellers[workflow.uid]
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_all(), name="events")

    def _flush(self, teller: _Teller, now: float, *, is_last: bool = False) -> None:
        """Have sent what may be; at the end of a workflow everything."""
        teller.left, teller.at = min(AT_ONCE, teller.left + (now - teller.at) / EVERY), now
        for reason in list(teller.held):
            if teller.left < 1 and not is_last:
                return
            teller.left -= 1
            if len(self._waiting) >= self._room:
                _log.warning(
                    "%s: an event is dropped: %d wait; reason=%s", teller.workflow.subject(), self._room, reason
                )
                del teller.held[reason]
                continue
            self._waiting.append((teller.workflow.namespace, _event(teller.workflow, teller.held.pop(reason))))

    async def _send_all(self) -> None:
        while True:
            while self._waiting:
                await self._send(*self._waiting.popleft())
                await self._sleep(PAUSE)
            for uid, teller in list(self._tellers.items()):
                self._flush(teller, self._clock())
                if not teller.held and teller.left >= AT_ONCE:
                    del self._tellers[uid]  # it has been quiet, and is perhaps gone
            if not self._waiting:
                if not any(teller.held for teller in self._tellers.values()):
                    return
                await self._sleep(LOOK)

    async def _send(self, namespace: str, event: Json) -> None:
        try:
            await self._client.create(EVENTS.path(namespace), event)
        except AlreadyExists:
            return
        except ApiError as error:  # once for each kind of trouble: it is the same for every event
            if error.status not in self._refused:
                self._refused.add(error.status)
                _log.warning("events cannot be written: %s; this is said once", error)


def _event(workflow: Workflow, held: _Held) -> Json:
    one = held.news
    told = hashlib.sha256(f"{workflow.uid}/{one.reason}/{one.what}".encode()).hexdigest()[:16]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{workflow.name}.{told}", "namespace": workflow.namespace},
        "involvedObject": {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "namespace": workflow.namespace,
            "name": workflow.name,
            "uid": workflow.uid,
        },
        "type": "Warning" if one.is_warning else "Normal",
        "reason": one.reason,
        "message": one.message.encode()[:LONGEST].decode(errors="ignore"),
        "source": {"component": names.FIELD_MANAGER},
        "firstTimestamp": stamp(held.first),
        "lastTimestamp": stamp(held.last),
        "count": held.count,
    }
