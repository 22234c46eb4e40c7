"""The user's process: started, listened to, told to end, and its end explained.

It runs in its own process group with standard output and error in one pipe, which the agent passes on and keeps.
When the process ends, so does whatever it left in its group: a step is over when its command is.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from mlworkflow_steps.agent.errors import StepFailure

HEAD_BYTES = 1 << 20
TAIL_BYTES = 7 << 20
_DRAIN_SECONDS = 1.0
_CUT = b"\n[... mlworkflow: truncated, %d bytes of output left out ...]\n"
OOM_FILES = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")


class Exit:
    """How a process ended: `code` is 128 + n for signal n."""

    def __init__(self, code: int, *, terminated: bool, out_of_memory: bool) -> None:
        self.code = code
        self.terminated = terminated
        self.out_of_memory = out_of_memory


class Log:
    """Output kept in bounded memory: its first MiB and its last 7."""

    def __init__(self, head: int = HEAD_BYTES, tail: int = TAIL_BYTES) -> None:
        self._head = bytearray()
        self._head_room = head
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._tail_room = tail
        self._lost = 0

    def write(self, data: bytes) -> None:
        """Adds output."""
        room = self._head_room - len(self._head)
        self._head += data[:room]
        if rest := data[room:]:
            self._tail.append(rest)
            self._tail_size += len(rest)
        while self._tail_size > self._tail_room:
            lost = len(self._tail.popleft())
            self._tail_size -= lost
            self._lost += lost

    def data(self) -> bytes:
        """All that was kept, with a note where something was not."""
        cut = _CUT % self._lost if self._lost else b""
        return bytes(self._head) + cut + b"".join(self._tail)

    def last_lines(self, lines: int = 10, size: int = 2048) -> str:
        """The end of the output, at most so many lines and bytes."""
        text = self.data()[-size:].decode("utf-8", "replace")
        return "\n".join(text.rstrip().splitlines()[-lines:])


class Process:
    """One run of a command: `run` starts it and sees it to its end, on the main thread; `terminate` may be called from any."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Log) -> None:
        self._command = command
        self._environment = environment
        self._log = log
        self._pid = 0
        self._terminated = False
        self._kill_at: float | None = None

    def run(self, tee: Callable[[bytes], None], tick: Callable[[], None] = lambda: None) -> Exit:
        """Passes output to `tee` and the log until the process has ended; calls `tick` now and then after the first second.

        SIGTERM and SIGINT of the agent go to the process. Raises `CannotStart`.
        """
        oom_before, calm_until = oom_kills(), time.monotonic() + 1.0
        output, writer = os.pipe()
        try:
            with _Signals(self.terminate) as wakeup:
                try:
                    self._pid = _spawn(self._command, self._environment, writer)
                finally:
                    os.close(writer)
                if self._terminated:
                    self._signal(signal.SIGTERM)
                poll = select.poll()
                poll.register(output, select.POLLIN)
                poll.register(wakeup, select.POLLIN)
                while (status := self._reaped()) is None:
                    self._kill_if_due()
                    if time.monotonic() >= calm_until:
                        tick()
                    for descriptor, _ in poll.poll(1000):
                        if descriptor == wakeup:
                            os.read(wakeup, 4096)
                        elif not self._pass_on(output, tee):
                            poll.unregister(output)
                self._signal(signal.SIGKILL)
                self._drain(output, tee)
        finally:
            os.close(output)
        code = os.waitstatus_to_exitcode(status)
        return Exit(
            code if code >= 0 else 128 - code, terminated=self._terminated, out_of_memory=oom_kills() > oom_before
        )

    def terminate(self, grace: float | None = None) -> None:
        """Asks the process to end; with `grace`, it is killed that many seconds later."""
        self._terminated = True
        self._signal(signal.SIGTERM)
        if grace is not None and self._kill_at is None:
            self._kill_at = time.monotonic() + grace

    def _kill_if_due(self) -> None:
        if self._kill_at is not None and time.monotonic() > self._kill_at:
            self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self._pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, number)

    def _reaped(self) -> int | None:
        """The wait status of the process once it has ended; orphans that ended are reaped on the way, for the agent
        may be PID 1.
        """
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == self._pid:
                return status
            if pid == 0:
                return None

    def _pass_on(self, output: int, tee: Callable[[bytes], None]) -> bool:
        data = os.read(output, 1 << 16)
        if data:
            self._log.write(data)
            tee(data)
        return bool(data)

    def _drain(self, output: int, tee: Callable[[bytes], None]) -> None:
        deadline = time.monotonic() + _DRAIN_SECONDS
        while (left := deadline - time.monotonic()) > 0 and select.select([output], [], [], left)[0]:
            if not self._pass_on(output, tee):
                break


class CannotStart(StepFailure):
    """The command cannot be run: `code` is 127 when there is no such command, else 126."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__("Error", message)
        self.code = code


def _spawn(command: Sequence[str], environment: Mapping[str, str], writer: int) -> int:
    """Starts a command in a group of its own, without the agent's signal settings; returns its pid."""
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, writer, 1),
        (os.POSIX_SPAWN_DUP2, writer, 2),
    ]
    defaults = [signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGINT]
    try:
        return os.posix_spawnp(
            command[0], list(command), environment,
            file_actions=actions, setpgroup=0, setsigmask=[], setsigdef=defaults,
        )  # fmt: skip
    except FileNotFoundError:
        raise CannotStart(127, f"command not found: {command[0]}") from None
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise CannotStart(126, f"cannot run {command[0]}: {words}") from None


class _Signals:
    """While it lasts, SIGTERM and SIGINT call `on_stop`, and every signal wakes a poll on the descriptor it yields."""

    def __init__(self, on_stop: Callable[[], None]) -> None:
        self._on_stop = on_stop

    def __enter__(self) -> int:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        handlers = {signal.SIGTERM: self._stop, signal.SIGINT: self._stop, signal.SIGCHLD: lambda *_: None}
        self._before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        return self._reader

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._reader)
        os.close(self._writer)

    def _stop(self, *_: object) -> None:
        self._on_stop()


def oom_kills(files: Sequence[str] = OOM_FILES) -> int:
    """How often the kernel has killed for want of memory in this control group (v2 or v1); 0 where nothing says."""
    for path in files:
        with contextlib.suppress(OSError, ValueError), open(path, encoding="ascii") as file:
            for line in file:
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
    return 0


def to_stdout(data: bytes) -> None:
    """All of `data` to our own standard output; a reader that went away costs the step nothing."""
    with contextlib.suppress(OSError):
        view = memoryview(data)
        while view:
            view = view[os.write(sys.stdout.fileno(), view) :]
