"""From an order to a Pod. Pure builders: same order, same settings, same Pod.

A step whose image carries the agent has one container; any other has `fetch` (init), the user's container untouched, and `publish`.
The token is mounted into the agent's containers only, where the agent is not the user's own container; no store credential is anywhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from mlworkflow.core import names, riders, tracing
from mlworkflow.core.actions import Order
from mlworkflow.core.expressions import as_text
from mlworkflow.core.merge import overlay

MAIN, FETCH, PUBLISH = "step", "fetch", "publish"
ROOT = "/mlworkflow"
TOKEN_FILE = "/var/run/mlworkflow/token"
TOKEN_SECONDS = 3600
FOR_PUBLISH = frozenset({"MLWF_CHECKPOINT_EVERY", "MLWF_PART_SIZE"})
"""Variables of a step that its `publish` container has too."""
LEAST_PATIENCE = 60.0
"""Seconds that an agent waits at least for the store and the gateway: an upgrade takes as long."""
MAX_VARIABLE = 32 * 1024
USER = 65532

_RESTRICTED: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_AGENT_RESOURCES = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}}
_ROOT_MOUNT = {"name": "mlworkflow", "mountPath": ROOT}
_TOKEN_MOUNT = {"name": "mlworkflow-token", "mountPath": "/var/run/mlworkflow", "readOnly": True}


@dataclass(frozen=True, slots=True)
class PodSettings:
    """What the operator adds to every Pod. `patience` are the seconds that its agents wait for the store and the gateway, `authorities` (PEM) those that
    they trust beside the ones of their image. `is_traced` says that steps are told which span they are.
    """

    gateway: str
    steps_image: str
    agent_image: str
    pull_policy: str = "IfNotPresent"
    allowed_imports: str = ""
    patience: float = 6 * 3600.0
    authorities: str = ""
    is_traced: bool = False


def step_pod(order: Order, settings: PodSettings, others: Sequence[Order] = ()) -> dict[str, Any]:
    """The Pod of one attempt, or of that one and `others` which share it: trials that differ in nothing that their Pods would."""
    common, orders = order.step.common, (order, *others)
    containers = _one_container(order, settings) if order.has_agent else _three_containers(order, settings)
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": order.step.grace,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **containers,
        "volumes": [{"name": "mlworkflow", "emptyDir": {}}, _token_volume(), *_or(common.volumes, [])],
    }
    if others:
        containers["containers"][0]["env"] = [*_riders(orders, settings), *containers["containers"][0]["env"]]
    if order.step.timeout is not None:
        times = len(orders) + 1 if others else 1  # of those that share it each has its time from its turn on
        spec["activeDeadlineSeconds"] = math.ceil(order.step.timeout) * times
    for field, value in {
        "nodeSelector": common.node_selector,
        "tolerations": common.tolerations,
        "affinity": common.affinity,
        "serviceAccountName": common.service_account_name,
        "imagePullSecrets": common.image_pull_secrets,
        "priorityClassName": common.priority_class_name,
        "schedulerName": common.scheduler_name,
    }.items():
        if value is not UNSET:
            spec[field] = deepcopy(value)
    pod: dict[str, Any] = {"apiVersion": "v1", "kind": "Pod", "metadata": _metadata(orders), "spec": spec}
    if common.pod_template is UNSET:
        return pod
    # Whose attempt it is, is not the template's to say: without its names the Pod would be lost to us.
    templated: dict[str, Any] = overlay(overlay(pod, common.pod_template), {"metadata": _metadata(orders)})
    return templated


def _metadata(orders: Sequence[Order]) -> dict[str, Any]:
    order = orders[0]
    common = order.step.common
    return {
        "name": names.pod_name(order.workflow, order.uid, order.task, order.attempt),
        "namespace": order.namespace,
        "labels": {
            **_or(common.labels, {}),
            names.LABEL_MANAGED_BY: names.FIELD_MANAGER,
            names.LABEL_WORKFLOW: order.workflow,
            names.LABEL_STEP: order.step.name,
        },
        "annotations": {
            **_or(common.annotations, {}),
            names.ANNOTATION_UID: order.uid,
            names.ANNOTATION_TASK: order.task,
            names.ANNOTATION_ATTEMPT: str(order.attempt),
            names.ANNOTATION_FAILURES: str(order.failures),
            names.ANNOTATION_LOSSES: str(order.losses),
            names.ANNOTATION_FINGERPRINT: order.fingerprint,
            **({names.ANNOTATION_RIDERS: riders.written(orders)} if len(orders) > 1 else {}),
            "kubectl.kubernetes.io/default-container": MAIN,
        },
        "ownerReferences": [
            {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "name": order.workflow,
                "uid": order.uid,
                "controller": True,
                "blockOwnerDeletion": False,
            }
        ],
    }


def _one_container(order: Order, settings: PodSettings) -> dict[str, Any]:
    built_in = bool(order.step.kind.command)
    container = _user_container(order, settings, order.image or (settings.steps_image if built_in else ""))
    container["command"] = ["python", "-m", "mlworkflow_steps.agent", "run"]
    container["env"] = [*_agent_env(settings), *container["env"]]
    container["volumeMounts"] = [_TOKEN_MOUNT, *container["volumeMounts"]]
    return {"containers": [container]}


def _riders(orders: Sequence[Order], settings: PodSettings) -> list[dict[str, Any]]:
    """What the agent runs one after the other, and where each of them stands in its workflow's trace."""
    named = {"name": "MLWF_RIDERS", "value": " ".join(riders.named(one.task, one.attempt) for one in orders)}
    spans = [variable["value"] for one in orders for variable in _trace(one, settings)]
    return [named, {"name": "MLWF_TRACES", "value": " ".join(spans)}] if spans else [named]


def _three_containers(order: Order, settings: PodSettings) -> dict[str, Any]:
    user = _user_container(order, settings, order.image)
    contract = [{"name": name, "value": literal(value)} for name, value in step_variables(order).items()]
    user["env"] = [*contract, *user["env"]]
    for field in ("command", "args"):
        if words := order.spec.get(field):
            user[field] = [literal(word) for word in words]
    if folder := order.spec.get("workingDir"):
        user["workingDir"] = folder
    publish = _agent(PUBLISH, settings)
    publish["env"] += [dict(variable) for variable in order.env if variable.get("name") in FOR_PUBLISH]
    return {"initContainers": [_agent(FETCH, settings)], "containers": [user, publish]}


def _user_container(order: Order, settings: PodSettings, image: str) -> dict[str, Any]:
    common = order.step.common
    container = {
        "name": MAIN,
        "image": image,
        "imagePullPolicy": settings.pull_policy,
        "env": [
            *_trace(order, settings),
            *(dict(variable) for variable in order.env),
            *order.step.kind.variables(order.spec),
        ],
        "resources": deepcopy(dict(order.resources)),
        "securityContext": overlay(deepcopy(_RESTRICTED), _or(common.security_context, {})),
        "volumeMounts": [_ROOT_MOUNT, *_or(common.volume_mounts, [])],
    }
    if order.step.kind.command and settings.allowed_imports:
        container["env"].insert(0, {"name": "MLWF_ALLOWED_IMPORTS", "value": settings.allowed_imports})
    return container


def _trace(order: Order, settings: PodSettings) -> list[dict[str, Any]]:
    """Where the step stands in its workflow's trace, unless it has been told another."""
    if not settings.is_traced or any(variable.get("name") == tracing.VARIABLE for variable in order.env):
        return []
    return [{"name": tracing.VARIABLE, "value": tracing.traceparent(order.uid, order.task, order.attempt)}]


def _agent(command: str, settings: PodSettings) -> dict[str, Any]:
    return {
        "name": command,
        "image": settings.agent_image,
        "imagePullPolicy": settings.pull_policy,
        "command": ["python", "-m", "mlworkflow_steps.agent", command],
        "env": _agent_env(settings),
        "resources": deepcopy(_AGENT_RESOURCES),
        "securityContext": {**deepcopy(_RESTRICTED), "readOnlyRootFilesystem": True},
        "volumeMounts": [_TOKEN_MOUNT, _ROOT_MOUNT],
    }


def _agent_env(settings: PodSettings) -> list[dict[str, Any]]:
    variables = [
        {"name": "MLWF_GATEWAY", "value": settings.gateway},
        {"name": "MLWF_TOKEN_FILE", "value": TOKEN_FILE},
        {"name": "MLWF_ROOT", "value": ROOT},
        {"name": "MLWF_PATIENCE", "value": f"{settings.patience:g}"},
    ]
    return [*variables, {"name": "MLWF_CA", "value": settings.authorities}] if settings.authorities else variables


def step_variables(order: Order) -> dict[str, str]:
    """The contract's variables for a container that no agent starts, by name."""
    values = {
        "MLWF_IN": f"{ROOT}/in",
        "MLWF_INPUTS": f"{ROOT}/run/inputs.json",
        "MLWF_OUT": f"{ROOT}/out",
        "MLWF_PARAMS": f"{ROOT}/run/params.json",
        "MLWF_METRICS": f"{ROOT}/run/metrics.jsonl",
        "MLWF_CHECKPOINT": f"{ROOT}/checkpoint",
        "MLWF_TASK": f"{ROOT}/run/task.json",
        "MLWF_WORKFLOW": order.workflow,
        "MLWF_NAMESPACE": order.namespace,
        "MLWF_STEP": order.step.name,
        "MLWF_ATTEMPT": str(order.attempt),
    }
    for name, value in order.params.items():
        text = as_text(value)
        if len(text.encode()) <= MAX_VARIABLE:
            values[variable_name(name)] = text
    return values


def literal(text: str) -> str:
    """A text that the kubelet gives to a container as it is: it expands ``$(NAME)``, and takes ``$$`` for one dollar sign."""
    return re.sub(r"\$+(?=\()|\$\$+", lambda dollars: dollars[0] * 2, text)


def variable_name(parameter: str) -> str:
    """``max-depth`` → ``MLWF_PARAM_MAX_DEPTH``."""
    return (
        "MLWF_PARAM_"
        + "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in parameter).upper()
    )


def _token_volume() -> dict[str, Any]:
    source = {"serviceAccountToken": {"path": "token", "audience": "mlworkflow", "expirationSeconds": TOKEN_SECONDS}}
    return {"name": "mlworkflow-token", "projected": {"defaultMode": 0o440, "sources": [source]}}


def _or(value: Any, default: Any) -> Any:
    return default if value is UNSET else deepcopy(value)
