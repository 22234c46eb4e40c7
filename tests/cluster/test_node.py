"""The test node is a real cluster: what the other tests here take for granted, asserted once."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from node import api
from node.constants import KUBECONFIG

TOOL = Path(__file__).parents[1] / "node"
pytestmark = pytest.mark.skipif("KUBECONFIG" in os.environ, reason="tests run on a cluster of your own")


def kubectl(*arguments: str, stdin: str = "") -> str:
    command = [str(api.binary("kubectl")), "--kubeconfig", str(KUBECONFIG), *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def pod() -> Iterator[str]:
    """A running Pod with a token for our audience."""
    api.ensure_up()
    api.ensure_images("busybox")
    token = {"serviceAccountToken": {"path": "token", "audience": "mlworkflow"}}
    container = {
        "name": "main",
        "image": api.image("busybox"),
        "command": ["sh", "-c", "echo hello; exec sleep 600"],
        "volumeMounts": [{"name": "token", "mountPath": "/var/run/mlworkflow"}],
    }
    volumes = [{"name": "token", "projected": {"sources": [token]}}]
    spec = {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 0}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "node-test"}, "spec": spec}
    kubectl("delete", "pod", "node-test", "--ignore-not-found", "--wait=true")
    kubectl("create", "-f", "-", stdin=json.dumps(body))
    kubectl("wait", "--for=condition=Ready", "pod/node-test", "--timeout=60s")
    yield "node-test"
    kubectl("delete", "pod", "node-test", "--wait=false")


def test_up_again_is_quick_and_says_the_same() -> None:
    api.ensure_up()
    started = time.monotonic()
    done = subprocess.run([sys.executable, TOOL, "up"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"export KUBECONFIG={KUBECONFIG}"
    assert "already up" in done.stderr
    assert time.monotonic() - started < 10


def test_logs_and_exec_work(pod: str) -> None:
    assert kubectl("logs", pod) == "hello\n"
    assert kubectl("exec", pod, "--", "echo", "$HOME is not expanded") == "$HOME is not expanded\n"


def test_services_have_names(pod: str) -> None:
    assert "10.96.0.1" in kubectl("exec", pod, "--", "nslookup", "kubernetes.default.svc.cluster.local")


def test_a_pod_reaches_a_server_on_the_host(pod: str) -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", f"import socket; s = socket.create_server(('{api.HOST_IP}', 0));"
         " print(s.getsockname()[1], flush=True); s.accept()[0].sendall(b'from the host')"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with server:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        assert "from the host" in kubectl("exec", pod, "--", "sh", "-c", f"nc {api.HOST_IP} {port} </dev/null")


def test_a_token_is_bound_to_its_pod_and_audience(pod: str) -> None:
    token = kubectl("exec", pod, "--", "cat", "/var/run/mlworkflow/token")
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["aud"] == ["mlworkflow"]
    assert claims["kubernetes.io"]["pod"]["name"] == pod
    assert json.loads(kubectl("get", "--raw", "/openid/v1/jwks"))["keys"][0]["alg"] == "RS256"


def test_pod_security_is_enforced() -> None:
    api.ensure_up()
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kubectl("apply", "-f", "-", stdin=json.dumps(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "node-test-restricted", "labels": labels}}
    ))  # fmt: skip
    try:
        with pytest.raises(AssertionError, match="violates PodSecurity"):
            kubectl("run", "-n", "node-test-restricted", "bad", "--image", api.image("busybox"), "--privileged")
    finally:
        kubectl("delete", "namespace", "node-test-restricted", "--wait=false")


def test_a_frozen_component_is_repaired_by_up() -> None:
    api.ensure_up()
    api.pause("controllers")
    api.stop("scheduler", kill=True)
    api.ensure_up()
    assert set(api.status().values()) == {"running", "ready"}
