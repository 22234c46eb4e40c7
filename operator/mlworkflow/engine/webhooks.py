"""Webhooks of steps: what is owed, what is said, how it is signed and when it is said again. All of it pure; `webhook_sender` sends.

The form is that of the Standard Webhooks specification. What is owed follows from the status alone, so a restart forgets nothing; what was
sent and not noted is sent again, under the same id.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import to_builtins

from mlworkflow.core.fields import Webhook
from mlworkflow.core.model import Workflow
from mlworkflow.core.state import Phase, Run, Task
from mlworkflow.core.status import stamp

DELIVERED, GIVEN_UP = "Delivered", "GivenUp"
PATIENCE = 15 * 60.0
"""Seconds from the first try to the last."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
MAX_OUTPUTS = 16 * 1024
"""Bytes of output parameters in a body; those that do not fit are named instead."""

_FIELDS = {Phase.SUCCEEDED: ("onSuccess", "step.succeeded"), Phase.FAILED: ("onFailure", "step.failed")}


@dataclass(frozen=True, slots=True)
class Owed:
    """A webhook that is to be called: whose end it tells, and the end itself."""

    webhook: Webhook
    type: str
    workflow: str
    namespace: str
    uid: str
    step: str
    task: str
    end: Task

    @property
    def id(self) -> str:
        """The same at every try and in every life of the operator, so that a receiver can drop what it has had."""
        identity = f"{self.uid}/{self.task}/{self.end.attempt}/{self.type}"
        return f"msg_{hashlib.sha256(identity.encode()).hexdigest()[:32]}"


def owed(workflow: Workflow, run: Run) -> list[Owed]:
    """The webhooks of steps that have ended, and of which nothing has become yet."""
    found = []
    for name, step in workflow.all_steps().items():
        task = run.tasks.get(name)
        if task is None or task.webhook or task.phase not in _FIELDS:
            continue
        if webhook := step.on_success if task.phase is Phase.SUCCEEDED else step.on_failure:
            type_ = _FIELDS[task.phase][1]
            found.append(Owed(webhook, type_, workflow.name, workflow.namespace, workflow.uid, name, name, task))
    return found


def is_owed(resource: Mapping[str, Any]) -> bool:
    """Whether a resource, as it is written, owes a webhook."""
    spec = resource.get("spec") or {}
    exits = [step for steps in (spec.get("onExit") or {}).values() if isinstance(steps, list) for step in steps]
    steps = [*(spec.get("steps") or []), *exits]
    ends = {step.get("name"): step for step in (resource.get("status") or {}).get("steps") or []}
    for step in steps:
        end = ends.get(step.get("name"), {})
        if not end.get("webhook") and end.get("phase") in _FIELDS and step.get(_FIELDS[Phase(end["phase"])][0]):
            return True
    return False


def body(event: Owed) -> bytes:
    """What is said. The same end gives the same bytes."""
    end = event.end
    outputs, omitted = _outputs(end.parameters)
    said = {
        "type": event.type,
        "workflow": {"name": event.workflow, "namespace": event.namespace, "uid": event.uid},
        "step": event.step,
        "task": event.task,
        "attempt": end.attempt,
        "phase": str(end.phase),
        "reason": end.reason,
        "message": end.message,
        "outputs": outputs,
        "outputsOmitted": omitted,
        "artifacts": {name: to_builtins(artifact) for name, artifact in end.artifacts.items()},
        "startedAt": stamp(end.started_at),
        "finishedAt": stamp(end.finished_at),
    }
    return _json(said)


def _outputs(parameters: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """As many as fit, in their order, and the names of the others."""
    kept, omitted, size = {}, [], 0
    for name, value in parameters.items():
        more = len(_json({name: value}))
        if size + more > MAX_OUTPUTS:
            omitted.append(name)
        else:
            kept[name] = value
            size += more
    return kept, omitted


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=to_builtins).encode()


def namespace_key(master: bytes, namespace: str) -> bytes:
    """The key that signs what is sent for a namespace: who holds it can verify that, and forge for no other namespace."""
    return hmac.digest(master, namespace.encode(), "sha256")


def headers(event: Owed, said: bytes, key: bytes, now: float) -> dict[str, str]:
    """The headers of one try, the workflow's own first."""
    timestamp = int(now)
    return {
        **event.webhook.headers,
        "Content-Type": "application/json",
        "webhook-id": event.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(key, event.id, timestamp, said),
    }


def signature(key: bytes, id_: str, timestamp: int, said: bytes) -> str:
    """``v1,`` and the base64 of the HMAC-SHA256 over id, timestamp and body."""
    signed = b".".join((id_.encode(), str(timestamp).encode(), said))
    return f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a try came to nothing, in words that hold no part of the URL; whether another may help, and when the receiver wants it."""

    reason: str
    may_pass: bool
    after: float = 0.0


def judge(status: int, retry_after: str = "") -> Trouble | None:
    """What an answer means: None for thank you."""
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return Trouble(f"answered {status}, and a redirect is not followed", may_pass=False)
    after = float(retry_after) if retry_after.isascii() and retry_after.isdecimal() else 0.0
    return Trouble(f"answered {status}", status == 429 or status >= 500, after)


def wait(trouble: Trouble, failures: int, elapsed: float, patience: float, random: float) -> float | None:
    """Seconds until the next try after `failures` of them in `elapsed` seconds; None where there is none. `random` is from 0 to 1."""
    if not trouble.may_pass:
        return None
    delay = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures - 1, 30)) * (0.5 + 0.5 * random)
    delay = max(delay, trouble.after)
    return delay if elapsed + delay <= patience else None
