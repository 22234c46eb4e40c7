"""Every example by `mlwf run`, as a newcomer would run it, each in a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlworkflow
import mlworkflow_steps
import promises
import pytest
import records
import yaml
from bike import make_bike
from promises import Ended

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


def mlwf(home: Path, *args: str, code: int = 0) -> str:
    environ = {**os.environ, "MLWF_HOME": str(home), "MLWF_LOCAL": "1"}
    done = subprocess.run(
        [Path(sys.executable).parent / "mlwf", *args],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def ran(home: Path, file: str | Path, *args: str, code: int = 0) -> Ended:
    """An example, run to its end."""
    status = json.loads(mlwf(home, "run", str(file), *args, "-o", "json", code=code))["status"]
    name = Path(file).stem

    def download(artifact: str) -> Path:
        path = home / "downloads" / artifact
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            mlwf(home, "download", name, artifact, str(path))
        return path

    check_records(home, name, status)
    return Ended(status, download)


def check_records(home: Path, name: str, status: dict[str, Any]) -> None:
    """Of every bundle that a run has left (others call a file of theirs `model` too), and of every evaluation."""
    run = mlworkflow.run(name, home=home)
    for step in status["steps"]:
        if step.get("artifacts", {}).get("scores", {}).get("type") == "file":
            records.check(run.artifact(f"{step['name']}.scores").json(), records.SCORES)
        if "model" in step.get("artifacts", {}):
            for bundle in run.artifact(f"{step['name']}.model").path().rglob("bundle.json"):
                records.check(json.loads(bundle.read_text()), records.MODEL)


def outputs(home: Path, name: str) -> dict[str, Any]:
    return {
        step["name"]: step.get("outputs", {})
        for step in json.loads(mlwf(home, "get", name, "-o", "json"))["status"]["steps"]
    }


def test_nothing_is_wrong_with_any_example(tmp_path: Path) -> None:
    assert json.loads(mlwf(tmp_path, "lint", "-o", "json", *map(str, EXAMPLES))) == []


def test_the_readme_lists_every_example() -> None:
    listed = (ROOT / "examples/README.md").read_text()
    assert [path.name for path in EXAMPLES if f"[{path.name}]({path.name})" not in listed] == []


@pytest.mark.parametrize(
    ("name", "args", "code", "promise"),
    [
        ("fan-out", (), 0, promises.fan_out),
        ("matrix", (), 0, promises.matrix),
        ("groups", (), 0, promises.groups),
        ("conditions", (), 0, promises.conditions),
        ("conditions", ("-p", "rows=5000"), 0, promises.conditions_of_many),
        ("retries", (), 0, promises.retries),
        ("on-exit", (), 0, promises.exit_after_success),
        ("on-exit", ("-p", "accuracy=0.5"), 1, promises.exit_after_failure),
        ("locks", (), 0, promises.locks),
        ("timeouts", (), 0, promises.timeouts),
        ("sweep", (), 0, promises.sweep),
        ("profile", (), 0, promises.profile_of_many_columns),
        ("profile", ("-p", "set=wine"), 0, promises.profile_of_few_columns),
        ("validate", (), 0, promises.validate),
        ("validate", ("-p", "fault=broken"), 1, promises.validate_broken),
        ("validate", ("-p", "fault=leak"), 1, promises.validate_leak),
        ("validate", ("-p", "fault=drift"), 0, promises.validate_drift),
        ("partitioned", (), 0, promises.partitioned),
        ("predict", (), 0, promises.predict),
        ("predict", ("-p", "month=warm"), 0, promises.predict_warm),
        ("predict", ("-p", "month=renamed"), 1, promises.predict_renamed),
        ("search", (), 0, promises.search),
        ("warm-start", (), 0, promises.warm_start),
        ("text", (), 0, promises.text_as_ngrams),
        ("text", ("-p", "samples=6400", "-p", "words=4"), 0, promises.text_as_sequences),
        ("python", (), 0, promises.python),
        ("pruning", (), 0, promises.pruning),
        ("shared-pods", (), 0, promises.shared_pods),
    ],
)
def test_an_example_keeps_its_promise(
    tmp_path: Path, name: str, args: tuple[str, ...], code: int, promise: Callable[[Ended], None]
) -> None:
    promise(ran(tmp_path, f"examples/{name}.yaml", *args, code=code))


@pytest.mark.parametrize(
    ("answer", "code", "promise"),
    [
        ({"approved": True, "comment": "looks good", "inputs": {"share": 0.25}}, 0, promises.approval),
        ({"approved": False, "comment": "too early"}, 1, promises.rejection),
    ],
    ids=["yes", "no"],
)
def test_an_approval_that_stands_in_the_file(
    tmp_path: Path, answer: dict[str, Any], code: int, promise: Callable[[Ended, str], None]
) -> None:
    resource = yaml.safe_load((ROOT / "examples/approval.yaml").read_text())
    resource["spec"]["approvals"] = {"release": {**answer, "by": "ada"}}
    file = tmp_path / "approval.yaml"
    file.write_text(yaml.safe_dump(resource))
    promise(ran(tmp_path, file, code=code), "ada")


def test_digits(tmp_path: Path) -> None:
    said = mlwf(tmp_path, "run", "examples/digits.yaml")
    assert outputs(tmp_path, "digits")["evaluate"]["accuracy"] >= 0.93
    assert "evaluate.report" in said
    assert "train.model" in said
    mlwf(tmp_path, "download", "digits", "evaluate.report", str(tmp_path / "report.html"))
    assert "accuracy" in (tmp_path / "report.html").read_text()


def test_the_published_notebook_s_grid_of_digits_is_180_trees(tmp_path: Path) -> None:
    """3 depths × 3 folds × 20 trees, of pixels that are black or white at 0.1."""
    given = ("-p", "threshold=0.1", "-p", "trees=20", "-p", "accuracy=0.85")
    ended = ran(tmp_path, "examples/digits.yaml", *given)
    trials = [ended.outputs(f"tune/{number}") for number in range(3)]
    forest = mlworkflow_steps.load(ended.download("tune.model")).estimator.steps[-1][1]
    assert sum(len(trial["fold_accuracy"]) for trial in trials) * len(forest.estimators_) == 180
    for trial in trials:
        assert trial["cv_accuracy"] == pytest.approx(sum(trial["fold_accuracy"]) / 3)
        assert trial["cv_accuracy_std"] < 0.03
    best = ended.outputs("tune")["best"]
    assert (best["params"], best["value"]) == ({"max_depth": 8}, max(trial["cv_accuracy"] for trial in trials))
    recipe = tmp_path / "recipes" / "digits.yaml"
    recipe.parent.mkdir()
    recipe.write_text(mlwf(tmp_path, "export", "digits"))
    again = ran(tmp_path, recipe)
    built = {"prep", "tune/0", "tune/1", "tune/2", "train", "evaluate"}
    assert built <= {name for name, task in again.tasks.items() if task.get("cached")}, "the recipe is the same work"
    assert again.tasks["train"]["artifacts"] == ended.tasks["train"]["artifacts"]


def test_dataset(tmp_path: Path) -> None:
    (tmp_path / "numbers.txt").write_text("".join(f"{number}\n" for number in range(1, 101)))
    mlwf(tmp_path, "dataset", "add", "numbers", str(tmp_path / "numbers.txt"))
    promises.dataset(ran(tmp_path, "examples/dataset.yaml"))


def test_retrain(tmp_path: Path) -> None:
    for month, rows, code, promise in (
        ("usual", 800, 0, promises.retrain_promoted),
        ("usual", 800, 0, promises.retrain_not_needed),
        ("warm", 800, 0, promises.retrain_promoted),
        ("warm", 100, 1, promises.retrain_rejected),
    ):
        promise(ran(tmp_path, "examples/retrain.yaml", "-p", f"month={month}", "-p", f"rows={rows}", code=code))
    shown = json.loads(mlwf(tmp_path, "models", "show", "bookings", "-o", "json"))
    assert shown["aliases"] == {"champion": 2}
    assert [version["metrics"]["evaluate.r2"] > 0.8 for version in shown["versions"]] == [True, True]
    assert 'warm: drift of ["temp"]' in shown["moves"][1]["message"]
    assert json.loads(mlwf(tmp_path, "models", "rollback", "bookings", "-o", "json"))["version"] == 1


def test_any_language(tmp_path: Path) -> None:
    mlwf(tmp_path, "run", "examples/any-language.yaml")
    assert outputs(tmp_path, "any-language")["sum"]["total"] == 55


def test_bike(tmp_path: Path) -> None:
    real = os.environ.get("MLWF_BIKE_TABLE")
    table = Path(real) if real else tmp_path / "bike.csv"
    if not real:
        make_bike().to_csv(table, index=False)
    promises.bike(ran(tmp_path, "examples/bike.yaml", "-p", f"table={table}"), is_real=bool(real))
    leaking = make_bike(30).assign(casual=lambda frame: frame["demand"] // 3)
    leaking.assign(registered=leaking["demand"] - leaking["casual"]).to_csv(tmp_path / "leaking.csv", index=False)
    promises.bike_leak(ran(tmp_path, "examples/bike.yaml", "-p", f"table={tmp_path / 'leaking.csv'}", code=1))


def test_a_gate_that_fails_keeps_its_report(tmp_path: Path) -> None:
    assert "GateFailed" in mlwf(tmp_path, "run", "examples/digits.yaml", "-p", "accuracy=0.999", code=1)
    steps = {
        step["name"]: step for step in json.loads(mlwf(tmp_path, "get", "digits", "-o", "json"))["status"]["steps"]
    }
    assert (steps["evaluate"]["phase"], steps["evaluate"]["reason"]) == ("Failed", "GateFailed")
    assert 0.93 <= steps["evaluate"]["outputs"]["accuracy"] < 0.999
    mlwf(tmp_path, "download", "digits", "evaluate.report", str(tmp_path / "report.html"))
    assert "0.999" in (tmp_path / "report.html").read_text()
