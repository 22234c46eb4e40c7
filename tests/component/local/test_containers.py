"""The commands of `container` steps in their images, by a real Podman."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlworkflow.core.errors import UsageError
from mlworkflow.local import containers
from mlworkflow.local.home import Home, LocalRun
from mlworkflow.local.runner import LocalRunner
from mlworkflow.store.layout import AttemptKey, cas_key
from mlworkflow.store.records import read_record
from node import api, prerequisites
from node.constants import BUSYBOX_IMAGE as IMAGE

CONFIGURATION = """\
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=1024:2048"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[engine.runtimes]
runc = ["{runc}"]
"""
"""Of a machine in which not everything may be asked for, as in a container."""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A short path: sockets are in it."""
    with tempfile.TemporaryDirectory(prefix="podman-", ignore_cleanup_errors=True) as made:
        yield Path(made)


@pytest.fixture(scope="module")
def podman(folder: Path) -> Iterator[Callable[..., str]]:
    """Podman with images of its own; the variables that lead to them are set meanwhile."""
    prerequisites.need_packages({"podman": "podman"})
    (folder / "containers.conf").write_text(CONFIGURATION.format(runc=api.binary("runc")))
    (folder / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/images"\nrunroot = "{folder}/run"\n'
    )

    def call(*words: str) -> str:
        return subprocess.run(["podman", *words], check=True, capture_output=True, text=True, timeout=60).stdout

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTAINERS_CONF", str(folder / "containers.conf"))
        patch.setenv("CONTAINERS_STORAGE_CONF", str(folder / "storage.conf"))
        patch.setenv("MLWF_ENGINE", "podman")
        call("load", "--input", str(api.image_archive("busybox")))
        yield call


def step(name: str, script: str | None = None, **fields: Any) -> dict[str, Any]:
    command = {} if script is None else {"command": ["sh", "-c"], "args": [script]}
    return {"name": name, "container": {"image": IMAGE, **command}, **fields}


def workflow(*steps: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "mlworkflow.io/v1alpha1",
        "kind": "MLWorkflow",
        "metadata": {"name": "w"},
        "spec": {"steps": list(steps)},
    }


async def run(home: Home, *steps: dict[str, Any]) -> LocalRun:
    return await LocalRunner(home, workflow(*steps), lambda _: None).execute()


def tasks(ended: LocalRun) -> dict[str, Any]:
    return {task["name"]: task for task in ended.resource["status"]["steps"]}


async def test_steps_find_and_leave_what_they_would_in_pods(
    podman: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THIS_MACHINE", "1")
    home = Home(tmp_path)
    made = step(
        "make",
        'env > $MLWF_OUT/seen; cat $MLWF_PARAMS; pwd; ls /mlworkflow; echo "$MLWF_PARAM_WORDS" > /mlworkflow/out/words; echo kept > $MLWF_CHECKPOINT/x',
        params={"words": "one two"},
        env=[{"name": "SECRET", "value": "two\nlines"}, {"name": "HOME", "value": "/nowhere"}],
        outputs={"words": {}, "seen": {}},
    )
    made["container"]["workingDir"] = "/tmp"
    count = step(
        "count",
        'mkdir -p $MLWF_OUT/params; wc -w < $MLWF_IN/words > $MLWF_OUT/params/total; echo \'{"name": "m", "value": 2}\' >> $MLWF_METRICS',
        inputs={"words": {"from": "make.words"}},
        outputs={"total": {"type": "integer"}},
    )
    ended = await run(home, made, count)
    assert ended.resource["status"]["phase"] == "Succeeded", ended.resource["status"]
    done = tasks(ended)
    assert done["count"]["outputs"] == {"total": 2}
    record = read_record(home.store, AttemptKey("local", ended.uid, "count", 0))
    assert record is not None
    assert record.metrics == {"m": 2}
    seen = home.store.read_bytes(cas_key("local", done["make"]["artifacts"]["seen"]["digest"])).decode()
    assert "SECRET=two\nlines\n" in seen
    assert "HOME=/nowhere\n" in seen
    assert "MLWF_IN=/mlworkflow/in\n" in seen
    for name in ("OF_THIS_MACHINE", "MLWF_TOKEN_FILE", "MLWF_GATEWAY", str(tmp_path)):
        assert name not in seen
    folder = home.work(ended.uid, "make", 0)
    assert (folder / "run/log").read_text() == '{"words": "one two"}/tmp\ncheckpoint\nin\nout\nrun\n'
    assert {(folder / "out/words").stat().st_uid, (folder / "checkpoint/x").stat().st_uid} == {os.geteuid()}
    assert podman("ps", "--all", "--quiet") == ""


async def test_an_exit_code_is_the_container_s_and_an_image_has_an_entry_point_of_its_own(
    podman: Callable[..., str], tmp_path: Path
) -> None:
    ended = await run(Home(tmp_path), step("own"), step("fails", "echo why; exit 3"))
    assert tasks(ended)["own"]["phase"] == "Succeeded"
    assert (tasks(ended)["fails"]["phase"], tasks(ended)["fails"]["reason"]) == ("Failed", "Error")
    assert "exit code 3" in tasks(ended)["fails"]["message"]
    assert "why" in tasks(ended)["fails"]["message"]


async def test_what_an_image_is_counts_in_the_cache(podman: Callable[..., str], tmp_path: Path) -> None:
    home = Home(tmp_path)
    cached = step(
        "a", "date +%N > $MLWF_OUT/now; cat /made 2> /dev/null || true", outputs={"now": {}}, cache={"enabled": True}
    )
    first, again = [tasks(await run(home, cached))["a"] for _ in range(2)]
    assert (first.get("cached"), again.get("cached")) == (None, True)
    assert again["artifacts"] == first["artifacts"]
    number = podman("run", "--detach", IMAGE, "touch", "/made").strip()
    podman("wait", number)
    podman("commit", number, IMAGE)
    assert not tasks(await run(home, cached))["a"].get("cached"), "the same tag, another image"
    podman("rm", number)


def mlwf(home: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [Path(sys.executable).parent / "mlwf", *words, "-q", "--home", home]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def until(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 30
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


@pytest.mark.parametrize(
    "script", ["trap 'exit 0' TERM; sleep 60 & wait", "trap '' TERM; sleep 60"], ids=["heeds", "ignores"]
)
def test_a_run_that_is_cancelled_leaves_no_container(podman: Callable[..., str], tmp_path: Path, script: str) -> None:
    (tmp_path / "w.yaml").write_text(yaml.safe_dump(workflow(step("a", script, terminationGracePeriodSeconds=1))))
    process = mlwf(tmp_path, "run", str(tmp_path / "w.yaml"))
    until(lambda: podman("ps", "--quiet"))
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 128 + signal.SIGINT
    assert podman("ps", "--all", "--quiet") == ""


def test_the_container_of_a_runner_that_was_killed_is_ended_before_its_work_is_done_again(
    podman: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "w.yaml").write_text(yaml.safe_dump(workflow(step("a", "sleep 60", terminationGracePeriodSeconds=1))))
    process = mlwf(tmp_path, "run", str(tmp_path / "w.yaml"))
    before = until(lambda: podman("ps", "--quiet").split())
    process.kill()
    process.wait()
    assert podman("ps", "--quiet").split() == before
    process = mlwf(tmp_path, "retry", "w.1", "--local")
    until(lambda: {*podman("ps", "--quiet").split()} - {*before})
    assert not {*before} & {*podman("ps", "--all", "--quiet").split()}
    process.send_signal(signal.SIGINT)
    process.wait(20)
    assert podman("ps", "--all", "--quiet") == ""


def test_an_engine_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="docker or podman"):
        containers.Containers.find({"MLWF_ENGINE": "rkt"})
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match="no `docker`"):
        containers.Containers.find({"MLWF_ENGINE": "docker"})
    assert containers.Containers.find({}) is None
