"""A search beside as many plain steps, on simulated nodes: what it costs that trials are chosen, written down and told of each other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING

from tests.perf import workflows
from tests.perf.agents import METRIC
from tests.perf.rounds import alternated
from tests.perf.table import Line, compared

if TYPE_CHECKING:
    from tests.perf.simulated import Simulation

TRIALS = 200
ROUNDS = 5


def search(parallel: int) -> workflows.Json:
    """A step that tries `TRIALS` points at random, `parallel` at once."""
    tune = {
        "metric": {"name": METRIC, "goal": "minimize"},
        "algorithm": {"random": {"seed": 7}},
        "space": {"x": {"float": {"min": 0, "max": 1}}, "depth": {"int": {"min": 1, "max": 9}}, "kind": {"choice": ["a", "b"]}},
        "trials": {"max": TRIALS, "parallel": parallel},
        "step": {"container": workflows.NOTHING, **workflows.SIMULATED},
    }  # fmt: skip
    return {"name": "search", "tune": tune}


def plain(parallel: int) -> workflows.Json:
    """A step for as many items, with a parameter each, as many at once."""
    params = {"x": "${{ item }}"}
    (step,) = workflows.layers([TRIALS], workflows.SIMULATED)
    return {**step, "params": params, "parallel": parallel}


async def compare(simulation: Simulation) -> AsyncIterator[Line]:
    """The rate of the search, and what a trial costs the operator, both beside the plain steps."""
    for parallel in (TRIALS, 50):
        what = f"{TRIALS} trials, {parallel} at once"
        cost: dict[str, list[float]] = {"search": [], "plain": []}

        async def measured(name: str, step: workflows.Json, cost: dict[str, list[float]] = cost) -> float:
            before = simulation.operator.cpu()
            took = await simulation.timed([workflows.workflow([step])])
            cost[name].append(1000 * (simulation.operator.cpu() - before) / TRIALS)
            print(f"    {name}: {cost[name][-1]:.2f} ms of the operator for each")
            return took

        medians = await alternated(
            what, ROUNDS, partial(measured, "search", search(parallel)), partial(measured, "plain", plain(parallel))
        )
        yield compared(f"simulated: {what}, to plain steps", "s", *medians, 1 / 0.9)
        yield compared(f"simulated: {what}, processor of each", "ms", min(cost["search"]), min(cost["plain"]), None)
