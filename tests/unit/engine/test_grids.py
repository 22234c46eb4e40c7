"""A grid of many trials, of which the status has a few: what each has tried is known after a restart, also where the grid was widened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mlworkflow.core import abridging, rerun
from mlworkflow.core.state import Phase

from tests.builders import WorkflowBuilder, a_workflow, artifact

from .world import Operator, World

GROUP = {
    "steps": [{"name": "s", "container": {"image": "i"}, "outputs": {"n": {"type": "number"}}}],
    "outputs": {"acc": {"value": "${{ steps.s.outputs.n }}"}},
}


def a_grid(values: list[int], *, is_group: bool, **spec: Any) -> WorkflowBuilder:
    trial: dict[str, Any] = {"trial": GROUP, "trial_outputs": ""} if is_group else {}
    return a_workflow().tune("t", {"p": values}, **trial).having(**spec)


@pytest.mark.parametrize("is_group", [False, True], ids=["a step", "a group"])
async def test_a_trial_keeps_its_point_though_the_status_has_forgotten_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_group: bool
) -> None:
    monkeypatch.setattr(abridging, "MANY", 2)
    monkeypatch.setattr(abridging, "LAST", 1)

    async def ends(operator: Operator, number: int) -> None:
        if is_group:
            await operator.commit(f"t/{number}.s", parameters={"n": 1 + number / 8})
        else:
            await operator.commit(f"t/{number}", parameters={"acc": 1 + number / 8}, outputs={"model": artifact("m")})

    operator = Operator(a_grid([3, 5, 8], is_group=is_group), World(), tmp_path)
    await operator.turn()
    for number in range(3):
        await ends(operator, number)
    await operator.turn()
    assert operator.is_("t", Phase.SUCCEEDED)
    wider = a_grid([1, 3, 5, 8], is_group=is_group, rerun={"id": "1"})
    operator = Operator(wider, operator.world, tmp_path, operator.written)
    live = await operator.open()
    live.restart(rerun.honour(live.plan, live.run, operator.world.now).run)
    await operator.turn()
    for _ in range(2):  # widened, and then once more after a restart
        assert [operator.live.run.tasks[f"t/{number}"].params["p"] for number in range(4)] == [3, 5, 8, 1]
        operator = operator.again()
        await operator.turn()
    await ends(operator, 3)
    await operator.turn()
    assert operator.task("t").parameters["best"] == {"params": {"p": 1}, "trial": 3, "value": 1.375}
    assert sum(operator.world.created.values()) == 4
