"""The CRD in front of a real API server: what it explains, accepts, fills in and refuses.

The definition is installed as a copy under a group of the test's own, so that neither an operator nor a chart in the same cluster is disturbed.
"""

from __future__ import annotations

import copy
import json
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlworkflow.core.kinds import KINDS

from .conftest import Cluster, wait_for

ROOT = Path(__file__).parents[2]
CRD = ROOT / "crds" / "mlworkflows.mlworkflow.io.yaml"
EXACTLY_ONE = f"exactly one of: {', '.join(KINDS)}"
GROUP, SHORT = "crdtest.mlworkflow.io", "mlwfcrd"

DIGITS: dict[str, Any] = yaml.safe_load("""
apiVersion: crdtest.mlworkflow.io/v1alpha1
kind: MLWorkflow
metadata: {name: digits}
spec:
  params: {threshold: 7.5, seed: 7, nothing: null, nested: {a: [1, two, null], b: null}}
  parallelism: 4
  timeout: 1h30m
  defaults: {image: python:3.11-slim, retry: {limit: 1}, resources: {requests: {cpu: 100m}}}
  steps:
    - name: prep
      prep: {source: {sklearn: digits}, target: target, split: {test: "${{ params.threshold / 25.0 }}", stratify: true, seed: "${{ params.seed }}"}}
    - name: tune
      inputs: {train: {from: prep.train}}
      tune:
        metric: {name: cv_accuracy, goal: maximize}
        algorithm: {grid: {}}
        space: {max_depth: {choice: [3, 5.5, eight, null]}, trees: {int: {min: 1, max: 9}}, rate: {float: {min: 0.1, max: 1, step: 0.1}}}
        trials: {max: 3, parallel: 3}
        step: {train: {estimator: sklearn.tree.DecisionTreeClassifier, cv: 3}}
    - name: train
      inputs: {train: {from: prep.train}}
      retry: {}
      train:
        estimator: {pipeline: [{name: scale, use: sklearn.preprocessing.StandardScaler}]}
        params: {max_depth: "${{ steps.tune.best.params.max_depth }}"}
        cv: {folds: 4}
    - name: evaluate
      inputs: {model: {from: train.model}, test: {from: prep.test}}
      evaluate: {gate: {accuracy: {min: 0.9}}}
    - name: notify
      after: [evaluate]
      when: "${{ steps.evaluate.outputs.accuracy > 0.95 }}"
      container: {image: "alpine:3.20", command: [sh, -c, cp $MLWF_IN/report $MLWF_OUT/copy]}
      inputs: {report: {from: evaluate.report}}
      outputs: {copy: {}}
    - name: folds
      forEach: {matrix: {fold: [1, 2], lr: "${{ params.nested.a }}"}}
      parallel: 2
      maxFailed: 10%
      locks: [gpu, {name: db, size: 3}]
      runAfter: [Succeeded, Skipped]
      steps:
        - name: inner
          inputs: {model: {from: [train.model, tune.model], optional: true}}
          container: {image: "alpine:3.20", unknown: is found by the operator}
      outputs: {n: {value: "${{ steps.inner.outputs.n }}", type: json}}
    - name: ship
      approve: {message: "ship it?", inputs: {share: {type: number, default: 0.1, enum: [0.1, 1]}}}
      retry: {only: {exitCodes: [1], expression: "${{ last.exitCode == 1 }}"}, limit: 1, backoff: 10s, factor: 2, cap: 5m, losses: 0}
  onExit:
    always: [{name: bye, container: {command: ["true"]}}]
    timeout: 30m
  approvals: {ship: {approved: true, by: ada, comment: "", inputs: {share: 1}, attempt: 0}}
  rerun: {id: x, steps: [train]}
  locks: [bench]
  priority: -1
""")

Change = Callable[[dict[str, Any]], Any]


def set_in(*path: str | int) -> Callable[[Any], Change]:
    """``set_in("a", 0)(value)``: a change that puts `value` there."""

    def with_value(value: Any) -> Change:
        def change(spec: dict[str, Any]) -> None:
            place: Any = spec
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value

        return change

    return with_value


def step(index: int, *path: str | int) -> Callable[[Any], Change]:
    return set_in("spec", "steps", index, *path)


def drop(*path: str | int) -> Change:
    def change(spec: dict[str, Any]) -> None:
        place: Any = spec
        for key in path[:-1]:
            place = place[key]
        del place[path[-1]]

    return change


# One mistake in DIGITS each; the message must hold every one of the texts.
REFUSED: dict[str, tuple[Change, tuple[str, ...]]] = {
    "unknown field of a step": (step(0, "retries")(3), ('unknown field "spec.steps[0].retries"',)),
    "unknown field of a kind": (step(2, "train", "folds")(3), ('unknown field "spec.steps[2].train.folds"',)),
    "unknown field of the spec": (set_in("spec", "paralelism")(3), ('unknown field "spec.paralelism"',)),
    "two kinds": (
        step(0, "train")({"estimator": "a.B"}),
        ("spec.steps[0]", EXACTLY_ONE),
    ),
    "no kind": (
        drop("spec", "steps", 0, "prep"),
        ("spec.steps[0]", EXACTLY_ONE),
    ),
    "a kind that is null": (step(3, "evaluate")(None), ("spec.steps[3]", "exactly one of")),
    "bad duration": (set_in("spec", "timeout")("an hour"), ("spec.timeout", "should match")),
    "bad duration of a step": (step(1, "timeout")("10"), ("spec.steps[1].timeout", "should match")),
    "bad step name": (step(0, "name")("Prep_1"), ("spec.steps[0].name", "should match")),
    "long step name": (step(0, "name")("a" * 64), ("spec.steps[0].name", "63")),
    "missing step name": (drop("spec", "steps", 0, "name"), ("spec.steps[0].name", "Required")),
    "duplicate step names": (step(1, "name")("prep"), ("spec.steps[1]", "Duplicate value", "prep")),
    "long name": (set_in("metadata", "name")("a" * 64), ("metadata.name", "63 characters")),
    "empty steps": (set_in("spec", "steps")([]), ("spec.steps", "at least 1")),
    "no steps": (drop("spec", "steps"), ("spec.steps", "Required")),
    "no spec": (drop("spec"), ("spec", "Required")),
    "parallelism is text": (set_in("spec", "parallelism")("four"), ("spec.parallelism", "integer")),
    "parallelism is 0": (set_in("spec", "parallelism")(0), ("spec.parallelism", "greater than or equal to 1")),
    "after is text": (step(4, "after")("evaluate"), ("spec.steps[4].after", "array")),
    "an input without a dot": (
        step(2, "inputs", "train", "from")("prep"),
        ("spec.steps[2].inputs.train.from", "should match"),
    ),
    "unknown type of output": (
        step(4, "outputs", "copy")({"type": "table"}),
        ("spec.steps[4].outputs.copy.type", "Unsupported value"),
    ),
    "when without marks": (step(4, "when")("params.seed > 3"), ("spec.steps[4].when", "should match")),
    "two sources": (
        step(0, "prep", "source", "url")("http://x"),
        ("spec.steps[0].prep.source", "exactly one of: sklearn, path, url, s3, input"),
    ),
    "no target": (drop("spec", "steps", 0, "prep", "target"), ("spec.steps[0].prep.target", "Required")),
    "text that is no expression": (
        step(0, "prep", "split", "test")("a third"),
        ("spec.steps[0].prep.split.test", "should match"),
    ),
    "a whole number that is text": (step(2, "train", "seed")("seven"), ("spec.steps[2].train.seed", "should match")),
    "two algorithms": (
        step(1, "tune", "algorithm", "random")({}),
        ("spec.steps[1].tune.algorithm", "exactly one of: grid, random"),
    ),
    "an unknown goal": (
        step(1, "tune", "metric", "goal")("best"),
        ("spec.steps[1].tune.metric.goal", "Unsupported value"),
    ),
    "an empty space": (step(1, "tune", "space")({}), ("spec.steps[1].tune.space", "at least 1")),
    "a dimension of two": (
        step(1, "tune", "space", "max_depth", "int")({"min": 1, "max": 2}),
        ("spec.steps[1].tune.space.max_depth", "must validate one and only one schema (oneOf)"),
    ),
    "a range upside down": (
        step(1, "tune", "space", "trees", "int")({"min": 9, "max": 1}),
        ("spec.steps[1].tune.space[trees].int", "min is above max"),
    ),
    "logarithm of zero": (
        step(1, "tune", "space", "rate", "float")({"min": 0, "max": 1, "log": True}),
        ("spec.steps[1].tune.space[rate].float.min", "a logarithmic range needs min > 0"),
    ),
    "a gate without a bound": (
        step(3, "evaluate", "gate", "accuracy")({}),
        ("spec.steps[3].evaluate.gate.accuracy", "at least 1"),
    ),
    "too many retries": (step(2, "retry", "limit")(1000), ("spec.steps[2].retry.limit", "less than or equal to 100")),
}


class Kubectl:
    """kubectl in a namespace of the test's own."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace

    def __call__(self, *arguments: str, given: object = None, check: bool = True) -> str:
        text = None if given is None else json.dumps(given)
        return self.cluster.kubectl("-n", self.namespace, *arguments, stdin=text, check=check)


@pytest.fixture(scope="module")
def kubectl(cluster: Cluster) -> Iterator[Kubectl]:
    run = Kubectl(cluster, f"crd-{uuid.uuid4().hex[:8]}")
    definition = yaml.safe_load(CRD.read_text())
    definition["metadata"]["name"] = f"mlworkflows.{GROUP}"
    definition["spec"]["group"] = GROUP
    definition["spec"]["names"] |= {"shortNames": [SHORT], "categories": []}
    run("create", "namespace", run.namespace)
    try:
        run("apply", "-f", "-", given=definition)
        # which fails as long as there are no conditions at all, as `kubectl wait` does
        established = '{.status.conditions[?(@.type=="Established")].status}'
        wait_for(
            lambda: run("get", f"crd/mlworkflows.{GROUP}", "-o", f"jsonpath={established}", check=False) == "True", 30
        )
        wait_for(lambda: "DESCRIPTION" in run("explain", SHORT, check=False))  # published a moment after Established
        yield run
    finally:
        run("delete", f"crd/mlworkflows.{GROUP}", "--ignore-not-found", "--wait=false", check=False)
        run("delete", "namespace", run.namespace, "--wait=false", check=False)


@pytest.fixture(scope="module")
def digits(kubectl: Kubectl) -> dict[str, Any]:
    """The good resource, as the API server keeps it."""
    kubectl("create", "-f", "-", given=DIGITS)
    return dict(json.loads(kubectl("get", SHORT, "digits", "-o", "json")))


def test_the_real_definition_is_accepted(kubectl: Kubectl) -> None:
    definition = yaml.safe_load(CRD.read_text())
    applied = kubectl("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-", given=definition)
    assert "mlworkflows.mlworkflow.io serverside-applied" in applied


def test_explain_reads_like_documentation(kubectl: Kubectl) -> None:
    text = " ".join(kubectl("explain", f"{SHORT}.spec.steps.tune").split())
    for expected in (
        "Searches for the best parameters of a step.",
        "-required-",
        "How parameters are chosen",
        "algorithm <Object>",
        "The budget.",
    ):
        assert expected in text
    assert "<no description>" not in text


@pytest.mark.parametrize(
    "path",
    ["spec", "spec.steps", "spec.defaults", "spec.steps.train.cv", "status", "status.steps", "status.conditions"],
)
def test_everything_is_explained(kubectl: Kubectl, path: str) -> None:
    assert "<no description>" not in kubectl("explain", f"{SHORT}.{path}")


def test_a_good_resource_is_kept_as_written_with_defaults_outside_of_kinds(digits: dict[str, Any]) -> None:
    wanted = copy.deepcopy(DIGITS["spec"])
    retry = {"backoff": "10s", "factor": 2, "cap": "5m", "losses": 3}
    wanted["defaults"]["retry"] |= retry
    wanted["steps"][2]["retry"] = {"limit": 2, **retry}
    wanted["steps"][4]["outputs"]["copy"] = {"type": "artifact", "keep": "success"}
    wanted["steps"][5]["outputs"]["n"]["keep"] = "success"
    assert digits["spec"] == wanted


@pytest.mark.parametrize(("change", "texts"), REFUSED.values(), ids=REFUSED)
def test_a_mistake_is_refused_and_its_field_named(kubectl: Kubectl, change: Change, texts: tuple[str, ...]) -> None:
    resource = copy.deepcopy(DIGITS)
    resource["metadata"]["name"] = "mistaken"
    change(resource)
    refused = kubectl("create", "-f", "-", given=resource, check=False)
    assert [text for text in texts if text not in refused] == [], refused
    assert "mistaken created" not in refused


def test_get_shows_the_columns(kubectl: Kubectl, digits: dict[str, Any]) -> None:
    status = {
        "phase": "Failed",
        "progress": "3/5",
        "duration": "1m05s",
        "message": "step 'train' failed: OOMKilled",
        "observedGeneration": 1,
    }
    kubectl("patch", SHORT, "digits", "--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
    heading, row = kubectl("get", SHORT, "digits").splitlines()
    assert heading.split() == ["NAME", "PHASE", "PROGRESS", "DURATION", "AGE", "MESSAGE"]
    assert re.match(r"digits +Failed +3/5 +1m05s +\S+ +step 'train' failed: OOMKilled", row)


def test_status_is_kept_whole(kubectl: Kubectl, digits: dict[str, Any]) -> None:
    artifact = {"digest": "sha256:00", "size": 5_000_000_000, "type": "file"}
    trial = {"name": "tune/0", "phase": "Succeeded", "value": 0.5, "attempts": 1}
    steps = [
        {
            "name": "tune",
            "phase": "Running",
            "outputs": {"best": {"params": {"a": None}}},
            "artifacts": {"model": artifact},
            "progress": "1/2",
        }
    ]
    tasks = [trial, {**trial, "name": "tune/1", "value": None}]
    condition = {
        "type": "Valid",
        "status": "True",
        "reason": "Valid",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00.123Z",
        "observedGeneration": 1,
    }
    status = {
        "phase": "Running",
        "startedAt": "2026-01-01T00:00:00.123Z",
        "steps": steps,
        "tasks": tasks,
        "conditions": [condition],
    }
    kubectl(
        "replace", "--subresource=status", "-f", "-", given={**digits, "status": status, "metadata": {"name": "digits"}}
    )
    assert json.loads(kubectl("get", SHORT, "digits", "-o", "json"))["status"] == status


def test_a_workflow_of_two_thousand_steps_is_accepted(kubectl: Kubectl) -> None:
    """More take the API server longer than a test should: it validates about 1,500 steps a second on a busy node."""
    step = {"container": {"command": ["true"]}, "after": ["first"], "when": "${{ true }}"}
    steps = [{"name": "first", "container": {}}, *({"name": f"s{number}", **step} for number in range(2_000))]
    large = {**DIGITS, "metadata": {"name": "large"}, "spec": {"steps": steps}}
    kubectl("create", "--dry-run=server", "-f", "-", given=large)
