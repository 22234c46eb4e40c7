"""The editor's schema accepts the examples, and refuses mistakes that the CRD has to leave open."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from mlworkflow.schema.editor import editor_schema
from mlworkflow.schema.resource import references_in

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("**/*.yaml"))
GOOD: dict[str, Any] = yaml.safe_load("""
apiVersion: mlworkflow.io/v1alpha1
kind: MLWorkflow
metadata: {name: digits}
spec:
  params: {threshold: 7.5, nothing: null}
  steps:
    - name: prep
      prep: {source: {sklearn: digits}, target: target, split: {test: "${{ params.threshold / 25.0 }}"}}
    - name: tune
      inputs: {train: {from: prep.train}}
      tune:
        metric: {name: accuracy}
        space: {depth: {choice: [3, five, null]}, rate: {float: {min: 0, max: 1, step: 0.5}}}
        step: {retry: {limit: 1}, train: {estimator: a.B, cv: {folds: 3}}}
""")


def problems(resource: Any) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(editor_schema()).iter_errors(resource)]


def test_it_is_a_schema_without_dead_references() -> None:
    schema = editor_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert set(references_in(schema)) <= schema["$defs"].keys()


def test_a_good_resource() -> None:
    assert problems(GOOD) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example(path: Path) -> None:
    for document in yaml.safe_load_all(path.read_text()):
        if document and document.get("kind") == "MLWorkflow":
            assert problems(document) == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("prep", "split"), {"test": "a third"}),
        (("prep", "split"), {"test": True}),
        (("prep", "source"), {}),
        (("prep", "target"), 3),
        (("timeout",), "soon"),
        (("train",), {"estimator": "a.B"}),
        (("tune",), None),
    ],
)
def test_a_mistake_in_the_first_step(place: tuple[str, ...], value: Any) -> None:
    resource = copy.deepcopy(GOOD)
    target = resource["spec"]["steps"][0]
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    assert problems(resource)


@pytest.mark.parametrize(
    "trial",
    [{}, {"tune": {}}, {"train": {"estimator": "a.B", "cv": "three"}}, {"name": "x", "train": {"estimator": "a.B"}}],
)
def test_a_mistake_in_a_trial(trial: dict[str, Any]) -> None:
    resource = copy.deepcopy(GOOD)
    resource["spec"]["steps"][1]["tune"]["step"] = trial
    assert problems(resource)
