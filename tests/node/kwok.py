"""Simulated nodes on the running node's API server, for tests of scale: thousands of Pods, no containers.

A Pod runs there if it has `POD_SPEC` in its spec; it goes Running and Succeeded at once (`kwok-stages.yaml`), or stays
Running for as long as its annotation `fake.mlworkflow.io/run-for` says. Only nodes with our annotation are simulated.
"""

import contextlib
import http.client
from typing import Any

from . import families, kube, processes
from .constants import HERE, KUBECONFIG, ROOT
from .errors import NodeError
from .shell import wait_until

_MARK = "kwok.x-k8s.io/node"
_LABEL = {"type": "kwok"}
RUN_FOR = "fake.mlworkflow.io/run-for"
POD_SPEC: dict[str, Any] = {
    "nodeSelector": _LABEL,
    "tolerations": [{"key": _MARK, "operator": "Equal", "value": "fake", "effect": "NoSchedule"}],
}


def start(nodes: int = 10) -> None:
    """Have this many simulated nodes, ready; those that are there already stay."""
    if not processes.pids("kwok"):
        # A copy in the state folder: that is how `processes` knows the process as ours, and an edit needs a restart.
        (ROOT / "kwok-stages.yaml").write_text((HERE / "kwok-stages.yaml").read_text())
        families.build(["kwok"])
        files = (f"--config={ROOT}/kwok-stages.yaml", f"--kubeconfig={KUBECONFIG}")
        selector = f"--manage-nodes-with-annotation-selector={_MARK}=fake"
        leases = "--node-lease-duration-seconds=40"
        program = families.FAMILIES["kwok"].folder / "kwok"
        processes.start("kwok", [program, *files, selector, leases, "--cidr=10.245.0.1/16"])
    present = set(_nodes())
    for name in (f"fake-{number}" for number in range(nodes)):
        if name not in present:
            kube.call("POST", "/api/v1/nodes", _node(name))
    hint = f": see {ROOT}/log/kwok.log"
    wait_until("the simulated nodes are not ready", lambda: sum(_nodes().values()) >= nodes, seconds=60, hint=hint)


def stop() -> None:
    """Remove the simulated nodes and their controller. Delete the Pods before: afterwards nothing confirms their end."""
    with contextlib.suppress(OSError, http.client.HTTPException, NodeError):
        for name in _nodes():
            kube.call("DELETE", f"/api/v1/nodes/{name}")
    processes.stop("kwok")


def _nodes() -> dict[str, bool]:
    """Each simulated node's name, and whether it is ready."""
    found = kube.call("GET", "/api/v1/nodes?labelSelector=type%3Dkwok")["items"]
    return {
        node["metadata"]["name"]: any(
            condition["type"] == "Ready" and condition["status"] == "True"
            for condition in node.get("status", {}).get("conditions", [])
        )
        for node in found
    }


def _node(name: str) -> dict[str, Any]:
    room = {"cpu": "1000", "memory": "4Ti", "ephemeral-storage": "4Ti", "pods": "10000"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {**_LABEL, "kubernetes.io/hostname": name, "kubernetes.io/os": "linux"},
            "annotations": {_MARK: "fake"},
        },
        "spec": {"taints": [{"key": _MARK, "value": "fake", "effect": "NoSchedule"}]},
        "status": {"allocatable": room, "capacity": room},
    }
