"""The result of an attempt, from how its process ended to the document that is committed."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence

from mlworkflow_steps.agent import outputs
from mlworkflow_steps.agent.errors import GatewayRefused, GaveUp, StepFailure, Superseded
from mlworkflow_steps.agent.folders import Folders, read_untrusted
from mlworkflow_steps.agent.gateway import Gateway

TYPE_CHECKING = False  # importing typing would cost more than all of this
if TYPE_CHECKING:
    from typing import Any

LONGEST_MESSAGE = 4096
_LONGEST_FAILURE = 64 << 10


def failed(code: int, reason: str, message: str) -> dict[str, Any]:
    """A result that says why there is nothing else."""
    return {"exitCode": code, "reason": reason, "message": message[:LONGEST_MESSAGE]}


def published(gateway: Gateway, task: dict[str, Any], folders: Folders) -> dict[str, Any]:
    """The result of a process that ended well, its outputs in the store; raises `StepFailure`."""
    found = outputs.collect(task["outputs"], folders)
    artifacts = {}
    if found.artifacts:
        from mlworkflow_steps.agent import transfer

        for name, path in found.artifacts.items():
            artifacts[name] = transfer.publish(gateway, name, path)
    return {"exitCode": 0, "reason": "", "message": "", "outputs": artifacts, "parameters": found.parameters}


def judged(
    gateway: Gateway, task: dict[str, Any], folders: Folders, code: int, words: tuple[str, str]
) -> dict[str, Any]:
    """The result of a step that failed by its own judgement, a gate for example: its reason and message, and what it left."""
    optional = {name: {**output, "optional": True} for name, output in task["outputs"].items()}
    try:
        left = published(gateway, {**task, "outputs": optional}, folders)
    except StepFailure:
        left = {}
    return {**left, **failed(code, *words)}


def with_kept(gateway: Gateway, task: dict[str, Any], folders: Folders, failure: dict[str, Any]) -> dict[str, Any]:
    """A failure, with the outputs that are kept after one too, as far as they are there: whatever is wrong with them, it is no
    cause of the failure. Raises `Superseded`.
    """
    if not any(output.get("keep") == outputs.ALWAYS for output in task["outputs"].values()):
        return failure
    found = outputs.kept_always(task["outputs"], folders)
    return {**failure, "outputs": stored(gateway, found.artifacts), "parameters": found.parameters}


def leave(gateway: Gateway, task: dict[str, Any], folders: Folders) -> None:
    """Keeps the outputs that are kept always, of an attempt that cannot commit any more."""
    found = outputs.kept_always(task["outputs"], folders)
    with contextlib.suppress(GatewayRefused, GaveUp, Superseded):
        if found.artifacts and (left := stored(gateway, found.artifacts)):
            gateway.left(left)


def stored(gateway: Gateway, artifacts: dict[str, str]) -> dict[str, Any]:
    """Artifacts by name, in the store; those that cannot be stored are left out. Raises `Superseded`."""
    from mlworkflow_steps.agent import transfer

    kept = {}
    for name, path in artifacts.items():
        with contextlib.suppress(StepFailure, GatewayRefused, GaveUp, OSError):
            kept[name] = transfer.publish(gateway, name, path)
    return kept


def own_words(folders: Folders) -> tuple[str, str] | None:
    """The reason and message that a step left for its failure, if it did."""
    try:
        data = read_untrusted(folders.failure, _LONGEST_FAILURE)
        document = json.loads(data) if data else {}
        reason, message = document.get("reason"), document.get("message", "")
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    if not isinstance(reason, str) or not reason.isidentifier() or len(reason) > 64:
        return None
    return reason, str(message)[:LONGEST_MESSAGE]


def commit(gateway: Gateway, result: dict[str, Any], folders: Folders) -> dict[str, Any]:
    """Commits a result, or where the gateway refuses it for good, its refusal; returns what was committed. What the store has lost
    since it was published is published once more.
    """
    try:
        try:
            gateway.commit(result)
        except GatewayRefused as refusal:
            if not refusal.missing:
                raise
            _publish_again(gateway, refusal.missing, folders)
            gateway.commit(result)
    except (GatewayRefused, StepFailure) as refusal:
        if result["reason"] and result.get("outputs"):  # what a failure leaves is not worth its cause
            return commit(gateway, {**result, "outputs": {}, "parameters": {}}, folders)
        if isinstance(refusal, StepFailure):
            reason = refusal.reason
        else:
            reason = "StoreRefused" if refusal.status == 403 else "OutputInvalid"
        times: dict[str, Any] = {key: result[key] for key in ("startedAt", "finishedAt") if key in result}
        result = failed(result["exitCode"] or 1, reason, f"the result was refused: {refusal}") | times
        gateway.commit(result)
    return result


def _publish_again(gateway: Gateway, names: Sequence[str], folders: Folders) -> None:
    from mlworkflow_steps.agent import transfer

    for name in names:
        path = folders.log if name == "logs" else os.path.realpath(os.path.join(folders.outputs, name))
        transfer.publish(gateway, name, path)


def with_log_lines(message: str, lines: str) -> str:
    """A message that ends with the last lines of the log."""
    return f"{message}\n{lines}" if lines else message


def write_atomically(path: str, data: bytes) -> None:
    """A file that is there whole or not at all."""
    with open(f"{path}.part", "wb") as file:
        file.write(data)
    os.rename(f"{path}.part", path)
