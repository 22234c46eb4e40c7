"""An operator that is killed at any moment: the next one takes up its work, and no step is run twice or committed twice.

Each run kills the operator at its n-th call to the driver or write to the store, before or after the call took effect; what it had written as status by then is all that its
successor is told. Agents and Pods go on meanwhile, as they do in a cluster: an agent that gets no answer asks again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mlworkflow.core.observation import AttemptId, Seen
from mlworkflow.core.state import Phase
from mlworkflow.gateway.errors import NotReady, Superseded

from tests.builders import WorkflowBuilder, a_workflow, artifact

from .world import Fuse, Killed, Operator, World

ROUNDS = 400


def a_small_workflow() -> WorkflowBuilder:
    """A chain, a fan, a step that fails once, one that crashes without a word, one whose Pod vanishes, and a study."""
    return (
        a_workflow()
        .step("first", outputs="data")
        .step("fails", inputs="first.data", retry={"limit": 1, "backoff": "1s"})
        .step("crashes", inputs="first.data", retry={"limit": 1, "backoff": "1s"})
        .step("vanishes", inputs="first.data")
        .tune("study", {"x": [1, 2]}, inputs="first.data")
        .step("last", inputs="study.model", after=["fails", "crashes", "vanishes"])
    )


DOES = {("fails", 0): "fail", ("crashes", 0): "crash", ("vanishes", 0): "vanish"}
ATTEMPTS = {"first": 1, "fails": 2, "crashes": 2, "vanishes": 2, "study/0": 1, "study/1": 1, "last": 1}


class Cluster:
    """What happens to attempts while operators come and go."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.vanished: set[AttemptId] = set()

    async def go_on(self, operator: Operator) -> None:
        for key, attempt in list(self.world.attempts.items()):
            if attempt.seen is Seen.WAITING:
                self.world.runs(*key)
            elif attempt.seen is Seen.RUNNING:
                await self._act(operator, key)

    async def _act(self, operator: Operator, key: AttemptId) -> None:
        match DOES.get(key):
            case "vanish" if key not in self.vanished:
                self.vanished.add(key)
                self.world.vanished(*key)
            case "crash":
                self.world.logs[key] = b"Segmentation fault\n"
                self.world.ended(*key, exit_code=139)
            case does:
                await self._commit(operator, key, 1 if does == "fail" else 0)

    async def _commit(self, operator: Operator, key: AttemptId, exit_code: int) -> None:
        left: dict[str, Any] = {"outputs": {"data": artifact("data")}} if key[0] == "first" else {}
        if key[0].startswith("study/"):
            number = int(key[0].partition("/")[2])
            left = {"outputs": {"model": artifact(f"model-{number}")}, "parameters": {"acc": number / 10}}
        try:
            await operator.commit(*key, exit_code=exit_code, **left)
        except NotReady:
            return
        except Superseded:
            pass
        self.world.ended(*key, exit_code=exit_code)


async def run(folder: Path, at: int | None, *, is_after: bool, again: bool = False) -> tuple[Operator, Cluster, int]:
    """From the start to the end, whoever dies on the way; how many died."""
    cluster = Cluster(World())
    operator = Operator(a_small_workflow(), cluster.world, folder, fuse=Fuse(at, is_after))
    deaths = 0
    for _ in range(ROUNDS):
        try:
            await operator.turn(after=1.0)
            if operator.live.run.phase.is_finished:
                return operator, cluster, deaths
            await cluster.go_on(operator)
        except Killed:
            deaths += 1
            operator = operator.again(Fuse(at, is_after) if again else Fuse())
    pytest.fail(f"no end in sight: {operator.written}")


def check(operator: Operator, cluster: Cluster) -> None:
    """What must hold whoever died when."""
    assert operator.live.run.phase is Phase.SUCCEEDED
    for key, times in cluster.world.created.items():
        assert times == 1 or (key in cluster.vanished and times <= 2), f"{key} was created {times} times"
    records = operator.records()
    successes = Counter(task for (task, _), record in records.items() if record.is_success)
    assert successes == dict.fromkeys([*ATTEMPTS, "study"], 1)
    assert {key for key, record in records.items() if not record.is_success} == {("fails", 0), ("crashes", 0)}
    numbers = dict(sorted(cluster.world.created))
    for task, expected in ATTEMPTS.items():
        assert numbers[task] < expected, f"{task} needed attempt {numbers[task]}"
    assert operator.task("fails").failures == operator.task("crashes").failures == 1
    assert records[("crashes", 0)].logs is not None
    assert operator.task("last").parameters == {}
    assert dict(operator.task("study").artifacts)["model"] == artifact("model-1")


async def test_nobody_dies(tmp_path: Path) -> None:
    operator, cluster, deaths = await run(tmp_path, None, is_after=False)
    check(operator, cluster)
    assert deaths == 0
    assert Counter(task for task, _ in cluster.world.created) == ATTEMPTS


@pytest.mark.parametrize("is_after", [False, True], ids=["before the call", "after the call"])
async def test_an_operator_dies_at_any_of_its_calls(tmp_path: Path, is_after: bool) -> None:
    calls = (await run(tmp_path / "whole", None, is_after=False))[0].fuse.calls
    assert calls > 20
    for at in range(1, calls + 1):
        operator, cluster, deaths = await run(tmp_path / str(at), at, is_after=is_after)
        assert deaths == 1, at
        check(operator, cluster)


@pytest.mark.parametrize("every", [4, 5, 7, 11])
@pytest.mark.parametrize("is_after", [False, True], ids=["before the call", "after the call"])
async def test_operators_die_again_and_again(tmp_path: Path, every: int, is_after: bool) -> None:
    operator, cluster, deaths = await run(tmp_path, every, is_after=is_after, again=True)
    check(operator, cluster)
    assert deaths > 1


async def test_a_status_that_was_never_written_is_not_missed(tmp_path: Path) -> None:
    """Nothing but Pods and records: the same end."""
    whole, _, _ = await run(tmp_path / "whole", None, is_after=False)
    operator, cluster, _ = await run(tmp_path / "forgetful", None, is_after=False)
    forgetful = operator.again()
    forgetful.written = {}
    await forgetful.turn()
    assert _phases(forgetful.written) == _phases(whole.written)
    assert sum(cluster.world.created.values()) == sum(ATTEMPTS.values())


def _phases(status: Mapping[str, Any]) -> dict[str, str]:
    return {step["name"]: step["phase"] for step in status["steps"]}
