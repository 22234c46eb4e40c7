"""The runs of a folder on this machine, watched by the times of their files."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlworkflow.core.state import Phase
from mlworkflow.local import detached
from mlworkflow.local.home import Home, LocalRun
from mlworkflow.runs.local import LocalRuns
from mlworkflow.runs.run import Resource, Run, Runs
from mlworkflow.ui.answers import KubeEvent, Pod, Rights
from mlworkflow.ui.index import Index
from mlworkflow.ui.shown import phase_of, run_row
from mlworkflow.ui.site import VERBS, Batch, Mode

LOOK = 0.3
"""Seconds between looks at the folder; one that nothing has happened in costs one call of the system."""
SETTLING = 100
"""Tenths of a second."""
BATCH = 100
"""Files that are read before somebody else gets a turn."""
Mark = tuple[int, int, int]


class LocalSite:
    """Implements `Site`."""

    mode: Mode = "local"

    def __init__(self, home: Home) -> None:
        self.home = home
        self.place = str(home.root)
        self.namespace = "local"
        self.index = Index()
        self._runs = LocalRuns(home, "")
        self._marks: dict[str, Mark] = {}
        self._folder: tuple[int, int] | None = None
        self._uids: dict[str, str] = {}
        self._unfinished: set[str] = set()
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        if self._watching:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching

    async def user(self) -> str:
        return await self._runs.whoami()

    async def namespaces(self) -> list[str]:
        return [self.namespace]

    async def look_into(self, namespace: str) -> None:
        """All are looked into."""

    def runs(self, namespace: str) -> Runs:
        return self._runs

    async def rights(self, namespace: str) -> Rights:
        return Rights(namespace=self.namespace, may=list(VERBS))

    async def pod(self, run: Run, task: str, attempt: int) -> Pod | None:
        return None

    async def events(self, run: Run) -> list[KubeEvent]:
        return []

    async def metrics(self, run: Run, task: str, attempt: int) -> Batch:
        path = self.home.work(run.uid, task, attempt) / "run" / "metrics.jsonl"
        now = run.known.get(task, {})
        is_over = run.phase.is_finished or phase_of(now) != Phase.RUNNING or int(now.get("attempts") or 0) > attempt + 1
        return await asyncio.to_thread(_points, path), is_over

    async def submit(self, resource: Resource) -> tuple[str, str]:
        run = await asyncio.to_thread(detached.start, self.home.root, resource)
        return self.namespace, run.id

    async def settled(self, run: Run) -> None:
        """Its process signs it when it has ended."""
        own, _, number = run.id.rpartition(".")
        held = LocalRun(own, int(number), {})
        for _ in range(SETTLING):
            if not run.phase.is_finished or not self.home.is_under_way(held):
                return
            await asyncio.sleep(0.1)

    async def go_on(self, run: Run, patch: Mapping[str, Any]) -> None:
        if await self._runs.is_idle(run):
            await asyncio.to_thread(detached.go_on, self.home.root, run.id, patch)
        else:
            await self._runs.change(run, patch)

    async def _watch(self) -> None:
        while True:
            await self._look()
            self.index.loaded()
            await asyncio.sleep(LOOK)

    async def _look(self) -> None:
        """Read what is new or has changed; and runs whose process has gone without saying so."""
        changed, gone = await asyncio.to_thread(self._changed)
        for name in gone:
            self._unfinished.discard(name)
            self.index.drop(self.namespace, self._uids.pop(name, ""))
        for start in range(0, len(changed), BATCH):
            for run in await asyncio.to_thread(self._read, changed[start : start + BATCH]):
                self._uids[run.id] = run.uid
                self.index.put(run_row(run))
                (self._unfinished.discard if run.phase.is_finished else self._unfinished.add)(run.id)

    def _changed(self) -> tuple[list[str], list[str]]:
        """The ids of runs to be read, and of those that are not there any more."""
        folder = self.home.root / "runs"
        try:
            now = (folder.stat().st_mtime_ns, folder.stat().st_ino)
        except FileNotFoundError:
            now = (0, 0)
        ended = [name for name in sorted(self._unfinished) if not self._is_under_way(name)]
        if now == self._folder:  # a run is written by moving a file into the folder
            return ended, []
        self._folder = now
        marks = _marks(folder)
        changed = [name for name, mark in marks.items() if self._marks.get(name) != mark]
        gone = [name for name in self._marks if name not in marks]
        self._marks = marks
        return sorted({*changed, *ended} - {*gone}), gone

    def _is_under_way(self, name: str) -> bool:
        own, _, number = name.rpartition(".")
        return self.home.is_under_way(LocalRun(own, int(number), {}))

    def _read(self, names: list[str]) -> list[Run]:
        return [run for name in names if (run := self._runs.read(name)) is not None]


def _marks(folder: Path) -> dict[str, Mark]:
    found = {}
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            own, _, number = entry.name.removesuffix(".json").rpartition(".")
            if entry.name.endswith(".json") and own and number.isdecimal():
                with contextlib.suppress(FileNotFoundError):
                    about = entry.stat()
                    found[f"{own}.{number}"] = (about.st_mtime_ns, about.st_size, about.st_ino)
    return found


def _points(path: Path) -> list[Mapping[str, Any]]:
    """The lines of a file of metrics that are any; the last may not be whole yet. Follows no link: the step wrote it."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return []
    with os.fdopen(file, "rb") as stream:
        lines = stream.read().split(b"\n")
    found: list[Mapping[str, Any]] = []
    for line in lines:
        with contextlib.suppress(ValueError):
            point = json.loads(line)
            if isinstance(point, dict) and isinstance(point.get("name"), str) and _is_number(point.get("value")):
                found.append(point)
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
