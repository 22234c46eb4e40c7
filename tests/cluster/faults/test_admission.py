"""What stands between a step and its Pod: quotas, limits, images that are not there, and containers that others put beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from node.api import HOST_IP, image

from ..conftest import Cluster, wait_for
from .lines import Lines
from .steps import Making, once, run_of, seconds_since, wait_steps, workflow

NOWHERE = f"{HOST_IP}:1"
"""A registry that refuses every connection, at once and without a name to resolve."""


def message(cluster: Cluster, namespace: str, name: str = "w") -> str:
    return str(cluster.workflow(namespace, name).get("status", {}).get("message", ""))


def test_a_quota_of_memory_is_waited_for(
    cluster: Cluster, operator: str, namespace: str, lines: Lines, make: Making
) -> None:
    """argo-workflows #721, #3645: Pods that a quota forbids fail their workflow. The limits come from a LimitRange, as they do where
    quotas are: a step that names none gets them, and two such steps fit into the quota at once."""
    cluster.apply(
        namespace,
        {
            "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "defaults"},
            "spec": {"limits": [{"type": "Container", "default": {"memory": "96Mi"}, "defaultRequest": {"memory": "64Mi"}}]},
        },
    )  # fmt: skip
    cluster.kubectl("create", "quota", "memory", "--hard=limits.memory=200Mi", "-n", namespace)
    names = [f"s{number}" for number in range(5)]
    cluster.apply(namespace, workflow(*(make.light(name, "say; hold quota") for name in names)))
    lines.wait_held("quota", 2)
    wait_for(lambda: "exceeded quota" in message(cluster, namespace), 30)
    assert sum(lines.held.values()) == 2
    lines.open("quota")
    status = cluster.wait_phase(namespace, "w", 60)["status"]
    assert run_of(status) == dict.fromkeys(names, ("Succeeded", 1, 0)), status
    assert lines.counted() == once(*names)


def test_more_than_a_limit_range_allows_waits_with_its_words(
    cluster: Cluster, operator: str, namespace: str, lines: Lines, make: Making
) -> None:
    """The step waits as for a quota, says why, and runs once the limit is raised."""
    limits = {"type": "Container", "max": {"memory": "64Mi"}, "default": {"memory": "64Mi"}}
    ranges = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small"}, "spec": {"limits": [limits]}}
    cluster.apply(namespace, ranges)
    cluster.apply(namespace, workflow(make.light("big", resources={"limits": {"memory": "128Mi"}})))
    wait_for(lambda: "maximum memory usage per Container is 64Mi" in message(cluster, namespace), 30)
    cluster.kubectl("delete", "limitrange", "small", "-n", namespace)
    status = cluster.wait_phase(namespace, "w", 40)["status"]
    assert run_of(status) == {"big": ("Succeeded", 1, 0)}, status
    assert lines.counted() == once("big")


def test_an_image_that_cannot_be_pulled_ends_within_its_pending_timeout(
    cluster: Cluster, operator: str, namespace: str, lines: Lines, make: Making
) -> None:
    """argo-workflows #4229, #11025; kubeflow/pipelines #12973, #10964: a run whose image does not exist stays Running for ever."""
    bad = {"image": f"{NOWHERE}/image:1", "command": ["true"]}
    steps = [
        {"name": "plain", "container": bad, "pendingTimeout": "6s", "retry": {"limit": 3}},
        {"name": "light", "container": {**bad, "agent": True}, "pendingTimeout": "6s"},
        make.light("never", after=["plain"]),
        make.light("other"),
    ]
    began = time.monotonic()
    cluster.apply(namespace, workflow(*steps))
    status = cluster.wait_phase(namespace, "w", 30)["status"]
    assert 6 <= seconds_since(began) < 20
    found = {step["name"]: step for step in status["steps"]}
    for name in ("plain", "light"):
        # a pull that hangs is told by nobody until it has failed
        assert found[name]["reason"] in ("ErrImagePull", "ImagePullBackOff", "PendingTimeout"), found[name]
        assert f"{NOWHERE}/image:1" in found[name]["message"], found[name]
        assert (found[name]["phase"], found[name]["attempts"]) == ("Failed", 1)
    assert "step 'plain' failed" in status["message"] or "step 'light' failed" in status["message"]
    assert (found["never"]["phase"], found["other"]["phase"]) == ("Skipped", "Succeeded")
    assert lines.counted() == once("other")
    wait_for(lambda: all(pod["status"]["phase"] == "Succeeded" for pod in cluster.get("pods", namespace)), 40)


SIDECAR = """
[JSONPatch{op: "add", path: "/spec/containers/-", value: Object.spec.containers{
  name: "proxy", image: "%s", command: ["sleep", "86400"],
  securityContext: Object.spec.containers.securityContext{
    allowPrivilegeEscalation: false, runAsNonRoot: true, runAsUser: 65532,
    capabilities: Object.spec.containers.securityContext.capabilities{drop: ["ALL"]},
    seccompProfile: Object.spec.containers.securityContext.seccompProfile{type: "RuntimeDefault"}
  }
}}]
"""


@pytest.fixture
def injecting(cluster: Cluster, namespace: str) -> Iterator[str]:
    """A mesh, as far as Pods can tell: every Pod of the namespace gets a container that never ends. Its name."""
    name = f"inject-{namespace}"
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    policy = {
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "resourceRules": [pods],
        },
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": SIDECAR % image("busybox")}}],
    }
    api_version = "admissionregistration.k8s.io/v1"
    for kind, spec in (
        ("MutatingAdmissionPolicy", policy),
        ("MutatingAdmissionPolicyBinding", {"policyName": name}),
    ):
        cluster.apply(namespace, {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec})
    cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce-")  # for the probe alone
    probe = ("run", "probe", "-n", namespace, f"--image={image('busybox')}", "--dry-run=server", "-o", "json")
    wait_for(
        lambda: '"proxy"' in cluster.kubectl(*probe, check=False), 30, lambda: cluster.kubectl(*probe, check=False)
    )
    cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    yield "proxy"
    cluster.kubectl("delete", "mutatingadmissionpolicybinding,mutatingadmissionpolicy", name)


def test_a_container_that_others_put_beside_a_step_keeps_nothing_running(
    cluster: Cluster, operator: str, namespace: str, injecting: str, lines: Lines, make: Making
) -> None:
    """argo-workflows #1282, #7214: an injected proxy outlives the step, so its Pod never completes. A step that succeeds, one that fails, and
    one that is killed for its memory: each ends the workflow's wait, and every Pod is ended too."""
    brief: dict[str, Any] = {"terminationGracePeriodSeconds": 2}  # the proxy is deaf to SIGTERM
    steps = [
        make.light("light", **brief),
        make.plain("plain", "say; echo x > $MLWF_OUT/o", outputs={"o": {}}, after=["light"], **brief),
        make.plain("fails", "say; echo why; exit 3", **brief),
        make.light("killed", "say; tail /dev/zero", resources={"limits": {"memory": "48Mi"}}, **brief),
    ]
    cluster.apply(namespace, workflow(*steps))
    lines.wait_said("light 0")
    (pod,) = cluster.get("pods", namespace, "-l", "mlworkflow.io/step=light")
    assert injecting in [container["name"] for container in pod["spec"]["containers"]]
    status = cluster.wait_phase(namespace, "w", 60)["status"]
    found = {step["name"]: (step["phase"], step.get("reason", "")) for step in status["steps"]}
    assert found == {
        "light": ("Succeeded", ""), "plain": ("Succeeded", ""), "fails": ("Failed", "Error"), "killed": ("Failed", "OOMKilled"),
    }  # fmt: skip
    assert lines.counted() == once(*found)
    wait_for(lambda: not still_running(cluster, namespace), 30)


def still_running(cluster: Cluster, namespace: str) -> list[str]:
    return [
        pod["metadata"]["name"]
        for pod in cluster.get("pods", namespace)
        if pod["status"]["phase"] not in ("Succeeded", "Failed")
    ]


@pytest.mark.parametrize("kind", ["light", "plain"])
def test_a_step_that_is_stopped_has_its_grace_period(
    cluster: Cluster, operator: str, namespace: str, lines: Lines, make: Making, kind: str
) -> None:
    """argo-workflows #2742, #10724: what a step wants to save when it is stopped, it has no time to save."""
    script = "trap 'sleep 3; say; exit 1' TERM; say; hold saving & while true; do sleep 0.1; done"
    cluster.apply(namespace, workflow(make.of(kind, "saves", script, terminationGracePeriodSeconds=25)))
    lines.wait_held("saving")
    wait_steps(cluster, namespace, "Running", "saves")
    asked = time.monotonic()
    cluster.kubectl("patch", "mlwf", "w", "-n", namespace, "--type=merge", "-p", '{"spec": {"cancel": true}}')
    assert cluster.wait_phase(namespace, "w", 10)["status"]["phase"] == "Cancelled"
    wait_for(lambda: lines.counted() == {"saves 0": 2}, 10)
    assert 3 <= lines.at[-1] - asked < 8
    wait_for(
        lambda: not still_running(cluster, namespace), 3
    )  # once it has saved, nobody waits for the rest of its time
