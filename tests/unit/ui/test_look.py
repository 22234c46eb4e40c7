"""What is worked out of a run that somebody looks at: once, and beside the loop."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, cast

from mlworkflow.runs.run import Run
from mlworkflow.ui.look import Look


def chain(length: int) -> Run:
    steps: list[dict[str, Any]] = [{"name": f"s{number}", "container": {"command": ["true"]}} for number in range(length)]  # fmt: skip
    for before, step in itertools.pairwise(steps):
        step["after"] = [before["name"]]
    kind = {"apiVersion": "mlworkflow.io/v1alpha1", "kind": "MLWorkflow"}
    metadata = {"name": "chain", "namespace": "local", "uid": "one"}
    return Run("chain", {**kind, "metadata": metadata, "spec": {"steps": steps}})


async def test_a_large_graph_is_worked_out_while_others_are_answered() -> None:
    look, run, turns = Look(cast("Any", None)), chain(1000), 0
    first, second = asyncio.create_task(look.drawing(run)), asyncio.create_task(look.drawing(run))
    while not second.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 10, "the loop has stood still"
    assert first.result() is second.result()
    assert len(second.result().graph.nodes) == 1000


async def test_whoever_asked_first_may_go_away() -> None:
    look, run = Look(cast("Any", None)), chain(10)
    first = asyncio.create_task(look.drawing(run))
    await asyncio.sleep(0)
    first.cancel()
    assert len((await look.drawing(run)).graph.edges) == 9
    assert (await look.yaml(run)).count("after:") == 9
