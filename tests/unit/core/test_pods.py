"""Pods as built from orders, field by field: what is restricted, what is ours, what is the user's, and who wins."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as some
from mlworkflow.core.names import pod_name
from mlworkflow.core.pods import MAX_VARIABLE, TOKEN_SECONDS, PodSettings, literal, step_pod

from tests.builders import a_workflow, order_of

Json = dict[str, Any]
SETTINGS = PodSettings(gateway="http://gateway:8080", steps_image="steps:1", agent_image="agent:1")
ANY: Json = {"image": "user:1", "command": ["run"], "args": ["-v"], "workingDir": "/w"}
AGENT: Json = {"image": "user:1", "command": ["run"], "agent": True}
PREP: Json = {"source": {"sklearn": "iris"}, "target": "target"}
SHAPES = pytest.mark.parametrize(
    ("kind", "body"), [("container", ANY), ("container", AGENT), ("prep", PREP)], ids=["any image", "agent", "built-in"]
)


def pod_of(
    body: Json, kind: str = "container", settings: PodSettings = SETTINGS, attempt: int = 0, **fields: Any
) -> Json:
    return step_pod(order_of(a_workflow("w").kind("a", kind, body, **fields), "a", attempt=attempt), settings)


def containers(pod: Json) -> dict[str, Json]:
    both = [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
    return {container["name"]: container for container in both}


def variables(container: Json) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container["env"]}


@SHAPES
def test_the_agent_is_given_the_authorities_that_it_needs_and_a_users_container_is_not(kind: str, body: Json) -> None:
    settings = PodSettings("https://g", "steps:1", "agent:1", authorities="PEM")
    found = containers(pod_of(body, kind, settings))
    names = {name for name, container in found.items() if variables(container).get("MLWF_CA") == "PEM"}
    assert names == ({"fetch", "publish"} if len(found) == 3 else {"step"})
    assert "MLWF_CA" not in str(pod_of(body, kind))


# ── what is restricted ─────────────────────────────────────────────────────────────────────────────────────────────────


@SHAPES
def test_the_pod_is_restricted(kind: str, body: Json) -> None:
    spec = pod_of(body, kind)["spec"]
    assert spec["restartPolicy"] == "Never"
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for field in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"):
        assert field not in spec
    assert {next(iter(set(volume) - {"name"})) for volume in spec["volumes"]} == {"emptyDir", "projected"}


@SHAPES
def test_every_container_is_restricted(kind: str, body: Json) -> None:
    for name, container in containers(pod_of(body, kind)).items():
        expected = {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        if name != "step":
            expected["readOnlyRootFilesystem"] = True
        assert container["securityContext"] == expected
        assert "ports" not in container


@SHAPES
def test_there_is_one_token_and_it_is_short_lived_and_for_the_gateway_only(kind: str, body: Json) -> None:
    pod = pod_of(body, kind)
    (volume,) = [volume for volume in pod["spec"]["volumes"] if "projected" in volume]
    assert volume["projected"] == {
        "defaultMode": 0o440,
        "sources": [
            {
                "serviceAccountToken": {
                    "path": "token",
                    "audience": "mlworkflow",
                    "expirationSeconds": TOKEN_SECONDS,
                }
            }
        ],
    }
    holders = {
        name
        for name, container in containers(pod).items()
        if any(mount["name"] == volume["name"] for mount in container["volumeMounts"])
    }
    assert holders == ({"fetch", "publish"} if body is ANY else {"step"})
    for container in containers(pod).values():
        assert all(mount.get("readOnly") for mount in container["volumeMounts"] if mount["name"] == volume["name"])


@SHAPES
def test_no_credential_and_no_address_of_the_store_is_anywhere(kind: str, body: Json) -> None:
    text = json.dumps(pod_of(body, kind)).lower()
    for word in ("secret", "access_key", "accesskey", "aws_", "password", "s3", "bucket"):
        assert word not in text


# ── what is ours ───────────────────────────────────────────────────────────────────────────────────────────────────────


@SHAPES
def test_a_pod_says_whose_attempt_it_is(kind: str, body: Json) -> None:
    metadata = pod_of(body, kind, attempt=3, labels={"team": "x"}, annotations={"note": "y"})["metadata"]
    assert metadata == {
        "name": pod_name("w", "uid-1", "a", 3),
        "namespace": "default",
        "labels": {
            "team": "x",
            "app.kubernetes.io/managed-by": "mlworkflow",
            "mlworkflow.io/workflow": "w",
            "mlworkflow.io/step": "a",
        },
        "annotations": {
            "note": "y",
            "mlworkflow.io/workflow-uid": "uid-1",
            "mlworkflow.io/task": "a",
            "mlworkflow.io/attempt": "3",
            "mlworkflow.io/failures": "0",
            "mlworkflow.io/losses": "0",
            "mlworkflow.io/fingerprint": metadata["annotations"]["mlworkflow.io/fingerprint"],
            "kubectl.kubernetes.io/default-container": "step",
        },
        "ownerReferences": [
            {
                "apiVersion": "mlworkflow.io/v1alpha1",
                "kind": "MLWorkflow",
                "name": "w",
                "uid": "uid-1",
                "controller": True,
                "blockOwnerDeletion": False,
            }
        ],
    }


@pytest.mark.parametrize(
    "metadata",
    [
        {"name": "mine", "namespace": "theirs"},
        {"labels": {"app.kubernetes.io/managed-by": None, "mlworkflow.io/step": "b"}},
        {"annotations": None},
        {"annotations": {"mlworkflow.io/attempt": "7", "mlworkflow.io/task": None}},
        {"ownerReferences": []},
        {"ownerReferences": [{"name": "w", "uid": "another"}]},
    ],
    ids=["name", "labels", "no annotations", "attempt", "no owner", "another owner"],
)
def test_nobody_can_take_an_attempt_away_from_us(metadata: Json) -> None:
    template = {"metadata": {**metadata, "generateName": "x-"}}
    pod = pod_of(ANY, podTemplate=template)
    plain = pod_of(ANY)["metadata"]
    assert {field: pod["metadata"][field] for field in plain} == plain
    assert pod["metadata"]["generateName"] == "x-"


def test_own_labels_and_annotations_do_not_take_ours_away() -> None:
    metadata = pod_of(
        ANY, labels={"mlworkflow.io/step": "b"}, annotations={"mlworkflow.io/task": "b", "mlworkflow.io/attempt": "9"}
    )["metadata"]
    assert metadata == pod_of(ANY)["metadata"]


@SHAPES
def test_same_order_same_pod(kind: str, body: Json) -> None:
    first = pod_of(body, kind, params={"b": 1, "a": [2]}, env=[{"name": "X", "value": "y"}])
    before = json.dumps(first)
    second = pod_of(body, kind, params={"b": 1, "a": [2]}, env=[{"name": "X", "value": "y"}])
    assert json.dumps(second) == before, "the order of fields included"


def test_a_pod_shares_nothing_with_its_order() -> None:
    template = {"spec": {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["h"]}]}}
    fields: Json = {
        "volumes": [{"name": "v", "emptyDir": {}}],
        "affinity": {"nodeAffinity": {}},
        "podTemplate": template,
    }
    order = order_of(a_workflow("w").kind("a", "container", ANY, **fields), "a")
    first = step_pod(order, SETTINGS)
    kept = deepcopy(first)
    first["spec"]["volumes"][-1]["emptyDir"]["medium"] = "Memory"
    first["spec"]["affinity"]["nodeAffinity"]["x"] = 1
    assert step_pod(order, SETTINGS) == kept


# ── the shapes ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_any_image_is_left_as_it_is_between_two_agents() -> None:
    pod = pod_of(ANY)
    assert [container["name"] for container in pod["spec"]["initContainers"]] == ["fetch"]
    assert [container["name"] for container in pod["spec"]["containers"]] == ["step", "publish"]
    step = containers(pod)["step"]
    assert (step["image"], step["command"], step["args"], step["workingDir"]) == ("user:1", ["run"], ["-v"], "/w")
    for name in ("fetch", "publish"):
        agent = containers(pod)[name]
        assert (agent["image"], agent["command"]) == ("agent:1", ["python", "-m", "mlworkflow_steps.agent", name])
        assert set(agent["resources"]) == {"requests", "limits"}
        assert {mount["mountPath"] for mount in agent["volumeMounts"]} == {"/mlworkflow", "/var/run/mlworkflow"}


def test_an_image_may_keep_its_own_entry_point() -> None:
    step = containers(pod_of({"image": "user:1"}))["step"]
    assert {"command", "args", "workingDir"}.isdisjoint(step)


@pytest.mark.parametrize(
    ("kind", "body", "fields", "image"),
    [
        ("container", AGENT, {}, "user:1"),
        ("prep", PREP, {}, "steps:1"),
        ("prep", PREP, {"image": "mine:2"}, "mine:2"),
        ("container", {"command": ["run"]}, {"image": "common:3"}, "common:3"),
        ("container", {"command": ["run"]}, {}, ""),
    ],
    ids=["agent", "built-in", "built-in, own image", "common image", "none"],
)
def test_where_the_image_comes_from(kind: str, body: Json, fields: Json, image: str) -> None:
    assert containers(pod_of(body, kind, **fields))["step"]["image"] == image


def test_an_image_with_the_agent_starts_the_agent_and_the_agent_the_command() -> None:
    for body, kind in ((AGENT, "container"), (PREP, "prep")):
        pod = pod_of(body, kind, params={"p": 1})
        assert "initContainers" not in pod["spec"]
        step = containers(pod)["step"]
        assert step["command"] == ["python", "-m", "mlworkflow_steps.agent", "run"]
        assert variables(step) == {
            "MLWF_GATEWAY": "http://gateway:8080",
            "MLWF_TOKEN_FILE": "/var/run/mlworkflow/token",
            "MLWF_ROOT": "/mlworkflow",
            "MLWF_PATIENCE": "21600",
        }


def test_allowed_imports_are_told_to_built_in_kinds_only() -> None:
    settings = PodSettings("http://g", "steps:1", "agent:1", allowed_imports="sklearn.,mine.")
    assert variables(containers(pod_of(PREP, "prep", settings))["step"])["MLWF_ALLOWED_IMPORTS"] == "sklearn.,mine."
    assert "MLWF_ALLOWED_IMPORTS" not in variables(containers(pod_of(AGENT, settings=settings))["step"])
    assert "MLWF_ALLOWED_IMPORTS" not in variables(containers(pod_of(ANY, settings=settings))["step"])


@SHAPES
def test_every_agent_knows_how_long_to_wait_and_no_other_container_does(kind: str, body: Json) -> None:
    pod = pod_of(body, kind, PodSettings("http://g", "s", "a", patience=5400.0))
    for name, container in containers(pod).items():
        has_agent = "mlworkflow_steps.agent" in (container.get("command") or [])
        assert variables(container).get("MLWF_PATIENCE") == ("5400" if has_agent else None), name


def test_how_long_agents_wait_is_no_part_of_what_an_attempt_is() -> None:
    pods = [pod_of(ANY, settings=PodSettings("http://g", "s", "a", patience=patience)) for patience in (60.0, 600.0)]
    assert (
        pods[0]["metadata"] == pods[1]["metadata"]
    )  # the name and the fingerprint among it: it is adopted all the same


@SHAPES
def test_the_pull_policy_is_that_of_the_settings(kind: str, body: Json) -> None:
    pod = pod_of(body, kind, PodSettings("http://g", "s", "a", pull_policy="Always"))
    assert {container["imagePullPolicy"] for container in containers(pod).values()} == {"Always"}


# ── the contract's variables ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_variables_of_a_container_that_no_agent_starts() -> None:
    assert variables(containers(pod_of(ANY, attempt=2))["step"]) == {
        "MLWF_IN": "/mlworkflow/in",
        "MLWF_INPUTS": "/mlworkflow/run/inputs.json",
        "MLWF_OUT": "/mlworkflow/out",
        "MLWF_PARAMS": "/mlworkflow/run/params.json",
        "MLWF_METRICS": "/mlworkflow/run/metrics.jsonl",
        "MLWF_CHECKPOINT": "/mlworkflow/checkpoint",
        "MLWF_TASK": "/mlworkflow/run/task.json",
        "MLWF_WORKFLOW": "w",
        "MLWF_NAMESPACE": "default",
        "MLWF_STEP": "a",
        "MLWF_ATTEMPT": "2",
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (8, "8"),
        (0.1, "0.1"),
        (True, "true"),
        (None, "null"),
        ([1, "x"], '[1, "x"]'),
        ("", ""),
        ('quotes " and \\ and\nlines', 'quotes " and \\ and\nlines'),
        ("{{ not ours }}", "{{ not ours }}"),
        ("$HOME stays", "$HOME stays"),
        ("$(HOME)", "$$(HOME)"),
        ("$$(HOME)", "$$$$(HOME)"),
        ("pa$$word", "pa$$$$word"),
        ("😀", "😀"),
    ],
)
def test_a_parameter_as_text(value: object, text: str) -> None:
    assert variables(containers(pod_of(ANY, params={"p": value}))["step"])["MLWF_PARAM_P"] == text


def expanded(text: str, mapping: dict[str, str]) -> str:
    """What a kubelet makes of a text (k8s.io/kubernetes/third_party/forked/golang/expansion)."""
    made, at = "", 0
    while at < len(text):
        rest = text[at + 1 :]
        if text[at] != "$" or not rest:
            made, at = made + text[at], at + 1
        elif rest[0] == "$":
            made, at = made + "$", at + 2
        elif rest[0] == "(" and ")" in rest:
            name = rest[1 : rest.index(")")]
            made, at = made + mapping.get(name, f"$({name})"), at + len(name) + 3
        else:
            made, at = made + text[at : at + 2], at + 2
    return made


@given(some.text(alphabet="$()A x", max_size=12))
@example("$$(A)")
@example("$(A")
@example("$$$")
def test_a_kubelet_gives_a_text_to_a_container_as_it_was(text: str) -> None:
    assert expanded(literal(text), {"A": "expanded", "": "nothing"}) == text


def test_a_command_reaches_its_container_as_it_was_written() -> None:
    command, args = ["sh", "-c", 'echo $$ "$(MLWF_STEP)" $HOME'], ["$(MLWF_STEP)"]
    step = containers(pod_of({"image": "i", "command": command, "args": args}))["step"]
    assert [expanded(word, {"MLWF_STEP": "a"}) for word in step["command"]] == command
    assert [expanded(word, {"MLWF_STEP": "a"}) for word in step["args"]] == args
    assert "$HOME" in step["command"][2], "what needs no care is left readable"


@pytest.mark.parametrize(
    ("value", "is_there"),
    [
        ("x" * MAX_VARIABLE, True),
        ("x" * (MAX_VARIABLE + 1), False),
        ("é" * (MAX_VARIABLE // 2), True),
        ("é" * (MAX_VARIABLE // 2 + 1), False),
    ],
    ids=["at the limit", "over it", "at the limit in bytes", "over it in bytes"],
)
def test_a_long_parameter_is_in_the_file_alone(value: str, is_there: bool) -> None:
    assert ("MLWF_PARAM_P" in variables(containers(pod_of(ANY, params={"p": value}))["step"])) is is_there


def test_what_a_step_sets_itself_comes_last_and_so_counts() -> None:
    env = [
        {"name": "MLWF_STEP", "value": "other"},
        {"name": "FROM", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
    ]
    step = containers(pod_of(ANY, env=env))["step"]
    assert step["env"][-2:] == env


# ── what is the user's ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("nodeSelector", {"gpu": "yes"}),
        ("tolerations", [{"key": "gpu", "operator": "Exists"}]),
        ("affinity", {"podAntiAffinity": {}}),
        ("serviceAccountName", "reader"),
        ("imagePullSecrets", [{"name": "registry"}]),
        ("priorityClassName", "low"),
        ("schedulerName", "volcano"),
        ("terminationGracePeriodSeconds", 0),
    ],
)
@SHAPES
def test_common_fields_are_taken_over_as_they_are(kind: str, body: Json, field: str, value: Any) -> None:
    assert pod_of(body, kind, **{field: value})["spec"][field] == value
    assert pod_of(body, kind)["spec"].get(field) == (30 if field == "terminationGracePeriodSeconds" else None)


@pytest.mark.parametrize(("timeout", "seconds"), [("90s", 90), ("1500ms", 2), ("1h", 3600)])
def test_a_time_limit_is_the_kubelets_too_in_whole_seconds(timeout: str, seconds: int) -> None:
    assert pod_of(ANY, timeout=timeout)["spec"]["activeDeadlineSeconds"] == seconds
    assert "activeDeadlineSeconds" not in pod_of(ANY)["spec"]


def test_resources_volumes_and_mounts_are_those_of_the_users_container() -> None:
    resources = {"requests": {"cpu": "1"}, "limits": {"nvidia.com/gpu": 1}}
    volume, mount = {"name": "cache", "emptyDir": {}}, {"name": "cache", "mountPath": "/cache"}
    pod = pod_of(ANY, resources=resources, volumes=[volume], volumeMounts=[mount])
    assert containers(pod)["step"]["resources"] == resources
    assert containers(pod)["step"]["volumeMounts"][-1] == mount
    assert pod["spec"]["volumes"][-1] == volume
    for name in ("fetch", "publish"):
        assert mount not in containers(pod)[name]["volumeMounts"]
        assert containers(pod)[name]["resources"] != resources


def test_a_security_context_is_laid_over_the_restricted_one_of_the_users_container_alone() -> None:
    own = {"runAsUser": 0, "runAsNonRoot": False, "capabilities": {"add": ["SYS_PTRACE"]}, "seccompProfile": None}
    pod = pod_of(ANY, securityContext=own)
    assert containers(pod)["step"]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"], "add": ["SYS_PTRACE"]},
        "runAsNonRoot": False,
        "runAsUser": 0,
    }
    assert containers(pod)["fetch"]["securityContext"] == containers(pod_of(ANY))["fetch"]["securityContext"]


def test_a_template_is_laid_over_the_whole() -> None:
    template = {
        "metadata": {"labels": {"team": "x"}},
        "spec": {
            "runtimeClassName": "gvisor",
            "containers": [
                {"name": "step", "env": [{"name": "X", "value": "1"}], "volumeMounts": [{"name": "data", "mountPath": "/a", "subPath": "a"}, {"name": "data", "mountPath": "/b", "subPath": "b"}]}
            ],
            "volumes": [{"name": "data", "emptyDir": {}}],
            "securityContext": {"fsGroup": None},
        },
    }  # fmt: skip
    pod = pod_of(ANY, podTemplate=template)
    step = containers(pod)["step"]
    assert pod["spec"]["runtimeClassName"] == "gvisor"
    assert "fsGroup" not in pod["spec"]["securityContext"]
    assert variables(step)["X"] == "1"
    assert variables(step)["MLWF_STEP"] == "a"
    assert [mount["mountPath"] for mount in step["volumeMounts"]] == ["/mlworkflow", "/a", "/b"]
    assert [volume["name"] for volume in pod["spec"]["volumes"]] == ["mlworkflow", "mlworkflow-token", "data"]
    assert pod["metadata"]["labels"]["team"] == "x"
