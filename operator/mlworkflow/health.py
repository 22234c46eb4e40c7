"""Probes that mean something. `/startupz`: the operator serves. `/healthz`: nothing in it hangs; if the event loop does, nobody answers, which is the same.
`/readyz`: it knows what there is and has reached its store once; an outage of the store later is told, and does not make it unready, for steps that wait for the
store still have to reach the gateway. Every answer is JSON with each condition, and what is the matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from mlworkflow.kube.queue import QueueStatistics

STALE = 180.0
"""Seconds without a sign of life from a watch (bookmarks come every minute) after which the operator is better restarted."""
HANGS = 1800.0
"""Seconds for which no turn and no write may last: every call that they make has a limit far below."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Whether something is as it should be; `message` says what is not. `is_told` alone: it changes no answer's code."""

    name: str
    ok: bool
    message: str = ""
    is_told: bool = False


@dataclass(slots=True)
class Health:
    """What the probes look at; `__main__` says when the operator `serves`.

    `watch_age` is the age of the stalest watch in seconds, `store` what is the matter with it (None: it has not answered yet), `member` how this one of several operators stands.
    """

    watch_age: Callable[[], float]
    queues: Mapping[str, Callable[[], QueueStatistics]]
    is_synced: Callable[[], bool]
    is_primed: Callable[[], bool]
    store: Callable[[], str | None]
    serves: bool = False
    member: Callable[[], Mapping[str, Any]] | None = None
    _was_reached: bool = False

    def startup(self) -> list[Condition]:
        return [Condition("serving", self.serves, "the API server has not said yet what time it is")]

    def live(self) -> list[Condition]:
        age = self.watch_age()
        found = [Condition("watch", age < STALE, f"nothing was heard of Pods for {age:.0f} s")]
        for name, look in self.queues.items():
            longest = look().longest
            found.append(
                Condition(f"workers.{name}", longest < HANGS, f"one is busy with the same key for {longest:.0f} s")
            )
        return found

    def ready(self) -> list[Condition]:
        trouble = self.store()
        self._was_reached |= trouble == ""
        return [
            *self.startup(),
            Condition("pods", self.is_synced(), "not every Pod is known yet"),
            Condition("workflows", self.is_primed(), "not every workflow has had its first turn yet"),
            Condition("store", trouble == "", trouble or "it has not answered yet", is_told=self._was_reached),
        ]


def make_app(health: Health) -> web.Application:
    """To be served on a port of its own, without TLS: probes come from the kubelet."""

    def probe(
        look: Callable[[], Iterable[Condition]], member: Callable[[], Mapping[str, Any]] | None = None
    ) -> Callable[[web.Request], Any]:
        async def answer(_: web.Request) -> web.Response:
            found = list(look())
            ok = all(condition.ok or condition.is_told for condition in found)
            said = {each.name: "ok" if each.ok else each.message for each in found}
            told = {"ok": ok, "conditions": said, **({"member": dict(member())} if member else {})}
            return web.json_response(told, status=200 if ok else 503)

        return answer

    app = web.Application()
    app.add_routes(
        [
            web.get("/startupz", probe(health.startup)),
            web.get("/healthz", probe(health.live)),
            web.get("/readyz", probe(health.ready, health.member)),
        ]
    )
    return app
