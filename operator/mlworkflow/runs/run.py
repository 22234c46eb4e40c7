"""A run, wherever it is, and what can be done with runs: the one interface of local and cluster runs.

Every method may raise RunsError, and nothing else that a user could cause.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, BinaryIO, Protocol, TypeAlias

from mlworkflow.core import paths
from mlworkflow.core.observation import AttemptId
from mlworkflow.core.state import Phase
from mlworkflow.core.values import ArtifactRef
from mlworkflow.runs.errors import RunsError
from mlworkflow.runs.lineage.book import Act
from mlworkflow.store.layout import Line

Resource: TypeAlias = Mapping[str, Any]
LOGS = "logs"


@dataclass(frozen=True)  # without slots: what is worked out from ten thousand tasks is kept
class Run:
    """`id` is what it is called on the command line: ``digits.2`` locally, the resource's name in a cluster, and the uid of one that was asked for by
    that. One that `is_archived` is gone, but for what is kept of it.
    """

    id: str
    resource: Resource
    is_archived: bool = False

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

    @cached_property
    def known(self) -> dict[str, Mapping[str, Any]]:
        """The status of every step and of every task below one, by name."""
        return {task["name"]: task for task in [*(self.status.get("tasks") or []), *self.steps]}

    @cached_property
    def _parts(self) -> dict[str, list[Mapping[str, Any]]]:
        parts: dict[str, list[Mapping[str, Any]]] = {}
        for task in self.status.get("tasks") or []:
            parts.setdefault(paths.parent(task["name"]) or "", []).append(task)
        return parts

    @cached_property
    def _inside(self) -> dict[str, list[Mapping[str, Any]]]:
        inside: dict[str, list[Mapping[str, Any]]] = {}
        for task in self.status.get("tasks") or []:
            inside.setdefault(paths.step_of(task["name"]), []).append(task)
        return inside

    def below(self, name: str) -> list[Mapping[str, Any]]:
        """The status of every task that a task is made of: items, trials, the steps of a group."""
        return self._parts.get(name, [])

    def inside(self, step: str) -> list[Mapping[str, Any]]:
        """The status of every task that is part of a step, at any depth."""
        return self._inside.get(step, [])

    def tasks(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Every task that has started, with its status; what a step is made of comes before it."""
        for step in self.steps:
            yield from self._with_below(step)

    def _with_below(self, task: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for inner in self.below(task["name"]):
            yield from self._with_below(inner)
        if task.get("attempts"):
            yield task["name"], task

    def task(self, name: str) -> Mapping[str, Any]:
        """The status of a step (``train``) or of a task below one (``tune/3``). Raises RunsError that names those there are."""
        steps = {step["name"]: step for step in self.steps}
        if name in self.known:
            return self.known[name]
        segments = paths.segments(name)
        if not segments or segments[0].step not in steps:
            raise RunsError(f"{self.id} has no step '{name}'", f"it has: {', '.join(steps) or 'none yet'}")
        above = paths.parent(name) or segments[0].step
        inner = [task["name"] for task in self.below(above)]
        hint = (
            f"'{above}' has {', '.join(inner[:10])}{', …' if len(inner) > 10 else ''}"
            if inner
            else f"'{above}' has none so far"
        )
        raise RunsError(f"{self.id} has no task '{name}'", hint)

    def is_composed(self, name: str) -> bool:
        """Whether a task runs nothing itself, because it is made of others."""
        return name in self._parts or bool(self.known.get(name, {}).get("progress"))

    def plain(self) -> dict[str, Any]:
        """The resource, and before it what to call it."""
        return {"id": self.id, **self.resource}


@dataclass(frozen=True, slots=True)
class PodNow:
    """A Pod of a task: why it does not run yet (`waits`, empty where it does), and what it uses: `cpu` in cores, `memory` in bytes (None: not known)."""

    name: str
    node: str = ""
    waits: str = ""
    cpu: float | None = None
    memory: float | None = None


class Runs(Protocol):
    """Runs of one place. `flags` is what a suggested command needs in order to find this place again."""

    is_local: bool
    flags: str

    async def list(self, everywhere: bool = False) -> list[Run]:
        """All runs, oldest first; `everywhere` is for all namespaces."""

    async def archived(self) -> Sequence[Line]:
        """The runs that have ended and are kept, the first to end first: also those that are gone."""

    async def get(self, name: str) -> Run:
        """By name or uid; where there is none, the last of those that are gone. Raises NoSuchRun."""

    def watch(self, name: str) -> AsyncGenerator[Run, None]:
        """The run as it is, and again whenever it changed, until it has ended. NoSuchRun also when it is deleted."""

    async def record(self, run: Run, task: str, attempt: int) -> Mapping[str, Any] | None:
        """The commit record of an attempt, or None."""

    async def kept_log(self, run: Run, task: str, attempt: int) -> Mapping[str, Any] | None:
        """Which artifact is the log of an attempt that was stopped before it could commit, or None."""

    async def left(self, run: Run, task: str, attempt: int) -> Mapping[str, Any]:
        """The artifacts by name of an attempt that was stopped before it could commit."""

    async def attempts(self, run: Run) -> Sequence[AttemptId]:
        """The attempts that have a record, as (task, number)."""

    def acts(self) -> AsyncGenerator[Act, None]:
        """Everything that has been committed and is kept, of all runs."""

    async def raw_record(self, run: Run, task: str, attempt: int) -> bytes | None:
        """A commit record as it is in the store, or None."""

    async def statement(self, run: Run) -> bytes | None:
        """The signed statement of a run that has ended, or None."""

    async def signature(self, run: Run, task: str, attempt: int, artifact: str) -> bytes | None:
        """The signature of a model, or None."""

    async def public_keys(self) -> str:
        """The keys that statements are verified with, as PEM."""

    def artifact(self, run: Run, digest: str) -> AsyncGenerator[bytes, None]:
        """The bytes of an artifact, unverified."""

    def live_log(self, run: Run, task: str, attempt: int, follow: bool) -> AsyncGenerator[bytes, None]:
        """The output of an attempt that may still be running; raises NoLog where there is none (any more)."""

    async def submit(self, resource: Resource) -> Run:
        """Start a workflow, where that is not for this process to carry out."""

    async def change(self, run: Run, spec: Mapping[str, Any]) -> None:
        """Carry out a merge patch of the spec."""

    async def is_idle(self, run: Run) -> bool:
        """Whether it is this process that would have to carry out what is asked of a run, because nobody else does."""

    async def pods(self, everywhere: bool = False) -> Mapping[str, PodNow]:
        """The Pods of the runs as they are now, by name; none on this machine."""

    async def whoami(self) -> str:
        """The user's name, as this place knows it."""

    async def delete(self, run: Run) -> None:
        """Forget it, but for what is kept of it."""

    async def purge(self, run: Run) -> None:
        """Forget what is kept of a run that is gone."""

    async def datasets(self, name: str | None = None) -> Sequence[Mapping[str, Any]]:
        """Every version of a dataset, the newest first; of all datasets the newest. Empty where there is no such dataset."""

    async def add_dataset(
        self, name: str, artifact: ArtifactRef, source: str, content: BinaryIO | None
    ) -> Mapping[str, Any]:
        """Make an artifact, whose bytes are `content` or in the store, the newest version of a dataset."""

    async def remove_dataset(self, name: str, digest: str) -> None:
        """Forget a version of a dataset. Raises RunsError where there is none such."""

    async def models(self) -> Sequence[Mapping[str, Any]]:
        """Every model by name, as `store.model_log.Model`."""

    async def model(self, name: str) -> Mapping[str, Any] | None:
        """One of them, or None."""

    async def move_alias(self, name: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Move an alias of a model as `store.model_requests.Request` says; the move."""

    async def garbage(self, *, dry_run: bool, grace: float | None) -> Mapping[str, Any]:
        """Remove what nothing refers to any more and is older than `grace` seconds, or say what that is."""


def must_exist(run: Run) -> None:
    """Raises RunsError for a run that is gone."""
    if run.is_archived:
        raise RunsError(
            f"{run.id} is gone: it can only be looked at", "run it anew: mlwf submit FILE, or mlwf run FILE"
        )


class NoLog(RunsError):
    """Nothing to read (any more) where an attempt runs."""
