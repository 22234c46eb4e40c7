"""Workflows on simulated nodes beside bare Pods: what the engine costs where containers cost nothing.

Ours and theirs alternate, medians count. Both sorts of Pods are the same, run on the same nodes, and end in the same way (`agents`).
"""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.config import load_config
from mlworkflow.kube.paths import MLWORKFLOWS, NAMESPACES, PODS
from node import api

from tests.perf import counts, operator_process, pods, searches, workflows
from tests.perf.agents import Agents
from tests.perf.rounds import alternated
from tests.perf.table import Line, compared, measured

ROOT = Path(__file__).parents[2]
NAMESPACE = f"perf-{uuid.uuid4().hex[:8]}"
NODES = 10
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where the store is: the cluster's own is not on a disk either, nor does it wait for one."""


@dataclass(frozen=True)
class Case:
    """Layers of Pods, how often, and the budgets: of the time as a ratio to bare Pods, of the operator's writes a step, of workflows a minute."""

    what: str
    widths: Sequence[int]
    budget: float | None
    rounds: int = 5
    workflows: int = 1
    writes: float | None = None
    per_minute: float | None = None

    @property
    def count(self) -> int:
        return sum(self.widths) * self.workflows


CASES = (
    Case("chain of 100", [1] * 100, 1.5, writes=2.1),
    Case("fan-out of 1,000", [1000], 1.2, writes=1.1),
    Case("100 layers of 100", [100] * 100, 1.2, rounds=1),
    Case("fan-out of 10,000", [10_000], 1.2, rounds=1),
    Case("200 workflows of 5 steps at once", [1] * 5, None, rounds=3, workflows=200),
    Case("300 workflows of one step", [1], None, workflows=300, per_minute=810),
)


class Simulation:
    """A namespace on simulated nodes, an operator for it, and the client that plays everybody else."""

    def __init__(
        self, client: KubeClient, watched: pods.Watched, operator: operator_process.Operator, agents: Agents
    ) -> None:
        self.client, self.watched, self.operator, self.agents = client, watched, operator, agents
        self.writes: Counter[str] = Counter()
        self.stored = {"ours": 0, "bare": 0}

    async def pod(self) -> pods.Json:
        """A Pod as the operator makes it."""
        self.agents.is_silent = True
        path = MLWORKFLOWS.path(NAMESPACE)
        resource = workflows.workflow(workflows.layers([1], workflows.SIMULATED))
        await self.client.create(path, resource)
        await self.watched.until(lambda phases: "Running" in phases.values())
        (found,) = (await self.client.list(PODS.path(NAMESPACE)))["items"]
        await self.clear()
        self.agents.is_silent = False
        return found  # type: ignore[no-any-return]

    async def ours(self, case: Case) -> float:
        """Seconds; nothing is left of it."""
        steps = workflows.layers(case.widths, workflows.SIMULATED)
        return await self.timed([workflows.workflow(steps) for _ in range(case.workflows)])

    async def timed(self, resources: Sequence[workflows.Json]) -> float:
        """Seconds that these take; nothing is left of them."""
        before, bytes_before = await counts.writes(self.client), counts.stored()
        took = await workflows.run(self.client, NAMESPACE, resources)
        self.writes, self.stored["ours"] = await counts.writes(self.client) - before, counts.stored() - bytes_before
        if self.agents.troubles:
            raise workflows.Ended(self.agents.troubles[0])
        await self.clear()
        return took

    async def bare(self, case: Case, pod: pods.Json) -> float:
        """As `ours`."""
        before = counts.stored()
        async with pods.Watched(self.client, NAMESPACE).watching() as watched:  # as an operator has, beside the agents'
            if case.workflows == 1:
                took = await pods.run_layers(self.client, watched, pod, case.widths)
            else:
                took = await pods.run_chains(self.client, watched, pod, case.workflows, len(case.widths))
            await self.watched.until(lambda phases: not phases)
        self.stored["bare"] = counts.stored() - before
        return took

    async def clear(self) -> None:
        """Deletes all workflows and Pods."""
        await workflows.delete_all(self.client, NAMESPACE)
        await self.watched.cleared()


async def compare(simulation: Simulation, cases: Sequence[Case]) -> AsyncIterator[Line]:
    """A line for each case."""
    pod = await simulation.pod()
    for case in cases:
        before = simulation.operator.cpu()

        def remark(case: Case = case) -> str:
            nonlocal before
            before, earlier = simulation.operator.cpu(), before
            return f"  operator {1000 * (before - earlier) / case.count:6.2f} ms/step"

        medians = await alternated(
            case.what, case.rounds, partial(simulation.ours, case), partial(simulation.bare, case, pod), remark
        )
        yield compared(f"simulated: {case.what}", "s", *medians, case.budget)
        for line in counted(simulation, case, medians[0]):
            yield line


def counted(simulation: Simulation, case: Case, took: float) -> Iterator[Line]:
    """What the last round of a case cost in calls and bytes, and how many workflows a minute that was."""
    print(f"  {case.what}: {dict(simulation.writes)}", flush=True)
    yield measured(
        f"  writes of the operator, {case.what}", "a step", simulation.writes.total() / case.count, case.writes
    )
    ours, bare = (simulation.stored[whose] / case.count / 1024 for whose in ("ours", "bare"))
    yield compared(f"  to etcd, {case.what}", "KiB/step", ours, bare, None)
    if case.per_minute is not None:
        rate = 60 * case.workflows / took
        yield measured("  workflows a minute", "", rate, case.per_minute, least=True)


async def live_steps(simulation: Simulation, count: int) -> AsyncIterator[Line]:
    """Memory of an operator with nothing to do, and with this many steps running; how soon one that was killed goes on."""
    operator, client = simulation.operator, simulation.client
    operator.stop()
    operator.start()
    yield measured("memory, idle", "MiB", operator.memory() / 2**20, 128)
    simulation.agents.is_silent = True
    resource = workflows.workflow(workflows.layers([count], workflows.SIMULATED))
    await client.create(MLWORKFLOWS.path(NAMESPACE), resource)
    await simulation.watched.until(lambda phases: sum(phase == "Running" for phase in phases.values()) == count)
    yield measured(f"memory, {count} live steps", "MiB", operator.memory() / 2**20, 256)
    operator.kill()
    began = time.perf_counter()
    operator.start()
    probe = workflows.workflow(workflows.layers([1], workflows.SIMULATED))
    await client.create(MLWORKFLOWS.path(NAMESPACE), probe)
    await simulation.watched.until(lambda phases: len(phases) > count)
    yield measured(f"restart with {count} live steps, to the next Pod", "s", time.perf_counter() - began, None)
    await simulation.clear()
    simulation.agents.is_silent = False


@contextmanager
def nodes() -> Iterator[None]:
    """The test node with our resource, simulated nodes beside it. What was not there before is gone afterwards."""
    kubectl = [str(api.binary("kubectl")), "--kubeconfig", str(api.ensure_up())]
    crds = ["-f", str(ROOT / "crds")]
    is_there = subprocess.run([*kubectl, "get", *crds], capture_output=True).returncode == 0
    if not is_there:
        subprocess.run([*kubectl, "create", *crds], check=True, stdout=subprocess.DEVNULL)
    api.kwok.start(NODES)
    try:
        yield
    finally:
        api.kwok.stop()
        if not is_there:
            subprocess.run([*kubectl, "delete", *crds], check=True, stdout=subprocess.DEVNULL)


@asynccontextmanager
async def simulation() -> AsyncIterator[Simulation]:
    """Everything, for as long as it lasts."""
    with nodes(), tempfile.TemporaryDirectory(prefix="mlworkflow-perf-", dir=MEMORY) as folder:
        async with KubeClient(load_config(kubeconfig=api.KUBECONFIG), limit=64) as client:
            await client.create(NAMESPACES.path(), {"metadata": {"name": NAMESPACE}})
            try:
                with operator_process.running(Path(folder), NAMESPACE) as operator:
                    async with pods.Watched(client, NAMESPACE).watching() as watched:
                        agents = await Agents.make(client, watched, operator.gateway)
                        made = Simulation(client, watched, operator, agents)
                        try:
                            yield made
                        finally:
                            await made.clear()
                            await agents.close()
            finally:
                await client.delete(NAMESPACES.path(name=NAMESPACE))


async def lines(names: Sequence[str] = ()) -> list[Line]:
    """Everything that is measured on simulated nodes, or the cases whose names hold one of `names`; `search` and `live` are names too."""
    chosen = [case for case in CASES if not names or any(name in case.what for name in names)]
    async with simulation() as made:
        parts = [compare(made, chosen)]
        if not names or "search" in names:
            parts.append(searches.compare(made))
        if not names or "live" in names:
            parts.append(live_steps(made, 10_000))
        found = []
        for part in parts:
            async for line in part:
                print(line.row(), flush=True)
                found.append(line)
        return found


def main(names: Sequence[str] = ()) -> list[Line]:
    """As `lines`."""
    return asyncio.run(lines(names))
