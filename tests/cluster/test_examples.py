"""The other examples on a real cluster: each keeps the promise that it keeps in a local run, and an approval is answered by who may answer."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import promises
import pytest
import yaml
from bike import make_bike
from promises import Ended

from .conftest import ROOT, Cluster, mlwf, served, wait_for


def test_steps_in_any_language(cluster: Cluster, operator: str, namespace: str) -> None:
    cluster.apply(namespace, (ROOT / "examples/any-language.yaml").read_text())
    status = cluster.wait_phase(namespace, "any-language", 120)["status"]
    assert status["phase"] == "Succeeded", status
    pods = cluster.get("pods", namespace)
    assert len(pods) == len([step for step in status["steps"] if step["phase"] == "Succeeded"])


def example(name: str, **params: Any) -> dict[str, Any]:
    resource: dict[str, Any] = yaml.safe_load((ROOT / f"examples/{name}.yaml").read_text())
    resource["spec"].setdefault("params", {}).update(params)
    return resource


def ended(cluster: Cluster, namespace: str, name: str, folder: Path, timeout: float = 240) -> Ended:
    """An example that was applied, once it has ended."""
    status = cluster.wait_phase(namespace, name, timeout)["status"]

    def download(artifact: str) -> Path:
        path = folder / artifact
        if not path.exists():
            mlwf(cluster, "download", name, artifact, str(path), "-n", namespace)
        return path

    return Ended(status, download)


@pytest.mark.parametrize(
    ("name", "params", "promise"),
    [
        ("fan-out", {}, promises.fan_out),
        ("matrix", {}, promises.matrix),
        ("groups", {}, promises.groups),
        ("conditions", {}, promises.conditions),
        ("conditions", {"rows": 5000}, promises.conditions_of_many),
        ("retries", {}, promises.retries),
        ("on-exit", {}, promises.exit_after_success),
        ("on-exit", {"accuracy": 0.5}, promises.exit_after_failure),
        ("locks", {}, promises.locks),
        ("timeouts", {}, promises.timeouts),
        ("sweep", {}, promises.sweep),
        ("profile", {}, promises.profile_of_many_columns),
        ("profile", {"set": "wine"}, promises.profile_of_few_columns),
        ("predict", {}, promises.predict),
        ("validate", {}, promises.validate),
        ("validate", {"fault": "broken"}, promises.validate_broken),
        ("validate", {"fault": "leak"}, promises.validate_leak),
        ("validate", {"fault": "drift"}, promises.validate_drift),
        ("search", {}, promises.search),
        ("warm-start", {}, promises.warm_start),
        ("python", {}, promises.python),
        ("partitioned", {}, promises.partitioned),
    ],
)
def test_an_example_keeps_its_promise(
    cluster: Cluster,
    operator: str,
    namespace: str,
    tmp_path: Path,
    name: str,
    params: dict[str, Any],
    promise: Callable[[Ended], None],
) -> None:
    cluster.apply(namespace, example(name, **params))
    promise(ended(cluster, namespace, name, tmp_path))


@pytest.mark.parametrize(
    ("answer", "promise"),
    [
        ({"approved": True, "comment": "looks good", "inputs": {"share": 0.25}}, promises.approval),
        ({"approved": False, "comment": "too early"}, promises.rejection),
    ],
    ids=["yes", "no"],
)
def test_an_approval_waits_for_a_person_without_a_pod(
    cluster: Cluster,
    operator: str,
    namespace: str,
    tmp_path: Path,
    answer: dict[str, Any],
    promise: Callable[[Ended, str], None],
) -> None:
    cluster.apply(namespace, example("approval"))

    def asked() -> bool:
        steps = cluster.workflow(namespace, "approval").get("status", {}).get("steps", [])
        messages = {step["name"]: step.get("message", "") for step in steps}
        return "The accuracy is 0.97. Ship it?" in messages.get("release", "")

    wait_for(asked, 90, lambda: cluster.workflow(namespace, "approval"))
    assert len(cluster.get("pods", namespace)) == 1, "that of `train`"
    me = json.loads(cluster.kubectl("auth", "whoami", "-o", "json"))["status"]["userInfo"]["username"]
    patch = {"spec": {"approvals": {"release": {**answer, "by": me}}}}
    cluster.kubectl("patch", "mlwf", "approval", "-n", namespace, "--type=merge", "-p", json.dumps(patch))
    promise(ended(cluster, namespace, "approval", tmp_path), me)


def test_a_dataset_and_an_address_as_inputs(cluster: Cluster, operator: str, namespace: str, tmp_path: Path) -> None:
    from node.api import HOST_IP

    numbers = tmp_path / "numbers.txt"
    numbers.write_text("".join(f"{number}\n" for number in range(1, 101)))
    added = mlwf(cluster, "dataset", "add", "numbers", str(numbers), "-n", namespace)
    assert added.strip() == f"numbers@sha256:{hashlib.sha256(numbers.read_bytes()).hexdigest()}"
    assert "numbers" in mlwf(cluster, "dataset", "list", "-n", namespace)
    resource = example("dataset")
    with served(tmp_path, HOST_IP) as address:
        pinned = {"http": f"{address}/numbers.txt", "sha256": added.strip().rpartition(":")[2]}
        wrong = {**pinned, "sha256": "0" * 64}
        for name, reference in (("fetched", pinned), ("refused", wrong)):
            look = {"name": "look", "inputs": {"x": {"from": reference}}, "outputs": {"x": {}}}
            look["container"] = {"command": ["sh", "-c", "cp $MLWF_IN/x $MLWF_OUT/x"]}
            spec = {"defaults": {"image": "busybox:1.36"}, "steps": [look]}
            cluster.apply(namespace, {**resource, "metadata": {"name": name}, "spec": spec})
        cluster.apply(namespace, resource)
        promises.dataset(ended(cluster, namespace, "dataset", tmp_path))
        fetched = ended(cluster, namespace, "fetched", tmp_path)
        refused = cluster.wait_phase(namespace, "refused", 120)["status"]
    assert fetched.text("look.x") == numbers.read_text()
    assert len(cluster.get("pods", namespace)) == 2 + 2 + 1, (
        "one for each step, one for each address, none for a dataset"
    )
    assert refused["phase"] == "Failed"
    assert "InputInvalid: spec.steps[0].inputs.x.from.sha256: " in refused["message"]


def test_a_model_is_promoted_by_a_step_and_moved_by_a_person(
    cluster: Cluster, operator: str, namespace: str, tmp_path: Path
) -> None:
    me = json.loads(cluster.kubectl("auth", "whoami", "-o", "json"))["status"]["userInfo"]["username"]
    cluster.apply(namespace, example("retrain"))
    first = ended(cluster, namespace, "retrain", tmp_path)
    promises.retrain_promoted(first)
    at = ("-n", namespace, "-o", "json")
    moved = json.loads(
        mlwf(cluster, "models", "promote", "bookings", "champion", "--alias", "best", "-m", "tried", *at)
    )
    shown = json.loads(mlwf(cluster, "models", "show", "bookings", *at))
    assert shown["aliases"] == {"best": 1, "champion": 1}
    assert [move["digest"] for move in shown["moves"]] == [first.outputs("promote")["digest"]] * 2
    assert shown["moves"][0]["by"].startswith(f"{namespace}/retrain (")
    assert (shown["moves"][1], moved["by"]) == (moved, me)
    assert len(cluster.get("pods", namespace)) == 5, "one for each step that has one: none to look up or to promote"


def test_the_bike_example_on_a_table_served_over_http(
    cluster: Cluster, operator: str, namespace: str, tmp_path: Path
) -> None:
    from node.api import HOST_IP

    real = os.environ.get("MLWF_BIKE_TABLE")
    table = tmp_path / "bike.csv"
    if real:
        table.write_bytes(Path(real).read_bytes())
    else:
        make_bike().to_csv(table, index=False)
    workflow = yaml.safe_load((ROOT / "examples/bike.yaml").read_text())
    with served(tmp_path, HOST_IP) as address:
        workflow["spec"]["params"]["table"] = f"{address}/bike.csv"
        cluster.apply(namespace, workflow)
        promises.bike(ended(cluster, namespace, "bike", tmp_path, 300), is_real=bool(real))
