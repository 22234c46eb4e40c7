"""Runs from Python: begun in a process of their own, waited for, and what they left as Python values."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

import mlworkflow as mlwf
import pandas as pd
import pytest
from mlworkflow.api.run import ask
from mlworkflow.core.names import API_VERSION, KIND
from mlworkflow.core.values import ArtifactRef
from mlworkflow.local.detached import start
from mlworkflow.runs.places import Place


class Made(TypedDict):
    table: pd.DataFrame
    model: Path
    rows: int
    long: str


@mlwf.step
def make(count: int, word: str = "<b>&amp;</b>") -> Made:
    print("made", count, word)
    folder = Path("model")
    folder.mkdir()
    (folder / "weights").write_text(word)
    table = pd.DataFrame({"number": range(count), "word": word})
    return {"table": table, "model": folder, "rows": count, "long": word * 1000}


TRIAL = """
for i in 1 2; do echo "{\\"name\\": \\"loss\\", \\"value\\": $i.5, \\"step\\": $i}" >> "$MLWF_METRICS"; done
mkdir -p "$MLWF_OUT/params"; echo "$MLWF_PARAM_X" > "$MLWF_OUT/params/score"
"""


def shell(name: str, script: str, **options: object) -> mlwf.Step:
    return mlwf.container(name=name, command=["sh", "-c", script], **options)  # type: ignore[arg-type]


def flow() -> mlwf.Workflow:
    with mlwf.Workflow("toy", params={"count": 3}) as wf:
        made = make(count=wf.params.count)
        trial = shell("trial", TRIAL, params={"x": mlwf.trial.params.x}, outputs={"score": "number"})
        mlwf.tune(
            metric={"name": "score", "goal": "maximize"},
            algorithm={"grid": {}},
            space={"x": {"choice": [1, 4, 2]}},
            trials={"max": 3},
            step=trial,
        )
        mlwf.promote(inputs={"model": made.model}, model="toy")
        shell("each", 'echo "$MLWF_PARAM_V" > "$MLWF_OUT/copy"', for_each=["a", "b"], params={"v": mlwf.item}, outputs={"copy": {}})  # fmt: skip
    return wf


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def ran(home: Path) -> mlwf.Run:
    """One run, looked at by most of the tests."""
    return flow().run({"count": 5}, home=home).wait(timeout=240)


@pytest.fixture
def stopped(home: Path) -> Iterator[mlwf.Run]:
    """One that would go on for ever."""
    with mlwf.Workflow("slow") as wf:
        shell("sleep", "exec sleep 600")
    run = wf.run(home=home)
    yield run
    if run.phase == "Running":
        run.stop()
        with pytest.raises(mlwf.RunFailed):
            run.wait(timeout=120)


def test_how_it_ended(ran: mlwf.Run) -> None:
    assert (ran.id, ran.phase, ran.message) == ("toy.1", "Succeeded", "")
    assert {name: step.phase for name, step in ran.steps.items()} == dict.fromkeys(("make", "tune", "promote", "each"), "Succeeded")  # fmt: skip
    assert (ran.steps["make"].attempts, ran.steps["make"].cached) == (1, False)
    assert "tune/1" in ran.steps
    with pytest.raises(mlwf.RunsError, match=r"has no step 'nobody'"):
        ran.steps["nobody"]


def test_output_parameters_large_ones_too(ran: mlwf.Run) -> None:
    assert ran.steps["make"].outputs["rows"] == 5
    assert ran.outputs["make"]["long"] == "<b>&amp;</b>" * 1000
    assert ran.outputs["tune"]["best"]["params"] == {"x": 4}


def test_artifacts_as_values(ran: mlwf.Run, tmp_path: Path) -> None:
    table = ran.artifact("make.table")
    assert list(table.dataframe()["number"]) == [0, 1, 2, 3, 4]
    assert table.bytes()[:4] == b"PAR1"
    assert table.path() == ran.artifact("make.table").path(), "fetched once"
    folder = ran.steps["make"].artifact("model")
    assert folder.type == "directory"
    assert (folder.path() / "weights").read_text() == "<b>&amp;</b>"
    assert folder.path(tmp_path / "mine") == tmp_path / "mine"
    assert (ran.artifact("each.copy").path() / "0001").read_text() == "b\n"
    assert ran.artifact("each/0.copy").text() == "a\n"
    assert {each.name for each in ran.artifacts()} >= {"make.table", "make.model", "tune.trials"}
    with pytest.raises(mlwf.RunsError, match="left no artifact 'tabel'"):
        ran.artifact("make.tabel")


def test_what_was_printed(ran: mlwf.Run) -> None:
    assert ran.logs("make") == "made 5 <b>&amp;</b>\n"
    assert ran.steps["make"].logs() in ran.logs()


def test_trials_and_metrics_are_tables(ran: mlwf.Run) -> None:
    trials = ran.trials()
    assert list(trials["trial"]) == [0, 1, 2]
    assert list(trials["params.x"]) == [1, 4, 2]
    assert list(trials["value"]) == [1.0, 4.0, 2.0]
    metrics = ran.metrics()
    assert list(metrics.columns) == ["task", "attempt", "name", "step", "value"]
    assert metrics.query("task == 'tune/1' and name == 'loss'")["value"].tolist() == [2.5]
    assert metrics.query("task == 'make' and name == 'rows'")["value"].tolist() == [5.0]


def test_it_is_found_again(ran: mlwf.Run, home: Path) -> None:
    assert mlwf.run("toy.1", home=home).outputs["make"]["rows"] == 5
    assert mlwf.run(ran.uid, home=home).id == "toy.1"
    assert "toy.1" in [run.id for run in mlwf.list_runs(home=home)]
    with pytest.raises(mlwf.NoSuchRun):
        mlwf.run("nobody", home=home)


def test_the_same_work_again_is_not_done_again(ran: mlwf.Run, home: Path) -> None:
    again = mlwf.loads(flow().to_yaml()).run({"count": 5}, home=home).wait(timeout=240)
    assert again.steps["make"].cached
    assert again.artifact("make.table").digest == ran.artifact("make.table").digest


def test_how_it_is_shown_escapes_what_others_wrote(ran: mlwf.Run, home: Path) -> None:
    shown = ran._repr_mimebundle_()
    assert shown["text/plain"] == "<run toy.1: Succeeded 4/4>"
    assert "Succeeded" in shown["text/html"]
    assert "rows=5" in shown["text/html"]
    with mlwf.Workflow("bad") as wf:
        shell("fail", "echo '<script>alert(1)</script>'; exit 3")
    failed = wf.run(home=home)
    with pytest.raises(mlwf.RunFailed):
        failed.wait(timeout=120)
    page = failed._repr_mimebundle_()["text/html"]
    assert "&lt;script&gt;" in page
    assert "<script" not in page


def test_a_failure_is_an_error_with_the_step_s_reason(home: Path) -> None:
    with mlwf.Workflow("failing") as wf:
        first = shell("first", "echo last words; exit 3")
        shell("second", "true", after=first)
    with pytest.raises(mlwf.RunFailed, match=r"failing\.1 failed: first \(Error\): exit code 3\nlast words") as caught:
        wf.run(home=home).wait(timeout=120)
    error = caught.value
    assert (error.phase, error.step, error.reason) == ("Failed", "first", "Error")
    assert mlwf.run("failing", home=home).steps["second"].phase == "Skipped"


def test_waiting_has_an_end_and_the_run_goes_on(stopped: mlwf.Run) -> None:
    with pytest.raises(TimeoutError, match=r"slow\.\d+ has not ended after 0\.5 s"):
        stopped.wait(timeout=0.5)
    assert stopped.phase in ("Pending", "Running")
    stopped.stop()
    with pytest.raises(mlwf.RunFailed, match="cancelled") as caught:
        stopped.wait(timeout=120)
    assert caught.value.phase == "Cancelled"


def test_it_goes_on_when_whoever_began_it_has_ended(home: Path) -> None:
    script = (
        "import sys, mlworkflow as mlwf\n"
        "with mlwf.Workflow('alone') as wf:\n"
        "    mlwf.container(command=['sh', '-c', 'sleep 1'])\n"
        "print(wf.run(home=sys.argv[1]).id)"
    )
    begun = subprocess.run([sys.executable, "-c", script, home], capture_output=True, text=True, check=True)
    assert mlwf.run(begun.stdout.strip(), home=home).wait(timeout=120).phase == "Succeeded"


def test_what_is_wrong_is_told_by_the_process_too(tmp_path: Path) -> None:
    resource = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "w"}, "spec": {"steps": [{"name": "a"}]}}
    with pytest.raises(mlwf.SpecError, match=r"spec\.steps\[0\]: a step has exactly one of"):
        start(tmp_path, resource)
    assert mlwf.list_runs(home=tmp_path) == []


def test_models_and_datasets_by_name(ran: mlwf.Run, home: Path) -> None:
    champion = mlwf.model("toy@champion", home=home)
    assert champion.facts.digest == ran.artifact("make.model").digest
    assert (champion.path() / "weights").read_text() == "<b>&amp;</b>"
    assert [model["name"] for model in mlwf.list_models(home=home)] == ["toy"]
    with pytest.raises(mlwf.NoSuchRun, match="there is no model 'toy@7'"):
        mlwf.model("toy@7", home=home).path()

    table = ran.artifact("make.table")
    added = ArtifactRef(table.digest, table.size, table.type)
    ask(Place(home=home), lambda runs: runs.add_dataset("numbers", added, "a test", None))
    with mlwf.Workflow("reading") as wf:
        shell("read", 'cp "$MLWF_IN/table" "$MLWF_OUT/copy"', inputs={"table": mlwf.dataset("numbers")}, outputs={"copy": {}})  # fmt: skip
    read = wf.run(home=home).wait(timeout=120)
    assert read.artifact("read.copy").digest == table.digest
    assert len(mlwf.dataset("numbers", home=home).dataframe()) == 5
    with pytest.raises(mlwf.NoSuchRun, match="there is no dataset 'letters'"):
        mlwf.dataset("letters", home=home).dataframe()


def test_a_missing_extra_is_named(ran: mlwf.Run, home: Path) -> None:
    script = (
        "import sys, importlib.abc\n"
        "class Missing(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('pandas', 'mlworkflow_steps'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "import mlworkflow as mlwf\n"
        "run = mlwf.run('toy.1', home=sys.argv[1])\n"
        "assert run.artifact('make.table').bytes()\n"
        "for ask in (run.artifact('make.table').dataframe, run.artifact('make.model').model, run.metrics):\n"
        "    try:\n"
        "        ask()\n"
        "    except mlwf.ExtraMissing as error:\n"
        "        print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script, home], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.count("pip install 'mlworkflow[steps]'") == 3
