"""What an attempt leaves in its checkpoint folder is there for the next, whatever ended the first."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mlworkflow.core.observation import Result
from mlworkflow.core.values import ArtifactRef
from mlworkflow.gateway.runs import Ended, OutputSpec, Task
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.layout import AttemptKey, cas_key

from tests.component.agent.conftest import Bench
from tests.component.fakes import a_task

OFTEN = {"MLWF_CHECKPOINT_EVERY": "0.1"}
SEE = 'cd "$MLWF_CHECKPOINT" && find . -mindepth 1 | sort && cat "$MLWF_CHECKPOINT"/epoch'


def eventually(is_so: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def next_attempt(bench: Bench, script: str, checkpoint: ArtifactRef | None, command: str = "run") -> Task:
    """A second attempt, on a machine where nothing is left of the first."""
    shutil.rmtree(bench.folder / "root")
    key = AttemptKey(bench.namespace, "uid", "train", 1)
    return a_task(command=["sh", "-c", script], key=key, checkpoint=checkpoint)


def test_a_killed_attempt_s_last_checkpoint_is_there_for_the_next(
    make_bench: Callable[[ArtifactStore], Bench], store: ArtifactStore
) -> None:
    bench = make_bench(store)
    script = """cd $MLWF_CHECKPOINT; mkdir -p deep/er; seq 100000 > deep/er/weights; ln -s deep/er/weights last; echo half > x.tmp
    echo 1 > epoch; touch .hidden; until [ -e $MLWF_ROOT/on ]; do sleep 0.05; done; echo 2 > new.tmp; mv new.tmp epoch; exec sleep 60"""
    key, process = bench.start(bench.task(script), **OFTEN)
    try:
        eventually(lambda: len(bench.runs.checkpoints.get(key, [])) == 1, "it is saved")
        (bench.folder / "root/on").touch()
        eventually(lambda: len(bench.runs.checkpoints.get(key, [])) == 2, "it is saved again whenever it changed")
        time.sleep(0.5)
        assert len(bench.runs.checkpoints[key]) == 2, "and only then"
    finally:
        os.killpg(_group(bench), signal.SIGKILL)
        process.kill()
        process.communicate(timeout=20)
    assert key not in bench.runs.results
    saved = bench.runs.checkpoints[key][-1]
    again = next_attempt(bench, f"{SEE}; cat last | wc -l; exit 3", saved)
    code, result, out, _ = bench.run(again, **OFTEN)
    assert (code, result.reason) == (3, "Error")
    assert out.split() == ["./deep", "./deep/er", "./deep/er/weights", "./epoch", "./last", "2", "100000"]
    assert list(bench.runs.checkpoints) == [key], "what came from the first attempt is not saved again"


def _group(bench: Bench) -> int:
    """The process group of the step's command, which a killed agent leaves behind (a dead container does not)."""
    root = str(bench.folder / "root")
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                if f"MLWF_CHECKPOINT={root}/".encode() in (process / "environ").read_bytes():
                    return os.getpgid(int(process.name))
            except OSError:
                continue
    raise AssertionError("the command does not run")


def test_a_step_that_fails_saves_what_it_left_at_the_end(bench: Bench) -> None:
    key, process = bench.start(bench.task("echo 7 > $MLWF_CHECKPOINT/epoch; exit 1"))
    process.communicate(timeout=20)
    assert bench.runs.results[key].reason == "Error"
    (saved,) = bench.runs.checkpoints[key]
    assert (saved.type, bench.run(next_attempt(bench, SEE, saved))[2]) == ("directory", "./epoch\n7\n")


def test_sigterm_lets_the_step_save_and_then_saves_that(bench: Bench) -> None:
    script = "trap 'echo late > $MLWF_CHECKPOINT/epoch; exit 0' TERM; touch $MLWF_OUT/../run/up; while :; do sleep 0.05; done"
    key, process = bench.start(bench.task(script, outputs={"model": OutputSpec()}))
    eventually((bench.folder / "root/run/up").exists, "the command runs")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert bench.runs.results[key].reason == "Terminated"
    (saved,) = bench.runs.checkpoints[key]
    assert bench.run(next_attempt(bench, SEE, saved))[2] == "./epoch\nlate\n"


def test_a_missing_output_is_a_failure_too(bench: Bench) -> None:
    key, process = bench.start(bench.task("echo 7 > $MLWF_CHECKPOINT/epoch", outputs={"model": OutputSpec()}))
    process.communicate(timeout=20)
    assert bench.runs.results[key].reason == "OutputMissing"
    assert len(bench.runs.checkpoints[key]) == 1


@pytest.mark.parametrize(
    "script",
    [
        "echo 7 > $MLWF_CHECKPOINT/epoch",
        "exit 1",
        "touch $MLWF_CHECKPOINT/a.tmp $MLWF_CHECKPOINT/.b; sleep 1.5; exit 1",
    ],
    ids=["success", "empty", "unfinished"],
)
def test_nothing_is_saved_after_success_or_of_an_empty_folder(bench: Bench, script: str) -> None:
    key, process = bench.start(bench.task(script), **OFTEN)
    process.communicate(timeout=20)
    assert key in bench.runs.results
    assert bench.runs.checkpoints == {}


def test_what_changes_all_the_time_is_not_taken_half_written(bench: Bench) -> None:
    script = "cd $MLWF_CHECKPOINT; for n in $(seq 500); do echo $n >> grows; sleep 0.005; done"
    key, process = bench.start(bench.task(script), MLWF_CHECKPOINT_EVERY="0.05")
    process.communicate(timeout=30)
    assert bench.runs.results[key].is_success
    assert bench.runs.checkpoints == {}


def test_a_store_that_is_away_costs_the_step_nothing(bench: Bench) -> None:
    """Neither a second nor its success; the log says once what is the matter."""
    store = bench.folder / "store"
    store.mkdir(exist_ok=True)
    (store / bench.namespace).touch()  # where a folder must be: nothing can be stored
    started = time.monotonic()
    script = "echo 7 > $MLWF_CHECKPOINT/epoch; sleep 2"
    key, process = bench.start(bench.task(script), **OFTEN)
    eventually(lambda: "checkpoint is not saved yet" in (process.stdout.readline() if process.stdout else ""), "said")
    (store / bench.namespace).unlink()
    process.communicate(timeout=20)
    assert bench.runs.results[key].is_success
    assert time.monotonic() - started < 10


def test_a_checkpoint_that_is_gone_starts_the_step_anew_and_says_so(bench: Bench) -> None:
    bench.run(bench.task("exit 1"))
    gone = ArtifactRef("sha256:" + "0" * 64, 3, "directory")
    _, result, out, _ = bench.run(next_attempt(bench, "ls -A $MLWF_CHECKPOINT; echo ran", gone))
    assert (result.reason, out) == (
        "", "mlworkflow: starting without the checkpoint: checkpoint is not in the store any more\nran\n",
    )  # fmt: skip


def test_a_checkpoint_with_other_bytes_is_not_used(bench: Bench) -> None:
    key, process = bench.start(bench.task("echo 7 > $MLWF_CHECKPOINT/epoch; exit 1"))
    process.communicate(timeout=20)
    (saved,) = bench.runs.checkpoints[key]
    bench.store.write_bytes(cas_key(bench.namespace, saved.digest), b"x" * saved.size)
    _, _, out, _ = bench.run(next_attempt(bench, "ls -A $MLWF_CHECKPOINT; echo ran", saved))
    assert "do not have the digest" in out
    assert out.endswith("\nran\n")


def test_an_attempt_that_was_stopped_saves_no_checkpoint_and_leaves_its_log(bench: Bench) -> None:
    script = "trap 'echo stopped; echo 9 > $MLWF_CHECKPOINT/epoch; exit 1' TERM; touch $MLWF_OUT/../run/up; while :; do sleep 0.05; done"
    key, process = bench.start(bench.task(script))
    eventually((bench.folder / "root/run/up").exists, "the command runs")
    bench.runs.results[key] = Result(exit_code=1)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert out.endswith("stopped\n")
    assert bench.runs.checkpoints == {}
    assert bench.get(bench.runs.logs[key]) == out.encode()


def test_a_foreign_container_s_checkpoints_are_saved_beside_it_and_restored_before_it(bench: Bench) -> None:
    folder = bench.folder / "root/checkpoint"
    folder.mkdir(parents=True)
    (bench.folder / "root/run").mkdir()
    task = a_task(key=AttemptKey(bench.namespace, "uid", "train", 0))
    key, process = bench.start(task, "publish", **OFTEN)
    (folder / "deep").mkdir(mode=0o700)
    (folder / "deep/weights").write_text("w")
    (folder / "deep/weights").chmod(0o640)
    (folder / "epoch").write_text("1\n")
    eventually(lambda: bench.runs.checkpoints.get(key), "saved while it runs")
    (folder / "epoch").write_text("22\n")
    bench.runs.ended[key] = Ended(137, "OOMKilled")
    process.communicate(timeout=20)
    assert bench.runs.results[key].reason == "OOMKilled"
    saved = bench.runs.checkpoints[key][-1]
    _, process = bench.start(next_attempt(bench, "", saved, "fetch"), "fetch")
    assert process.communicate(timeout=20) == ("", "")
    assert (folder / "epoch").read_text() == "22\n"
    assert (folder / "deep").stat().st_mode & 0o777 == 0o777
    assert (folder / "deep/weights").stat().st_mode & 0o777 == 0o666


def test_sigterm_makes_publish_look_at_once(bench: Bench) -> None:
    """Nobody may tell it that the container has ended: the whole Pod is going."""
    folder = bench.folder / "root/checkpoint"
    folder.mkdir(parents=True)
    (bench.folder / "root/run").mkdir()
    key, process = bench.start(a_task(key=AttemptKey(bench.namespace, "uid", "train", 0)), "publish")
    try:
        eventually(lambda: _sleeps(process.pid), "it waits")
        (folder / "epoch").write_text("1\n")
        process.send_signal(signal.SIGTERM)
        eventually(lambda: bench.runs.checkpoints.get(key), "saved long before ten seconds are over twice")
    finally:
        process.kill()
        process.communicate(timeout=20)


def _sleeps(pid: int) -> bool:
    """Whether a process handles SIGTERM by now."""
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) & 1 << (signal.SIGTERM - 1))


def test_a_bad_interval_is_said_and_does_no_harm(bench: Bench) -> None:
    key, process = bench.start(bench.task("echo 1 > $MLWF_CHECKPOINT/epoch; exit 1"), MLWF_CHECKPOINT_EVERY="often")
    out, _ = process.communicate(timeout=20)
    assert "MLWF_CHECKPOINT_EVERY is not a number of seconds: 'often'" in out
    assert len(bench.runs.checkpoints[key]) == 1
