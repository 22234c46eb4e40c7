"""A place as the page has it: its runs by `mlworkflow.runs`, an index of them that is kept up to date, and what else there is to know and to do there.

`local_site` and `cluster_site` implement it. One site belongs to one user, and sees and does what that user may.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from mlworkflow.runs.run import Resource, Run, Runs
from mlworkflow.ui.answers import KubeEvent, Pod, Rights, Verb
from mlworkflow.ui.index import Index

VERBS: tuple[Verb, ...] = ("submit", "retry", "suspend", "resume", "approve", "cancel", "delete", "promote")
Mode = Literal["local", "cluster", "team"]
Batch = tuple[Sequence[Mapping[str, Any]], bool]
"""Points of metrics, ``{"name": …, "value": …, "step": …}``, all from the first on; and whether nothing more comes."""


class Site(Protocol):
    """Every method may raise RunsError."""

    mode: Mode
    place: str
    namespace: str
    index: Index

    async def start(self) -> None:
        """Begin to watch."""

    async def close(self) -> None:
        """End whatever it has begun."""

    async def user(self) -> str:
        """By which name the place knows the user."""

    async def namespaces(self) -> list[str]:
        """Those that the user can choose from."""

    async def look_into(self, namespace: str) -> None:
        """Have the index hold the runs of a namespace, if it does not yet."""

    def runs(self, namespace: str) -> Runs:
        """The runs of one namespace."""

    async def rights(self, namespace: str) -> Rights:
        """What the user may do there."""

    async def pod(self, run: Run, task: str, attempt: int) -> Pod | None:
        """The Pod of an attempt; None where there are none."""

    async def events(self, run: Run) -> list[KubeEvent]:
        """What Kubernetes tells of a workflow."""

    async def metrics(self, run: Run, task: str, attempt: int) -> Batch:
        """What an attempt has said of its metrics so far."""

    async def submit(self, resource: Resource) -> tuple[str, str]:
        """Start a workflow; the namespace and id of the run."""

    async def settled(self, run: Run) -> None:
        """Return when whoever carried out a run that has ended has let it go, or does not within a while."""

    async def go_on(self, run: Run, patch: Mapping[str, Any]) -> None:
        """Have a run go on with a patch of its spec, also one that has ended."""
