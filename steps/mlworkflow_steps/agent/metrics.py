"""Metrics on their way from the user's file to the gateway, as they come."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

TYPE_CHECKING = False  # importing typing would cost more than all of this
if TYPE_CHECKING:
    from threading import Event, Thread
    from typing import Any

EVERY = 1.0
_BATCH = 1000
_KEPT = 10_000
_READ = 1 << 20


class Tail:
    """The lines of a growing file of metrics; `last` holds the last finite value of each name."""

    def __init__(self, path: str, complain: Callable[[str], None]) -> None:
        self._path = path
        self._complain = complain
        self._offset = 0
        self._number = self._complained = 0
        self.last: dict[str, float] = {}

    def points(self, *, final: bool = False) -> list[dict[str, Any]]:
        """The points that were added since the last call; a last line without its end counts only if `final`.

        A value that is not finite is passed on as None. A line that is wrong is complained about and left out.
        """
        found: list[dict[str, Any]] = []
        while data := self._read():
            end = len(data) if final and len(data) < _READ else data.rfind(b"\n") + 1
            if not end:
                break
            self._offset += end
            for line in data[:end].splitlines():
                self._number += 1
                if line.strip() and (point := self._point(line)):
                    found.append(point)
        return found

    def rewind(self) -> None:
        """Begins anew: the next points are the first."""
        self._complained = max(self._complained, self._number)
        self._offset = self._number = 0

    def _read(self) -> bytes:
        try:
            with open(self._path, "rb") as file:
                file.seek(self._offset)
                return file.read(_READ)
        except OSError:
            return b""

    def _point(self, line: bytes) -> dict[str, Any] | None:
        try:
            point = json.loads(line)
            name, value, step = point["name"], float(point["value"]), point.get("step")
            if not isinstance(name, str) or not name or isinstance(point["value"], (str, bool)):
                raise ValueError
            step = None if step is None else float(step)
            if step is not None and not math.isfinite(step):
                raise ValueError
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            if self._number > self._complained:
                self._complain(f'metrics line {self._number} is not {{"name": …, "value": …}}: {line[:80]!r}')
            return None
        if math.isfinite(value):
            self.last[name] = value
        return {"name": name, "value": value if math.isfinite(value) else None, "step": step}


class Forwarder:
    """Sends what a `Tail` finds, once a second at most; `on_stop` is called once, when the gateway asks to stop.

    Its thread starts with the first `tick`, so that a step that is over before pays nothing. Metrics are no part of
    the result's truth: a gateway that is away delays them, and of more than 10,000 waiting points the oldest are lost. A gateway that does not know
    (any more) what it was sent is sent all of it again, with the word how much of it was answered. What is left at the end needs no answer.
    """

    def __init__(
        self,
        tail: Tail,
        send: Callable[[list[dict[str, Any]], int, int], dict[str, Any]],
        on_stop: Callable[[], None],
        every: float = EVERY,
    ) -> None:
        self._tail = tail
        self._send = send
        self._on_stop = on_stop
        self._every = every
        self._pending: list[dict[str, Any]] = []
        self._sent = self._heard = 0
        self._thread: Thread | None = None
        self._done: Event | None = None
        self._stopped = False

    def tick(self) -> None:
        """Begins to forward, if it has not begun."""
        if self._thread is not None:
            return
        from threading import Event, Thread

        self._done = Event()
        self._thread = Thread(target=self._run, args=(self._done,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Forwards what is left, in one try."""
        if self._thread is not None and self._done is not None:
            self._done.set()
            self._thread.join()
        self._flush(final=True)

    def _run(self, done: Event) -> None:
        self._flush()
        while not done.wait(self._every):
            self._flush()

    def _flush(self, *, final: bool = False) -> None:
        self._pending += self._tail.points(final=final)
        del self._pending[:-_KEPT]
        try:
            while batch := self._pending[:_BATCH]:
                until = self._sent + len(batch)
                answer = self._send(batch, self._sent, until if final else self._heard)
                if answer.get("again") and self._sent:
                    self._begin_again(final=final)
                    continue
                del self._pending[: len(batch)]
                self._sent, self._heard = until, max(self._heard, until)
                if answer.get("stop") and not self._stopped:
                    self._stopped = True
                    self._on_stop()
        except Exception:  # the gateway is away or has done with us: the commit will tell
            return

    def _begin_again(self, *, final: bool) -> None:
        self._tail.rewind()
        self._sent = 0
        self._pending = self._tail.points(final=final)[-_KEPT:]
