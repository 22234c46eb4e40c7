"""A run, wherever it is, and what can be done with runs: the one interface of local and cluster runs.

Every method may raise CliError, and nothing else that a user could cause.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from mlworkflow.cli.errors import CliError
from mlworkflow.core.state import Phase, step_of, trial_id, trial_number

Resource: TypeAlias = Mapping[str, Any]
LOGS = "logs"


@dataclass(frozen=True, slots=True)
class Run:
    """`id` is what it is called on the command line: ``digits.2`` locally, the resource's name in a cluster."""

    id: str
    resource: Resource

    @property
    def uid(self) -> str:
        return str(self.resource["metadata"]["uid"])

    @property
    def namespace(self) -> str:
        return str(self.resource["metadata"].get("namespace") or "default")

    @property
    def status(self) -> Mapping[str, Any]:
        status: Mapping[str, Any] | None = self.resource.get("status")
        return status or {}

    @property
    def phase(self) -> Phase:
        return Phase(self.status.get("phase") or Phase.PENDING)

    @property
    def steps(self) -> list[Mapping[str, Any]]:
        """The status of every step, in the order of the spec."""
        return list(self.status.get("steps") or [])

    def tasks(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Every task that has started, with its status: steps, and before each tune step its trials."""
        for step in self.steps:
            for trial in step.get("trials") or []:
                yield trial_id(step["name"], int(trial.get("number") or 0)), trial
            if step.get("attempts"):
                yield step["name"], step

    def task(self, name: str) -> Mapping[str, Any]:
        """The status of a step (``train``) or a trial (``tune/3``). Raises CliError that names those there are."""
        steps = {step["name"]: step for step in self.steps}
        step: Mapping[str, Any] | None = steps.get(step_of(name))
        number = name.partition("/")[2]
        if step is None or (number and not number.isdecimal()):
            raise CliError(f"{self.id} has no step '{name}'", f"it has: {', '.join(steps) or 'none yet'}")
        if not number:
            return step
        trials = {int(trial.get("number") or 0): trial for trial in step.get("trials") or []}
        trial: Mapping[str, Any] | None = trials.get(trial_number(name) or 0)
        if trial is None:
            raise CliError(f"{self.id} has no trial '{name}'", f"step '{step_of(name)}' has {len(trials)} so far")
        return trial

    def plain(self) -> dict[str, Any]:
        """The resource, and before it what to call it."""
        return {"id": self.id, **self.resource}


class Runs(Protocol):
    """Runs of one place. `flags` is what a suggested command needs in order to find this place again."""

    is_local: bool
    flags: str

    async def list(self, everywhere: bool = False) -> list[Run]:
        """All runs, oldest first; `everywhere` is for all namespaces."""

    async def get(self, name: str) -> Run:
        """Raises NoSuchRun."""

    def watch(self, name: str) -> AsyncGenerator[Run, None]:
        """The run as it is, and again whenever it changed, until it has ended. NoSuchRun also when it is deleted."""

    async def record(self, run: Run, task: str, attempt: int) -> Mapping[str, Any] | None:
        """The commit record of an attempt, or None."""

    async def kept_log(self, run: Run, task: str, attempt: int) -> Mapping[str, Any] | None:
        """Which artifact is the log of an attempt that was stopped before it could commit, or None."""

    def artifact(self, run: Run, digest: str) -> AsyncGenerator[bytes, None]:
        """The bytes of an artifact, unverified."""

    def live_log(self, run: Run, task: str, attempt: int, follow: bool) -> AsyncGenerator[bytes, None]:
        """The output of an attempt that may still be running; raises NoLog where there is none (any more)."""

    async def change(self, run: Run, spec: Mapping[str, Any]) -> None:
        """Merge into the spec: `cancel`, `suspend`."""

    async def delete(self, run: Run) -> None:
        """Forget it."""


class NoLog(CliError):
    """Nothing to read (any more) where an attempt runs."""
