"""The process that chooses parameters, for real: it starts on demand, may die, and what it chose is written down before anything runs with it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from mlworkflow.core.actions import Choose, Told
from mlworkflow.core.kinds.tune import Tune
from mlworkflow.core.state import Phase
from mlworkflow.engine import choosing
from mlworkflow.engine.choosing import ChoiceFailed, Chooser
from mlworkflow.store.layout import trial_key
from mlworkflow.store.records import Chosen, load_run

from tests.builders import WorkflowBuilder, a_workflow, artifact

from .world import NAMESPACE, UID, Operator, World

SPACE = {"x": {"float": {"min": 0, "max": 1}}}


def choose(count: int = 1, told: tuple[Told, ...] = (), **fields: Any) -> Choose:
    body = {"metric": {"name": "acc"}, "space": SPACE, "step": {}, "algorithm": {"tpe": {"seed": 1}}, **fields}
    return Choose("t", count, msgspec.convert(body, Tune), {}, told)


@pytest.fixture
async def chooser() -> AsyncIterator[Chooser]:
    chooser = Chooser()
    yield chooser
    await chooser.close()


def pid(chooser: Chooser) -> int:
    assert chooser._process
    return chooser._process.pid


async def test_it_is_told_what_was_chosen_before_and_says_what_comes_next(chooser: Chooser) -> None:
    first = await chooser.choose(choose(2), {})
    assert list(first) == ["t/0", "t/1"]
    told = tuple(Told(one.params, [0.5]) for one in first.values())
    assert list(await chooser.choose(choose(1, told), first)) == ["t/2"]


async def test_its_death_costs_nothing(chooser: Chooser) -> None:
    first = await chooser.choose(choose(1), {})
    os.kill(pid(chooser), signal.SIGKILL)
    again = await chooser.choose(choose(1), {})
    assert again == first
    told = (Told(first["t/0"].params, [0.5]),)
    expected = await Chooser().choose(choose(1, told), first)
    assert await chooser.choose(choose(1, told), first) == expected


async def test_it_ends_after_a_while_without_work_and_starts_again(chooser: Chooser) -> None:
    short = Chooser(idle=0.01)
    first = await short.choose(choose(1), {})
    process = short._process
    assert process
    assert await asyncio.wait_for(process.wait(), 20) == 0
    assert await short.choose(choose(1), {}) == first
    await short.close()


async def test_one_that_dies_again_and_again_is_told() -> None:
    with pytest.raises(ChoiceFailed, match="died 3 times"):
        await Chooser((sys.executable, "-c", "print(1); input()")).choose(choose(1), {})


async def test_words_for_the_user_are_passed_on(chooser: Chooser) -> None:
    with pytest.raises(ChoiceFailed, match=r"tune\.algorithm\.nsga2: .*population_size"):
        await chooser.choose(choose(1, algorithm={"nsga2": {"population_size": 1}}), {})


async def test_it_knows_nothing_of_the_operators_secrets(chooser: Chooser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLWF_STORE_SECRET_KEY", "a secret")
    await chooser.choose(choose(1), {})
    environ = await asyncio.to_thread(Path(f"/proc/{pid(chooser)}/environ").read_bytes)
    assert b"PATH=" in environ
    assert b"a secret" not in environ


async def test_a_pattern_that_takes_for_ever_is_given_up(chooser: Chooser, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await chooser.search(r"acc=(\S+)", "acc=0.5\nacc=0.75") == "0.75"
    monkeypatch.setattr(choosing, "SEARCH", 0.5)
    with pytest.raises(ChoiceFailed, match="took more than"):
        await chooser.search(r"(a|a)*b", "a" * 200)
    monkeypatch.undo()
    assert await chooser.search(r"acc=(\S+)", "acc=1") == "1"


def a_search(**fields: Any) -> WorkflowBuilder:
    return a_workflow().tune("t", SPACE, algorithm={"tpe": {"seed": 1}}, trials={"max": 4, "parallel": 1}, **fields)


async def turn(operator: Operator) -> None:
    """A turn, and the one that follows a choice."""
    await operator.turn()
    while choosing := list(operator.live.choosing.values()):
        await asyncio.gather(*choosing)
        await operator.turn()


def chosen(tmp_path: Path, operator: Operator) -> dict[str, Chosen]:
    return load_run(operator.store, NAMESPACE, UID).trials


async def test_a_search_is_the_same_whether_or_not_the_operator_is_killed_in_every_trial(tmp_path: Path) -> None:
    found = []
    for is_killed in (False, True):
        world = World()
        operator = Operator(a_search(), world, tmp_path / str(is_killed))
        await turn(operator)
        for number in range(4):
            if is_killed:
                await operator.engine.chooser.close()
                operator = operator.again()
                operator.written = {}
                await turn(operator)
            params = operator.live.order((f"t/{number}", 0)).params
            await operator.commit(f"t/{number}", parameters={"acc": params["x"] ** 2}, outputs={"model": artifact("m")})
            await turn(operator)
        assert operator.live.run.phase is Phase.SUCCEEDED
        assert sum(world.created.values()) == 4
        found.append(chosen(tmp_path, operator))
        await operator.engine.chooser.close()
    assert found[0] == found[1]
    assert list(found[0]) == ["t/0", "t/1", "t/2", "t/3"]


async def test_what_was_chosen_but_not_started_is_started_by_the_next_operator(tmp_path: Path) -> None:
    world = World()
    operator = Operator(a_search(), world, tmp_path)
    await operator.turn()
    await asyncio.gather(*operator.live.choosing.values())
    before = chosen(tmp_path, operator)
    assert (list(before), world.created) == (["t/0"], {})
    again = operator.again()
    await again.turn()
    assert (list(world.created), chosen(tmp_path, again)) == ([("t/0", 0)], before)
    assert again.live.order(("t/0", 0)).params == before["t/0"].params
    await operator.engine.chooser.close()


async def test_of_trials_that_are_written_down_together_all_are_known_or_none(tmp_path: Path) -> None:
    search = a_workflow().tune("t", SPACE, algorithm={"tpe": {"seed": 1}}, trials={"max": 4, "parallel": 3})
    operator = Operator(search, World(), tmp_path)
    await operator.turn()
    await asyncio.gather(*operator.live.choosing.values())
    before = chosen(tmp_path, operator)
    assert list(before) == ["t/0", "t/1", "t/2"]
    await operator.engine.chooser.close()
    operator.store.delete(trial_key(NAMESPACE, UID, "t/0"))  # which has all of them
    again = operator.again()
    await again.open()
    assert again.live.chosen == {}
    await turn(again)
    assert (len(again.live.chosen), sorted(again.world.created)) == (3, [("t/0", 0), ("t/1", 0), ("t/2", 0)])
    assert chosen(tmp_path, again) == before
    await again.engine.chooser.close()


async def test_what_cannot_be_written_down_does_not_start_until_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlworkflow.engine.searching.ASK_AGAIN", 0.01)
    world = World()
    operator = Operator(a_search(), world, tmp_path)
    await operator.open()
    operator.store.is_away = True
    await turn_once(operator)
    assert (world.created, operator.live.chosen) == ({}, {})
    operator.store.is_away = False
    await turn(operator)
    assert list(world.created) == [("t/0", 0)]
    await operator.engine.chooser.close()


async def turn_once(operator: Operator) -> None:
    await operator.turn()
    await asyncio.gather(*operator.live.choosing.values())


@pytest.mark.parametrize(
    ("log", "value"),
    [
        (b"starting\nacc: 0.5\nacc: 0.75\nbye\n", 0.75),
        (b"acc: 1e-3\n" + b"x" * (1 << 20), None),
        (b"acc: done\n", None),
        (b"acc: nan\n", None),
    ],
    ids=["the last match", "beyond the end that is looked at", "no number", "not a number"],
)
async def test_a_metric_that_is_only_printed_is_found_in_the_log(
    tmp_path: Path, log: bytes, value: float | None
) -> None:
    (step,) = a_workflow().tune("t", {"x": [1]}, trial_outputs="model").steps
    metric = {"name": "acc", "pattern": r"^acc: (\S+)$"}
    builder = a_workflow().raw({**step, "tune": {**step["tune"], "metric": metric}})
    operator = Operator(builder, World(), tmp_path)
    await operator.turn()
    operator.world.logs[("t/0", 0)] = log
    operator.world.runs("t/0")
    await operator.commit("t/0", outputs={"model": artifact("m")})
    await operator.turn()
    if value is None:
        assert operator.is_("t/0", Phase.FAILED, "MetricMissing")
        assert "nothing that it printed matches" in operator.task("t/0").message
    else:
        assert operator.task("t").parameters["best"]["value"] == value
    await operator.engine.chooser.close()
