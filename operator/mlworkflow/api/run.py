"""A run, on this machine or in a cluster, as it is now: what is read of it before it has ended is looked up each time."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from mlworkflow.api import loop, tables
from mlworkflow.api.artifact import Artifact
from mlworkflow.api.display import Shown, page
from mlworkflow.api.errors import RunFailed
from mlworkflow.api.places import PlaceOptions, place_of
from mlworkflow.core.state import Phase
from mlworkflow.runs import artifacts, download, logs
from mlworkflow.runs.artifacts import Artifact as Left
from mlworkflow.runs.completing import completed
from mlworkflow.runs.errors import Removed
from mlworkflow.runs.places import Place, runs_at
from mlworkflow.runs.run import Run as Known
from mlworkflow.runs.run import Runs

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")


class Run:
    """A run. `id` is what the command line calls it."""

    def __init__(self, place: Place, known: Known) -> None:
        self._place, self._known = place, known
        self.id = known.id

    @property
    def uid(self) -> str:
        return self._known.uid

    @property
    def phase(self) -> str:
        """Pending, Running, Suspended, Succeeded, Failed or Cancelled."""
        return str(self._now().phase)

    @property
    def message(self) -> str:
        """Of one that failed the first cause, of one that runs what it waits for."""
        return str(self._now().status.get("message", ""))

    @property
    def steps(self) -> Mapping[str, StepRun]:
        """The steps by name, in their order; what steps are made of (items, trials, steps of groups) is there by its name too: `run.steps["tune/3"]`."""
        return Steps(self, self._now())

    @property
    def outputs(self) -> dict[str, dict[str, Any]]:
        """Step → output parameters."""
        return {name: step.outputs for name, step in self.steps.items()}

    @property
    def resource(self) -> Mapping[str, Any]:
        """What `kubectl get -o yaml` shows: metadata, spec and status."""
        return self._now().resource

    def wait(self, timeout: float | None = None) -> Run:
        """Until it has ended; in a notebook its table is shown meanwhile. Raises RunFailed unless it succeeded, and TimeoutError after `timeout` seconds: it goes on then."""

        async def watched() -> AsyncGenerator[Known, None]:
            async with runs_at(self._place) as runs, aclosing(runs.watch(self.id)) as versions:
                async for version in versions:
                    yield version

        shown = Shown(lambda: page(self._known))
        try:
            for version in loop.iterate(watched, timeout):
                self._known = version
                shown.update()
        except TimeoutError:
            raise TimeoutError(
                f"{self.id} has not ended after {timeout:g} s; it goes on: {self._known.phase}"
            ) from None
        if not self._known.phase.is_finished:
            self._known = self._ask(lambda runs: runs.get(self.id))
        if self._known.phase is not Phase.SUCCEEDED:
            raise self._failure()
        return self

    def stop(self) -> None:
        """Ask it to end; `wait` for that."""
        self._ask(lambda runs: runs.change(self._known, {"cancel": True}))

    def artifact(self, name: str, *, attempt: int | None = None) -> Artifact:
        """What a step left: `prep.train`, `tune/3.model`, `train.logs`; with `attempt` what one that failed did. Raises RunsError."""
        known = self._now()
        found = self._ask(lambda runs: artifacts.find(runs, known, name, attempt))
        return Artifact(found, self._fetch)

    def artifacts(self) -> list[Artifact]:
        """Everything that its steps left."""
        known = self._now()
        return [Artifact(each, self._fetch) for each in self._ask(lambda runs: artifacts.artifacts_of(runs, known))]

    def logs(self, step: str | None = None, *, attempt: int | None = None) -> str:
        """What a step printed (the last attempt), or all of them did."""
        known = self._now()

        async def read(runs: Runs) -> bytes:
            log = logs.log_of(runs, known, step, attempt, False) if step else logs.all_logs(runs, known, False)
            return b"".join([piece async for piece in log])

        return self._ask(read).decode("utf-8", "replace")

    def trials(self, step: str | None = None) -> pd.DataFrame:
        """What a `tune` step has tried, a row per trial: its parameters, its values, how it ended. Raises RunsError, ExtraMissing."""
        return tables.trials(self._ask(lambda runs: completed(runs, self._now())), step)

    def metrics(self) -> pd.DataFrame:
        """Every number that tasks have said or left, a row each: `task`, `name`, `step` (of values on the way), `value`. Raises RunsError, ExtraMissing."""
        known = self._now()
        return self._ask(lambda runs: tables.metrics(runs, known))

    def record(self, task: str, attempt: int) -> Mapping[str, Any]:
        """What was committed by an attempt (step contract, section 4); empty where nothing was."""
        return self._ask(lambda runs: runs.record(self._known, task, attempt)) or {}

    def delete(self) -> None:
        """Forget it, but for what is kept of it."""
        self._ask(lambda runs: runs.delete(self._known))

    def _now(self) -> Known:
        if not self._known.phase.is_finished and not self._known.is_archived:
            self._known = self._ask(lambda runs: runs.get(self.id))
        return self._known

    def _ask(self, action: Callable[[Runs], Awaitable[T]]) -> T:
        return ask(self._place, action)

    def _fetch(self, artifact: Left, target: Path) -> Path:
        async def fetch(runs: Runs) -> Path | None:
            try:
                return await download.download(artifact, lambda digest: runs.artifact(self._known, digest), str(target))
            except Removed:
                if why := await artifacts.why_removed(runs, self._known, artifact):
                    raise Removed(why) from None
                raise

        found = self._ask(fetch)
        assert found is not None
        return found

    def _failure(self) -> RunFailed:
        known = self._known
        failed = [step for step in known.steps if step.get("phase") == Phase.FAILED]
        first = min(failed, key=lambda step: step.get("finishedAt") or "~", default={})
        message = str(first.get("message") or known.status.get("message", ""))
        return RunFailed(self.id, str(known.phase), str(first.get("name", "")), str(first.get("reason", "")), message)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        self._now()
        return {"text/plain": repr(self), "text/html": page(self._known)}

    def __repr__(self) -> str:
        where = "" if self._place.is_local(os.environ) else f" in {self._known.namespace}"
        return f"<run {self.id}{where}: {self._known.phase} {self._known.status.get('progress', '')}".rstrip() + ">"


class StepRun:
    """A step of a run, or a task below one. `outputs` are its parameters, `artifacts` the names of what it left."""

    def __init__(self, run: Run, status: Mapping[str, Any]) -> None:
        self._run, self._status = run, status
        self.name, self.phase = str(status["name"]), str(status.get("phase") or Phase.PENDING)
        self.reason, self.message = str(status.get("reason", "")), str(status.get("message", ""))
        self.attempts, self.cached = int(status.get("attempts") or 0), bool(status.get("cached"))
        self.artifacts = list(status.get("artifacts") or {})

    @property
    def outputs(self) -> dict[str, Any]:
        """Output parameters; large ones from their record."""
        outputs = dict(self._status.get("outputs") or {})
        if self._status.get("largeOutputs"):
            outputs |= self._run.record(self.name, self.attempts - 1).get("parameters") or {}
        return outputs

    def artifact(self, name: str) -> Artifact:
        """What it left under this name."""
        return self._run.artifact(f"{self.name}.{name}")

    def logs(self) -> str:
        """What its last attempt printed."""
        return self._run.logs(self.name)

    def __repr__(self) -> str:
        return f"<{self.name}: {self.phase}{f' ({self.reason})' if self.reason else ''}>"


class Steps(Mapping[str, StepRun]):
    """The steps of a run by name; a task below one is found by its name too."""

    def __init__(self, run: Run, known: Known) -> None:
        self._run, self._known = run, known

    def __getitem__(self, name: str) -> StepRun:
        """Raises RunsError that names those there are."""
        return StepRun(self._run, self._known.task(name))

    def __iter__(self) -> Iterator[str]:
        return (step["name"] for step in self._known.steps)

    def __len__(self) -> int:
        return len(self._known.steps)

    def __contains__(self, name: object) -> bool:
        return name in self._known.known

    def __repr__(self) -> str:
        return f"[{', '.join(map(repr, self.values()))}]"


def ask(place: Place, action: Callable[[Runs], Awaitable[T]]) -> T:
    """What `action` finds out about the runs of a place."""

    async def asked() -> T:
        async with runs_at(place) as runs:
            return await action(runs)

    return loop.call(asked())


def run(name: str, **options: Unpack[PlaceOptions]) -> Run:
    """A run by its name, or the last of a workflow; also one that is gone and is kept. Raises NoSuchRun."""
    place = place_of(options)
    return Run(place, ask(place, lambda runs: runs.get(name)))


def list_runs(**options: Unpack[PlaceOptions]) -> list[Run]:
    """All runs, the oldest first."""
    place = place_of(options)
    return [Run(place, known) for known in ask(place, lambda runs: runs.list())]
