"""Models that a workflow names and promotes: what a run began with stays, and a promotion is carried out once, whatever becomes of the operator."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from mlworkflow.core.observation import Result
from mlworkflow.core.state import Phase
from mlworkflow.core.values import ArtifactRef
from mlworkflow.store import models
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.layout import cas_key
from mlworkflow.store.signing import BlobSigner

from tests.builders import WorkflowBuilder, a_workflow

from .engines import Engines
from .world import NAMESPACE, UID, Fuse, Killed, Operator, World

CHAMPION = {"from": {"model": "bikes@champion"}, "optional": True}


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path, BlobSigner(b"0" * 32))


def kept(store: ArtifactStore, data: bytes, namespace: str = "ns") -> ArtifactRef:
    artifact = ArtifactRef(f"sha256:{hashlib.sha256(data).hexdigest()}", len(data), "directory")
    store.write_bytes(cas_key(namespace, artifact.digest), data)
    return artifact


def promoting(**body: str) -> WorkflowBuilder:
    """Trains, and promotes what was trained."""
    return (
        a_workflow()
        .step("train", outputs="model cv:number")
        .kind("promote", "promote", {"model": "bikes", **body}, inputs={"model": "train.model"})
    )


def compared(**body: str) -> WorkflowBuilder:
    """As `promoting`, with the champion beside it."""
    return promoting(**body).step("judge", inputs={"model": "train.model", "champion": CHAMPION})


def trained(model: ArtifactRef, cv: float = 0.5) -> Result:
    return Result(0, outputs={"model": model}, parameters={"cv": cv})


async def test_a_step_promotes_what_another_has_left_and_the_move_says_how_it_came_to_be(store: DirectoryStore) -> None:
    engines = Engines(store)
    for name, data in (("one", b"1"), ("two", b"2")):
        await engines.add(name, promoting(message=f"by {name}"))
        await engines.end(name, "train", result=trained(kept(store, data), cv=0.25))
    found = models.read(store, "ns", "bikes")
    assert found.aliases == {"champion": 2}
    first, second = found.moves
    assert (first.version, first.previous, second.version, second.previous) == (1, 0, 2, 1)
    assert (second.by, second.message, second.metrics) == ("ns/w (two)", "by two", {"train.cv": 0.25})
    assert second.made is not None
    assert (second.made.workflow, second.made.uid, second.made.task, second.made.attempt) == ("w", "two", "train", 0)
    steps = {step["name"]: step for step in engines.written["two"]["steps"]}  # type: ignore[attr-defined]
    assert steps["promote"]["outputs"] == {"version": 2, "previous": 1, "digest": kept(store, b"2").digest}


async def test_what_judged_it_is_known_of_a_version_and_what_judged_others_is_not(store: DirectoryStore) -> None:
    body = {"gate": {"accuracy": {"min": 0.5}}}
    builder = (
        a_workflow()
        .step("prep", outputs="test")
        .step("train", outputs="model", after=["prep"])
        .step("old", outputs="model", after=["prep"])
        .kind("judge", "evaluate", body, inputs={"model": "train.model", "test": "prep.test", "champion": "old.model"})
        .kind("other", "evaluate", body, inputs={"model": "old.model", "test": "prep.test"})
        .kind("promote", "promote", {"model": "bikes"}, inputs={"model": "train.model"}, after=["judge", "other"])
    )
    engines = Engines(store)
    await engines.add("w", builder)
    await engines.end("w", "prep", result=Result(0, outputs={"test": kept(store, b"test")}))
    await engines.end("w", "train", result=Result(0, outputs={"model": kept(store, b"new")}))
    await engines.end("w", "old", result=Result(0, outputs={"model": kept(store, b"old")}))
    for name, accuracy in (("judge", 0.75), ("other", 0.5)):
        files = {"report": kept(store, b"r"), "scores": kept(store, b"s")}
        files = {key: ArtifactRef(one.digest, one.size, "file") for key, one in files.items()}
        await engines.end("w", name, result=Result(0, outputs=files, parameters={"accuracy": accuracy, "passed": True}))
    assert engines.written["w"]["phase"] == "Succeeded"
    assert models.read(store, "ns", "bikes").versions[0].metrics == {"judge.accuracy": 0.75}


async def test_a_champion_that_changed_meanwhile_is_not_replaced_and_the_run_is_told(store: DirectoryStore) -> None:
    engines = Engines(store)
    await engines.add("slow", compared())
    await engines.add("quick", compared(message="better"))
    await engines.end("quick", "train", result=trained(kept(store, b"quick")))
    await engines.end("slow", "train", result=trained(kept(store, b"slow")))
    assert engines.written["slow"]["phase"] == "Running"
    await engines.end("slow", "judge")
    assert engines.written["slow"]["phase"] == "Failed"
    message = str(engines.written["slow"]["message"])
    assert "AliasMoved" in message
    assert "means version 1" in message
    assert "ns/w (quick) moved it there: better" in message
    assert models.read(store, "ns", "bikes").aliases == {"champion": 1}


async def test_a_reference_is_what_it_was_when_the_run_began(store: DirectoryStore) -> None:
    engines = Engines(store)
    await engines.add("first", promoting())
    await engines.end("first", "train", result=trained(one := kept(store, b"one")))
    await engines.add("w", compared(alias="challenger"))
    await engines.add("second", promoting())
    await engines.end("second", "train", result=trained(kept(store, b"two")))
    again = await engines.restart({"w": compared(alias="challenger")})
    await again.end("w", "train", result=trained(kept(store, b"three")))
    (order,) = [order for (owner, (task, _)), order in again.cluster.orders.items() if (owner, task) == ("w", "judge")]
    assert order.inputs["champion"] == one
    assert models.read(store, "ns", "bikes").aliases == {"champion": 2, "challenger": 3}


async def test_a_model_that_is_needed_and_not_there_is_named_with_what_is(store: DirectoryStore) -> None:
    engines = Engines(store)
    needs = a_workflow().step("use", inputs={"m": {"from": {"model": "bikes@champion"}}})
    await engines.add("w", needs)
    assert "model: there is no model 'bikes' in the namespace ns; there are: none yet" in str(engines.written["w"]["message"])  # fmt: skip
    await engines.add("first", promoting(alias="best"))
    await engines.end("first", "train", result=trained(kept(store, b"one")))
    await engines.add("again", needs)
    assert "model: the model 'bikes' has no 'champion'; it has the aliases 'best' (1) and the versions 1" in str(
        engines.written["again"]["message"]
    )


async def test_a_champion_that_cannot_be_had_does_not_pass_for_none(store: DirectoryStore) -> None:
    engines = Engines(store)
    await engines.add("first", promoting())
    await engines.end("first", "train", result=trained(one := kept(store, b"one")))
    store.delete(cas_key("ns", one.digest))
    await engines.add("w", compared())
    await engines.end("w", "train", result=trained(kept(store, b"two")))
    steps = {step["name"]: step["phase"] for step in engines.written["w"]["steps"]}  # type: ignore[attr-defined]
    assert (steps["judge"], steps["promote"], engines.written["w"]["phase"]) == ("Skipped", "Failed", "Failed")
    assert models.read(store, "ns", "bikes").aliases == {"champion": 1}
    assert f"model: the model 'bikes': version 1: {one.digest} is not in the store any more" in str(engines.written["w"]["message"])  # fmt: skip


async def test_a_challenger_becomes_the_champion_by_its_name(store: DirectoryStore) -> None:
    engines = Engines(store)
    await engines.add("first", promoting(alias="challenger"))
    await engines.end("first", "train", result=trained(kept(store, b"one")))
    names = {"model": {"from": {"model": "bikes@challenger"}}}
    await engines.add("w", a_workflow().kind("promote", "promote", {"model": "bikes"}, inputs=names))
    assert engines.written["w"]["phase"] == "Succeeded"
    found = models.read(store, "ns", "bikes")
    assert (found.aliases, len(found.versions)) == ({"challenger": 1, "champion": 1}, 1)
    assert found.moves[1].made == found.moves[0].made


async def test_what_is_no_model_is_not_promoted(store: DirectoryStore) -> None:
    builder = a_workflow().step("train", outputs="data")
    builder = builder.kind("promote", "promote", {"model": "bikes"}, inputs={"model": "train.data"})
    engines = Engines(store)
    await engines.add("w", builder)
    await engines.end("w", "train", result=Result(0, outputs={"data": kept(store, b"table")}))
    assert "is no model: no step of the run that succeeded left it as its output 'model'" in str(engines.written["w"]["message"])  # fmt: skip
    assert models.names(store, "ns") == []


@pytest.mark.parametrize("is_after", [False, True])
async def test_an_operator_that_is_killed_at_any_moment_has_promoted_once(tmp_path: Path, is_after: bool) -> None:
    for at in range(1, 40):
        folder = tmp_path / str(at)
        operator = Operator(promoting(), World(), folder, fuse=Fuse(at, is_after))
        model = kept(DirectoryStore(folder, BlobSigner(b"0" * 32)), b"model", NAMESPACE)
        killed = 0
        for _ in range(20):
            try:
                await operator.turn()
                if operator.live.run.phase.is_finished:
                    break
                if ("train", 0) in operator.world.attempts and ("train", 0) not in operator.records():
                    await operator.commit("train", outputs={"model": model}, parameters={"cv": 0.5})
                    operator.world.ended("train")
            except Killed:
                killed += 1
                operator = operator.again()
        assert operator.is_("promote", Phase.SUCCEEDED)
        (move,) = models.read(operator.store, NAMESPACE, "bikes").moves
        assert (move.version, move.id) == (1, f"{UID}/promote/0")
        if not killed:
            return
    raise AssertionError("the fuse never outlived the workflow")
