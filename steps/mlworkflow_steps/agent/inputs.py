"""Inputs of a step, a few at a time."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping

from mlworkflow_steps.agent.errors import StepFailure
from mlworkflow_steps.agent.folders import Folders
from mlworkflow_steps.agent.gateway import Gateway

TYPE_CHECKING = False  # importing typing would cost more than all of this
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    _T = TypeVar("_T")

PARALLEL = 4
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def fetch_all(
    gateway: Gateway, inputs: Mapping[str, dict[str, Any]], folders: Folders, *, readable: bool = False
) -> None:
    """Puts every input where the step expects it; raises the first failure, as `transfer.fetch` does, and `StepFailure` (`DiskFull`,
    `InputInvalid`) where one cannot be written here.
    """
    if not inputs:
        return
    from mlworkflow_steps.agent import transfer

    def fetch(named: tuple[str, dict[str, Any]]) -> None:
        name, artifact = named
        try:
            put(name, artifact)
        except OSError as error:  # not a connection, which is waited for: the disk here
            reason = "DiskFull" if error.errno in _NO_ROOM else "InputInvalid"
            raise StepFailure(reason, f"input {name!r} cannot be written: {error.strerror}") from error

    def put(name: str, artifact: dict[str, Any]) -> None:
        target = os.path.join(folders.inputs, name)
        if artifact["type"] == "collection":
            from mlworkflow_steps.agent import collection

            collection.fetch(gateway, name, artifact, target, readable=readable)
            return
        source = transfer.Source(f"input {name!r}", lambda: gateway.input_url(name), gateway.patience)
        transfer.fetch(source, artifact, target, readable=readable)

    in_threads(fetch, inputs.items(), min(PARALLEL, len(inputs)))


def in_threads(work: Callable[[_T], None], items: Iterable[_T], threads: int) -> None:
    """Does `work` for each item, by several threads that take them one after the other; raises the first failure, after
    which nothing more is begun.
    """
    if threads == 1:
        for item in items:
            work(item)
        return
    from threading import Lock, Thread

    pending, lock = iter(items), Lock()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            while not failures:
                with lock:
                    item = next(pending)
                work(item)
        except StopIteration:
            return
        except BaseException as error:
            failures.append(error)

    started = [Thread(target=run, daemon=True) for _ in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    if failures:
        raise failures[0]
