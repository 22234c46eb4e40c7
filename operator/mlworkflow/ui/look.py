"""What the endpoints read runs by: one watch of each run however many look at it, and what has been worked out of it already.

Callers: `views`, `live`, `acts`. One for each site.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Hashable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mlworkflow.runs.completing import completed
from mlworkflow.runs.errors import NoSuchRun, RunsError
from mlworkflow.runs.run import Run
from mlworkflow.ui.changes import Changes
from mlworkflow.ui.drawing import Drawing, drawing
from mlworkflow.ui.shown import run_row
from mlworkflow.ui.site import Site
from mlworkflow.ui.standing import counts_below
from mlworkflow.ui.yaml_text import workflow_yaml

DRAWINGS, TEXTS = 64, 16
WHOLE = 2000
"""Tasks that only records tell of, up to which they are read."""
KEPT = 8
"""Runs whose tasks are kept that have been read from records."""
RECORDS, SERIES = 4000, 400
AGAIN = 1.0
"""Seconds between looks whether a run that had ended goes on."""
K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


@dataclass(slots=True)
class Followed:
    """A run that somebody looks at: as it is now, and the changes to it. `problem` is why nothing more is known of it."""

    run: Run
    changes: Changes = field(default_factory=Changes)
    problem: RunsError | None = None
    watchers: int = 0
    task: asyncio.Task[None] | None = None


class Look:
    """Of one site."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._followed: dict[tuple[str, str], Followed] = {}
        self._drawings: OrderedDict[tuple[str, int, bool], asyncio.Task[Drawing]] = OrderedDict()
        self._texts: OrderedDict[tuple[str, int], asyncio.Task[str]] = OrderedDict()
        self._records: OrderedDict[tuple[str, str, int], Mapping[str, Any]] = OrderedDict()
        self._points: OrderedDict[tuple[str, str, int], Sequence[Mapping[str, Any]]] = OrderedDict()
        self._told: OrderedDict[str, dict[str, Mapping[str, Any]]] = OrderedDict()

    async def close(self) -> None:
        for followed in [*self._followed.values()]:
            await _end(followed)

    async def run(self, namespace: str, name: str) -> Run:
        """By id or uid. Raises NoSuchRun."""
        row = self.site.index.row(namespace, name)
        id_ = row.id if row else name
        if (followed := self._followed.get((namespace, id_))) and followed.problem is None:
            return followed.run
        return await self.site.runs(namespace).get(id_)

    async def whole(self, run: Run) -> Run:
        """With the tasks that only records tell of, where they are not too many."""
        told = self._told.get(run.uid, {})
        known = _with(run, [task for name, task in told.items() if name not in run.known])
        missing = sum(
            sum(counts_below(known, task).values()) - len(known.below(task["name"])) for task in known.known.values()
        )
        if not 0 < missing <= WHOLE:
            return known
        found = await completed(self.site.runs(run.namespace), known)
        told.update({name: task for name, task in found.known.items() if name not in run.known})
        self._told[run.uid] = told
        self._told.move_to_end(run.uid)
        if len(self._told) > KEPT:
            self._told.popitem(last=False)
        return found

    async def record(self, run: Run, task: str, attempt: int) -> Mapping[str, Any]:
        """The commit record of an attempt, which never changes; empty where there is none (yet)."""
        key = (run.uid, task, attempt)
        if key not in self._records:
            record = await self.site.runs(run.namespace).record(run, task, attempt)
            if record is None:
                return {}
            self._records[key] = record
            if len(self._records) > RECORDS:
                self._records.popitem(last=False)
        return self._records[key]

    async def metrics(self, run: Run, task: str, attempt: int) -> Sequence[Mapping[str, Any]]:
        """What an attempt has said of its metrics so far; once it is over that is kept."""
        key = (run.uid, task, attempt)
        if key not in self._points:
            points, is_final = await self.site.metrics(run, task, attempt)
            if not is_final:
                return points
            self._points[key] = points
            if len(self._points) > SERIES:
                self._points.popitem(last=False)
        return self._points[key]

    async def drawing(self, run: Run) -> Drawing:
        """The graph of a run, which changes with its spec alone: worked out once, beside the loop, for one of 5,000 steps takes half a second."""
        key = (run.uid, int(run.resource["metadata"].get("generation") or 1), run.is_archived)
        return await _once(self._drawings, key, DRAWINGS, lambda: drawing(run.resource))

    async def yaml(self, run: Run) -> str:
        """A run's workflow as text, which changes with its spec alone."""
        key = (run.uid, int(run.resource["metadata"].get("generation") or 1))
        return await _once(self._texts, key, TEXTS, lambda: workflow_yaml(run.resource))

    @asynccontextmanager
    async def follow(self, namespace: str, name: str) -> AsyncGenerator[Followed, None]:
        """A run for as long as somebody looks at it. Raises NoSuchRun."""
        run = await self.run(namespace, name)
        key = (namespace, run.id)
        followed = self._followed.setdefault(key, Followed(run))
        followed.watchers += 1
        if followed.task is None:
            followed.task = asyncio.create_task(self._watch(namespace, followed))
        try:
            yield followed
        finally:
            followed.watchers -= 1
            if not followed.watchers:
                self._followed.pop(key, None)
                await _end(followed)

    async def _watch(self, namespace: str, followed: Followed) -> None:
        runs, id_, uid = self.site.runs(namespace), followed.run.id, followed.run.uid
        if followed.run.is_archived:
            return
        try:
            while True:
                async with aclosing(runs.watch(id_)) as versions:
                    async for run in versions:
                        if run.uid != uid:
                            raise NoSuchRun(f"{id_} was deleted, and there is another of this name now")
                        followed.run = run
                        followed.changes.tell()
                await self._changes_again(namespace, followed.run)
        except RunsError as error:
            followed.problem = error
            followed.changes.tell()

    async def _changes_again(self, namespace: str, run: Run) -> None:
        """Return when a run that has ended is there no more or is not as it was: it runs again, or has run again and ended meanwhile."""
        while self.site.index.row(namespace, run.uid) == run_row(run):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.site.index.changes.after(self.site.index.changes.count), 60)
        await asyncio.sleep(AGAIN)


async def _once(kept: OrderedDict[K, asyncio.Task[T]], key: K, most: int, work: Callable[[], T]) -> T:
    """What `work` gives in a thread, for all who ask for it now and later: `most` answers are kept, no failure is."""
    if key not in kept:
        kept[key] = asyncio.create_task(asyncio.to_thread(work))
        if len(kept) > most:
            kept.popitem(last=False)
    kept.move_to_end(key)
    try:
        return await asyncio.shield(kept[key])  # whoever has asked first may go away
    except Exception:
        kept.pop(key, None)
        raise


def _with(run: Run, tasks: list[Mapping[str, Any]]) -> Run:
    if not tasks:
        return run
    status = {**run.status, "tasks": [*(run.status.get("tasks") or []), *tasks]}
    return Run(run.id, {**run.resource, "status": status}, run.is_archived)


async def _end(followed: Followed) -> None:
    if followed.task:
        followed.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await followed.task
