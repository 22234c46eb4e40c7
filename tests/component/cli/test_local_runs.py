"""Runs on this machine, from the file to the artifact."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.component.cli.conftest import Shell

Sh = Callable[..., dict[str, Any]]
WRITE = """
echo "hello $MLWF_PARAM_NAME"
mkdir -p "$MLWF_OUT/params" "$MLWF_OUT/model/deep"
echo 0.95 > "$MLWF_OUT/params/accuracy"
printf %s "$MLWF_PARAM_NAME" > "$MLWF_OUT/model/deep/name"
ln -s deep/name "$MLWF_OUT/model/link"
echo '<h1>fine</h1>' > "$MLWF_OUT/report"
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A folder in which a workflow has succeeded as ``w.1`` and ``w.2``, with another name the second time."""
    shell = Shell(tmp_path_factory.mktemp("done"))
    step = {
        "name": "write",
        "params": {"name": "${{ params.name }}"},
        "container": {"command": ["sh", "-ec", WRITE]},
        "outputs": {"model": {"type": "directory"}, "report": {"type": "file"}, "accuracy": {"type": "number"}},
    }
    trial = {"container": {"command": ["sh", "-ec", 'echo trial $MLWF_PARAM_X; mkdir -p $MLWF_OUT/params; echo $MLWF_PARAM_X > $MLWF_OUT/params/y; '
                                                    'echo $MLWF_PARAM_X > $MLWF_OUT/model']},
             "outputs": {"y": {"type": "number"}, "model": {}}}  # fmt: skip
    tune = {
        "name": "tune",
        "after": ["write"],
        "tune": {"metric": {"name": "y"}, "space": {"x": {"choice": [1, 2]}}, "step": trial},
    }
    file = shell.write("w", [step, tune], params={"name": "you"})
    shell.first = shell("run", file)  # type: ignore[attr-defined]
    shell.second = shell.json("run", file, "-p", 'name="it\'s" {{x}} 🙂', "-q")  # type: ignore[attr-defined]
    return shell


def test_a_run_is_told_line_by_line_and_ends_with_what_it_left(done: Shell) -> None:
    lines = [line.partition(" ")[2] for line in done.first.splitlines()]  # type: ignore[attr-defined]
    assert lines[:2] == ["w.1 Running", "write Running"]
    assert any(line.startswith("write Succeeded") and line.endswith("accuracy=0.95") for line in lines)
    assert any(line.startswith("tune/1 Succeeded") for line in lines)
    ending = done.first[done.first.index("w.1 succeeded in") :].splitlines()  # type: ignore[attr-defined]
    assert ending[1] == "  write: accuracy=0.95"
    assert "  report   mlwf download w.1 write.report report.html" in ending
    assert "  model    mlwf download w.1 write.model" in ending


def test_a_parameter_arrives_byte_for_byte(done: Shell) -> None:
    assert done.second["id"] == "w.2"  # type: ignore[attr-defined]
    assert done.second["spec"]["params"] == {"name": '"it\'s" {{x}} 🙂'}  # type: ignore[attr-defined]
    assert done("logs", "w", "write") == 'hello "it\'s" {{x}} 🙂\n'
    assert done("logs", "w.1", "write") == "hello you\n"


def test_list_and_get(done: Shell) -> None:
    table = done("list").splitlines()
    assert table[0].split() == ["NAME", "PHASE", "PROGRESS", "DURATION", "AGE", "MESSAGE"]
    assert [line.split()[:3] for line in table[1:]] == [["w.1", "Succeeded", "2/2"], ["w.2", "Succeeded", "2/2"]]
    [first, second] = done.json("list")
    assert set(first) == {
        "id",
        "name",
        "namespace",
        "phase",
        "progress",
        "startedAt",
        "finishedAt",
        "duration",
        "message",
    }
    assert (first["id"], second["id"], second["name"], second["phase"]) == ("w.1", "w.2", "w", "Succeeded")
    page = done("get", "w").splitlines()
    assert page[0].startswith("w.2   Succeeded   2/2")
    assert page[3].split()[:3] == ["write", "Succeeded", "1"]
    got = done.json("get", "w.1")
    assert (got["id"], got["kind"], got["status"]["phase"]) == ("w.1", "MLWorkflow", "Succeeded")
    assert "id: w.1" in done("get", "w.1", "-o", "yaml")


def test_watching_what_has_ended_tells_its_end(done: Shell) -> None:
    assert "w.2 succeeded" in done("watch", "w")
    assert done.json("watch", "w", "-q")["id"] == "w.2"


def test_logs_of_all_steps_and_of_trials(done: Shell) -> None:
    text = done("logs", "w.1")
    assert text.startswith("==> write <==\nhello you\n")
    assert "==> tune/0 <==\ntrial 1\n" in text
    assert "==> tune <==" not in text, "a tune step runs nothing itself"
    assert done("logs", "w.1", "-f") == text
    assert done("logs", "w.1", "tune/1", "--attempt", "0") == "trial 2\n"


def test_artifacts(done: Shell) -> None:
    names = [artifact["task"] + "." + artifact["name"] for artifact in done.json("artifacts", "w")]
    assert names == ["write.model", "write.report", "tune.model", "tune.trials"]
    trials = done.json("artifacts", "w", "--trials")
    assert {"task": "tune/0", "name": "model", "type": "file", "size": 2}.items() <= trials[2].items()
    assert done("artifacts", "w").splitlines()[1].split()[:2] == ["write.model", "directory"]


def test_download_of_a_file(done: Shell, tmp_path: Path) -> None:
    assert "verified" in done("download", "w", "write.report", str(tmp_path / "report.html"))
    assert (tmp_path / "report.html").read_text() == "<h1>fine</h1>\n"
    done("download", "w", "write.report", str(tmp_path / "report.html"))
    told = done.json("download", "w", "tune/1.model", str(tmp_path))
    assert told["path"] == str(tmp_path / "model")
    assert (tmp_path / "model").read_text() == "2\n"
    assert done("download", "w", "write.report", "-") == "<h1>fine</h1>\n"
    assert done("download", "w.1", "write.logs", "-") == "hello you\n"
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "model"}, "nothing is left over"


def test_download_of_a_directory(done: Shell, tmp_path: Path) -> None:
    done("download", "w.1", "write.model", str(tmp_path / "here"))
    assert (tmp_path / "here" / "deep" / "name").read_text() == "you"
    assert os.readlink(tmp_path / "here" / "link") == "deep/name"
    assert "exists already" in done("download", "w.1", "write.model", str(tmp_path / "here" / "deep" / "name"), code=1)
    done("download", "w.1", "write.model", str(tmp_path))
    assert "exists already" in done("download", "w.1", "write.model", str(tmp_path), code=1)


def test_an_artifact_that_is_not_what_it_was_is_refused(done: Shell, tmp_path: Path) -> None:
    digest = done.json("get", "w")["status"]["steps"][0]["artifacts"]["report"]["digest"].removeprefix("sha256:")
    stored = done.folder / ".mlworkflow/store/local/cas/sha256" / digest[:2] / digest[2:]
    good = stored.read_bytes()
    try:
        stored.write_bytes(b"evil")
        told = done("download", "w", "write.report", str(tmp_path / "report"), code=1)
        assert "did not arrive as it was stored" in told
        stored.unlink()
        assert "the store does not have it any more" in done(
            "download", "w", "write.report", str(tmp_path / "report"), code=1
        )
    finally:
        stored.write_bytes(good)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["get", "nope"], 1, "there is no local run 'nope'"),
        (["get", "w.9"], 1, "there are: w"),
        (["get"], 2, "Missing argument"),
        (["get", "w", "-o", "xml"], 2, "'xml'"),
        (["frobnicate"], 2, "No such command"),
        (["logs", "w", "nope"], 1, "has no step 'nope'"),
        (["logs", "w", "tune"], 1, "made of other tasks, which have logs"),
        (["logs", "w", "tune/7"], 1, "has no task 'tune/7'"),
        (["logs", "w", "write", "--attempt", "3"], 1, "attempts 0 to 0"),
        (["logs", "w", "--attempt", "0"], 2, "--attempt is of one step"),
        (["download", "w", "model"], 2, "STEP.ARTIFACT"),
        (["download", "w", "write.nope"], 1, "it left: model, report"),
        (["download", "w", "write.model", "no/such/dir/x"], 1, "is no directory"),
        (["approve", "w", "write"], 1, "w.2 is over: Succeeded"),
        (["retry", "w.1", "--step", "wright"], 1, "it has: write, tune"),
        (["list", "--local", "-n", "ml"], 2, "--local and --home"),
        (["list", "--kubeconfig", "none"], 2, "no such file"),
        (["run", "none.yaml"], 1, "none.yaml: No such file"),
        (["run", "."], 1, "Is a directory"),
        (["run", "w.yaml", "-p", "nome=1"], 2, "did you mean 'name'"),
        (["run", "w.yaml", "-p", "name"], 2, "name=value"),
        (["delete", "w.1", "nope"], 1, "there is no local run 'nope'"),
    ],
)
def test_mistakes_are_told_in_a_line(done: Shell, words: list[str], code: int, told: str) -> None:
    assert told in done(*words, code=code)


def test_a_failure_shows_its_cause_and_the_last_lines(mlwf: Shell, sh: Sh) -> None:
    file = mlwf.write("bad", [sh("boom", "echo before; echo the cause >&2; exit 3", outputs={"x": {}}),
                              sh("after", "true", inputs={"x": {"from": "boom.x"}})])  # fmt: skip
    out, _ = mlwf.both("run", file, code=1)
    ending = out[out.index("bad.1 failed in") :].splitlines()
    assert ending[1:] == [
        "step 'boom' failed: Error: exit code 3",
        "  | before",
        "  | the cause",
        "  the whole log: mlwf logs bad.1 boom",
    ]
    assert mlwf("logs", "bad", "boom") == "before\nthe cause\n"
    assert mlwf.json("watch", "bad", code=1)["status"]["phase"] == "Failed"
    assert "not been started" in mlwf("logs", "bad", "after", code=1)


def test_what_a_failed_step_left_can_still_be_fetched(mlwf: Shell, sh: Sh) -> None:
    """A gate fails its step, and the report says why; here: what there is of a step's log."""
    mlwf("run", mlwf.write("bad", [sh("boom", "echo why; exit 1")]), code=1)
    assert mlwf("download", "bad", "boom.logs", "-") == "why\n"


def test_what_failed_attempts_left_is_shown_with_a_mark_and_is_no_result(mlwf: Shell, sh: Sh) -> None:
    keep = {"outputs": {"trace": {"keep": "always"}, "model": {}}}
    script = 'echo "try $MLWF_ATTEMPT" > $MLWF_OUT/trace; echo m > $MLWF_OUT/model; test $MLWF_ATTEMPT = 2'
    slow = "trap 'echo told > $MLWF_OUT/trace; exit 1' TERM; while :; do sleep 0.1; done"
    steps = [
        sh("flaky", script, retry={"limit": 2, "backoff": "0s"}, **keep),
        sh("bad", "echo why > $MLWF_OUT/trace; exit 1", allowFailure=True, **keep),
        sh("slow", slow, timeout="2s", allowFailure=True, **keep),
        sh("takes", "cp $MLWF_IN/trace $MLWF_OUT/got", inputs={"trace": {"from": "flaky.trace"}}, outputs={"got": {}}),
        sh("never", "true", inputs={"trace": {"from": "bad.trace"}}),
    ]
    run = mlwf.json("run", mlwf.write("w", steps), "-q")
    phases = {step["name"]: step["phase"] for step in run["status"]["steps"]}
    assert (phases["takes"], phases["never"]) == ("Succeeded", "Skipped")
    lines = [line.split("  ")[0] for line in mlwf("artifacts", "w").splitlines()[1:]]
    assert lines == [
        "flaky.trace (attempt 0, failed)", "flaky.trace (attempt 1, failed)", "flaky.model", "flaky.trace",
        "bad.trace (attempt 0, failed)", "slow.trace (attempt 0, failed)", "takes.got",
    ]  # fmt: skip
    marks = [(one["task"], one.get("attempt")) for one in mlwf.json("artifacts", "w") if one["name"] == "trace"]
    assert marks == [("flaky", 0), ("flaky", 1), ("flaky", None), ("bad", 0), ("slow", 0)]
    assert mlwf("download", "w", "takes.got", "-") == mlwf("download", "w", "flaky.trace", "-") == "try 2\n"
    assert mlwf("download", "w", "flaky.trace", "-", "--attempt", "0") == "try 0\n"
    assert "which failed" in mlwf("download", "w", "bad.trace", "got")
    assert (mlwf.folder / "got").read_text() == "why\n"
    assert mlwf("download", "w", "slow.trace", "-") == "told\n"


def test_a_file_that_cannot_run_starts_nothing(mlwf: Shell, sh: Sh) -> None:
    file = mlwf.write("bad", [sh("one", "true", after=["nobody"])])
    out, err = mlwf.both("run", file, code=1)
    assert out == ""
    assert "bad.yaml:1: spec.steps[0].after[0]: there is no step 'nobody'" in err
    assert "nothing was started: 1 problem in bad.yaml" in err
    assert not (mlwf.folder / ".mlworkflow").exists()


def test_lint_of_many_files_and_standard_input(mlwf: Shell, sh: Sh) -> None:
    good, bad = mlwf.write("good", [sh("one", "true")]), mlwf.write("bad", [sh("one", "true", when="true")])
    text = (mlwf.folder / good).read_text()
    out, _ = mlwf.both("lint", good, bad, "-", code=1, stdin=f"{text}\n---\n{text}")
    assert out.splitlines() == [
        "bad.yaml:1: spec.steps[0].when: is not an expression: write ${{ true }}",
        "good.yaml: good: ok, 1 steps",
        "-: good: ok, 1 steps",
        "-: good: ok, 1 steps",
    ]
    [finding] = mlwf.json("lint", bad, code=1)
    assert finding == {
        "file": "bad.yaml",
        "line": 1,
        "workflow": "bad",
        "path": "spec.steps[0].when",
        "message": "is not an expression: write ${{ true }}",
        "severity": "error",
    }
    assert mlwf.json("lint", good) == []


def test_a_purge_forgets_a_run_and_leaves_the_others(mlwf: Shell, sh: Sh) -> None:
    file = mlwf.write("w", [sh("one", "echo x > $MLWF_OUT/data", outputs={"data": {}})])
    for _ in range(2):
        mlwf("run", file, "--home", "runs", "-q")
    uid = mlwf.json("get", "w.1", "--home", "runs")["metadata"]["uid"]
    assert mlwf("delete", "w.1", "--purge", "--home", "runs") == "w.1 purged\n"
    assert [run["id"] for run in mlwf.json("list", "--home", "runs")] == ["w.2"]
    assert not [path for path in (mlwf.folder / "runs").rglob("*") if uid in str(path) and path.is_file()]
    assert mlwf("download", "w", "one.data", "-", "--home", "runs") == "x\n", "artifacts are shared"
    assert "mlwf download" not in mlwf("run", file, "--home", "runs")


def test_logs_are_followed_while_a_step_runs(mlwf: Shell, sh: Sh) -> None:
    file = mlwf.write("slow", [sh("one", "echo early; while [ ! -e $GO ]; do sleep 0.1; done; echo late", env=[{"name": "GO", "value": str(mlwf.folder / "go")}]),
                               sh("two", "echo last", after=["one"])])  # fmt: skip
    running = mlwf.start("run", file, "-q")
    try:
        _until(lambda: "early" in mlwf.start("logs", "slow", "one").communicate()[0])
        assert "is still running" in mlwf("delete", "slow", code=1)
        followers = [
            mlwf.start("logs", "slow", "-f"),
            mlwf.start("logs", "slow", "two", "-f"),
            mlwf.start("watch", "slow"),
        ]
        assert followers[0].stdout
        assert [followers[0].stdout.readline() for _ in range(2)] == ["==> one <==\n", "early\n"]
        (mlwf.folder / "go").touch()
        everything, second, watched = [follower.communicate(timeout=60)[0] for follower in followers]
        assert everything == "late\n==> two <==\nlast\n"
        assert second == "last\n"
        assert "slow.1 succeeded" in watched
        assert [follower.returncode for follower in followers] == [0, 0, 0]
    finally:
        (mlwf.folder / "go").touch()
        running.communicate(timeout=60)


def test_groups_fan_outs_and_exit_steps_take_parameters_and_are_folded(mlwf: Shell, sh: Sh) -> None:
    inner = [sh("prep", "echo $MLWF_PARAM_WORD > $MLWF_OUT/data", params={"word": "${{ params.word }}"}, outputs={"data": {}}),
             sh("fit", "cat $MLWF_IN/data", inputs={"data": {"from": "prep.data"}})]  # fmt: skip
    folds = {"name": "folds", "forEach": {"items": "${{ params.items }}"}, "steps": inner}
    tell = sh("tell", "echo $MLWF_PARAM_HOW", params={"how": "${{ workflow.phase }} ${{ params.word }}"})
    file = mlwf.write("w", [folds], params={"word": "old", "items": [1]}, onExit={"always": [tell]})
    assert "w.1 succeeded" in mlwf("run", file, "--local", "-q", "-p", "word=new", "-p", "items=[1, 2]")
    assert mlwf("logs", "w", "folds/1.fit") == "new\n"
    assert mlwf("logs", "w", "tell") == "Succeeded new\n"
    rows = [line.split() for line in mlwf("get", "w").splitlines()[3:]]
    assert [row[:2] for row in rows] == [["folds", "Succeeded"], ["at", "the"], ["tell", "Succeeded"]]
    assert rows[0][-1] == "2/2"
    everything = mlwf("get", "w", "--tasks")
    assert "\n    folds/1.fit    Succeeded   1 " in everything
    assert "did you mean 'word'" in mlwf("run", file, "-p", "wrod=x", code=2)


def test_two_at_once_get_numbers_of_their_own(mlwf: Shell, sh: Sh) -> None:
    file = mlwf.write("w", [sh("one", "sleep 0.5")])
    started = [mlwf.start("run", file, "-q", "-o", "json") for _ in range(3)]
    assert sorted(json.loads(process.communicate(timeout=60)[0])["id"] for process in started) == ["w.1", "w.2", "w.3"]


def test_output_into_a_closed_pipe_is_no_bug(done: Shell) -> None:
    process = done.start("list", "-o", "json")
    assert process.stdout
    process.stdout.close()
    assert "Traceback" not in (process.stderr.read() if process.stderr else "")
    process.wait(30)


def _until(is_true: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_help_answers_at_once_without_importing_what_it_does_not_need(mlwf: Shell) -> None:
    heavy = "aiohttp, rich, yaml, cel, kubernetes, kopf, msgspec"
    script = (
        f"import sys, mlworkflow.cli.app\nassert not {{name for name in '{heavy}'.split(', ') if name in sys.modules}}"
    )
    path = os.pathsep.join([str(Path(__file__).parents[3] / part) for part in ("operator", "steps")])
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "PYTHONPATH": path})
    assert "Run workflows:" in mlwf("--help")


def test_an_attempt_goes_on_where_the_one_before_left_off(mlwf: Shell, sh: Sh) -> None:
    script = """
    cd "$MLWF_CHECKPOINT"; test ! -e epoch || { echo "goes on after $(cat epoch)"; cp epoch "$MLWF_OUT/epoch"; exit 0; }
    echo 7 > epoch; echo broken; exit 1
    """
    step = sh("train", script, outputs={"epoch": {}}, retry={"limit": 2, "backoff": "0s"})
    run = mlwf.json("run", mlwf.write("w", [step]), "-q")
    assert [(step["phase"], step["attempts"]) for step in run["status"]["steps"]] == [("Succeeded", 2)]
    assert mlwf("logs", "w", "train") == "goes on after 7\n"
    assert mlwf("logs", "w", "train", "--attempt", "0") == "broken\n"
    mlwf("download", "w", "train.epoch", "got")
    assert (mlwf.folder / "got").read_text() == "7\n"


def test_the_log_of_an_attempt_that_was_stopped_is_kept(mlwf: Shell, sh: Sh) -> None:
    script = "trap 'echo saved what I could; exit 1' TERM; echo started; while :; do sleep 0.1; done"
    mlwf("run", mlwf.write("w", [sh("train", script, timeout="2s")]), code=1)
    kept = list((mlwf.folder / ".mlworkflow").rglob("0.log.json"))
    assert len(kept) == 1
    log = mlwf("logs", "w", "train")
    assert log.startswith("started\n")
    assert log.endswith("saved what I could\n")


def test_garbage_is_told_and_removed_and_nothing_else(mlwf: Shell, sh: Sh) -> None:
    leave = 'echo "$MLWF_WORKFLOW" > $MLWF_OUT/own; echo same > $MLWF_OUT/shared'
    for name in ("one", "two"):
        mlwf("run", mlwf.write(name, [sh("leave", leave, outputs={"own": {}, "shared": {}})]))
    mlwf("delete", "one", "--purge")
    assert mlwf("gc").startswith("nothing removed; 3 artifacts"), "what is new stays"
    told = mlwf.json("gc", "--dry-run", "--grace", "0s")
    assert (told["objects"], told["bytes"], told["keptObjects"]) == (1, 4, 2)
    assert (
        mlwf("gc", "--grace", "0s").splitlines()[-1]
        == "1 artifacts (4 B) and 0 records removed; 2 artifacts (9 B) stay"
    )
    assert mlwf("download", "two", "leave.own", "-") == "two\n"
    assert mlwf("download", "two", "leave.shared", "-") == "same\n"
    assert "no duration" in mlwf("gc", "--grace", "soon", code=2)


def test_an_output_with_a_time_of_its_own_is_removed_and_download_says_why(mlwf: Shell, sh: Sh) -> None:
    step = sh(
        "train", "echo 1 > $MLWF_OUT/model; echo 2 > $MLWF_OUT/plot", outputs={"model": {"keep": "1d"}, "plot": {}}
    )
    mlwf("run", mlwf.write("w", [step]))
    mlwf("gc", "--grace", "0s")
    assert mlwf("download", "w", "train.model", "-") == "1\n"
    for path in (mlwf.folder / ".mlworkflow/store").rglob("*"):
        os.utime(path, (1e9, 1e9))
    assert mlwf.json("gc")["runs"][0]["why"] == "keep"
    assert "train.model was removed 1d after its step, as `keep` says" in mlwf("download", "w", "train.model", code=1)
    assert mlwf("download", "w", "train.plot", "-") == "2\n"


def test_a_run_under_way_loses_nothing(mlwf: Shell, sh: Sh) -> None:
    first = sh("first", "echo 1 > $MLWF_OUT/model", outputs={"model": {"keep": "1s"}})
    wait = sh("wait", f"until test -e {mlwf.folder}/go; do sleep 0.05; done", after=["first"])
    last = sh("last", "cat $MLWF_IN/model", inputs={"model": {"from": "first.model"}}, after=["wait"])
    process = mlwf.start("run", mlwf.write("w", [first, wait, last]))
    until = time.monotonic() + 60
    while not list((mlwf.folder / ".mlworkflow/store").glob("local/runs/*/first/0.json")):
        assert time.monotonic() < until
        time.sleep(0.05)
    for path in (mlwf.folder / ".mlworkflow/store").rglob("*"):
        os.utime(path, (1e9, 1e9))
    assert mlwf.json("gc", "--grace", "0s")["objects"] == 0
    (mlwf.folder / "go").touch()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    assert mlwf("logs", "w", "last") == "1\n"
