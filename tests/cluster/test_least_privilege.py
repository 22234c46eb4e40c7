"""What a hostile step can reach: no store credential, and nothing of another step's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Cluster, wait_for
from .test_mistakes import shell, workflow

SPY = """
import json, os, ssl, urllib.error, urllib.request
gateway, token = os.environ["GATEWAY"], open("/var/run/mlworkflow/token").read()

def status(method, path, body=None, server=gateway):
    request = urllib.request.Request(server + path, method=method, headers={"Authorization": "Bearer " + token},
                                     data=None if body is None else json.dumps(body).encode())
    try:
        return urllib.request.urlopen(request, context=ssl._create_unverified_context()).status
    except urllib.error.HTTPError as error:
        return error.code

other = {"digest": "sha256:" + "0" * 64, "size": 1, "type": "file"}
print(json.dumps({
    "own task": status("GET", "/v1/task"),
    "own output": status("POST", "/v1/outputs/mine", other),
    "undeclared input": status("POST", "/v1/inputs/secret", {}),
    "undeclared output": status("POST", "/v1/outputs/secret", other),
    "path trick": status("POST", "/v1/inputs/..%2f..%2fsecret", {}),
    "reader API": status("GET", "/v1/read/default/runs/x"),
    "API server": status("GET", "/api/v1/pods", server="https://kubernetes.default.svc"),
}))
"""

WEB = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web"},
    "spec": {
        "nodeSelector": {"no": "node"},
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "web",
                "image": "ghcr.io/mlworkflow/agent:0.1.0",
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    },
}
"""A Pod that is no step."""


@pytest.fixture
def running(cluster: Cluster, operator: str, namespace: str) -> Any:
    """A step of the agent's kind that sits still, so that we can look around in its Pod."""
    step = {
        "name": "spy",
        "container": {"image": "ghcr.io/mlworkflow/agent:0.1.0", "agent": True, "command": ["sleep", "120"]},
        "outputs": {"mine": {}},
        "terminationGracePeriodSeconds": 1,
    }
    cluster.apply(
        namespace, workflow(step, shell("secret", "sleep 120", outputs={"secret": {}}, terminationGracePeriodSeconds=1))
    )

    def both() -> list[str]:
        pods = cluster.get("pods", namespace)
        return (
            [pod["metadata"]["name"] for pod in pods]
            if len(pods) == 2 and all(p["status"]["phase"] == "Running" for p in pods)
            else []
        )

    wait_for(both, 60)
    pods = {
        pod["metadata"]["annotations"]["mlworkflow.io/task"]: pod["metadata"]["name"]
        for pod in cluster.get("pods", namespace)
    }
    return namespace, pods


def test_no_store_credential_is_in_a_step(cluster: Cluster, running: Any, operator: str) -> None:
    namespace, pods = running
    secrets = cluster.get("secrets", operator, "-l", "app.kubernetes.io/name=mlworkflow")
    keys = [value for secret in secrets for value in secret.get("data", {}).values()]
    assert keys
    import base64

    plain = [base64.b64decode(value).decode() for value in keys]
    for pod in pods.values():
        spec = cluster.kubectl("get", "pod", pod, "-n", namespace, "-o", "json")
        environment = cluster.kubectl("exec", pod, "-n", namespace, "-c", "step", "--", "env")
        assert not [key for key in plain if key in spec or key in environment]
    found = cluster.kubectl(
        "exec",
        pods["secret"],
        "-n",
        namespace,
        "-c",
        "step",
        "--",
        "sh",
        "-c",
        "find /var/run /run /mlworkflow -name 'token*' 2>/dev/null; true",
    )
    assert found.strip() == "", "a container that no agent starts has no token at all"


def test_a_token_opens_its_own_step_and_nothing_else(cluster: Cluster, running: Any, operator: str) -> None:
    namespace, pods = running
    gateway = f"http://mlworkflow-gateway.{operator}.svc:8080"
    answers = json.loads(
        cluster.kubectl(
            "exec", pods["spy"], "-n", namespace, "-c", "step", "--", "env", f"GATEWAY={gateway}", "python", "-c", SPY
        )
    )
    assert answers["own task"] == 200
    assert answers["own output"] == 200
    assert answers["undeclared output"] == 403
    assert answers["undeclared input"] in (403, 404)
    assert answers["path trick"] in (403, 404)
    assert answers["reader API"] in (401, 403)
    assert answers["API server"] == 401, "the token is for the gateway alone"


def test_a_token_is_worth_nothing_without_its_living_step(cluster: Cluster, running: Any, operator: str) -> None:
    """Real tokens, signed by the cluster: of another audience, of no Pod, of a Pod that is no step, and of a step's Pod that is gone."""
    namespace, pods = running
    gateway = f"http://mlworkflow-gateway.{operator}.svc:8080"

    def issued(audience: str, pod: str = "") -> str:
        bound = ("--bound-object-kind=Pod", f"--bound-object-name={pod}") if pod else ()
        return cluster.kubectl("create", "token", "default", "-n", namespace, f"--audience={audience}", *bound).strip()

    def status(token: str) -> int:
        script = (
            "import os, urllib.error, urllib.request\n"
            "ask = urllib.request.Request(os.environ['URL'], headers={'Authorization': 'Bearer ' + os.environ['T']})\n"
            "try: print(urllib.request.urlopen(ask).status)\n"
            "except urllib.error.HTTPError as error: print(error.code)"
        )
        given = ("env", f"URL={gateway}/v1/task", f"T={token}", "python", "-c", script)
        return int(cluster.kubectl("exec", pods["spy"], "-n", namespace, "-c", "step", "--", *given))

    cluster.apply(namespace, WEB)
    spy, secret = issued("mlworkflow", pods["spy"]), issued("mlworkflow", pods["secret"])
    others = [issued("mlworkflow-read", pods["spy"]), issued("https://kubernetes.default.svc", pods["spy"]), issued("mlworkflow")]  # fmt: skip
    web = issued("mlworkflow", "web")
    assert (status(spy), status(secret)) == (200, 200)
    assert [status(token) for token in others] == [401] * 3
    assert status(web) == 403
    cluster.kubectl("delete", "pod", pods["secret"], "-n", namespace, "--grace-period=1")
    wait_for(lambda: status(secret) == 403, 20)
    log = cluster.operator_log(400)
    assert f"caller={namespace}/web " in log
    assert "refused status=401" in log
    assert "refused status=403" in log
    for token in (spy, secret, web, *others):
        assert not [part for part in token.split(".") if part in log]
