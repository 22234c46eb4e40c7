"""Which trials are created together in one Pod: what the cache has is left out, and what could not be created is tried again as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mlworkflow.core.actions import Order
from mlworkflow.core.observation import Attempt, Result, Seen
from mlworkflow.core.state import Phase
from mlworkflow.engine.driver import NotNow, Refused
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.signing import BlobSigner

from tests.builders import WorkflowBuilder, a_workflow

from .engines import Cluster, Engines


class Pods(Cluster):
    """Pods that trials share: `asked` has the trials of each create, `troubles` what the next ones meet, and those in `gone` exist all the same."""

    def __init__(self) -> None:
        super().__init__()
        self.images = {"i": "sha256:" + "1" * 64}
        self.asked: list[list[str]] = []
        self.troubles: list[Exception] = []
        self.stops: list[str] = []

    async def start(self, order: Order, *others: Order) -> None:
        orders = (order, *others)
        self.asked.append([one.task for one in orders])
        if self.troubles:
            raise self.troubles.pop(0)
        aboard = tuple((one.task, one.attempt) for one in orders)
        for one, key in zip(orders, aboard, strict=True):
            self.orders[(one.uid, key)] = one
            pod = f"pod-of-{order.task}"
            self.running[(one.uid, key)] = Attempt(*key, pod, Seen.RUNNING, 0.0, running_since=1.0, aboard=aboard)

    async def stop(
        self, namespace: str, uid: str, attempt: tuple[str, int], handle: str, grace: int | None = None
    ) -> None:
        self.stops.append(handle)
        for key, known in list(self.running.items()):
            if known.handle == handle:
                self.running[key] = replace(known, leaving=True)


def a_study(count: int, per_pod: int = 4, **fields: object) -> WorkflowBuilder:
    trial = {
        "container": {"image": "i", "command": ["c"], "agent": True},
        "cache": {"enabled": True},
        "retry": {"limit": 0},
    }
    trials = {"max": count, "parallel": max(count, per_pod), "perPod": per_pod, **fields}
    return a_workflow().tune("t", {"x": list(range(count))}, trials=trials, trial=trial, trial_outputs="acc:number")


def engines_with(folder: Path) -> tuple[Engines, Pods]:
    pods = Pods()
    return Engines(DirectoryStore(folder, BlobSigner(b"0" * 32)), cluster=pods), pods


def tasks(*numbers: int) -> list[str]:
    return [f"t/{number}" for number in numbers]


async def succeed(engines: Engines, workflow: str, *numbers: int) -> None:
    for number in numbers:
        known = dict(engines.cluster.running)
        await engines.end(workflow, f"t/{number}", result=Result(0, parameters={"acc": float(number)}))
        engines.cluster.running |= {key: known[key] for key in known if key[1][0] == f"t/{number}"}


async def test_what_the_cache_has_takes_no_seat(tmp_path: Path) -> None:
    engines, pods = engines_with(tmp_path)
    await engines.add("a", a_study(3))
    await succeed(engines, "a", 0, 1, 2)
    assert engines.written["a"]["phase"] == "Succeeded"
    pods.asked.clear()
    await engines.add("b", a_study(8))
    assert sorted(pods.asked) == [["t/3"], tasks(4, 5, 6, 7)]
    pods.asked.clear()
    await succeed(engines, "b", 3, 4, 5, 6, 7)
    await engines.add("c", a_study(8))
    assert (pods.asked, engines.written["c"]["phase"]) == ([], "Succeeded")


async def test_what_could_not_be_created_is_tried_again_with_whom_it_was_even_if_one_is_not_wanted_any_more(
    tmp_path: Path,
) -> None:
    engines, pods = engines_with(tmp_path)
    pods.troubles = [NotNow("the API server is away")]
    await engines.add("a", a_study(4))
    assert pods.asked == [tasks(0, 1, 2, 3)]
    live = engines.engine.live["a"]
    live.results[("t/0", 0)] = Result(0, parameters={"acc": 1.0})
    live.creating.pop(("t/0", 0))
    live.memory.note(("t/0", 0))
    engines.due.append("a")
    await engines.settle()
    assert pods.asked == [tasks(0, 1, 2, 3)] * 2, "the first one may have made the Pod, whose name is that of the first"


async def test_what_is_refused_is_refused_for_all(tmp_path: Path) -> None:
    engines, pods = engines_with(tmp_path)
    pods.troubles = [Refused("no such service account")]
    await engines.add("a", a_study(4, maxFailed=4))
    assert engines.written["a"]["phase"] == "Failed"
    assert pods.asked == [tasks(0, 1, 2, 3)]
    shown = {task["name"]: task["reason"] for task in engines.written["a"]["tasks"]}  # type: ignore[attr-defined]
    assert shown == dict.fromkeys(tasks(0, 1, 2, 3), "CreateRefused")


async def test_a_pod_is_ended_once_and_when_none_in_it_is_wanted(tmp_path: Path) -> None:
    engines, pods = engines_with(tmp_path)
    await engines.add("a", a_study(6, per_pod=3, goal=3))
    await succeed(engines, "a", 0, 3)
    assert engines.engine.live == {} or engines.engine.live["a"].run.tasks["t"].phase is Phase.SUCCEEDED
    assert sorted(pods.stops) == ["pod-of-t/0", "pod-of-t/3"], "the goal is reached: what runs is stopped"


async def test_what_has_had_its_turn_is_left_to_its_pod(tmp_path: Path) -> None:
    engines, pods = engines_with(tmp_path)
    await engines.add("a", a_study(3, per_pod=3))
    live = engines.engine.live["a"]
    stopped = Result(1, "Pruned", "pruned")
    await succeed(engines, "a", 0)
    live.take(("t/1", 0), stopped)
    engines.due.append("a")
    await engines.settle()
    assert live.run.tasks["t/1"].is_pruned
    assert pods.stops == [], "the last one still has to run in it"
    await succeed(engines, "a", 2)
    assert (engines.written["a"]["phase"], pods.stops) == ("Succeeded", [])
