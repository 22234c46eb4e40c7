"""`canServe` in real Pods: the image that is to serve a model is asked, and a model that it cannot serve never becomes the champion."""

from __future__ import annotations

import json
from typing import Any

from .conftest import Cluster, mlwf

LIST = ("-o", "json", "-n")


def judged(name: str, image: str) -> dict[str, Any]:
    """The steps that ask `image`, and what follows if all is well."""
    inputs = {"model": {"from": "train.model"}, "test": {"from": "prep.test"}}
    return {
        "apiVersion": "mlworkflow.io/v1alpha1", "kind": "MLWorkflow", "metadata": {"name": name},
        "spec": {"steps": [
            {"name": "prep", "prep": {"source": {"sklearn": "iris"}, "target": "target", "split": {"test": 0.3, "stratify": True}}},
            {"name": "train", "inputs": {"train": {"from": "prep.train"}}, "train": {"estimator": "sklearn.tree.DecisionTreeClassifier"}},
            {"name": "evaluate", "inputs": inputs, "evaluate": {"canServe": {"image": image}, "gate": {"accuracy": {"min": 0.5}}}},
            {"name": "promote", "after": ["evaluate"], "inputs": {"model": {"from": "train.model"}}, "promote": {"model": "irises"}},
        ]},
    }  # fmt: skip


def test_a_model_is_served_by_an_image_that_has_its_libraries_and_by_no_other(
    cluster: Cluster, operator: str, namespace: str
) -> None:
    from node import api

    bare = api.image("agent")  # it has our agent and none of the libraries
    cluster.apply(namespace, judged("bare", bare))
    steps = {step["name"]: step for step in cluster.wait_phase(namespace, "bare", 240)["status"]["steps"]}
    assert steps["evaluate-serving"]["outputs"] == {"passed": False}
    assert (steps["evaluate"]["phase"], steps["evaluate"]["reason"]) == ("Failed", "GateFailed")
    assert (
        f"the model cannot be served: in {bare}: ModuleNotFoundError: No module named" in steps["evaluate"]["message"]
    )
    assert steps["promote"]["phase"] == "Skipped"
    assert json.loads(mlwf(cluster, "models", "list", *LIST, namespace)) == []
    pods = {pod["metadata"]["name"]: pod["spec"]["containers"] for pod in cluster.get("pods", namespace)}
    (asked,) = (found for name, found in pods.items() if name.startswith("bare-evaluate-serving-"))
    assert [container["image"] for container in asked] == [bare]

    cluster.apply(namespace, judged("whole", api.image("steps")))
    status = cluster.wait_phase(namespace, "whole", 240)["status"]
    assert status["phase"] == "Succeeded", status
    (model,) = json.loads(mlwf(cluster, "models", "list", *LIST, namespace))
    assert model["name"] == "irises"
