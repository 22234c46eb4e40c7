"""A store whose calls are counted and timed. Signing is no call."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from mlworkflow.engine.records import WriteNew
from mlworkflow.metrics import definitions as d
from mlworkflow.metrics.meter import Meter
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.errors import NotFound, StoreError, StoreUnavailable

CALLS = frozenset({"stat", "read_bytes", "write_bytes", "write", "refresh", "discard", "delete", "check"})
STREAMS = frozenset({"read", "list", "entries", "folders"})


def measured(store: ArtifactStore, meter: Meter) -> ArtifactStore:
    """The same store."""
    return cast("ArtifactStore", _Measured(store, meter))


def measured_writes(write_new: WriteNew, meter: Meter) -> WriteNew:
    """The same writer of new objects, counted with the store's own writes."""

    async def timed(key: str, data: bytes) -> bool:
        with _noted(meter, "write_bytes"):
            is_written = await write_new(key, data)
        meter.add(d.STORE_BYTES, "written", amount=len(data))
        return is_written

    return timed


class _Measured:
    def __init__(self, store: ArtifactStore, meter: Meter) -> None:
        self._store, self._meter = store, meter

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name in CALLS:
            found = self._timed(name, found)
        elif name in STREAMS:
            found = self._streamed(name, found)
        else:
            return found  # a property may become another
        setattr(self, name, found)
        return found

    def _timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **options: Any) -> Any:
            with _noted(self._meter, name):
                answer = call(*args, **options)
            if name == "read_bytes":
                self._meter.add(d.STORE_BYTES, "read", amount=len(answer))
            elif name == "write_bytes":
                self._meter.add(d.STORE_BYTES, "written", amount=len(args[1]))
            elif name == "write":
                self._meter.add(d.STORE_BYTES, "written", amount=args[2])
            return answer

        return timed

    def _streamed(self, name: str, call: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        def timed(*args: Any) -> Iterator[Any]:
            began = time.perf_counter()
            try:
                pieces = call(*args)
            except Exception as error:
                _note(self._meter, name, _outcome(error), time.perf_counter() - began)
                raise
            return self._pieces(name, pieces, time.perf_counter() - began)

        return timed

    def _pieces(self, name: str, pieces: Iterator[Any], spent: float) -> Iterator[Any]:
        """What is spent by who takes the pieces is not counted."""
        outcome = "ok"
        try:
            while True:
                began = time.perf_counter()
                try:
                    piece = next(pieces)
                except StopIteration:
                    return
                finally:
                    spent += time.perf_counter() - began
                if name == "read":
                    self._meter.add(d.STORE_BYTES, "read", amount=len(piece))
                yield piece
        except StoreError as error:
            outcome = _outcome(error)
            raise
        finally:
            close = getattr(pieces, "close", None)
            if close:
                close()
            _note(self._meter, name, outcome, spent)


@contextmanager
def _noted(meter: Meter, name: str) -> Iterator[None]:
    """What goes on in it is one call."""
    began, outcome = time.perf_counter(), "ok"
    try:
        yield
    except Exception as error:
        outcome = _outcome(error)
        raise
    finally:
        _note(meter, name, outcome, time.perf_counter() - began)


def _note(meter: Meter, name: str, outcome: str, seconds: float) -> None:
    meter.add(d.STORE_REQUESTS, name, outcome)
    meter.observe(d.STORE_DURATION, seconds, name)


def _outcome(error: BaseException) -> str:
    if isinstance(error, NotFound):
        return "absent"
    if isinstance(error, StoreUnavailable):
        return "unavailable"
    return "refused" if isinstance(error, StoreError) else "bug"
