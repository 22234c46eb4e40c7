"""Workflows on the real node beside bare Pods: the same image and the same Pod, in which the same nothing is run.

Ours and theirs alternate, medians count. A step with an artifact makes one of 1 MB, and takes that of the step before.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.config import load_config
from mlworkflow.kube.paths import MLWORKFLOWS, NAMESPACES, PODS
from node import api

from tests.perf import pods, workflows
from tests.perf.rounds import alternated
from tests.perf.table import Line, compared, measured

ROOT = Path(__file__).parents[2]
SYSTEM, RELEASE = "mlworkflow-system", "mlworkflow"
NAMESPACE = f"perf-{uuid.uuid4().hex[:8]}"
MEGABYTE = "head -c 1000000 /dev/urandom > $MLWF_OUT/data"


@dataclass(frozen=True)
class Case:
    """Layers of Pods, whether each leaves an artifact, and the budget."""

    what: str
    widths: Sequence[int]
    budget: float | None
    has_artifact: bool = False
    rounds: int = 2


CASES = (
    Case("chain of 20", [1] * 20, 0.35),
    Case("chain of 20, 1 MB a step", [1] * 20, None, has_artifact=True),
    Case("fan-out of 50", [50], 1.1),
    Case("fan-out of 50, 1 MB a step", [50], None, has_artifact=True),
)
CACHED = Case("chain of 10, all of it cached", [1] * 10, 1.0, has_artifact=True, rounds=5)


def steps_of(case: Case) -> list[workflows.Json]:
    """The steps of a case."""
    command = ["sh", "-c", MEGABYTE] if case.has_artifact else ["true"]
    container = {"image": api.image("steps"), "agent": True, "command": command}
    steps = workflows.layers(case.widths, {}, container)
    if case.has_artifact:
        for before, step in zip([None, *steps], steps, strict=False):
            step["outputs"] = {"data": {}}
            if before:
                step["inputs"] = {"data": {"from": f"{before['name']}.data"}}
    return steps


async def compare(client: KubeClient, cases: Sequence[Case]) -> AsyncIterator[Line]:
    """A line for each case."""
    async with pods.Watched(client, NAMESPACE).watching() as watched:
        pod = await _a_pod(client, watched)
        for case in cases:

            async def ours(case: Case = case) -> float:
                took = await workflows.run(client, NAMESPACE, [workflows.workflow(steps_of(case))])
                await workflows.delete_all(client, NAMESPACE)
                await watched.cleared()
                return took

            async def bare(case: Case = case) -> float:
                return await pods.run_layers(client, watched, pod, case.widths)

            yield compared(
                f"node: {case.what}", "s", *await alternated(case.what, case.rounds, ours, bare), case.budget
            )


async def cached(client: KubeClient) -> AsyncIterator[Line]:
    """How long a workflow takes whose results are known, and how many Pods it makes."""
    steps = [{**step, "cache": {"enabled": True}} for step in steps_of(CACHED)]
    async with pods.Watched(client, NAMESPACE).watching() as watched:
        await workflows.run(client, NAMESPACE, [workflows.workflow(steps)])
        # What ran, by its digest, is known once the kubelet says so.
        await watched.until(lambda phases: set(phases.values()) == {"Succeeded"})
        await workflows.delete_all(client, NAMESPACE)
        await watched.cleared()
        took = []
        made: set[str] = set()
        watched.hears.append(lambda pod, is_gone: made.add(pod["metadata"]["name"]))
        for _ in range(CACHED.rounds):
            took.append(await workflows.run(client, NAMESPACE, [workflows.workflow(steps)]))
            print(f"  {CACHED.what:40} {took[-1]:8.3f} s", flush=True)
            await workflows.delete_all(client, NAMESPACE)
    yield measured(f"node: {CACHED.what}", "s", statistics.median(took), CACHED.budget)
    yield measured(f"  Pods made, {CACHED.what}", "", len(made), 0)


async def _a_pod(client: KubeClient, watched: pods.Watched) -> pods.Json:
    """A Pod as the operator makes it, but for the agent, which would wait for a workflow that there is not."""
    resource = workflows.workflow(steps_of(Case("", [1], None)))
    await client.create(MLWORKFLOWS.path(NAMESPACE), resource)
    await watched.until(lambda phases: "Succeeded" in phases.values())
    (pod,) = (await client.list(PODS.path(NAMESPACE)))["items"]
    await workflows.delete_all(client, NAMESPACE)
    await watched.cleared()
    pod["spec"]["containers"][0]["command"] = ["python", "-c", "pass"]
    return pod  # type: ignore[no-any-return]


@contextmanager
def installed() -> Iterator[None]:
    """The chart on the test node, with MinIO and images of this checkout."""
    kubeconfig = str(api.ensure_up())
    api.ensure_images()
    helm = [str(api.binary("helm")), "--kubeconfig", kubeconfig, "--namespace", SYSTEM]
    chart = str(ROOT / "charts/mlworkflow")
    options = ["--create-namespace", "--set", "store.persistence.enabled=false", "--wait", "--timeout", "3m"]
    subprocess.run([*helm, "upgrade", "--install", RELEASE, chart, *options], check=True, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        subprocess.run([*helm, "uninstall", RELEASE, "--wait"], check=True, stdout=subprocess.DEVNULL)


@asynccontextmanager
async def connected() -> AsyncIterator[KubeClient]:
    """A client, and the namespace that everything is in."""
    with installed():
        async with KubeClient(load_config(kubeconfig=api.KUBECONFIG), limit=64) as client:
            await client.create(NAMESPACES.path(), {"metadata": {"name": NAMESPACE}})
            try:
                yield client
            finally:
                await client.delete(NAMESPACES.path(name=NAMESPACE))


async def _lines(names: Sequence[str]) -> list[Line]:
    chosen = [case for case in CASES if not names or any(name in case.what for name in names)]
    async with connected() as client:
        found = [line async for line in compare(client, chosen)] if chosen else []
        if not names or any(name in CACHED.what for name in names):
            found += [line async for line in cached(client)]
        return found


def main(names: Sequence[str] = ()) -> list[Line]:
    """Everything that is measured on the real node, or the cases whose names hold one of `names`."""
    return asyncio.run(_lines(names))
