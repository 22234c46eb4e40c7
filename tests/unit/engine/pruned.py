"""A search whose trials say a value at each step: the engine, the store and Optuna are real, the trials are a function of their parameters and the step.

Every trial that runs says one value after the other, in turns, so that a search is the same whenever it is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from mlworkflow.core.state import Phase
from mlworkflow.engine.choosing import Chooser, _Reply
from mlworkflow.engine.sampling import answers
from mlworkflow.gateway.runs import Batch, Heard, Point

from tests.builders import WorkflowBuilder, a_workflow, artifact

from .world import Operator, World, key

Value = Callable[[Mapping[str, Any], int], float | None]


class NearChooser(Chooser):
    """What the process does, without the process."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[bytes] = []
        self._answers = answers(self._asked())

    def _asked(self) -> Iterator[bytes]:
        while True:
            yield self._lines.pop()

    async def _ask(self, question: Mapping[str, Any], patience: float) -> _Reply:
        self._lines.append(msgspec.json.encode(question))
        return self._replied(next(self._answers))


def a_search(pruner: Mapping[str, Any], *, trials: int, parallel: int = 2, **fields: Any) -> WorkflowBuilder:
    """A random search for `x` from 0 to 1 with a pruner."""
    fields = {"algorithm": {"random": {"seed": 5}}, "space": {"x": {"float": {"min": 0, "max": 1}}}, **fields}
    builder = a_workflow().tune(
        "t", fields.pop("space"), trials={"max": trials, "parallel": parallel, **fields.pop("trials", {})}
    )
    (step,) = builder.steps
    return a_workflow().raw({**step, "tune": {**step["tune"], "pruner": dict(pruner), **fields}})


class Trials:
    """The trials of a search that is under way: `said` counts the values of each that runs or has ended."""

    def __init__(self, builder: WorkflowBuilder, folder: Path, value: Value, steps: int, *, near: bool = True) -> None:
        self.operator = Operator(builder, World(), folder)
        self.value, self.steps, self.near = value, steps, near
        self.said: dict[str, int] = {}
        self.answered: dict[str, int] = {}
        self._make_near()

    def _make_near(self) -> None:
        if self.near:
            self.operator.engine.chooser = NearChooser()

    async def turn(self) -> None:
        """A turn, and those that follow what it had asked."""
        await self.operator.turn()
        while (live := self.operator.live).choosing or live.judging or self.operator.woken:
            self.operator.woken.clear()
            await asyncio.gather(*live.choosing.values(), *live.judging.values())
            await self.operator.turn()

    async def restart(self) -> None:
        """Another operator, which knows what the store and the status say."""
        await self.operator.engine.chooser.close()
        self.operator = self.operator.again()
        self._make_near()
        await self.turn()

    @property
    def running(self) -> list[str]:
        tasks = self.operator.live.run.tasks
        return sorted(
            (name for name, task in tasks.items() if "/" in name and task.phase is Phase.RUNNING), key=_number
        )

    @property
    def pruned(self) -> list[int]:
        return [_number(name) for name, task in self.operator.live.run.tasks.items() if task.is_pruned]

    async def say(self, task: str, upto: int, first: int, heard: int | None = None) -> Heard:
        """A trial sends its values up to a step, of which `first` were sent before."""
        params = self.operator.live.order((task, 0)).params
        points = [Point("acc", self.value(params, step), step) for step in range(first + 1, upto + 1)]
        batch = Batch(points, first, first if heard is None else heard)
        sending = asyncio.create_task(self.operator.runs.metrics(key(task), batch))
        while not sending.done():
            await asyncio.sleep(0)
            await self.turn()
        return sending.result()

    async def step(self, task: str) -> None:
        """A trial makes its next step, and ends with its last one."""
        number = self.said.get(task, 0)
        is_last = number + 1 == self.steps  # which needs no answer, as an agent says of what it finds at the end
        heard = await self.say(task, number + 1, number, number + is_last)
        if heard.again:
            heard = await self.say(task, number + 1, 0, number + is_last)
        self.said[task] = number + 1
        if heard.stop:
            await self.turn()
        elif self.said[task] == self.steps:
            params = self.operator.live.order((task, 0)).params
            metrics = {"acc": self.value(params, self.steps) or 0.0}
            await self.operator.commit(task, metrics=metrics, parameters={}, outputs={"model": artifact("m")})
            await self.turn()

    async def run(self, restarts: Sequence[int] = ()) -> Mapping[str, Any]:
        """To the end, with another operator before each of the rounds in `restarts`; the outputs of the search."""
        await self.turn()
        for around in range(10_000):
            if around in restarts:
                await self.restart()
            if not (running := self.running):
                break
            for task in running:
                if task in self.running:
                    await self.step(task)
        assert self.operator.live.run.phase is Phase.SUCCEEDED
        await self.operator.engine.chooser.close()
        return self.operator.task("t").parameters


def _number(task: str) -> int:
    return int(task.rpartition("/")[2])
