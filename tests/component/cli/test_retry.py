"""`mlwf retry` of runs of this machine: what failed, what was cut off by kill -9, what an edit changes; results that stand are kept."""

from __future__ import annotations

import json
import os
import pty
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.component.cli.conftest import Shell

Sh = Callable[..., dict[str, Any]]


def until(is_true: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def tasks(run: dict[str, Any]) -> dict[str, tuple[str, int]]:
    status = run["status"]
    listed = [*status.get("steps", []), *status.get("tasks", [])]
    return {task["name"]: (task["phase"], task.get("attempts", 0)) for task in listed}


def kept(mlwf: Shell) -> dict[str, tuple[str, int]]:
    """The tasks of the run as it is saved."""
    file = mlwf.folder / ".mlworkflow/runs/w.1.json"
    return tasks(json.loads(file.read_text())) if file.exists() else {}


@pytest.fixture
def counted(mlwf: Shell, sh: Sh) -> Callable[..., dict[str, Any]]:
    """A step that writes its name down whenever it runs, and goes on with a script."""

    def step(name: str, script: str = "true", **fields: Any) -> dict[str, Any]:
        return sh(name, f"echo {name} >> {mlwf.folder}/ran; {script}", **fields)

    return step


def alive(mark: str) -> list[str]:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as environ:
                if f"MLWF_ROOT={mark}".encode() in environ.read():
                    found.append(pid)
        except OSError:
            continue
    return found


def test_what_kill_9_cut_off_goes_on_and_what_had_committed_does_not_run_again(mlwf: Shell, counted: Sh) -> None:
    wait = f"while [ ! -e {mlwf.folder}/go ]; do sleep 0.05; done; [ ! -e $MLWF_OUT/half ]; touch $MLWF_OUT/half"
    file = mlwf.write("w", [counted("one"), counted("two", wait, after=["one"]), counted("three", after=["two"])])
    process = mlwf.start("run", file, "-q")
    until(lambda: lines(mlwf.folder / "ran") == ["one", "two"])
    until(lambda: kept(mlwf).get("two") == ("Running", 1))
    process.kill()
    process.communicate(timeout=10)
    before = mlwf.json("get", "w")
    assert before["status"]["phase"] == "Cancelled"
    assert "mlwf retry w.1" in before["status"]["message"]
    work = f"{mlwf.folder}/.mlworkflow/work/"
    assert alive(work), "the step outlives the process that ran it"

    again = mlwf.start("retry", "w", "-q")
    until(lambda: lines(mlwf.folder / "ran") == ["one", "two", "two"])
    assert all(f"{work}{before['metadata']['uid']}/two/1" in _root(pid) for pid in alive(work)), (
        "of the old ones none is left"
    )
    (mlwf.folder / "go").touch()
    _, err = again.communicate(timeout=60)
    assert (again.returncode, err) == (0, "")
    after = mlwf.json("get", "w")
    assert (after["id"], after["metadata"]["uid"]) == ("w.1", before["metadata"]["uid"])
    assert tasks(after) == {"one": ("Succeeded", 1), "two": ("Succeeded", 2), "three": ("Succeeded", 1)}
    assert next(step for step in after["status"]["steps"] if step["name"] == "two")["losses"] == 1
    assert lines(mlwf.folder / "ran") == ["one", "two", "two", "three"]
    assert alive(work) == []


def _root(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().decode()
    except OSError:
        return ""


def test_what_failed_runs_again_and_what_follows_too(mlwf: Shell, counted: Sh) -> None:
    steps = [
        counted("good"),
        counted("bad", f"[ -e {mlwf.folder}/ok ]"),
        counted("next", after=["bad"]),
        counted("many", forEach={"items": [0, 1]}, params={"i": "${{ item }}"}, after=["good"]),
    ]
    steps[-1]["container"]["command"][-1] += f"; [ $MLWF_PARAM_I = 0 ] || [ -e {mlwf.folder}/ok ]"
    mlwf("run", mlwf.write("w", steps), "-q", code=1)
    (mlwf.folder / "ok").touch()
    (mlwf.folder / "ran").unlink()
    out = mlwf("retry", "w")
    assert "w.1 succeeded in" in out
    assert "good Succeeded" in out
    assert sorted(lines(mlwf.folder / "ran"))[:2] == ["bad", "many"]
    assert "good" not in lines(mlwf.folder / "ran")
    assert "next" in lines(mlwf.folder / "ran")
    run = mlwf.json("get", "w")
    assert tasks(run)["good"] == ("Succeeded", 1)
    assert tasks(run)["bad"] == ("Succeeded", 2)
    assert run["status"]["rerun"] == run["spec"]["rerun"]["id"]


def test_a_run_that_was_stopped_goes_on(mlwf: Shell, counted: Sh) -> None:
    file = mlwf.write("w", [counted("one"), counted("two", f"[ -e {mlwf.folder}/go ] || exec sleep 60", after=["one"])])
    process = mlwf.start("run", file, "-q")
    until(lambda: lines(mlwf.folder / "ran") == ["one", "two"])
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert (process.returncode, mlwf.json("get", "w")["spec"]["cancel"]) == (130, True)
    (mlwf.folder / "go").touch()
    again = mlwf.json("retry", "w", "-q")
    assert (again["status"]["phase"], again["spec"]["cancel"]) == ("Succeeded", False)
    assert tasks(again) == {"one": ("Succeeded", 1), "two": ("Succeeded", 2)}


def test_an_edit_runs_what_it_changes_and_a_name_what_is_named(mlwf: Shell, counted: Sh) -> None:
    def steps(script: str) -> list[dict[str, Any]]:
        return [counted("one"), counted("two", params={"x": "${{ params.x }}"}), counted("three", script)]

    file = mlwf.write("w", steps("true"), params={"x": 1})
    mlwf("run", file, "-q")

    def ran_by(*words: str) -> list[str]:
        (mlwf.folder / "ran").unlink(missing_ok=True)
        mlwf("retry", "w", *words)
        return sorted(lines(mlwf.folder / "ran"))

    assert "nothing has changed" in mlwf("retry", "w")
    assert mlwf.json("retry", "w") == {"id": "w.1", "result": "unchanged"}
    assert "rerun" not in mlwf.json("get", "w")["spec"]
    assert ran_by("-p", "x=2", "-q") == ["two"]
    assert mlwf.json("get", "w")["spec"]["params"] == {"x": 2}
    assert ran_by("--step", "one", "--step", "three") == ["one", "three"]
    assert ran_by("-f", mlwf.write("w", steps("echo new"), params={"x": 2})) == ["three"]
    for words, code, told in (
        (["--step", "four"], 1, "it has: one, two, three"),
        (["-p", "y=1"], 2, "spec.params has no 'y'"),
        (["-f", mlwf.write("other", [counted("one")])], 2, "the file is of the workflow 'other'"),
        (["-f", mlwf.write("bad", [counted("one", after=["nobody"])])], 1, "there is no step 'nobody'"),
    ):
        assert told in mlwf("retry", "w", *words, code=code)
    assert ran_by() == []


def test_a_run_that_is_under_way_takes_up_a_retry(mlwf: Shell, counted: Sh) -> None:
    file = mlwf.write("w", [counted("one"), counted("slow", f"while [ ! -e {mlwf.folder}/go ]; do sleep 0.05; done")])
    process = mlwf.start("run", file, "-q")
    until(lambda: sorted(lines(mlwf.folder / "ran")) == ["one", "slow"])
    until(lambda: kept(mlwf).get("one") == ("Succeeded", 1))
    waiting = mlwf.start("retry", "w", "--step", "one", "--wait")
    until(lambda: lines(mlwf.folder / "ran").count("one") == 2)
    (mlwf.folder / "go").touch()
    out, err = waiting.communicate(timeout=60)
    process.communicate(timeout=60)
    assert (waiting.returncode, process.returncode, err) == (0, 0, "")
    assert "w.1 goes on; watch it: mlwf watch w.1" in out
    assert tasks(mlwf.json("get", "w")) == {"one": ("Succeeded", 2), "slow": ("Succeeded", 1)}


def test_approve_reject_and_retry_from_another_process(mlwf: Shell, counted: Sh) -> None:
    question = {
        "message": "Ship ${{ params.x }}?",
        "inputs": {"share": {"type": "number"}, "note": {"default": "none"}},
    }
    steps = [counted("one"), {"name": "ship", "after": ["one"], "approve": question},
             counted("go", params={"share": "${{ steps.ship.outputs.share }}"}, after=["ship"])]  # fmt: skip
    process = mlwf.start("run", mlwf.write("w", steps, params={"x": 7}))
    until(lambda: kept(mlwf).get("ship") == ("Running", 1))
    page = mlwf("get", "w")
    assert "ship waits for approval: Ship 7?\n  mlwf approve w.1 ship -p share=…" in page
    for words, code, told in (
        (["one"], 1, "those that wait: ship"),
        (["nope"], 1, "has no step 'nope'"),
        (["ship"], 2, "'ship' asks for 'share', of type number"),
        (["ship", "-p", "share=much"], 2, "'much' is not of type number"),
        (["ship", "-p", "shore=1"], 2, "it asks for: share, note"),
        (["ship", "--reject", "-p", "share=1"], 2, "takes no inputs"),
    ):
        assert told in mlwf("approve", "w", *words, code=code)
    assert "approvals" not in mlwf.json("get", "w")["spec"]
    told = mlwf.json("approve", "w", "ship", "--reject", "-m", "too early")
    assert (told["result"], told["attempt"], told["comment"]) == ("rejected", 0, "too early")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"rejected by {told['by']}: too early" in out
    assert "mlwf approve w.1 ship -p share=…" in out

    again = mlwf.start("retry", "w", "-q")
    until(lambda: kept(mlwf).get("ship") == ("Running", 2))
    assert mlwf("approve", "w", "ship", "-p", "share=0.5", "-p", "note=7").endswith(f"ship approved by {told['by']}\n")
    again.communicate(timeout=60)
    assert again.returncode == 0
    run = mlwf.json("get", "w")
    [ship] = [step for step in run["status"]["steps"] if step["name"] == "ship"]
    assert ship["outputs"] == {"share": 0.5, "note": "7", "approved": True, "by": told["by"], "comment": ""}
    assert lines(mlwf.folder / "ran") == ["one", "go"]
    assert "w.1 is over: Succeeded" in mlwf("approve", "w", "ship", code=1)


def test_a_person_at_a_terminal_is_asked(mlwf: Shell) -> None:
    steps = [{"name": "ship", "approve": {"inputs": {"share": {"type": "number", "description": "of the traffic"}}}}]
    process = mlwf.start("run", mlwf.write("w", steps), "-q")
    until(lambda: kept(mlwf).get("ship") == ("Running", 1))
    ours, theirs = pty.openpty()
    person = mlwf.start("approve", "w", "ship", stdin=theirs)
    os.close(theirs)
    os.write(ours, b"much\n0.25\n")
    out, err = person.communicate(timeout=30)
    os.close(ours)
    assert person.returncode == 0
    assert err.count("share (of the traffic), number") == 2, "it is asked again until the answer fits"
    assert "ship approved" in out
    process.communicate(timeout=30)
    assert mlwf.json("get", "w")["status"]["steps"][0]["outputs"]["share"] == 0.25


def test_suspend_resume_and_stop_from_another_process(mlwf: Shell, counted: Sh) -> None:
    wait = f"while [ ! -e {mlwf.folder}/go ]; do sleep 0.05; done"
    steps = [counted("one", wait), counted("two", after=["one"]), counted("three", "exec sleep 60", after=["two"])]
    process = mlwf.start("run", mlwf.write("w", steps), "-q")
    until(lambda: lines(mlwf.folder / "ran") == ["one"])
    assert mlwf("suspend", "w") == "w.1 suspended\n"
    (mlwf.folder / "go").touch()
    until(lambda: kept(mlwf).get("one") == ("Succeeded", 1))
    page = mlwf("get", "w")
    assert page.startswith("w.1   Suspended   1/3")
    assert "mlwf resume w.1" in page
    assert lines(mlwf.folder / "ran") == ["one"], "nothing new starts"
    assert mlwf("resume", "w") == "w.1 resumed\n"
    until(lambda: lines(mlwf.folder / "ran") == ["one", "two", "three"])
    assert mlwf("stop", "w") == "w.1 stopping\n"
    process.communicate(timeout=30)
    assert process.returncode == 1
    assert mlwf.json("get", "w")["status"]["phase"] == "Cancelled"
    assert mlwf("stop", "w") == "w.1 is over already: Cancelled\n"
    assert not list((mlwf.folder / ".mlworkflow/runs").glob(".w.1.*")), "neither lock nor requests are left"
