"""What the engine means by its structures, on a real cluster: approvals that cannot be forged, locks, ends, reruns, checkpoints, webhooks, clean-up."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from .conftest import Cluster, mlwf, wait_for
from .test_mistakes import shell, workflow

WAIT = "until [ -e /tmp/go ]; do sleep 0.2; done"


def step_of(status: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        task for task in [*status.get("steps", []), *status.get("tasks", [])] if task["name"] == name
    )
    return found


def status_of(cluster: Cluster, namespace: str, name: str = "w") -> dict[str, Any]:
    found: dict[str, Any] = cluster.workflow(namespace, name).get("status", {})
    return found


def phase_of(cluster: Cluster, namespace: str, step: str, name: str = "w") -> str:
    status = status_of(cluster, namespace, name)
    return str(step_of(status, step)["phase"]) if status.get("steps") else ""


# ── approvals ──────────────────────────────────────────────────────────────────────────────────────────────────────────


ASK = {"name": "ok", "approve": {"message": "go?", "inputs": {"share": {"type": "number"}}}}


def test_an_approval_says_who_gave_it_and_cannot_be_given_in_another_name(
    cluster: Cluster, operator: str, namespace: str
) -> None:
    after = shell("b", "echo $MLWF_PARAM_SHARE > $MLWF_OUT/o", outputs={"o": {}})
    cluster.apply(namespace, workflow(ASK, {**after, "params": {"share": "${{ steps.ok.outputs.share }}"}}))
    wait_for(lambda: "waits for approval" in status_of(cluster, namespace).get("message", ""), 30)
    forged = json.dumps({"spec": {"approvals": {"ok": {"approved": True, "by": "somebody", "inputs": {"share": 1}}}}})
    said = cluster.kubectl("patch", "mlwf", "w", "-n", namespace, "--type=merge", "-p", forged, check=False)
    assert "spec.approvals" in said
    assert "by" in said
    assert phase_of(cluster, namespace, "ok") == "Running"
    mlwf(cluster, "approve", "w", "ok", "-n", namespace, "-p", "share=0.25", "-m", "looks good")
    status = cluster.wait_phase(namespace, "w", 60)["status"]
    me = cluster.kubectl("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
    assert step_of(status, "ok")["outputs"] == {"approved": True, "by": me, "comment": "looks good", "share": 0.25}
    assert status["phase"] == "Succeeded"


# ── locks ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_lock_holds_between_workflows_and_over_a_restart_of_the_operator(
    cluster: Cluster, operator: str, namespace: str
) -> None:
    """argo #14461: the holder of a lock is deleted, and the next one gets it."""
    cluster.apply(namespace, workflow(shell("s", WAIT, locks=["gpu"], terminationGracePeriodSeconds=1), name="first"))
    wait_for(lambda: phase_of(cluster, namespace, "s", "first") == "Running", 60)
    cluster.apply(namespace, workflow(shell("s", "true", locks=["gpu"]), name="second"))
    wait_for(lambda: "the lock 'gpu'" in status_of(cluster, namespace, "second").get("message", ""), 30)
    cluster.kubectl("rollout", "restart", "-n", operator, "deploy/mlworkflow")
    cluster.kubectl("rollout", "status", "-n", operator, "deploy/mlworkflow", "--timeout=90s")
    assert phase_of(cluster, namespace, "s", "second") == "Pending"
    assert len(cluster.get("pods", namespace)) == 1
    cluster.kubectl("delete", "mlwf", "first", "-n", namespace, "--wait=false")
    assert cluster.wait_phase(namespace, "second", 60)["status"]["phase"] == "Succeeded"


# ── ends ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def exit_step(name: str, **fields: Any) -> dict[str, Any]:
    command = 'echo "$MLWF_PARAM_SAID" > $MLWF_OUT/said'
    said = "${{ workflow.phase }}: ${{ workflow.message }}"
    return {**shell(name, command, outputs={"said": {}}), "params": {"said": said}, **fields}


@pytest.mark.parametrize(
    ("script", "fields", "phase", "runs"),
    [
        ("true", {}, "Succeeded", ["bye", "cheer"]),
        ("exit 3", {}, "Failed", ["bye", "alarm"]),
        ("sleep 300", {"timeout": "5s"}, "Failed", ["bye", "alarm"]),
        ("sleep 300", {"cancel": True}, "Cancelled", ["bye", "alarm"]),
    ],
    ids=["success", "failure", "deadline", "cancel"],
)
def test_the_steps_for_the_end_run_whatever_it_is(
    cluster: Cluster, operator: str, namespace: str, script: str, fields: dict[str, Any], phase: str, runs: list[str]
) -> None:
    lists = {"always": [exit_step("bye")], "succeeded": [exit_step("cheer")], "failed": [exit_step("alarm")]}
    cancels = fields.pop("cancel", False)
    cluster.apply(namespace, workflow(shell("a", script, terminationGracePeriodSeconds=1), onExit=lists, **fields))
    if cancels:
        wait_for(lambda: phase_of(cluster, namespace, "a") == "Running", 60)
        mlwf(cluster, "stop", "w", "-n", namespace)
    status = cluster.wait_phase(namespace, "w", 90)["status"]
    assert status["phase"] == phase
    ran = [name for name in ("bye", "cheer", "alarm") if step_of(status, name)["phase"] == "Succeeded"]
    assert ran == runs
    said = mlwf(cluster, "download", "w", "bye.said", "-", "-n", namespace)
    assert said.startswith(f"{phase}: ")


# ── reruns ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_retry_runs_what_failed_and_keeps_what_did_not(cluster: Cluster, operator: str, namespace: str) -> None:
    a = shell("a", "echo hello > $MLWF_OUT/o", outputs={"o": {}})
    b = shell("b", 'grep -q hello "$MLWF_IN/o" && [ "$MLWF_ATTEMPT" != 0 ]', inputs={"o": {"from": "a.o"}})
    cluster.apply(namespace, workflow(a, b, shell("c", "true", after=["b"])))
    assert cluster.wait_phase(namespace, "w", 60)["status"]["phase"] == "Failed"
    mlwf(cluster, "retry", "w", "-n", namespace)
    wait_for(lambda: status_of(cluster, namespace)["phase"] == "Succeeded", 60, lambda: status_of(cluster, namespace))
    status = status_of(cluster, namespace)
    assert [step.get("attempts") for step in status["steps"]] == [1, 2, 1]
    mlwf(cluster, "retry", "w", "--step", "c", "-n", namespace)
    wait_for(lambda: step_of(status_of(cluster, namespace), "c").get("attempts") == 2, 60)
    wait_for(lambda: status_of(cluster, namespace)["phase"] == "Succeeded", 60)
    assert [step.get("attempts") for step in status_of(cluster, namespace)["steps"]] == [1, 2, 2]


# ── checkpoints ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("agent", [True, False], ids=["agent in the image", "any image"])
def test_a_checkpoint_is_there_for_the_next_attempt_although_the_pod_was_killed(
    cluster: Cluster, operator: str, namespace: str, agent: bool
) -> None:
    script = (
        'if [ -e "$MLWF_CHECKPOINT/epoch" ]; then cp "$MLWF_CHECKPOINT/epoch" "$MLWF_OUT/o"; '
        'else echo 7 > "$MLWF_CHECKPOINT/epoch"; sleep 300; fi'
    )
    step = shell("a", script, outputs={"o": {}}, env=[{"name": "MLWF_CHECKPOINT_EVERY", "value": "1"}])
    if agent:
        from node.api import image

        step["container"] = {"image": image("agent"), "agent": True, "command": ["sh", "-c", script]}
    cluster.apply(namespace, workflow(step))
    pod = wait_for(lambda: [pod for pod in cluster.get("pods", namespace) if pod["status"]["phase"] == "Running"], 60)[
        0
    ]
    saved = f"checkpoint saved namespace={namespace}"
    wait_for(lambda: saved in cluster.operator_log(400), 40, lambda: cluster.operator_log(400))
    cluster.kubectl("delete", "pod", pod["metadata"]["name"], "-n", namespace, "--force", "--grace-period=0")
    status = cluster.wait_phase(namespace, "w", 60)["status"]
    assert (status["phase"], status["steps"][0]["attempts"]) == ("Succeeded", 2)
    assert mlwf(cluster, "download", "w", "a.o", "-", "-n", namespace).strip() == "7"


# ── webhooks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """A server on the host that Pods reach; what was posted to it."""
    from node.api import HOST_IP

    posted: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(503 if len(posted) == 1 else 204)  # the first is told to come again
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((HOST_IP, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://{HOST_IP}:{server.server_address[1]}/hook", posted
    server.shutdown()
    server.server_close()


def test_a_webhook_is_signed_and_repeated_until_it_is_taken(
    cluster: Cluster, operator: str, namespace: str, receiver: tuple[str, list[tuple[dict[str, str], bytes]]]
) -> None:
    import base64
    import hashlib
    import hmac

    url, posted = receiver
    cluster.apply(namespace, workflow(shell("a", "exit 4", onFailure={"url": url, "headers": {"X-Team": "ml"}})))
    wait_for(lambda: len(posted) == 2, 60, lambda: cluster.operator_log())
    wait_for(lambda: step_of(status_of(cluster, namespace), "a").get("webhook") == "Delivered", 30)
    (first, body), (second, again) = posted
    assert (first["webhook-id"], body) == (second["webhook-id"], again)
    secret = json.loads(cluster.kubectl("get", "secret", "mlworkflow-webhooks", "-n", operator, "-o", "json"))
    master = base64.b64decode(secret["data"]["key"])
    key = hmac.new(master, namespace.encode(), hashlib.sha256).digest()
    signed = f"{second['webhook-id']}.{second['webhook-timestamp']}.".encode() + again
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert second["webhook-signature"] == f"v1,{expected}"
    event = json.loads(again)
    assert (event["type"], event["step"], event["phase"], event["reason"]) == ("step.failed", "a", "Failed", "Error")
    assert second["x-team"] == "ml"


# ── clean-up ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_pods_and_the_workflow_go_when_their_time_has_come(cluster: Cluster, operator: str, namespace: str) -> None:
    fields = {"podCleanup": "StepSucceeded", "ttl": {"succeeded": "20s"}}
    cluster.apply(namespace, workflow(shell("a", "echo hello"), shell("b", "sleep 2", after=["a"]), **fields))
    assert cluster.wait_phase(namespace, "w", 60)["status"]["phase"] == "Succeeded"
    wait_for(lambda: cluster.get("pods", namespace) == [], 15)
    assert "hello" in mlwf(cluster, "logs", "w", "a", "-n", namespace)
    wait_for(lambda: cluster.get("mlwf", namespace) == [], 40)
