"""A workflow written in Python is the resource that one would have written in YAML, and what is wrong with it names its field."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import mlworkflow as mlwf
import numpy as np
import pytest
import yaml
from mlworkflow.core.kinds import KINDS
from mlworkflow.schema.python_api import kinds_module

DIGEST = "sha256:" + 64 * "a"


def spec(workflow: mlwf.Workflow) -> dict[str, Any]:
    workflow.check()
    return workflow.spec


def test_a_whole_one() -> None:
    with mlwf.Workflow("digits", params={"threshold": 7.5}, parallelism=4, fail_fast=True) as wf:
        prep = mlwf.prep(source={"sklearn": "digits"}, target="target", split={"test": 0.3, "stratify": True})
        tune = mlwf.tune(
            metric={"name": "cv_accuracy", "goal": "maximize"},
            algorithm={"grid": {}},
            space={"max_depth": {"choice": [3, 5, 8]}},
            trials={"max": 3, "parallel": 3},
            step=mlwf.train(train=prep.train, estimator="sklearn.tree.DecisionTreeClassifier", cv=3),
        )
        train = mlwf.train(
            train=prep.train,
            estimator="sklearn.tree.DecisionTreeClassifier",
            params={"max_depth": tune.best.params.max_depth},
            retry={"limit": 1},
            attempt_timeout="10m",
        )
        evaluate = mlwf.evaluate(model=train.model, test=prep.test, gate={"accuracy": {"min": 0.9}})
        mlwf.container(
            name="notify",
            image="alpine:3.20",
            command=["sh", "-c", f"echo {wf.params.threshold}"],
            inputs={"report": evaluate.report},
            outputs={"copy": {}, "total": "integer"},
            after=evaluate,
            when=evaluate["accuracy"] > 0.95,
            step_image="alpine:3.21",
        )
    assert spec(wf) == yaml.safe_load("""
    params: {threshold: 7.5}
    parallelism: 4
    failFast: true
    steps:
    - name: prep
      prep: {source: {sklearn: digits}, target: target, split: {test: 0.3, stratify: true}}
    - name: tune
      inputs: {train: {from: prep.train}}
      tune:
        space: {max_depth: {choice: [3, 5, 8]}}
        step: {train: {estimator: sklearn.tree.DecisionTreeClassifier, cv: 3}}
        metric: {name: cv_accuracy, goal: maximize}
        algorithm: {grid: {}}
        trials: {max: 3, parallel: 3}
    - name: train
      inputs: {train: {from: prep.train}}
      train:
        estimator: sklearn.tree.DecisionTreeClassifier
        params: {max_depth: "${{ steps.tune.outputs.best.params.max_depth }}"}
      retry: {limit: 1}
      attemptTimeout: 10m
    - name: evaluate
      inputs: {model: {from: train.model}, test: {from: prep.test}}
      evaluate: {gate: {accuracy: {min: 0.9}}}
    - name: notify
      inputs: {report: {from: evaluate.report}}
      container: {image: "alpine:3.20", command: [sh, -c, "echo ${{ params.threshold }}"]}
      outputs: {copy: {}, total: {type: integer}}
      image: alpine:3.21
      after: [evaluate]
      when: "${{ steps.evaluate.outputs.accuracy > 0.95 }}"
    """)


def test_groups_fan_outs_and_the_end() -> None:
    with mlwf.Workflow("folds") as wf:
        with mlwf.group("folds", for_each={"range": 3}) as folds:
            split = mlwf.container(name="split", command=["true"], params={"fold": mlwf.item}, outputs={"part": {}, "rows": "integer"})  # fmt: skip
            mlwf.container(name="count", command=["true"], inputs={"part": split.part})
            folds.leaves(part=split.part, rows=split.rows)
        mlwf.container(name="all", command=["true"], inputs={"parts": folds.part}, params={"rows": folds.rows})
        with wf.on_exit("failed"):
            mlwf.container(name="alarm", command=["echo", mlwf.workflow_facts.message])
    found = spec(wf)
    assert [step["name"] for step in found["steps"][0]["steps"]] == ["split", "count"]
    assert found["steps"][0]["outputs"] == {"part": {"from": "split.part"}, "rows": {"value": "${{ steps.split.outputs.rows }}"}}  # fmt: skip
    assert found["steps"][1]["params"] == {"rows": "${{ steps.folds.outputs.rows }}"}
    assert found["onExit"]["failed"][0]["container"]["command"] == ["echo", "${{ workflow.message }}"]


def test_inputs_that_no_step_has_left() -> None:
    with mlwf.Workflow("w") as wf:
        mlwf.container(
            command=["true"],
            inputs={
                "bikes": mlwf.dataset("bikes"),
                "old": mlwf.optional(mlwf.model("bikes@champion")),
                "raw": mlwf.http("https://example.org/x.csv", sha256="a" * 64),
                "scans": mlwf.s3("bucket/key", secret="keys"),
            },
        )
        first = mlwf.container(name="first", command=["true"], outputs={"a": {}})
        second = mlwf.container(name="second", command=["true"], outputs={"a": {}})
        mlwf.container(name="either", command=["true"], inputs={"a": [first.a, second.a]})
    steps = {step["name"]: step for step in spec(wf)["steps"]}
    assert steps["container"]["inputs"] == {
        "bikes": {"from": {"dataset": "bikes"}},
        "old": {"from": {"model": "bikes@champion"}, "optional": True},
        "raw": {"from": {"http": "https://example.org/x.csv", "sha256": "a" * 64}},
        "scans": {"from": {"s3": "bucket/key", "secret": "keys"}},
    }
    assert steps["either"]["inputs"] == {"a": {"from": ["first.a", "second.a"]}}


def test_names_are_unique_in_the_whole_workflow() -> None:
    with mlwf.Workflow("w") as wf:
        mlwf.prep(source={"sklearn": "iris"}, target="target")
        with mlwf.group("inner"):
            mlwf.prep(source={"sklearn": "iris"}, target="target")
        last = mlwf.prep(source={"sklearn": "iris"}, target="target")
    assert list(wf.steps) == ["prep", "inner", "prep-3"]
    assert last.name == "prep-3"
    wf.check()


def test_a_function_of_parameters() -> None:
    @mlwf.workflow(parallelism=2)
    def my_flow(depth: int, seed: int = 7) -> None:
        mlwf.container(command=["echo", depth], params={"seed": seed})

    wf = my_flow(depth=3)
    assert (wf.name, wf.spec["params"], wf.spec["parallelism"]) == ("my-flow", {"depth": 3, "seed": 7}, 2)
    assert wf["container"].raw["params"] == {"seed": "${{ params.seed }}"}
    with pytest.raises(mlwf.SpecError, match=r"spec\.params\.depth: has no value"):
        my_flow()


def test_numbers_of_numpy_are_numbers() -> None:
    with mlwf.Workflow("w") as wf:
        mlwf.container(command=["true"], params={"a": np.int64(3), "b": np.array([1.5, 2.0]), "c": {"x": (1, 2)}})
    assert spec(wf)["steps"][0]["params"] == {"a": 3, "b": [1.5, 2.0], "c": {"x": [1, 2]}}


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda: mlwf.train(estimator="x.Y", params={"a": {"b": object()}}), r"steps\.train\.train\.params\.a\.b: is a builtins\.object"),
        (lambda: mlwf.container(params={"a": float("nan")}), r"steps\.container\.params\.a: is nan"),
        (lambda: mlwf.container(inputs={"a": 3}), r"steps\.container\.inputs\.a: is a int: take the output of a step"),
        (lambda: mlwf.container(outputs={"a": {}, "b": "integer"})["c"], r"steps\.container: leaves no 'c'; it leaves: a, b"),
        (lambda: mlwf.dataset("No Name"), r"dataset: is NAME or NAME@sha256"),
        (lambda: mlwf.Workflow("w", paralellism=3), r"spec\.paralellism: there is no such field; there are: cancel"),
        (lambda: mlwf.group("g").__enter__(), r"steps\.g: a group is part of a workflow"),
    ],
)  # fmt: skip
def test_mistakes_while_writing(write: Any, message: str) -> None:
    with pytest.raises(mlwf.SpecError, match=message):
        write()


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda: mlwf.train(estimator="x.Y"), r"spec\.steps\[0\]\.inputs\.train: a train step needs"),
        (lambda: mlwf.prep(source={"sklearn": "iris", "sql": "x"}, target="y"), r"spec\.steps\[0\]\.prep\.source: unknown field `sql`"),
        (lambda: mlwf.container(command=["true"], when="${{ steps.nobody.phase }}"), r"spec\.steps\[0\]\.when: .*'nobody'"),
        (lambda: mlwf.container(command=["true"], params={"a": "${{ params.b }}"}), r"spec\.steps\[0\]\.params\.a: .*spec\.params has no 'b'"),
    ],
)  # fmt: skip
def test_the_core_finds_the_others(write: Any, message: str) -> None:
    with mlwf.Workflow("w") as wf:
        write()
    with pytest.raises(mlwf.SpecError, match=message):
        wf.check()
    with pytest.raises(mlwf.SpecError, match=message):
        wf.run()
    assert any(finding.severity == "error" for finding in wf.lint())


def test_a_parameter_that_there_is_not() -> None:
    with mlwf.Workflow("w", params={"seed": 1}) as wf:
        mlwf.container(command=["true"])
    with pytest.raises(mlwf.SpecError, match=r"spec\.params\.sed: there is none; there are: seed"):
        wf.run({"sed": 2})
    assert wf.spec["params"] == {"seed": 1}


def test_every_kind_has_a_function() -> None:
    for name, kind in KINDS.items():
        if name not in ("steps", "dataset", "model"):  # a group, and two that are references
            assert callable(getattr(mlwf, f"{name}_" if name == "import" else name)), kind
    assert "def train(" in kinds_module()


def test_the_drawing_has_every_step_escaped() -> None:
    with mlwf.Workflow("<b>") as wf:
        a = mlwf.container(name="a", command=["true"])
        mlwf.container(name="b", command=["true"], after=a)
    wf.spec["steps"][1]["name"] = "<script>"
    svg = wf._repr_mimebundle_()["image/svg+xml"]
    assert "&lt;script&gt;" in svg
    assert "<script>" not in svg
    assert "<b>" not in svg


def test_the_drawing_follows_what_waits_for_what() -> None:
    with mlwf.Workflow("w") as wf:
        a = mlwf.container(name="a", command=["true"])
        b = mlwf.container(name="b", command=["true"], after=a)
        mlwf.container(name="c", command=["true"], after=[a, b])
    assert wf._repr_mimebundle_()["image/svg+xml"].count("<path marker") == 3
    wf.spec["steps"][0]["after"] = ["c"]
    assert wf._repr_mimebundle_()["image/svg+xml"].count("<rect") == 3, "a circle is drawn without its arrows"


def test_importing_the_package_imports_nothing() -> None:
    script = (
        "import sys; import mlworkflow; from mlworkflow import names_of_nothing"
        if False
        else (
            "import sys, mlworkflow\n"
            "from mlworkflow import core\n"
            "heavy = {'mlworkflow.api', 'msgspec', 'aiohttp', 'pandas', 'yaml'} & sys.modules.keys()\n"
            "assert not heavy, heavy\n"
            "mlworkflow.Workflow\n"
            "assert 'pandas' not in sys.modules and 'sklearn' not in sys.modules\n"
            "assert 'train' in dir(mlworkflow)"
        )
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parent)
