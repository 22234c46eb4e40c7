"""`fetch` and `publish`: what stands before and beside a user's container whose image knows nothing of us."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping

from mlworkflow_steps.agent import result
from mlworkflow_steps.agent.errors import StepFailure, Superseded
from mlworkflow_steps.agent.folders import Folders
from mlworkflow_steps.agent.gateway import Gateway
from mlworkflow_steps.agent.inputs import fetch_all
from mlworkflow_steps.agent.metrics import Forwarder, Tail
from mlworkflow_steps.agent.patience import Patience
from mlworkflow_steps.agent.run import prepare

TYPE_CHECKING = False  # importing typing would cost more than all of this
if TYPE_CHECKING:
    from typing import Any

_WAIT = 20.0
_LEAVING = 20.0
_LOOK = 0.5
_CALM = 4  # looks in a row that find nothing new: 2 seconds


def fetch(gateway: Gateway, folders: Folders, clock: Callable[[], float] = time.time) -> int:
    """Puts the inputs, the parameters, the task and the last checkpoint in place, for any user. A failure is committed, and is our exit
    code 1.
    """
    task = gateway.task()
    started = clock()
    try:
        prepare(task, folders, shared=True)
        if task.get("checkpoint"):
            from mlworkflow_steps.agent import checkpoint

            checkpoint.restore(gateway, task["checkpoint"], folders, _say, shared=True)
        fetch_all(gateway, task["inputs"], folders, readable=True)
    except StepFailure as failure:
        outcome = result.failed(1, failure.reason, str(failure))
        result.commit(gateway, {**outcome, "startedAt": started, "finishedAt": clock()}, folders)
        return 1
    return 0


def publish(
    gateway: Gateway, folders: Folders, environ: Mapping[str, str], clock: Callable[[], float] = time.time
) -> int:
    """Waits until the user's container has ended, publishes what it left and commits; returns 0 once anything is
    committed. Checkpoints are saved meanwhile.

    The log is the operator's to keep: only the kubelet has it. SIGTERM comes to the user's container at the same time; the news of
    its end may never reach us, so what it saves is looked for at once.
    """
    task = gateway.task()
    try:
        return _published(gateway, task, folders, environ, clock)
    except Superseded:
        _leave(gateway.for_what_is_left(Patience(_LEAVING)), task, folders)
        raise


def _published(
    gateway: Gateway, task: dict[str, Any], folders: Folders, environ: Mapping[str, str], clock: Callable[[], float]
) -> int:
    from mlworkflow_steps.agent import checkpoint

    started = clock()
    tail = Tail(folders.metrics, _say)
    forwarder = Forwarder(tail, gateway.metrics, lambda: None)
    keeper = checkpoint.keeper(gateway, folders, environ, _say)
    signal.signal(signal.SIGTERM, lambda *_: keeper.hurry())
    forwarder.tick()
    keeper.watch()
    while not (ended := gateway.ended(_WAIT)).get("ended"):
        pass
    forwarder.close()
    if int(ended["exitCode"]):
        keeper.save_last()
    keeper.close()
    outcome = _outcome(gateway, task, folders, ended)
    result.commit(gateway, {**outcome, "metrics": tail.last, "startedAt": started, "finishedAt": clock()}, folders)
    return 0


def _outcome(gateway: Gateway, task: dict[str, Any], folders: Folders, ended: dict[str, Any]) -> dict[str, Any]:
    code, reason = int(ended["exitCode"]), str(ended.get("reason") or "")
    if code == 0:
        try:
            return result.published(gateway, task, folders)
        except StepFailure as failure:
            return result.with_kept(gateway, task, folders, result.failed(0, failure.reason, str(failure)))
    own = result.own_words(folders) if reason != "OOMKilled" else None
    if own is not None:
        return result.judged(gateway, task, folders, code, own)
    outcome = result.failed(code, "Error" if reason in ("", "Completed") else reason, f"exit code {code}")
    return result.with_kept(gateway, task, folders, outcome)


def _leave(gateway: Gateway, task: dict[str, Any], folders: Folders) -> None:
    """Keeps the outputs that are kept always, of an attempt that has been stopped: when they have not changed for a while, for
    nobody says any more when the user's container ends.
    """
    from mlworkflow_steps.agent import checkpoint

    kept = [name for name, output in task["outputs"].items() if output.get("keep") == "always"]
    until, calm, before = time.monotonic() + _LEAVING, 0, ""
    while kept and calm < _CALM and time.monotonic() < until:
        now = checkpoint.signature(folders.outputs)
        calm, before = calm + 1 if now == before else 0, now
        time.sleep(_LOOK)
    result.leave(gateway, task, folders)


def _say(words: str) -> None:
    print(f"mlworkflow: {words}", flush=True)
