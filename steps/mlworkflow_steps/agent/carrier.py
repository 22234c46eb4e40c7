"""Attempts that share a Pod, one after the other: each in a process of the agent's own, as if it had the Pod to itself.

The container's last word (its termination message) names the attempt that runs, so that whoever finds the Pod ended knows which of them was the
last. SIGTERM ends the one that runs, and none begins after it; so does the death of an agent's process, which would have been the Pod's.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping

from mlworkflow_steps.agent.errors import GatewayRefused, GaveUp, Superseded
from mlworkflow_steps.agent.folders import Folders, remove
from mlworkflow_steps.agent.gateway import Gateway
from mlworkflow_steps.agent.patience import Patience

LAST_WORD = "/dev/termination-log"
MARK = "mlworkflow: now "
"""What the line begins with that says whose output follows; the operator takes the log of a Pod apart by it."""
TERMINATED = 128 + signal.SIGTERM
_WAIT = 20.0


def carry(
    environ: Mapping[str, str],
    folders: Folders,
    run: Callable[[str, Mapping[str, str]], int],
) -> int:
    """Has `run(rider, environ)` do every attempt that ``MLWF_RIDERS`` names; returns the first exit code that is not 0."""
    last_word = environ.get("MLWF_LAST_WORD", LAST_WORD)
    riders, spans = environ["MLWF_RIDERS"].split(), environ.get("MLWF_TRACES", "").split()
    passenger, code = _Passenger(), 0
    signal.signal(signal.SIGTERM, lambda *_: passenger.terminate())
    for index, rider in enumerate(riders):
        if passenger.is_terminated:
            return code or TERMINATED
        _say(rider, last_word)
        own = {**environ, "TRACEPARENT": spans[index]} if spans else environ
        ended = passenger.run(lambda rider=rider, own=own: _alone(folders, lambda: run(rider, own)))  # type: ignore[misc]
        if ended < 0:
            return 128 - ended
        code = code or ended
    return code


def heed(gateway: Gateway, on_stop: Callable[[], None]) -> None:
    """Calls `on_stop` once the workflow has no use for the attempt any more: its Pod stays for the sake of others, so that no signal says so."""
    from threading import Thread

    patient = gateway.with_patience(Patience(gateway.patience.seconds, say=lambda words: None))

    def listen() -> None:
        with contextlib.suppress(GatewayRefused, GaveUp):
            try:
                while not patient.ended(_WAIT).get("ended"):
                    pass
            except Superseded:
                on_stop()

    Thread(target=listen, daemon=True).start()


class _Passenger:
    """The process that does one attempt, at most one at a time."""

    def __init__(self) -> None:
        self._pid = 0
        self.is_terminated = False

    def terminate(self) -> None:
        """Ends the one that runs; none is to follow."""
        self.is_terminated = True
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGTERM)

    def run(self, work: Callable[[], int]) -> int:
        """The exit code of `work` in a process of its own, or -n for signal n."""
        sys.stdout.flush()
        sys.stderr.flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        self._pid = os.fork()
        if self._pid == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
            os._exit(work())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        while True:
            pid, status = os.waitpid(-1, 0)  # orphans come to us, for the agent may be PID 1
            if pid == self._pid:
                self._pid = 0
                return os.waitstatus_to_exitcode(status)


def _alone(folders: Folders, work: Callable[[], int]) -> int:
    """Does an attempt where another may have been before; what goes wrong beyond it is said as a process of its own would say it."""
    try:
        _clear(folders.checkpoint)
        return work()
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _clear(checkpoint: str) -> None:
    """Removes what the attempt before left to resume from; what is mounted there is not ours to empty."""
    if os.path.isdir(checkpoint) and not os.path.ismount(checkpoint):
        for name in os.listdir(checkpoint):
            remove(os.path.join(checkpoint, name))


def _say(rider: str, last_word: str) -> None:
    print(f"\n{MARK}{rider}", flush=True)
    with contextlib.suppress(OSError):  # no container
        descriptor = os.open(last_word, os.O_WRONLY | os.O_TRUNC)
        os.write(descriptor, rider.encode())
        os.close(descriptor)
