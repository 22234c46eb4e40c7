"""What happens while somebody looks: streams of events, each a generator that ends when nobody listens any more."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing

from mlworkflow.runs.errors import NoSuchRun
from mlworkflow.ui import logs, series
from mlworkflow.ui.answers import RunState
from mlworkflow.ui.asked import Query
from mlworkflow.ui.failing import problem_of
from mlworkflow.ui.responses import END, Events
from mlworkflow.ui.standing import news, run_state
from mlworkflow.ui.views import attempt_of, attempt_or_last, run_of, runs_query
from mlworkflow.ui.visitors import Visitor

PAUSE = 0.25
"""Seconds between two events of a stream: what happens in between is one change."""
LOOK = 1.0
"""Seconds between looks at metrics."""


async def runs(visitor: Visitor, query: Query) -> Events:
    """The first page of the list, whenever it changed."""
    wanted, index = runs_query(query), visitor.site.index
    await visitor.site.look_into(wanted.namespace)
    before, seen = None, -1
    while True:
        seen = max(seen, index.changes.count)
        page = index.page(wanted)
        if page != before:
            yield "runs", page
            before = page
        await asyncio.sleep(PAUSE)
        await index.changes.after(seen)


async def run(visitor: Visitor, query: Query) -> Events:
    """How a run stands: all of it, then what has changed."""
    first = await run_of(visitor, query)
    may = (await visitor.site.rights(first.namespace)).may
    async with visitor.look.follow(first.namespace, first.id) as followed:
        before: RunState | None = None
        while True:
            seen, found = followed.changes.count, followed.run
            state = run_state(found, await visitor.look.drawing(found), may, seen)
            if before is None or state != before:
                yield "state", news(before, state)
                before = state
            if followed.problem is not None:
                is_gone = isinstance(followed.problem, NoSuchRun)
                yield ("gone" if is_gone else "problem"), problem_of(followed.problem)
                return
            await asyncio.sleep(PAUSE)
            await followed.changes.after(seen)


async def log(visitor: Visitor, query: Query) -> Events:
    found = await run_of(visitor, query)
    place = visitor.site.runs(found.namespace)
    async with aclosing(logs.live_log(place, found, query.needed("task"), attempt_of(query))) as pieces:
        async for piece in pieces:
            yield "log", piece
    yield END


async def metrics(visitor: Visitor, query: Query) -> Events:
    """All there are, then new ones."""
    found, task = await run_of(visitor, query), query.needed("task")
    attempt = attempt_or_last(found, task, query)
    async with visitor.look.follow(found.namespace, found.id) as followed:
        told: Counter[str] = Counter()
        count, is_first = 0, True
        while True:
            points, is_final = await visitor.site.metrics(followed.run, task, attempt)
            new = points[count:]
            if new or is_first or is_final:
                yield "metrics", series.metrics_of(new, attempt, is_final=is_final, before=told)
                told.update(str(point["name"]) for point in new)
                count, is_first = len(points), False
            if is_final:
                break
            await asyncio.sleep(LOOK)
    yield END
