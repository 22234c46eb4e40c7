"""Several workflows on one engine: locks and Pods that they share, fairly, and across a restart."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlworkflow.core.state import Phase
from mlworkflow.engine.sharing import NO_LIMITS, Limits
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.signing import BlobSigner

from tests.builders import WorkflowBuilder, a_workflow

from .engines import Engines


def locked(steps: int = 1, size: int = 1) -> WorkflowBuilder:
    return a_workflow().step("s", forEach={"range": steps}, locks=[{"name": "gpu", "size": size}])


def engines_with(folder: Path, limits: Limits = NO_LIMITS) -> Engines:
    return Engines(DirectoryStore(folder, BlobSigner(b"0" * 32)), limits)


@pytest.fixture
def engines(tmp_path: Path) -> Engines:
    return engines_with(tmp_path)


async def test_a_lock_is_one_for_the_namespace_and_another_in_the_next(engines: Engines) -> None:
    await engines.add("a", locked())
    await engines.add("b", locked())
    await engines.add("c", locked(), namespace="other")
    assert engines.running == ["a.s/0", "c.s/0"]
    await engines.end("a", "s/0")
    assert engines.running == ["c.s/0", "b.s/0"]


async def test_a_failure_and_a_cancel_release_a_lock_too(engines: Engines) -> None:
    await engines.add("a", locked())
    await engines.add("b", locked())
    await engines.end("a", "s/0", exit_code=1)
    assert engines.running == ["b.s/0"]
    await engines.add("c", locked())
    live = engines.engine.live["b"]
    live.plan = locked().meta(uid="b", namespace="ns").having(cancel=True).plan()
    engines.due.append("b")
    await engines.settle()
    assert "c.s/0" in engines.running


async def test_the_deletion_of_a_holder_lets_the_next_in(engines: Engines) -> None:
    """argo #14461: the holder of a lock was deleted, and the lock was never free again."""
    await engines.add("a", locked())
    await engines.add("b", locked())
    engines.engine.close("a")
    await engines.settle()
    assert "b.s/0" in engines.running


async def test_who_waits_longer_comes_first_although_the_holder_wants_it_again(engines: Engines) -> None:
    await engines.add("a", locked(steps=3))
    await engines.add("b", locked())
    await engines.end("a", "s/0")
    assert engines.running == ["b.s/0"]
    await engines.end("b", "s/0")
    assert engines.running == ["a.s/1"]


async def test_a_higher_priority_comes_first(engines: Engines) -> None:
    await engines.add("a", locked())
    await engines.add("b", locked())
    await engines.add("c", locked().having(priority=5))
    await engines.end("a", "s/0")
    assert engines.running == ["c.s/0"]


async def test_a_semaphore_is_shared(engines: Engines) -> None:
    await engines.add("a", locked(steps=3, size=2))
    await engines.add("b", locked(steps=1, size=2))
    assert engines.running == ["a.s/0", "a.s/1"]
    await engines.end("a", "s/1")
    assert engines.running == ["a.s/0", "b.s/0"]


async def test_a_lock_survives_a_restart(engines: Engines) -> None:
    builders = {"b": locked(), "a": locked()}
    await engines.add("a", locked())
    await engines.add("b", locked())
    engines = await engines.restart(builders, all_at_once=False)
    assert engines.running == ["a.s/0"]
    engines.is_known = True
    engines.due += ["a", "b"]
    await engines.settle()
    assert engines.running == ["a.s/0"]
    await engines.end("a", "s/0")
    assert engines.running == ["b.s/0"]


async def test_a_lock_of_a_whole_workflow_is_held_between_its_steps(engines: Engines) -> None:
    chain = a_workflow().having(locks=["bench"]).step("x").step("y", after=["x"])
    await engines.add("a", chain)
    await engines.add("b", chain)
    await engines.end("a", "x")
    assert engines.running == ["a.y"]
    await engines.end("a", "y")
    assert engines.running == ["b.x"]


async def test_pods_are_shared_evenly_where_their_number_is_limited(tmp_path: Path) -> None:
    engines = engines_with(tmp_path, Limits(total=4))
    await engines.add("a", a_workflow().step("s", forEach={"range": 10}))
    assert len(engines.running) == 4
    await engines.add("b", a_workflow().step("s", forEach={"range": 10}))
    assert len(engines.running) == 4
    for _ in range(4):
        first = next(task for task in engines.running if task.startswith("a."))
        await engines.end("a", first.partition(".")[2])
    owners = [task[0] for task in engines.running]
    assert (owners.count("a"), owners.count("b")) == (2, 2)


async def test_a_namespace_has_a_limit_of_its_own(tmp_path: Path) -> None:
    engines = engines_with(tmp_path, Limits(total=10, namespace=2, namespaces={"big": 5}))
    fan = a_workflow().step("s", forEach={"range": 10})
    await engines.add("a", fan)
    await engines.add("b", fan)
    await engines.add("c", fan, namespace="big")
    owners = [task[0] for task in engines.running]
    assert (owners.count("a") + owners.count("b"), owners.count("c")) == (2, 5)


async def test_nothing_is_started_beyond_the_limit_before_all_are_known(tmp_path: Path) -> None:
    engines = engines_with(tmp_path, Limits(total=4))
    engines.is_known = False
    await engines.add("a", a_workflow().step("s"))
    assert engines.running == []
    engines.is_known = True
    engines.due.append("a")
    await engines.settle()
    assert engines.running == ["a.s"]


async def test_a_higher_priority_takes_what_there_is(tmp_path: Path) -> None:
    engines = engines_with(tmp_path, Limits(total=2))
    fan = a_workflow().step("s", forEach={"range": 4})
    await engines.add("a", fan)
    await engines.add("b", fan.having(priority=1))
    await engines.end("a", "s/0")
    await engines.end("a", "s/1")
    assert engines.running == ["b.s/0", "b.s/1"]


async def test_all_of_them_end(tmp_path: Path) -> None:
    engines = engines_with(tmp_path, Limits(total=3))
    for number in range(5):
        await engines.add(f"w{number}", locked(steps=3, size=2))
    ends = 0
    while engines.running:
        name, _, task = engines.running[0].partition(".")
        await engines.end(name, task)
        ends += 1
        assert len(engines.running) <= 2
    assert ends == 15
    assert {written["phase"] for written in engines.written.values()} == {str(Phase.SUCCEEDED)}
