"""What a workflow costs the API server: counted calls, not times. The real reconciler, driver and engine; only the server is a stand-in."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from builders import a_workflow
from mlworkflow.core import riders
from mlworkflow.core.observation import Result
from mlworkflow.core.pods import PodSettings
from mlworkflow.core.status import stamp
from mlworkflow.engine.engine import Engine
from mlworkflow.engine.runs import EngineRuns
from mlworkflow.kube.errors import AlreadyExists, Conflict, Forbidden, NotFound
from mlworkflow.kube.pods import PodDriver
from mlworkflow.kube.reconciler import Reconciler
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.layout import AttemptKey
from mlworkflow.store.signing import BlobSigner

KEY = "default/w"


class Server:
    """Keeps objects and versions, and counts calls; `refuse` holds errors that the next creates meet."""

    def __init__(self, resource: dict[str, Any]) -> None:
        self.versions = itertools.count(10)
        self.calls: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()  # bytes
        self.pods: dict[str, dict[str, Any]] = {}
        self.resource = {**resource, "metadata": {**resource["metadata"], "resourceVersion": "1"}}
        self.refuse: list[Exception] = []

    async def create(self, path: str, pod: dict[str, Any]) -> dict[str, Any]:
        self.calls["create"] += 1
        self.sent["create"] += len(orjson.dumps(pod))
        name = pod["metadata"]["name"]
        if self.refuse:
            raise self.refuse.pop(0)
        if name in self.pods:
            raise AlreadyExists(409, "AlreadyExists", "it exists")
        uid = f"pod-{len(self.pods)}"
        metadata = {**pod["metadata"], "uid": uid, "creationTimestamp": stamp(time.time())}
        metadata["resourceVersion"] = str(next(self.versions))
        self.pods[name] = {**pod, "metadata": metadata, "status": {"phase": "Pending"}}
        return self.pods[name]

    async def get(self, path: str) -> dict[str, Any]:
        self.calls["get"] += 1
        name = path.rpartition("/")[2]
        if name == self.resource["metadata"]["name"]:
            return self.resource
        if name not in self.pods:
            raise NotFound(404, "NotFound", "it does not exist")
        return self.pods[name]

    async def patch_status(self, path: str, patch: dict[str, Any]) -> str:
        self.calls["patch"] += 1
        self.sent["patch"] += len(orjson.dumps(patch))
        if patch["metadata"]["resourceVersion"] != self.resource["metadata"]["resourceVersion"]:
            raise Conflict(409, "Conflict", "it has changed")
        status = {**self.resource.get("status", {}), **patch["status"]}
        status = {field: value for field, value in status.items() if value is not None}
        self.edit(status=status)
        return str(self.resource["metadata"]["resourceVersion"])

    async def delete(self, path: str, *, grace_period: int | None = None) -> dict[str, Any]:
        self.calls["delete"] += 1
        return {}

    def edit(self, **fields: Any) -> None:
        metadata = {**self.resource["metadata"], "resourceVersion": str(next(self.versions))}
        self.resource = {**self.resource, "metadata": metadata, **fields}


class Operator:
    """One operator over a server; `settle` reconciles whatever is due."""

    def __init__(self, server: Server, folder: Path, pause: float = 0.0) -> None:
        self.server = server
        self.due: list[str] = []
        self.told: set[str] = set()
        store = DirectoryStore(folder, BlobSigner(b"0" * 32))
        settings = PodSettings(gateway="http://gateway", steps_image="steps", agent_image="agent")
        driver = PodDriver(
            server,
            settings,
            [],
            lambda uid, attempt: self.engine.heard(uid, attempt),
            lambda uid: self.reconciler.home(uid),
        )  # type: ignore[arg-type]
        self.engine = Engine(store, driver, lambda uid: self.reconciler.wake(uid), time.time)
        self.reconciler = Reconciler(server, self.engine, self.due.append, self.told.add, time.time, pause=pause)  # type: ignore[arg-type]
        self.reconciler.observe("ADDED", server.resource)

    async def settle(self) -> None:
        while self.due or self.told:
            self.due[:] = self.due[1:] if self.due and self.due[0] in self.due[1:] else self.due
            if self.due:
                await self.reconciler.reconcile(self.due.pop(0))
            else:
                await self.reconciler.publish(self.told.pop())

    async def commit_all(self) -> None:
        """Every Pod that has not committed does so, before the operator looks again."""
        runs = EngineRuns(self.engine)
        for pod in list(self.server.pods.values()):
            annotations = pod["metadata"]["annotations"]
            listed = annotations.get("mlworkflow.io/riders")
            own = (annotations["mlworkflow.io/task"], int(annotations["mlworkflow.io/attempt"]))
            for task, attempt in [(rider.task, rider.attempt) for rider in riders.read(listed)] if listed else [own]:
                live = self.engine.live.get("uid-1")
                if live and (task, attempt) not in live.results:
                    pod["status"] = {"phase": "Running"}
                    number = float(task.rpartition("/")[2]) if "/" in task else 0.0
                    result = Result(exit_code=0, metrics={"acc": number})
                    await runs.commit(AttemptKey("default", "uid-1", task, attempt), result)


async def run_to_the_end(operator: Operator) -> dict[str, Any]:
    for _ in range(200):
        await operator.settle()
        status: dict[str, Any] = operator.server.resource.get("status", {})
        if status.get("phase") in ("Succeeded", "Failed", "Cancelled"):
            return status
        await operator.commit_all()
    pytest.fail("no end in sight")


def a_chain(length: int) -> Server:
    builder = a_workflow("w")
    for number in range(length):
        after = {"after": [f"s{number - 1}"]} if number else {}
        builder = builder.kind(f"s{number}", "container", {"image": "i", "command": ["c"], "agent": True}, **after)
    return Server(builder.resource())


def a_fan(width: int) -> Server:
    builder = a_workflow("w")
    for number in range(width):
        builder = builder.kind(f"s{number}", "container", {"image": "i", "command": ["c"], "agent": True})
    return Server(builder.resource())


async def test_a_step_of_a_chain_costs_a_create_and_one_patch(tmp_path: Path) -> None:
    server = a_chain(20)
    assert (await run_to_the_end(Operator(server, tmp_path)))["phase"] == "Succeeded"
    assert server.calls == {"create": 20, "patch": 21}, "2.05 writes a step, and not one read"


async def test_a_fan_out_costs_hardly_more_than_its_creates(tmp_path: Path) -> None:
    server = a_fan(50)
    assert (await run_to_the_end(Operator(server, tmp_path)))["phase"] == "Succeeded"
    assert server.calls == {"create": 50, "patch": 2}, "1.04 writes a step"


def a_study(trials: int, per_pod: int) -> Server:
    body = {"image": "i", "command": ["c"], "agent": True}
    budget = {"max": trials, "parallel": trials, "perPod": per_pod}
    space, trial = {"x": list(range(trials))}, {"container": body}
    return Server(a_workflow("w").tune("t", space, trials=budget, trial=trial, trial_outputs="").resource())


@pytest.mark.parametrize(("per_pod", "create"), [(1, 40), (4, 10), (16, 3), (40, 1)])
async def test_trials_that_share_pods_cost_a_create_a_pod(per_pod: int, create: int, tmp_path: Path) -> None:
    server = a_study(40, per_pod)
    status = await run_to_the_end(Operator(server, tmp_path))
    assert (status["phase"], status["steps"][0]["outputs"]["best"]["trial"]) == ("Succeeded", 39)
    assert server.calls == {"create": create, "patch": 2}


@pytest.mark.parametrize(
    ("server", "create", "patch"),
    [(a_chain(20), 1740, 2150), (a_fan(50), 1740, 290)],
    ids=["a chain of 20", "a fan-out of 50"],
)
async def test_bytes_that_are_sent_for_a_step(server: Server, create: int, patch: int, tmp_path: Path) -> None:
    await run_to_the_end(Operator(server, tmp_path))
    assert server.sent["create"] / len(server.pods) <= create
    assert server.sent["patch"] / len(server.pods) <= patch


async def test_a_status_that_the_server_is_slow_to_write_is_written_less_often(tmp_path: Path) -> None:
    server = a_chain(3)
    operator, write = Operator(server, tmp_path, pause=60.0), server.patch_status

    async def patch_status(path: str, patch: dict[str, Any]) -> str:
        await asyncio.sleep(0.05)
        return await write(path, patch)

    server.patch_status = patch_status  # type: ignore[method-assign]
    await operator.reconciler.reconcile(operator.due.pop())
    await operator.reconciler.publish(operator.told.pop())
    await operator.commit_all()
    await operator.reconciler.reconcile(operator.due.pop())
    due = await operator.reconciler.publish(operator.told.pop())
    assert due is not None
    assert 200 < due <= 600, "four pauses or more, and never more than ten"
    assert server.calls["patch"] == 1


async def test_a_conflict_is_answered_by_another_look(tmp_path: Path) -> None:
    server = a_chain(1)
    operator = Operator(server, tmp_path)
    server.edit(spec={**server.resource["spec"], "suspend": False})
    assert (await run_to_the_end(operator))["phase"] == "Succeeded"
    assert server.calls["create"] == 1


async def test_a_pod_that_exists_is_adopted(tmp_path: Path) -> None:
    server = a_chain(2)
    first = Operator(server, tmp_path)
    await first.settle()
    server.edit(status={})  # its status write was lost, and then it died
    assert (await run_to_the_end(Operator(server, tmp_path)))["phase"] == "Succeeded"
    assert len(server.pods) == 2


async def test_a_pod_of_somebody_else_under_our_name_is_left_alone(tmp_path: Path) -> None:
    server = a_chain(1)
    await Operator(server, tmp_path / "a").settle()
    pod = next(iter(server.pods.values()))
    pod["metadata"]["ownerReferences"] = [{"uid": "another"}]
    server.edit(status={})
    status = await run_to_the_end(Operator(server, tmp_path / "b"))
    assert (status["phase"], status["steps"][0]["reason"]) == ("Failed", "CreateRefused")


async def test_a_full_namespace_is_waited_for_and_named(tmp_path: Path) -> None:
    server = a_chain(1)
    server.refuse = [Forbidden(403, "Forbidden", "exceeded quota: pods=1")] * 2
    operator = Operator(server, tmp_path)
    await operator.settle()
    operator.reconciler.wake("uid-1")
    await operator.settle()
    assert "exceeded quota" in server.resource["status"]["message"]
    operator.reconciler.wake("uid-1")
    status = await run_to_the_end(operator)
    assert (status["phase"], status["steps"][0]["attempts"], status.get("message", "")) == ("Succeeded", 1, "")


async def test_a_workflow_can_be_cancelled_while_its_pods_cannot_be_created(tmp_path: Path) -> None:
    server = a_chain(1)
    server.refuse = [Forbidden(403, "Forbidden", "exceeded quota: pods=1")] * 50
    operator = Operator(server, tmp_path)
    await operator.settle()
    metadata = {**server.resource["metadata"], "generation": 2}
    server.edit(spec={**server.resource["spec"], "cancel": True}, metadata=metadata)
    server.edit()
    operator.reconciler.observe("MODIFIED", server.resource)
    assert (await run_to_the_end(operator))["phase"] == "Cancelled"
    assert server.pods == {}


async def test_an_unsound_spec_costs_one_patch_and_runs_once_it_is_mended(tmp_path: Path) -> None:
    server = a_chain(1)
    good = server.resource["spec"]
    server.edit(spec={"steps": [{**good["steps"][0], "after": ["nowhere"]}]})
    operator = Operator(server, tmp_path)
    await operator.settle()
    assert server.calls == {"patch": 1}
    assert server.resource["status"]["phase"] == "Failed"
    server.edit(spec=good, metadata={**server.resource["metadata"], "generation": 2})
    server.edit()
    operator.reconciler.observe("MODIFIED", server.resource)
    assert (await run_to_the_end(operator))["phase"] == "Succeeded"


async def test_a_finished_workflow_costs_a_restarted_operator_nothing(tmp_path: Path) -> None:
    server = a_chain(2)
    await run_to_the_end(Operator(server, tmp_path))
    server.calls.clear()
    await Operator(server, tmp_path).settle()
    assert server.calls == {}
