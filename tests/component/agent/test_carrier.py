"""`agent run` for trials that share a Pod: real processes, one after another, against a real gateway."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlworkflow.gateway.app import make_app
from mlworkflow.gateway.errors import Forbidden, Superseded
from mlworkflow.gateway.runs import Caller, Ended, OutputSpec
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.layout import AttemptKey
from mlworkflow.store.signing import BlobSigner

from tests.component.agent.conftest import STEPS
from tests.component.fakes import FakeRuns, a_task, served

SCRIPT = 'find "$MLWF_OUT" "$MLWF_CHECKPOINT" -type f; touch "$MLWF_CHECKPOINT/mine" "$MLWF_OUT/left"; echo "it is $MLWF_PARAM_X"'


class _Pod:
    """Knows one Pod, whatever token it shows."""

    async def authenticate(self, token: str) -> Caller:
        return Caller(namespace="ml", pod="pod", pod_uid=token)


class _Runs(FakeRuns):
    """The attempts of one Pod, by what they are called in it; those in `unwanted` are stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.unwanted: set[str] = set()

    def attempt_of(self, caller: Caller) -> AttemptKey:
        found = [key for key in self.tasks if f"{key.task}/{key.attempt}" == caller.rider]
        if not found:
            raise Forbidden("this Pod has no such trial")
        return found[0]

    async def container_ended(self, key: AttemptKey, wait: float) -> Ended | None:
        if key.task in self.unwanted:
            raise Superseded("it has been stopped")
        return await super().container_ended(key, min(wait, 0.2))


class Carried:
    """A Pod that trials share: `add` says what each of them does."""

    def __init__(self, folder: Path, url: str, runs: _Runs, store: DirectoryStore) -> None:
        self.folder, self.url, self.runs, self.store = folder, url, runs, store
        self.uid = uuid.uuid4().hex
        self.last = folder / "last"
        self.last.touch()
        (folder / "token").write_text("uid-of-the-pod")

    def add(self, *scripts: str) -> list[AttemptKey]:
        keys = [AttemptKey("ml", self.uid, f"tune/{number}", 0) for number in range(len(scripts))]
        for key, script in zip(keys, scripts, strict=True):
            outputs = {"left": OutputSpec(optional=True)}
            params = {"x": key.task}
            self.runs.add(a_task(command=["sh", "-c", script], key=key, params=params, outputs=outputs))
        return keys

    def start(self, **environ: str) -> subprocess.Popen[str]:
        settings = {
            "PYTHONPATH": STEPS,
            "MLWF_GATEWAY": self.url,
            "MLWF_TOKEN_FILE": str(self.folder / "token"),
            "MLWF_ROOT": str(self.folder / "root"),
            "MLWF_LAST_WORD": str(self.last),
            "MLWF_RIDERS": " ".join(f"{key.task}/{key.attempt}" for key in self.runs.tasks),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "mlworkflow_steps.agent", "run"],
            env={**os.environ, **settings, **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, **environ: str) -> tuple[int, str, str]:
        process = self.start(**environ)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def log(self, key: AttemptKey) -> str:
        logs = self.runs.results[key].logs
        if logs is None:
            return ""
        digest = logs.digest.removeprefix("sha256:")
        (found,) = (self.folder / "store").rglob(f"*{digest[2:]}")
        return found.read_text()


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Carried]:
    signer = BlobSigner(b"0" * 32)
    store, runs = DirectoryStore(tmp_path / "store", signer), _Runs()
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(served(make_app(runs=runs, store=store, authenticator=_Pod(), blobs=signer)))
        yield Carried(tmp_path, url, runs, store)


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_each_finds_a_place_of_its_own_and_commits_for_itself(pod: Carried) -> None:
    keys = pod.add(SCRIPT, SCRIPT, "env; exit 3", SCRIPT)
    code, out, err = pod.run(MLWF_TRACES="a b c d")
    assert code == 3, err
    assert [pod.runs.results[key].exit_code for key in keys] == [0, 0, 3, 0]
    assert [pod.log(key) for key in keys if key.task != "tune/2"] == [f"it is tune/{number}\n" for number in (0, 1, 3)]
    assert [bool(pod.runs.results[key].outputs) for key in keys] == [True, True, False, True]
    pairs = dict(line.split("=", 1) for line in pod.log(keys[2]).splitlines() if "=" in line)
    assert (pairs["MLWF_PARAM_X"], pairs["TRACEPARENT"], pairs["MLWF_ATTEMPT"]) == ("tune/2", "c", "0")
    assert not {"MLWF_RIDERS", "MLWF_TRACES", "MLWF_LAST_WORD", "MLWF_TOKEN_FILE"} & pairs.keys()
    assert [line for line in out.splitlines() if line.startswith("mlworkflow: now")] == [
        f"mlworkflow: now tune/{number}/0" for number in range(4)
    ]
    assert pod.last.read_text() == "tune/3/0"


def test_one_that_is_not_wanted_any_more_is_ended_and_the_next_runs(pod: Carried) -> None:
    keys = pod.add("exec sleep 600", SCRIPT)
    process = pod.start()
    until(lambda: pod.last.read_text() == "tune/0/0")
    pod.runs.unwanted.add("tune/0")
    del pod.runs.tasks[keys[0]]
    pod.runs.add(a_task(command=["false"], key=keys[0]))
    pod.runs.results[keys[0]] = None  # type: ignore[assignment]  # who asks hears that it is over
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert pod.runs.results[keys[1]].exit_code == 0
    assert "it is tune/1" in out


def test_one_that_was_stopped_before_its_turn_is_passed_over(pod: Carried) -> None:
    keys = pod.add(SCRIPT, SCRIPT)
    pod.runs.results[keys[0]] = None  # type: ignore[assignment]
    code, out, _ = pod.run()
    assert (code, "it is tune/0" in out, pod.runs.results[keys[1]].exit_code) == (0, False, 0)


def test_sigterm_ends_the_one_that_runs_and_none_follows(pod: Carried) -> None:
    keys = pod.add(SCRIPT, f'trap "exit 5" TERM; touch {pod.folder}/runs; while :; do sleep 0.05; done', SCRIPT)
    process = pod.start()
    until((pod.folder / "runs").exists)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 5
    assert pod.runs.results[keys[1]].reason == "Terminated"
    assert keys[2] not in pod.runs.results
    assert pod.last.read_text() == "tune/1/0"


def test_the_death_of_an_agent_is_the_death_of_the_pod(pod: Carried) -> None:
    keys = pod.add(SCRIPT, "kill -9 $PPID; sleep 1", SCRIPT)
    code, _, _ = pod.run()
    assert code == 137
    assert keys[0] in pod.runs.results
    assert not {*keys[1:]} & pod.runs.results.keys()
    assert pod.last.read_text() == "tune/1/0"


def test_who_may_not_speak_for_a_trial_is_refused(pod: Carried) -> None:
    pod.add(SCRIPT)
    code, _, err = pod.run(MLWF_RIDERS="tune/7/0 tune/0/0")
    assert code == 77
    assert "this Pod has no such trial" in err
    assert len(pod.runs.results) == 1, "the other one has run"
