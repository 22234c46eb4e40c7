"""Trials that share Pods (`trials.perPod`): the operator over HTTP, a gateway on a port, and real agents where a kubelet would have containers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from mlworkflow.core import names
from mlworkflow.gateway.app import make_app, make_runner
from mlworkflow.gateway.errors import NotReady, Unauthorized
from mlworkflow.gateway.runs import Caller
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.layout import AttemptKey
from mlworkflow.store.records import Record, read_record
from mlworkflow.store.signing import BlobSigner

from tests.builders import WorkflowBuilder, a_workflow

from .cluster import ApiServer, Operator, given, operating

STEPS = str(Path(__file__).parents[3] / "steps")
QUICK = """
test -z "$(ls -A "$MLWF_OUT/params")" && test ! -e "$MLWF_CHECKPOINT/mine" || exit 9
touch "$MLWF_CHECKPOINT/mine"
echo "trial of $MLWF_PARAM_X"
printf "$MLWF_PARAM_X" > "$MLWF_OUT/model"
echo "{\\"name\\": \\"acc\\", \\"value\\": $MLWF_PARAM_X}" >> "$MLWF_METRICS"
"""
HELD = 'while test "$MLWF_PARAM_X" = 2 && test ! -e "$GATE"; do sleep 0.05; done\n' + QUICK
"""The third trial waits until the test lets it go on."""


class _Tokens:
    """A Pod's token is the uid of the Pod, which stands for the proof of it."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api

    async def authenticate(self, token: str) -> Caller:
        for name, pod in self._api.pods.items():
            if pod["metadata"]["uid"] == token:
                return Caller(namespace="default", pod=name, pod_uid=token)
        raise Unauthorized("there is no such Pod")


class _Runs:
    """The operator of the moment."""

    now: Operator | None = None

    def __getattr__(self, name: str) -> Any:
        if self.now is None:
            raise NotReady("there is no operator")
        return getattr(self.now.runs, name)


class Node:
    """A kubelet: every Pod that is created is an agent's process. `gate` lets go on what is held."""

    def __init__(self, api: ApiServer, folder: Path, gateway: str) -> None:
        self.api, self.folder, self.gateway = api, folder, gateway
        self.gate = folder / "gate"
        self.processes: dict[str, asyncio.subprocess.Process] = {}
        self._ends: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        while True:
            for name, pod in list(self.api.pods.items()):
                if name not in self.processes:
                    await self._start(name, pod)
                if "deletionTimestamp" in pod["metadata"] and self.processes[name].returncode is None:
                    self.processes[name].terminate()
            await asyncio.sleep(0.01)

    async def _start(self, name: str, pod: dict[str, Any]) -> None:
        home = self.folder / name
        home.mkdir()
        (home / "token").write_text(pod["metadata"]["uid"])
        (home / "last").touch()
        (container,) = pod["spec"]["containers"]
        own = {variable["name"]: variable["value"] for variable in container["env"]}
        settings = {
            "MLWF_GATEWAY": self.gateway,
            "MLWF_TOKEN_FILE": str(home / "token"),
            "MLWF_ROOT": str(home / "root"),
        }
        last = {"MLWF_LAST_WORD": str(home / "last"), "GATE": str(self.gate), "PYTHONPATH": STEPS}
        with (home / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "mlworkflow_steps.agent", "run",
                env={**os.environ, **own, **settings, **last}, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.processes[name] = process
        self._say(name, {"phase": "Running", "containerStatuses": [{"name": "step", "state": {"running": {}}}]})
        self._ends.append(asyncio.create_task(self._wait(name, process)))

    async def _wait(self, name: str, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        code = code if code >= 0 else 128 - code
        end = {
            "exitCode": code,
            "reason": {0: "Completed", 137: "OOMKilled"}.get(code, "Error"),
            "message": self.last_word(name),
        }
        status = {
            "phase": "Failed" if code else "Succeeded",
            "containerStatuses": [{"name": "step", "state": {"terminated": end}}],
        }
        pod = self.api.pods.get(name)
        self._say(name, status)
        if pod and "deletionTimestamp" in pod["metadata"]:
            self.api.remove("pods", name)

    def _say(self, name: str, status: dict[str, Any]) -> None:
        if pod := self.api.pods.get(name):
            self.api.words = (self.folder / name / "log").read_text()
            self.api.put("pods", pod, status=status)

    def last_word(self, name: str) -> str:
        return (self.folder / name / "last").read_text()

    def kill(self, name: str) -> None:
        """All of a container's processes at once, as the kernel does where a control group is out of memory."""
        process = self.processes[name]
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                _, _, _, session = stat.read_text(errors="replace").rpartition(")")[2].split()[:4]
                if int(session) == process.pid:
                    os.kill(int(stat.parent.name), signal.SIGKILL)

    async def close(self) -> None:
        for name in self.processes:
            self.kill(name)
        await asyncio.gather(*self._ends)


@asynccontextmanager
async def a_node(api: ApiServer, folder: Path) -> AsyncIterator[tuple[Node, _Runs]]:
    runs = _Runs()
    (folder / "store").mkdir()
    (folder / "node").mkdir()
    signer = BlobSigner(b"0" * 32)
    app = make_app(
        runs=runs,  # type: ignore[arg-type]
        store=DirectoryStore(folder / "store", signer),
        authenticator=_Tokens(api),
        blobs=signer,
    )
    runner = make_runner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    node = Node(api, folder / "node", f"http://127.0.0.1:{port}")
    running = asyncio.create_task(node.run())
    try:
        yield node, runs
    finally:
        running.cancel()
        await node.close()
        await runner.cleanup()


@asynccontextmanager
async def at_work(builder: WorkflowBuilder, folder: Path) -> AsyncIterator[tuple[ApiServer, Node, Operator]]:
    async with AsyncExitStack() as stack:
        api = given(builder)
        node, runs = await stack.enter_async_context(a_node(api, folder))
        runs.now = await stack.enter_async_context(operating(api, folder / "store"))
        yield api, node, runs.now


def a_study(script: str = QUICK, per_pod: int = 4, count: int = 8, **fields: Any) -> WorkflowBuilder:
    step = {"container": {"image": "i", "command": ["sh", "-c", script], "agent": True}, "outputs": {"model": {}}}
    tune = {
        "metric": {"name": "acc"},
        "space": {"x": {"choice": list(range(count))}},
        "trials": {"max": count, "parallel": count, "perPod": per_pod, **fields.pop("trials", {})},
        "step": {**step, **fields.pop("step", {})},
        **fields,
    }
    return a_workflow().kind("tune", "tune", tune)


async def until(what: Callable[[], Any], why: Callable[[], object] = lambda: "") -> Any:
    """What `what` gives once it gives anything."""
    try:
        async with asyncio.timeout(60):
            while not (found := what()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            return found
    except TimeoutError:
        pytest.fail(f"not within a minute: {why()}")


async def ended(api: ApiServer) -> dict[str, Any]:
    await until(lambda: api.status().get("phase") in ("Succeeded", "Failed", "Cancelled"), api.status)
    return api.status()


def trials(api: ApiServer) -> dict[str, dict[str, Any]]:
    return {task["name"]: task for task in api.status().get("tasks", [])}


def record(folder: Path, task: str, attempt: int = 0) -> Record | None:
    store = DirectoryStore(folder / "store", BlobSigner(b"0" * 32))
    return read_record(store, AttemptKey("default", "uid-1", task, attempt))


def aboard(pod: dict[str, Any]) -> list[str]:
    """Whom a Pod carries."""
    riders = pod["metadata"]["annotations"].get(names.ANNOTATION_RIDERS)
    return [f"{task}/{attempt}" for task, attempt, *_ in orjson.loads(riders)] if riders else []


async def held(api: ApiServer, node: Node) -> str:
    """The name of the Pod, once its third trial runs, and the operator knows it."""
    await until(lambda: trials(api).get("tune/2", {}).get("startedAt"), api.status)
    pod = str(trials(api)["tune/2"]["pod"])
    await until(lambda: node.last_word(pod) == "tune/2/0")
    return pod


async def test_eight_trials_in_two_pods_leave_what_they_leave_in_eight(tmp_path: Path) -> None:
    left = []
    for per_pod, count in ((4, 2), (1, 8)):
        folder = tmp_path / str(per_pod)
        folder.mkdir()
        async with at_work(a_study(per_pod=per_pod), folder) as (api, _, operator):
            status = await ended(api)
            assert status["phase"] == "Succeeded", status
            await operator.settled()
            assert api.writes.pop("patch mlworkflows/status") <= 12
            assert api.writes.pop("create pods") == count
            assert set(api.writes) <= {"patch mlworkflows/status", "create pods"}
        found = {number: record(folder, f"tune/{number}") for number in range(8)}
        logs = {number: one.logs.digest for number, one in found.items() if one and one.logs}
        outputs = {
            number: (one.outputs, one.params, one.metrics, one.fingerprint) for number, one in found.items() if one
        }
        left.append((status["steps"][0]["outputs"], status["steps"][0]["artifacts"]["model"], outputs, logs))
    assert left[0] == left[1]
    assert len(left[0][2]) == len(left[0][3]) == 8
    assert left[0][0]["best"] == {"params": {"x": 7}, "value": 7.0, "trial": 7}


async def test_a_pod_that_is_lost_midway_costs_those_that_had_not_ended_another_pod(tmp_path: Path) -> None:
    async with at_work(a_study(HELD, count=4), tmp_path) as (api, node, _):
        pod = await held(api, node)
        assert aboard(api.pods[pod]) == ["tune/0/0", "tune/1/0", "tune/2/0", "tune/3/0"]
        assert "startedAt" not in trials(api)["tune/3"], "its turn has not come"
        assert trials(api)["tune/3"]["message"] == "waits for its turn in the Pod that it shares"
        assert "message" not in trials(api)["tune/2"]
        node.gate.touch()
        api.remove("pods", pod)
        node.kill(pod)
        status = await ended(api)
        assert (status["phase"], status["steps"][0]["outputs"]["failed_count"]) == ("Succeeded", 0), status
        tasks = trials(api)
        assert [tasks[f"tune/{number}"]["attempts"] for number in range(4)] == [1, 1, 2, 2]
        (other,) = [found for name, found in api.pods.items() if name != pod]
        assert aboard(other) == ["tune/2/1", "tune/3/1"]
        assert [
            record(tmp_path, f"tune/{number}", attempt) is not None for number, attempt in ((1, 0), (2, 0), (2, 1))
        ] == [
            True,
            False,
            True,
        ]


async def test_of_a_pod_that_is_out_of_memory_the_trial_that_ran_has_failed_and_the_others_run_again(
    tmp_path: Path,
) -> None:
    study = a_study(HELD, count=4, trials={"maxFailed": 1}, step={"retry": {"limit": 0}})
    async with at_work(study, tmp_path) as (api, node, _):
        pod = await held(api, node)
        node.kill(pod)
        status = await ended(api)
        assert (status["phase"], status["steps"][0]["outputs"]["failed_count"]) == ("Succeeded", 1), status
        tasks = trials(api)
        assert (tasks["tune/2"]["reason"], tasks["tune/2"]["attempts"]) == ("OOMKilled", 1)
        assert tasks["tune/2"]["message"].startswith("exit code 137")
        assert (tasks["tune/3"]["phase"], tasks["tune/3"]["attempts"]) == ("Succeeded", 2)
        killed = record(tmp_path, "tune/2")
        assert killed is not None
        assert killed.logs is None, "it printed nothing, and what others printed is not its own"


async def test_one_that_is_pruned_ends_and_the_next_goes_on(tmp_path: Path) -> None:
    script = """
for step in $(seq 600); do
  echo "{\\"name\\": \\"acc\\", \\"value\\": $MLWF_PARAM_X, \\"step\\": $step}" >> "$MLWF_METRICS"
  test "$MLWF_PARAM_X" = 1 || exec touch "$MLWF_OUT/model"
  sleep 0.2
done
"""
    study = a_study(script, count=3, per_pod=3, pruner={"threshold": {"upper": 0.5}})
    async with at_work(study, tmp_path) as (api, _, operator):
        status = await ended(api)
        await operator.settled()
        assert status["phase"] == "Succeeded", status
        assert trials(api)["tune/1"]["reason"] == "Pruned"
        assert [trials(api)[f"tune/{number}"]["attempts"] for number in range(3)] == [1, 1, 1]
        assert (len(api.pods), api.calls["delete pods"]) == (1, 0)


async def test_one_that_runs_too_long_is_ended_and_the_next_has_all_of_its_time(tmp_path: Path) -> None:
    script = 'test "$MLWF_PARAM_X" != 1 || exec sleep 600\nsleep 1.2\n' + QUICK
    study = a_study(script, count=3, per_pod=3, trials={"maxFailed": 1}, step={"timeout": "3s", "retry": {"limit": 0}})
    async with at_work(study.having(podCleanup="WorkflowEnded"), tmp_path) as (api, _, operator):
        status = await ended(api)
        assert status["phase"] == "Succeeded", status
        assert trials(api)["tune/1"]["reason"] == "DeadlineExceeded"
        assert trials(api)["tune/2"]["phase"] == "Succeeded", "the last one began after the time of the first was over"
        await until(lambda: not api.pods)
        await operator.settled()
        assert [name for name, _ in api.deletions] == [trials(api)["tune/0"]["pod"]], "by podCleanup, once"


async def test_a_restarted_operator_knows_who_is_in_a_pod(tmp_path: Path) -> None:
    study = a_study(HELD, count=4)
    api = given(study)
    async with a_node(api, tmp_path) as (node, runs):
        async with operating(api, tmp_path / "store") as operator:
            runs.now = operator
            pod = await held(api, node)
            runs.now = None
        api.put("mlworkflows", {key: value for key, value in api.workflow().items() if key != "status"})
        node.gate.touch()
        async with operating(api, tmp_path / "store") as operator:
            runs.now = operator
            status = await ended(api)
            assert status["phase"] == "Succeeded", status
            assert [task["attempts"] for task in trials(api).values()] == [1, 1, 1, 1]
            assert {task["pod"] for task in trials(api).values()} == {pod} == set(api.pods)


async def test_the_log_of_a_trial_is_its_part_of_its_pod_s(tmp_path: Path) -> None:
    async with at_work(a_study(HELD, count=4), tmp_path) as (api, node, operator):
        pod = await held(api, node)
        api.words = "\nmlworkflow: now tune/1/0\ntrial of 1\n\nmlworkflow: now tune/2/0\ntrial of 2\n"
        said = {}
        for number in range(1, 4):
            where = ("default", "uid-1", (f"tune/{number}", 0), pod)
            followed = b"".join([piece async for piece in operator.driver.follow(*where)])
            assert followed == await operator.driver.log(*where)
            said[number] = followed.strip()
        assert said == {1: b"trial of 1", 2: b"trial of 2", 3: b""}
        node.gate.touch()
        await ended(api)


async def test_a_cancelled_search_ends_each_of_its_pods_once(tmp_path: Path) -> None:
    async with at_work(a_study(HELD), tmp_path) as (api, node, operator):
        pod = await held(api, node)
        await until(lambda: trials(api).get("tune/7", {}).get("phase") == "Succeeded", api.status)
        api.edit(cancel=True)
        status = await ended(api)
        await until(lambda: node.processes[pod].returncode is not None)
        await operator.settled()
        assert status["phase"] == "Cancelled"
        assert [name for name, _ in api.deletions] == [pod]
        assert trials(api)["tune/3"]["phase"] == "Cancelled"
        assert record(tmp_path, "tune/3") is None


async def test_a_pod_speaks_for_its_own_trials_only(tmp_path: Path) -> None:
    async with at_work(a_study(HELD, count=8), tmp_path) as (api, node, _):
        pod = await held(api, node)
        await until(lambda: len(trials(api)) == 8)
        other = trials(api)["tune/7"]["pod"]
        assert other != pod
        async with aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {api.pods[pod]['metadata']['uid']}"}
        ) as session:
            answers = {}
            for rider in ("tune/3/0", "tune/7/0", "tune/3/1", "tune/2", ""):
                headers = {"X-Mlworkflow-Rider": rider} if rider else {}
                async with session.get(f"{node.gateway}/v1/task", headers=headers) as answer:
                    answers[rider] = answer.status
        assert answers == {"tune/3/0": 200, "tune/7/0": 403, "tune/3/1": 403, "tune/2": 403, "": 403}
        node.gate.touch()
        await ended(api)
