"""Attempts that were decided on: created by the driver, but those whose result the cache has. Callers: `engine`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import structs

from mlworkflow.core.actions import Order
from mlworkflow.core.observation import AttemptId, Result
from mlworkflow.engine import records
from mlworkflow.engine.driver import NotNow, Refused
from mlworkflow.engine.live import Live

if TYPE_CHECKING:
    from mlworkflow.engine.engine import Engine

_log = logging.getLogger(__name__)
CREATE_AGAIN = 3.0
"""Seconds until what could not be created is tried again."""
AT_ONCE = 128
"""Attempts that are being created at the same time: more wait for the same few connections, each with all that it is made of."""


async def create(engine: Engine, live: Live) -> bool:
    """Create the first of what was decided on; the rest, and what cannot be created now, stays in `creating`. Whether the cache had the result of any.

    Only so many in one turn: what has ended meanwhile is followed up in the next one, and not once the last of ten thousand Pods is there. After
    trouble one, two, four, … until there is trouble again: a full quota is not asked for a thousand Pods.
    """
    seats, size = live.seats(list(islice(live.creating, AT_ONCE))), 1 if live.trouble else AT_ONCE
    is_hit, live.trouble = False, ""
    while seats and not live.trouble:
        hits = await asyncio.gather(*(_started(engine, live, orders) for orders in seats[:size]))
        is_hit |= any(hits)
        seats, size = seats[size:], size * 2
    return is_hit


async def _started(engine: Engine, live: Live, orders: Sequence[Order]) -> bool:
    async with engine.slots:
        return await _start(engine, live, orders)


async def _start(engine: Engine, live: Live, orders: Sequence[Order]) -> bool:
    """Create attempts, which share a Pod where they are several, save those whose result the cache has. Whether it has any."""
    missing = [order for order in orders if not await _is_cached(engine, live, order)]
    if len(missing) < len(orders):
        live.seat(missing)
    if not missing:
        return True
    for data in [data for order in missing for data in order.literals.values()]:
        await records.put(engine.store, live.workflow.namespace, data)
    try:
        await engine.driver.start(*missing)
    except NotNow as trouble:
        live.trouble = str(trouble)
        return len(missing) < len(orders)
    except Refused as refusal:
        live.refused |= {(order.task, order.attempt): str(refusal) for order in missing}
    for order in missing:
        live.creating.pop((order.task, order.attempt), None)
    return len(missing) < len(orders)


async def _is_cached(engine: Engine, live: Live, order: Order) -> bool:
    """Whether an earlier result was taken for an attempt; one that is not wanted any more is not looked up."""
    attempt = (order.task, order.attempt)
    if not order.is_looked_up or attempt in live.missed or attempt not in live.creating:
        return False
    found = await engine.cache.find(order)
    if found.result:
        await _take(engine, live, attempt, found.result)
        return True
    live.missed[attempt] = found.missed
    _log.info("%s: not cached: %s", live.workflow.subject(order.task), found.missed)
    return False


async def _take(engine: Engine, live: Live, attempt: AttemptId, result: Result) -> None:
    """Commit an earlier result as that of an attempt, which is not created."""
    now = engine.clock()
    result = structs.replace(result, started_at=now, finished_at=now)
    live.take(attempt, await engine.commit(live, attempt, result))
    live.curves.load({attempt: result})
    live.creating.pop(attempt, None)
