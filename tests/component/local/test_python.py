"""`python` steps by `mlwf run`, as their author would run them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from wheels import make_wheels

ROOT = Path(__file__).parents[3]
Mlwf = Callable[..., str]
CODE = """
def main(rows: int):
    print("working")
    return {"total": rows * 2}
"""


@pytest.fixture
def mlwf(tmp_path: Path) -> Mlwf:
    """The command line in a home of its own; `code` is the exit code that it must have."""

    def mlwf(*args: str, code: int = 0, **environ: str) -> str:
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            [Path(sys.executable).parent / "mlwf", *args], env={**env, "MLWF_HOME": str(tmp_path / "home"), "MLWF_LOCAL": "1", **environ},
            cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if "json" in args else done.stdout + done.stderr

    return mlwf


def workflow(folder: Path, *steps: dict[str, Any]) -> str:
    head = {"apiVersion": "mlworkflow.io/v1alpha1", "kind": "MLWorkflow", "metadata": {"name": "w"}}
    (folder / "w.yaml").write_text(yaml.safe_dump({**head, "spec": {"steps": list(steps)}}))
    return "w.yaml"


def status_of(said: str) -> dict[str, Any]:
    return {step["name"]: step for step in json.loads(said)["status"]["steps"]}


def test_the_code_is_what_a_result_follows_from(mlwf: Mlwf, tmp_path: Path) -> None:
    (tmp_path / "double.py").write_text(CODE)
    file = workflow(tmp_path, {"name": "double", "params": {"rows": 4}, "python": {"file": "double.py"}})
    first = status_of(mlwf("run", file, "-o", "json"))["double"]
    again = status_of(mlwf("run", file, "-o", "json"))["double"]
    assert (first["outputs"], first.get("cached"), again["outputs"], again["cached"]) == (
        {"total": 8},
        None,
        {"total": 8},
        True,
    )
    (tmp_path / "double.py").write_text(CODE.replace("* 2", "* 3"))
    assert status_of(mlwf("run", file, "-o", "json"))["double"]["outputs"] == {"total": 12}
    assert "python.source: " in mlwf("why-miss", "w", "double")


def test_a_byte_of_the_last_step_s_code_leaves_what_came_before(mlwf: Mlwf, tmp_path: Path) -> None:
    def ran(prepares: str, judges: str) -> dict[str, Any]:
        prep = {
            "name": "prep",
            "python": {"source": f"def main() -> dict:\n    return {{'x': {prepares}}}\n"},
            "outputs": {"x": {"type": "number"}},
        }
        judge = {
            "name": "judge",
            "params": {"x": "${{ steps.prep.outputs.x }}"},
            "python": {"source": f"def main(x: float) -> dict:  # {judges}\n    return {{'y': x}}\n"},
            "outputs": {"y": {"type": "number"}},
        }
        steps = status_of(mlwf("run", workflow(tmp_path, prep, judge), "-o", "json"))
        return {name: (step.get("cached", False), next(iter(step["outputs"].values()))) for name, step in steps.items()}

    assert ran("1", "a") == {"prep": (False, 1), "judge": (False, 1)}
    assert ran("1", "b") == {"prep": (True, 1), "judge": (False, 1)}
    assert ran("2", "b") == {"prep": (False, 2), "judge": (False, 2)}


def test_a_failure_says_where(mlwf: Mlwf, tmp_path: Path) -> None:
    (tmp_path / "double.py").write_text(CODE.replace("rows * 2", "rows / 0"))
    file = workflow(tmp_path, {"name": "double", "params": {"rows": 4}, "python": {"file": "double.py"}})
    assert "ZeroDivisionError: division by zero (double.py:4, in main)" in mlwf("run", file, code=1)
    log = mlwf("logs", "w", "double")
    assert log.index("working") < log.index("Traceback")
    assert '    return {"total": rows / 0}' in log


def test_a_search_chooses_arguments_and_hears_of_metrics(mlwf: Mlwf, tmp_path: Path) -> None:
    """A trial that does not look promising is stopped on the way; what it would have left is not missed."""
    code = """
from time import sleep
from mlworkflow_steps import emit_metric

def main(slope: int):
    for step in range(1, 4):
        emit_metric("loss", slope * step, step=step)
    emit_metric("nothing", float("nan"))
    while slope > 2:
        sleep(0.1)
"""
    tune = {
        "metric": {"name": "loss", "goal": "minimize"},
        "algorithm": {"grid": {}},
        "space": {"slope": {"choice": [1, 2, 3]}},
        "pruner": {"threshold": {"upper": 8.5}},
        "trials": {"parallel": 1},
        "step": {"python": {"source": code}},
    }
    file = workflow(tmp_path, {"name": "search", "tune": tune})
    found = json.loads(mlwf("run", file, "-o", "json"))["status"]
    assert found["steps"][0]["outputs"]["best"] == {"params": {"slope": 1}, "trial": 0, "value": 3}
    assert {task["name"]: task.get("reason", "") for task in found["tasks"]}["search/2"] == "Pruned"


SHOUT = "import shout, os\ndef main(word: str): return {'said': shout.aloud(word), 'where': os.path.dirname(shout.__file__)}\n"


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A folder that pip takes packages from."""
    folder = tmp_path / "wheels"
    make_wheels(folder)
    return folder


def shouting(wheels: Path, name: str = "say", *requirements: str, **params: Any) -> dict[str, Any]:
    env = [{"name": "PIP_NO_INDEX", "value": "1"}, {"name": "PIP_FIND_LINKS", "value": str(wheels)}]
    body = {"source": SHOUT, "requirements": [*requirements] or ["shout>=1", "pyyaml"]}
    return {"name": name, "params": {"word": "ho", **params}, "env": env, "python": body}


def test_requirements_are_installed_once_for_all_that_name_the_same(mlwf: Mlwf, tmp_path: Path, wheels: Path) -> None:
    trial = shouting(wheels)
    trial["python"]["source"] = SHOUT.replace("}", ", 'loud': 1}")
    search = {
        "metric": {"name": "loud", "goal": "maximize"},
        "algorithm": {"grid": {}},
        "space": {"word": {"choice": ["a", "b"]}},
        "step": {"env": trial["env"], "python": trial["python"]},
    }
    file = workflow(
        tmp_path,
        shouting(wheels),
        shouting(wheels, "again", "pyyaml", "shout>=1", word="hey"),
        {"name": "search", "tune": search},
    )
    steps = status_of(mlwf("run", file, "-o", "json"))
    (installed,) = [name for name in steps if name.startswith("requirements-")]
    assert steps[installed]["outputs"] == {"packages": 2}, "pyyaml is here already"
    assert steps["say"]["outputs"]["said"] == "HO!"
    assert steps["again"]["outputs"]["said"] == "HEY!"
    assert "python-environment" in steps["say"]["outputs"]["where"]
    assert steps["search"]["phase"] == "Succeeded"
    mlwf("download", "w", f"{installed}.lock", str(tmp_path / "lock"))
    lock = (tmp_path / "lock").read_text().splitlines()
    assert [line.partition(" --hash=sha256:")[0] for line in lock] == ["shout==1.0", "voice==2.1"]
    assert all(len(line.rpartition(":")[2]) == 64 for line in lock)
    (tmp_path / "wheels").rename(tmp_path / "gone")
    other = workflow(tmp_path, shouting(wheels, word="hi"))
    steps = status_of(mlwf("run", other, "-o", "json"))
    assert (steps[installed]["cached"], steps["say"]["outputs"]["said"]) == (True, "HI!")


def test_requirements_that_cannot_be_had_name_the_field_and_what_pip_says(
    mlwf: Mlwf, tmp_path: Path, wheels: Path
) -> None:
    file = workflow(tmp_path, shouting(wheels, "say", "shout>=7"))
    said = mlwf("run", file, code=1)
    assert "spec.steps[0].python.requirements: " in said
    assert "No matching distribution found for shout>=7" in said


def test_clusters_that_say_nothing_of_new_rows_are_labels_for_a_classifier(mlwf: Mlwf, tmp_path: Path) -> None:
    (text,) = re.findall(
        r"  ```yaml\n(  - name: clusters\n.*?)  ```", (ROOT / "docs/concepts.md").read_text(), re.DOTALL
    )
    make = "import pandas as pd\nfrom sklearn.datasets import make_blobs\ndef main(): return pd.DataFrame(make_blobs(90, centers=3, cluster_std=0.3, random_state=1)[0], columns=['x', 'y'])\n"
    data = {"name": "prep", "python": {"source": make}, "outputs": {"train": {}}}
    steps = status_of(mlwf("run", workflow(tmp_path, data, *yaml.safe_load(text)), "-o", "json"))
    assert steps["clusters"]["outputs"] == {"noise": 0}
    assert steps["train"]["outputs"]["cv_accuracy"] == 1
