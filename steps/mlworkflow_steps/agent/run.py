"""`run`: the whole of an attempt in one container or one local process, from the task to the commit."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping

from mlworkflow_steps.agent import params, result
from mlworkflow_steps.agent.errors import GatewayRefused, GaveUp, StepFailure, Superseded
from mlworkflow_steps.agent.folders import Folders
from mlworkflow_steps.agent.gateway import Gateway
from mlworkflow_steps.agent.inputs import fetch_all
from mlworkflow_steps.agent.metrics import Forwarder, Tail
from mlworkflow_steps.agent.patience import Patience
from mlworkflow_steps.agent.process import CannotStart, Exit, Log, Process, to_stdout

TYPE_CHECKING = False  # importing typing would cost more than all of this
if TYPE_CHECKING:
    from typing import Any

    from mlworkflow_steps.agent.checkpoint import Keeper

_PRIVATE = (
    "MLWF_TOKEN_FILE",
    "MLWF_GATEWAY",
    "MLWF_PATIENCE",
    "MLWF_CA",
    "MLWF_RIDERS",
    "MLWF_TRACES",
    "MLWF_LAST_WORD",
)
_STOP_GRACE = 30.0
_LOG_PATIENCE = 20.0


def run(gateway: Gateway, folders: Folders, environ: Mapping[str, str], clock: Callable[[], float] = time.time) -> int:
    """Does the attempt's task and commits what came of it; returns the exit code for our own process.

    That is the command's own; 1 when only the step failed (an output is missing, say). Raises what the gateway raises.
    """
    log = Log()
    task: dict[str, Any] = {}
    try:
        task |= gateway.task()
        outcome = _committed(gateway, task, folders, environ, log, clock)
    except Superseded:  # by its replacement, or because the workflow stopped it: nobody takes its result
        patience = Patience(_LOG_PATIENCE)
        with contextlib.suppress(StepFailure, GaveUp, GatewayRefused, Superseded):
            if logs := _keep_log(gateway.with_patience(patience), folders, log):
                gateway.with_patience(patience).logs(logs)
        if task:
            result.leave(gateway.for_what_is_left(patience), task, folders)
        raise
    if outcome["reason"]:
        print(
            f"mlworkflow: {outcome['reason']}: {outcome['message'].partition(chr(10))[0]}", file=sys.stderr, flush=True
        )
    return int(outcome["exitCode"]) or (1 if outcome["reason"] else 0)


def _committed(
    gateway: Gateway,
    task: dict[str, Any],
    folders: Folders,
    environ: Mapping[str, str],
    log: Log,
    clock: Callable[[], float],
) -> dict[str, Any]:
    """The result, which has been committed."""
    started = clock()
    attempt = Attempt(gateway, task, folders, environ, log)
    with _termination_is_a_failure():
        try:
            attempt.prepare()
            outcome = None
        except StepFailure as failure:
            outcome = result.failed(1, failure.reason, str(failure))
    if outcome is None:
        outcome = attempt.outcome()
        outcome["metrics"] = attempt.tail.last
    if task["kind"] != "container":
        from mlworkflow_steps.agent import code

        outcome["code"] = code.digest()
    outcome["startedAt"], outcome["finishedAt"] = started, clock()
    with contextlib.suppress(StepFailure, GaveUp, GatewayRefused):  # the result matters more than its log
        outcome["logs"] = _keep_log(gateway, folders, log)
    return result.commit(gateway, {key: value for key, value in outcome.items() if value is not None}, folders)


def prepare(task: dict[str, Any], folders: Folders, *, shared: bool = False) -> None:
    """Makes the folders and the files that every step finds."""
    folders.create(shared=shared)
    result.write_atomically(folders.params, params.document(task["params"]))
    result.write_atomically(folders.input_facts, json.dumps(task["inputs"]).encode())
    result.write_atomically(folders.task, json.dumps(task).encode())


class Attempt:
    """A task: what its process finds, its process, its metrics and checkpoints, its outcome."""

    def __init__(
        self, gateway: Gateway, task: dict[str, Any], folders: Folders, environ: Mapping[str, str], log: Log
    ) -> None:
        self._gateway = gateway
        self._task = task
        self._folders = folders
        self._environ = environ
        self._log = log
        self.tail = Tail(folders.metrics, self._complain)
        self._stopped = self._is_heeding = False
        self._restored = ""
        self._kept: Keeper | None = None

    def prepare(self) -> None:
        """Puts everything in place that the process finds; raises `StepFailure` and what the gateway raises."""
        prepare(self._task, self._folders)
        if self._task.get("checkpoint"):
            from mlworkflow_steps.agent import checkpoint

            self._restored = checkpoint.restore(self._gateway, self._task["checkpoint"], self._folders, self._complain)
        fetch_all(self._gateway, self._task["inputs"], self._folders)

    def outcome(self) -> dict[str, Any]:
        """Runs the command and publishes its outputs; the result, without times and log."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # from here on the process is told; publishing goes on
        try:
            ended = self._run()
        except CannotStart as failure:
            return result.failed(failure.code, failure.reason, str(failure))
        if ended.code or ended.terminated:
            self._keeper().save_last()  # first: of a grace period not much may be left
        if ended.code == 0:
            try:
                return result.published(self._gateway, self._task, self._folders)
            except StepFailure as failure:
                self._keeper().save_last()
                reason = "Terminated" if ended.terminated and failure.reason == "OutputMissing" else failure.reason
                return self._with_kept(result.failed(0, reason, str(failure)))
        return self._failure(ended)

    def _with_kept(self, failure: dict[str, Any]) -> dict[str, Any]:
        return result.with_kept(self._gateway, self._task, self._folders, failure)

    def _run(self) -> Exit:
        command = self._task["command"]
        if not command:
            raise CannotStart(127, "the step has no command")
        process = Process(command, environment(self._task, self._folders, self._environ), self._log)
        forwarder = Forwarder(self.tail, self._gateway.metrics, lambda: self._stop(process))

        def tick() -> None:
            forwarder.tick()
            self._keeper().watch()
            if self._gateway.rider and not self._is_heeding:
                from mlworkflow_steps.agent import carrier

                self._is_heeding = True
                carrier.heed(self._gateway, lambda: self._stop(process))

        ended = process.run(to_stdout, tick)
        forwarder.close()
        if self._kept is not None:
            self._kept.close()
        return ended

    def _keeper(self) -> Keeper:
        """Made when it is first needed: a step that is over before pays nothing."""
        if self._kept is None:
            from mlworkflow_steps.agent import checkpoint

            self._kept = checkpoint.keeper(self._gateway, self._folders, self._environ, self._complain, self._restored)
        return self._kept

    def _stop(self, process: Process) -> None:
        self._stopped = True
        process.terminate(_STOP_GRACE)

    def _failure(self, ended: Exit) -> dict[str, Any]:
        code, lines = ended.code, self._log.last_lines()
        if self._stopped:
            return self._with_kept(result.failed(code, "Stopped", "stopped at the workflow's word"))
        if ended.out_of_memory:
            words = f"exit code {code}: the kernel killed a process, because the step's memory limit was reached"
            return self._with_kept(result.failed(code, "OOMKilled", result.with_log_lines(words, lines)))
        own = result.own_words(self._folders)
        if own is not None:
            return result.judged(self._gateway, self._task, self._folders, code, own)
        reason = "Terminated" if ended.terminated else "Error"
        return self._with_kept(result.failed(code, reason, result.with_log_lines(f"exit code {code}", lines)))

    def _complain(self, words: str) -> None:
        line = f"mlworkflow: {words}\n".encode()
        self._log.write(line)
        to_stdout(line)


def environment(task: dict[str, Any], folders: Folders, inherited: Mapping[str, str]) -> dict[str, str]:
    """What the user's process finds in its environment: what ours has, less what is the agent's, and what the
    contract says.
    """
    return {
        **{name: value for name, value in inherited.items() if name not in _PRIVATE},
        **folders.environment(),
        **params.environment(task["params"]),
        "MLWF_WORKFLOW": task["workflow"]["name"],
        "MLWF_NAMESPACE": task["workflow"]["namespace"],
        "MLWF_STEP": task["step"],
        "MLWF_ATTEMPT": str(task["attempt"]),
    }


@contextlib.contextmanager
def _termination_is_a_failure() -> Iterator[None]:
    """SIGTERM before the process has started ends the attempt at once; PID 1 would otherwise not even notice it."""

    def fail(*_: object) -> None:
        raise StepFailure("Terminated", "terminated before the command was started")

    before = signal.signal(signal.SIGTERM, fail)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _keep_log(gateway: Gateway, folders: Folders, log: Log) -> dict[str, Any] | None:
    data = log.data()
    if not data:
        return None
    from mlworkflow_steps.agent import transfer

    result.write_atomically(folders.log, data)
    return transfer.publish(gateway, "logs", folders.log)
