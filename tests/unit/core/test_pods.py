"""Pods as built from orders: restricted, without a credential, and with the contract's variables where no agent sets them."""

from __future__ import annotations

from typing import Any

import pytest
from builders import a_workflow
from mlworkflow.core import orders
from mlworkflow.core.merge import overlay
from mlworkflow.core.pods import PodSettings, step_pod, variable_name

SETTINGS = PodSettings(gateway="http://gateway:8080", steps_image="steps:1", agent_image="agent:1")


def pod_of(body: dict[str, Any], kind: str = "container", **fields: Any) -> dict[str, Any]:
    workflow = a_workflow("w").kind("a", kind, body, **fields).parsed()
    return step_pod(orders.order(workflow, {}, "a", 0), SETTINGS)


PLAIN = {"image": "user:1", "command": ["run"]}
AGENT = {"image": "user:1", "command": ["run"], "agent": True}
PREP = {"source": {"sklearn": "iris"}, "target": "target"}


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


@pytest.mark.parametrize(
    ("body", "kind", "names"),
    [
        (PLAIN, "container", ["fetch", "step", "publish"]),
        (AGENT, "container", ["step"]),
        (PREP, "prep", ["step"]),
    ],
    ids=["any image", "image with the agent", "built-in"],
)
def test_every_container_keeps_to_the_restricted_pod_security_standard(
    body: dict[str, Any], kind: str, names: list[str]
) -> None:
    pod = pod_of(body, kind)
    assert [container["name"] for container in containers(pod)] == names
    assert pod["spec"]["automountServiceAccountToken"] is False
    for container in containers(pod):
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["runAsNonRoot"] is True
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert all("hostPath" not in volume for volume in pod["spec"]["volumes"])


def test_the_token_is_mounted_where_the_agent_is_and_nowhere_else() -> None:
    mounted = {
        container["name"]: any(mount["name"] == "mlworkflow-token" for mount in container["volumeMounts"])
        for container in containers(pod_of(PLAIN))
    }
    assert mounted == {"fetch": True, "step": False, "publish": True}


def test_a_container_without_the_agent_gets_the_contracts_variables() -> None:
    pod = pod_of(PLAIN, params={"max-depth": 8, "text": "a $(HOME) 😀", "long": "x" * 40_000})
    values = {variable["name"]: variable["value"] for variable in containers(pod)[1]["env"]}
    assert values["MLWF_OUT"] == "/mlworkflow/out"
    assert values["MLWF_PARAM_MAX_DEPTH"] == "8"
    assert values["MLWF_PARAM_TEXT"] == "a $$(HOME) 😀", "the kubelet turns $$( into $( and expands nothing"
    assert "MLWF_PARAM_LONG" not in values
    assert "MLWF_GATEWAY" not in values


def test_an_attempts_pod_is_a_function_of_its_order() -> None:
    assert pod_of(PLAIN) == pod_of(PLAIN)
    metadata = pod_of(PLAIN)["metadata"]
    assert metadata["annotations"]["mlworkflow.io/task"] == "a"
    assert metadata["ownerReferences"][0]["uid"] == "uid-1"
    assert metadata["ownerReferences"][0]["controller"] is True


def test_common_fields_and_the_template_are_laid_over_the_pod() -> None:
    pod = pod_of(
        PLAIN,
        nodeSelector={"gpu": "yes"},
        tolerations=[{"key": "gpu"}],
        timeout="90s",
        securityContext={"runAsUser": 1000},
        resources={"limits": {"memory": "1Gi"}},
        podTemplate={
            "metadata": {"labels": {"team": "a"}},
            "spec": {"hostname": "h", "containers": [{"name": "step", "tty": True}, {"name": "side", "image": "s"}]},
        },
    )
    spec, step = pod["spec"], pod["spec"]["containers"][0]
    assert (spec["nodeSelector"], spec["activeDeadlineSeconds"], spec["hostname"]) == ({"gpu": "yes"}, 90, "h")
    assert (step["tty"], step["image"], step["securityContext"]["runAsUser"]) == (True, "user:1", 1000)
    assert step["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert [container["name"] for container in spec["containers"]] == ["step", "publish", "side"]
    assert pod["metadata"]["labels"]["team"] == "a"
    assert pod["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "mlworkflow"


@pytest.mark.parametrize(
    ("base", "patch", "merged"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"b": 1, "c": 2}}),
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ([1, 2], [3], [3]),
        (
            [{"name": "x", "v": 1}],
            [{"name": "x", "w": 2}, {"name": "y"}],
            [{"name": "x", "v": 1, "w": 2}, {"name": "y"}],
        ),
    ],
    ids=["new key", "nested", "null removes", "plain list replaces", "named list merges"],
)
def test_overlay(base: Any, patch: Any, merged: Any) -> None:
    assert overlay(base, patch) == merged


def test_a_parameters_variable_has_only_letters_digits_and_underscores() -> None:
    assert variable_name("max-depth.é2") == "MLWF_PARAM_MAX_DEPTH__2"
