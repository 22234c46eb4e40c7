"""Whose time it is: the API server's, by the `Date` of its answers.

Stamps that others write (conditions, Events, a person's `kubectl get`) are by that clock, so ours is set by it once, at the start.
A `Date` has whole seconds: the moment is taken to be in the middle of its second, and of the request.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime

from mlworkflow.engine.clock import EngineClock
from mlworkflow.kube.backoff import Backoff
from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.errors import ApiError

_log = logging.getLogger(__name__)
ATTEMPTS = Backoff(base=0.5, cap=10.0)
NOTABLE = 2.0
"""Seconds between two clocks that are worth a line in the log."""


async def set_by_server(clock: EngineClock, client: KubeClient, sleep: Callable[[float], Awaitable[None]]) -> None:
    """Anchor `clock` to the API server's time; returns once the server has answered."""
    failures = 0
    while True:
        try:
            date, age = await client.server_date()
        except ApiError as error:
            failures += 1
            delay = ATTEMPTS.delay(failures)
            _log.warning("the API server does not say what time it is: %s; trying again in %.1f s", error, delay)
            await sleep(delay)
            continue
        wall = moment(date)
        if wall is None:
            _log.warning("the API server sends no Date; the time is this machine's")
            return
        difference = wall + age - clock()
        if abs(difference) > NOTABLE:
            _log.warning(
                "this machine's clock is %+.0f s from the API server's, which is the one that counts", -difference
            )
        clock.anchor(wall + age)
        return


def moment(date: str) -> float | None:
    """Seconds since the epoch of a `Date` header; None for what is none."""
    try:
        return parsedate_to_datetime(date).timestamp() + 0.5
    except ValueError:
        return None
