"""Two operators beside one, on simulated nodes: how much of the work two share, and what each of them repeats.

A machine of two cores has no room for two operators at full speed beside an API server, etcd, a scheduler and the simulated kubelets, so times would
tell of these. What is compared is the processor's: what one operator alone spends on the work, and the busier of two, which is what bounds how fast
they can be where the API server is not the limit. What the control plane spends on the same work is told beside it.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.config import load_config
from mlworkflow.kube.members.leases import VIEW
from mlworkflow.kube.paths import LEASES, NAMESPACES
from node import api

from tests.component.servers import minio
from tests.perf import pods, workflows
from tests.perf.agents import Agents
from tests.perf.operator_process import Operator, processor_of
from tests.perf.simulated import MEMORY, nodes
from tests.perf.table import Line, compared, measured

WORKFLOWS, LAYERS, ROUNDS = 60, 5, 2
CONTROL_PLANE = ("kube-apiserver", "etcd", "kube-scheduler", "kube-controller-manager", "kwok")


@dataclass(frozen=True)
class Spent:
    """Seconds of the processor: of each operator, and of the control plane."""

    operators: list[float]
    control_plane: dict[str, float]

    def since(self, before: Spent) -> Spent:
        mine = [now - then for now, then in zip(self.operators, before.operators, strict=True)]
        theirs = {name: now - before.control_plane[name] for name, now in self.control_plane.items()}
        return Spent(mine, theirs)


class Members:
    """So many operators for a namespace, and the agents of its Pods, which call them in turn."""

    def __init__(self, client: KubeClient, namespace: str, watched: pods.Watched, operators: list[Operator]) -> None:
        self.client, self.namespace, self.watched, self.operators = client, namespace, watched, operators

    async def work(self, count: int) -> Spent:
        """What so many workflows cost; nothing is left of them."""
        before = self._spent()
        steps = [workflows.workflow(workflows.layers([1] * LAYERS, workflows.SIMULATED)) for _ in range(count)]
        await workflows.run(self.client, self.namespace, steps)
        spent = self._spent().since(before)
        await workflows.delete_all(self.client, self.namespace)
        await self.watched.cleared()
        return spent

    def _spent(self) -> Spent:
        return Spent([operator.cpu() for operator in self.operators], control_plane())


@asynccontextmanager
async def members(client: KubeClient, store: str, folder: Path, count: int) -> AsyncIterator[Members]:
    """One alone, or several that agree."""
    namespace = f"perf-{uuid.uuid4().hex[:8]}"
    await client.create(NAMESPACES.path(), {"metadata": {"name": namespace}})
    async with AsyncExitStack() as stack:
        stack.push_async_callback(client.delete, NAMESPACES.path(name=namespace))
        operators = []
        for number in range(count):
            mine = folder / f"{count}-{number}"
            mine.mkdir()
            several = {
                "MLWF_MEMBER": f"perf-{number}", "MLWF_MEMBER_NAMESPACE": namespace,
                "MLWF_MEMBER_GROUP": "perf", "MLWF_MEMBER_ADDRESS": "127.0.0.1",
            }  # fmt: skip
            operator = Operator(mine, store, namespace, several if count > 1 else {})
            operator.start()
            stack.callback(operator.stop)
            operators.append(operator)
        if count > 1:
            await agreed(client, namespace, count)
        watched = await stack.enter_async_context(pods.Watched(client, namespace).watching())
        agents = await Agents.make(client, watched, *(operator.gateway for operator in operators))
        stack.push_async_callback(agents.close)
        yield Members(client, namespace, watched, operators)
        if agents.troubles:
            raise workflows.Ended(agents.troubles[0])


async def agreed(client: KubeClient, namespace: str, count: int) -> None:
    """Returns once each acts by all of them."""
    while True:
        leases = (await client.list(LEASES.path(namespace)))["items"]
        if [len(lease["metadata"]["annotations"][VIEW].split(",")) for lease in leases] == [count] * count:
            return
        await asyncio.sleep(0.2)


def control_plane() -> dict[str, float]:
    """Seconds of the processor so far, by program."""
    spent = dict.fromkeys(CONTROL_PLANE, 0.0)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().partition(b"\0")[0]
            name = Path(command.decode(errors="replace")).name
            if name in spent:
                spent[name] += processor_of(process)
        except OSError:  # it has just ended
            continue
    return spent


async def lines() -> list[Line]:
    """One beside two."""
    busiest: dict[int, float] = {}
    steps = WORKFLOWS * LAYERS
    with nodes(), tempfile.TemporaryDirectory(prefix="mlworkflow-perf-", dir=MEMORY) as name:
        folder = Path(name)
        with minio(folder) as store:
            async with KubeClient(load_config(kubeconfig=api.KUBECONFIG), limit=64) as client:
                for count in (1, 2):
                    async with members(client, store, folder, count) as those:
                        await those.work(4)  # what is done once in a process's life
                        rounds = [await those.work(WORKFLOWS) for _ in range(ROUNDS)]
                    for spent in rounds:
                        mine = " + ".join(f"{1000 * seconds / steps:.2f}" for seconds in spent.operators)
                        theirs = ", ".join(
                            f"{name} {1000 * seconds / steps:.2f}" for name, seconds in spent.control_plane.items()
                        )
                        print(f"  {count} operators: {mine} ms of CPU a step; {theirs}", flush=True)
                    busiest[count] = statistics.median(max(spent.operators) for spent in rounds)
                    plane = statistics.median(sum(spent.control_plane.values()) for spent in rounds)
    return [
        compared("replicas: what two can do beside one", "ms/step", 1000 * busiest[1] / steps, 1000 * busiest[2] / steps, None, least=True),
        measured("replicas: CPU of the control plane", "ms/step", 1000 * plane / steps, None),
    ]  # fmt: skip


def main() -> list[Line]:
    """As `lines`."""
    return asyncio.run(lines())
