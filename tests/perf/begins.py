"""How long after its container each built-in kind begins its work, on the real node: the agent's start, its talk with the gateway, inputs, Python, imports.

A kind says so itself (`MLWF_DEBUG`), by the kernel's clock, because a Pod's status knows whole seconds only. One Pod at a time; the least of a few, for the
node shares its cores with everything else. What fetches or installs needs a network that the node may not have: `starts` has their part of the processor.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.paths import PODS

from tests.perf import workflows
from tests.perf.node import NAMESPACE, connected
from tests.perf.starts import BUDGET
from tests.perf.table import Line, measured

TIMES = 3
_SAID = re.compile(r"^(\w+) begins ([\d.]+) s after its container$", re.MULTILINE)
_TREE = "sklearn.tree.DecisionTreeClassifier"
STEPS: list[workflows.Json] = [
    {"name": "profile", "profile": {"source": {"sklearn": "iris"}, "target": "target"}},
    {"name": "prep", "prep": {"source": {"sklearn": "iris"}, "target": "target"}},
    {"name": "validate", "inputs": {"table": {"from": "prep.train"}}, "validate": {}},
    {"name": "train", "inputs": {"train": {"from": "prep.train"}}, "train": {"estimator": _TREE}},
    {"name": "rehearse", "inputs": {"model": {"from": "train.model"}}, "rehearse": {}},
    {"name": "evaluate", "inputs": {"model": {"from": "train.model"}, "test": {"from": "prep.test"}}, "evaluate": {}},
    {"name": "predict", "inputs": {"model": {"from": "train.model"}, "data": {"from": "prep.test"}}, "predict": {}},
    {"name": "python", "python": {"source": "def main() -> dict:\n    return {'answer': 42}\n"}, "outputs": {"answer": {"type": "number"}}},
    {
        "name": "tune",
        "inputs": {"train": {"from": "prep.train"}},
        "tune": {
            "metric": {"name": "cv_accuracy", "goal": "maximize"}, "algorithm": {"grid": {}}, "space": {"max_depth": {"choice": [2]}},
            "trials": {"max": 1}, "step": {"train": {"estimator": _TREE, "cv": 3}}, "report": True,
        },
    },
]  # fmt: skip


async def _round(client: KubeClient) -> dict[str, float]:
    """Kind → seconds."""
    defaults = {"env": [{"name": "MLWF_DEBUG", "value": "1"}], "cache": {"enabled": False}}
    await workflows.run(client, NAMESPACE, [workflows.workflow(STEPS, defaults=defaults, parallelism=1)])
    found: dict[str, float] = {}
    for pod in (await client.list(PODS.path(NAMESPACE)))["items"]:
        log = await client.read_log(NAMESPACE, pod["metadata"]["name"])
        for kind, seconds in _SAID.findall(log.decode()):
            found[kind] = min(float(seconds), found.get(kind, float("inf")))
    await workflows.delete_all(client, NAMESPACE)
    return found


async def _lines() -> list[Line]:
    async with connected() as client:
        rounds = [await _round(client) for _ in range(TIMES)]
    kinds = sorted({kind for found in rounds for kind in found})
    return [
        measured(f"node: {kind} begins", "s", min(found[kind] for found in rounds if kind in found), BUDGET)
        for kind in kinds
    ]


def main(names: Sequence[str] = ()) -> list[Line]:
    """A line for each kind whose name holds one of `names`, or for all."""
    return [line for line in asyncio.run(_lines()) if not names or any(name in line.what for name in names)]
