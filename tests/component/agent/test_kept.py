"""Outputs with `keep: always`: what a failure leaves, whatever ended the attempt."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable

import pytest
from mlworkflow.core.observation import Result
from mlworkflow.gateway.runs import Ended, OutputSpec
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.layout import AttemptKey

from tests.component.agent.conftest import Bench
from tests.component.fakes import a_task

OUTPUTS = {
    "model": OutputSpec(),
    "trace": OutputSpec("file", keep="always"),
    "plots": OutputSpec("directory", keep="always"),
    "n": OutputSpec("integer", keep="always"),
    "m": OutputSpec("integer"),
}
LEAVE = "echo 1 > $MLWF_OUT/model; echo why > $MLWF_OUT/trace; echo 7 > $MLWF_OUT/params/n; echo 8 > $MLWF_OUT/params/m"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_failure_leaves_what_is_kept_always_and_nothing_else(
    make_bench: Callable[[ArtifactStore], Bench], store: ArtifactStore
) -> None:
    bench = make_bench(store)
    code, result, _, _ = bench.run(bench.task(f"{LEAVE}; echo it broke; exit 3", outputs=OUTPUTS))
    assert (code, result.reason, result.message) == (3, "Error", "exit code 3\nit broke")
    assert list(result.outputs) == ["trace"]
    assert bench.get(result.outputs["trace"]) == b"why\n"
    assert result.parameters == {"n": 7}


@pytest.mark.parametrize(
    ("script", "reason", "words"),
    [
        ("exit 3", "Error", "exit code 3"),
        ("mkfifo $MLWF_OUT/trace; echo x > $MLWF_OUT/params/n; exit 3", "Error", "exit code 3"),
        ("echo why > $MLWF_OUT/trace", "OutputMissing", "missing in $MLWF_OUT: params/m, params/n, model, plots"),
    ],
    ids=["missing", "unfit", "success"],
)
def test_what_is_missing_does_not_hide_the_first_cause(bench: Bench, script: str, reason: str, words: str) -> None:
    _, result, _, _ = bench.run(bench.task(script, outputs=OUTPUTS))
    assert (result.reason, result.message) == (reason, words)
    assert list(result.outputs) == (["trace"] if reason == "OutputMissing" else [])


def told_to_end(bench: Bench) -> tuple[AttemptKey, subprocess.Popen[str]]:
    script = f"trap 'echo told; {LEAVE}; exit 4' TERM; touch $MLWF_ROOT/run/up; while :; do sleep 0.05; done"
    key, process = bench.start(bench.task(script, outputs=OUTPUTS))
    until((bench.folder / "root/run/up").exists)
    return key, process


def test_a_step_that_is_told_to_end_leaves_it_too(bench: Bench) -> None:
    key, process = told_to_end(bench)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    result = bench.runs.results[key]
    assert (result.reason, list(result.outputs)) == ("Terminated", ["trace"])


def test_so_does_an_attempt_that_may_not_commit_any_more(bench: Bench) -> None:
    """It was cancelled, or went over its time: the gateway has no use for its result."""
    key, process = told_to_end(bench)
    bench.runs.results[key] = Result(exit_code=1)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert bench.get(bench.runs.logs[key]).decode() == out
    assert bench.get(bench.runs.left[key]["trace"]) == b"why\n"
    assert list(bench.runs.left[key]) == ["trace"]
    assert "told\n" in out


def beside(bench: Bench) -> tuple[AttemptKey, subprocess.Popen[str]]:
    """An agent that waits beside a user's container."""
    (bench.folder / "root/out").mkdir(parents=True)
    return bench.start(a_task(outputs=OUTPUTS, key=AttemptKey(bench.namespace, "uid", "copy", 0)), "publish")


def test_a_container_without_an_agent_leaves_it_too(bench: Bench) -> None:
    key, process = beside(bench)
    for name in ("model", "trace"):
        (bench.folder / "root/out" / name).write_text("why")
    bench.runs.ended[key] = Ended(3, "Error")
    process.communicate(timeout=20)
    result = bench.runs.results[key]
    assert (result.reason, result.message, list(result.outputs)) == ("Error", "exit code 3", ["trace"])


def test_and_one_that_was_stopped_when_it_has_written_all_of_it(bench: Bench) -> None:
    key, process = beside(bench)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    bench.runs.results[key] = Result(exit_code=1)
    bench.runs.ended[key] = Ended(3, "Error")  # the fake answers; the commit is refused
    with (bench.folder / "root/out/trace").open("w", buffering=1) as file:
        for number in range(12):
            file.write(f"{number}\n")
            time.sleep(0.2)
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert bench.get(bench.runs.left[key]["trace"]).endswith(b"11\n")


def test_what_the_store_has_lost_before_the_commit_is_uploaded_once_more(bench: Bench) -> None:
    """A garbage collection, or somebody's broom, took what had been uploaded hours ago."""
    removed: list[str] = []
    original = bench.runs.task

    def task(at: AttemptKey) -> object:
        """The gateway asks for the task before it checks a commit: the first time, everything is swept away."""
        keys = list(bench.store.list(f"{bench.namespace}/"))
        if len(keys) == 3 and not removed:
            removed.extend(keys)
            for one in keys:
                bench.store.delete(one)
        return original(at)

    bench.runs.task = task  # type: ignore[method-assign, assignment]
    script = "echo model > $MLWF_OUT/model; echo late > $MLWF_OUT/late; echo out"
    code, result, _, _ = bench.run(bench.task(script, outputs={"model": OutputSpec(), "late": OutputSpec()}))
    assert (code, result.reason, len(removed)) == (0, "", 3)
    assert bench.get(result.outputs["model"]) == b"model\n"
    assert bench.get(result.outputs["late"]) == b"late\n"
    assert bench.get(result.logs) == b"out\n"
