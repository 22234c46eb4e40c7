"""What can be asked of a run that is gone: everything that only looks at it, of this machine and of a cluster alike."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlworkflow.core.observation import Result
from mlworkflow.store import archive

from tests.component.cli.conftest import Remote, Shell
from tests.component.cli.fake_cluster import NAMESPACE
from tests.component.cli.test_cluster_runs import STEPS, status

Step = Callable[..., dict[str, Any]]


def test_a_local_run_that_was_deleted_can_be_looked_at_until_it_is_purged(tmp_path: Path, sh: Step) -> None:
    mlwf = Shell(tmp_path)
    file = mlwf.write("w", [sh("one", 'echo said; echo made > "$MLWF_OUT/x"', outputs={"x": {}})])
    for _ in range(2):
        mlwf("run", file, "-q")
    before = mlwf.json("get", "w.2")
    assert mlwf.json("list", "--archived") == []
    assert mlwf("delete", "w.2") == "w.2 deleted\n"
    assert not list((tmp_path / ".mlworkflow/work").glob(before["metadata"]["uid"]))
    (line,) = mlwf.json("list", "--archived")
    assert line == {"id": "w.2", "uid": before["metadata"]["uid"], "phase": "Succeeded", "finishedAt": before["status"]["finishedAt"]}  # fmt: skip
    assert mlwf("list", "--archived").splitlines()[1].split()[:2] == ["w.2", "Succeeded"]
    for name in ("w.2", line["uid"]):
        after = mlwf.json("get", name)
        assert (after["id"], after["status"], after["spec"]) == (name, before["status"], before["spec"])
        assert "Succeeded (archived)" in mlwf("get", name)
        assert mlwf("logs", name, "one") == "said\n"
        assert [one["name"] for one in mlwf.json("artifacts", name)] == ["x"]
        assert mlwf("download", name, "one.x", "-") == "made\n"
        assert mlwf.json("verify", name)["verified"]
    assert mlwf.json("get", "w")["id"] == "w.1", "one that is there comes first"
    for words in (("stop", "w.2"), ("retry", "w.2"), ("delete", "w.2")):
        told = mlwf(*words, code=1) if words[0] != "stop" else ""
        assert words[0] == "stop" or "w.2 is gone: it can only be looked at" in told
    mlwf("run", file, "-q")
    assert mlwf.json("get", "w")["id"] == "w.3", "no number is given twice"
    assert mlwf("delete", "w.2", "--purge") == "w.2 purged\n"
    assert "there is no local run 'w.2'" in mlwf("get", "w.2", code=1)
    assert mlwf.json("list", "--archived") == []


def test_the_time_of_a_local_run_that_was_deleted_runs_out(tmp_path: Path, sh: Step) -> None:
    mlwf = Shell(tmp_path)
    mlwf("run", mlwf.write("w", [sh("one", 'echo made > "$MLWF_OUT/x"', outputs={"x": {}})]), "-q")
    mlwf("delete", "w")
    mlwf("gc", "--grace", "0s")
    (gone,) = tmp_path.glob(".mlworkflow/store/local/runs/*/gone.json")
    assert mlwf("download", "w", "one.x", "-") == "made\n"
    old = gone.stat().st_mtime - 91 * 86400
    os.utime(gone, (old, old))
    mlwf("gc", "--grace", "0s")
    assert "there is no local run 'w'" in mlwf("get", "w", code=1)
    assert mlwf.json("list", "--archived") == []


async def test_a_workflow_that_is_gone_can_be_looked_at_through_the_gateway(remote: Remote) -> None:
    here = remote.cluster
    log, model = here.keep(b"said\n"), here.keep(b"model")
    ran = status("Succeeded", artifacts={"model": {"digest": model.digest, "size": model.size, "type": "file"}})
    workflow = here.put("w", {**ran, "finishedAt": "2026-11-25T12:00:01.000Z"}, steps=STEPS)
    here.record("w", "train", Result(exit_code=0, outputs={"model": model}, logs=log))
    archive.archive(here.store, "w", workflow)
    assert "its workflow exists" in await remote("delete", "uid-w", "--purge", code=1)
    here.remove("w")
    assert [run["uid"] for run in await remote.json("list", "--archived")] == ["uid-w"]
    for name in ("w", "uid-w"):
        found = await remote.json("get", name)
        assert (found["id"], found["status"]["phase"], found["spec"]["steps"]) == (name, "Succeeded", STEPS)
        assert await remote("logs", name, "train") == "said\n"
        assert [one["digest"] for one in await remote.json("artifacts", name)] == [model.digest]
        assert await remote("download", name, "train.model", "-") == "model"
    assert "w is gone: it can only be looked at" in await remote("delete", "w", code=1)
    assert "there is no workflow 'v' in the namespace ml" in await remote("get", "v", code=1)
    here.put("w", status("Running"))
    assert (await remote.json("get", "w"))["status"]["phase"] == "Running", "one that is there comes first"
    here.remove("w")
    assert await remote("delete", "w", "--purge") == "w purged\n"
    assert "there is no workflow 'w'" in await remote("get", "w", code=1)
    assert list(here.store.list(f"{NAMESPACE}/runs/")) == []


async def test_who_may_not_read_is_told_that_it_is_not_there(remote: Remote) -> None:
    remote.cluster.refused.add("serviceaccounts")
    told = await remote("get", "w", code=1)
    assert "there is no workflow 'w' in the namespace ml" in told
    assert "cannot be asked: you may not read artifacts of the namespace ml" in told
    assert "--archived is of one namespace" in await remote("list", "--archived", "-A", code=2)


def test_a_run_that_was_cut_off_is_kept_as_cancelled(tmp_path: Path, sh: Step) -> None:
    mlwf = Shell(tmp_path)
    mlwf("run", mlwf.write("w", [sh("one", "echo x")]), "-q")
    (file,) = (tmp_path / ".mlworkflow/runs").glob("w.1.json")
    resource = json.loads(file.read_text())
    resource["status"] = {"phase": "Running", "startedAt": "2026-11-25T12:00:00Z",
                          "steps": [{"name": "one", "phase": "Running", "attempts": 1}]}  # fmt: skip
    file.write_text(json.dumps(resource))
    mlwf("delete", "w")
    found = mlwf.json("get", "w")
    assert (found["status"]["phase"], found["status"]["steps"][0]["phase"]) == ("Cancelled", "Cancelled")
