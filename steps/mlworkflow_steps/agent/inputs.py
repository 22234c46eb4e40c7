"""Inputs of a step, a few at a time."""

from __future__ import annotations

import os
from collections.abc import Mapping

from mlworkflow_steps.agent.folders import Folders
from mlworkflow_steps.agent.gateway import Gateway

TYPE_CHECKING = False  # importing typing would cost more than all of this
if TYPE_CHECKING:
    from typing import Any

PARALLEL = 4


def fetch_all(
    gateway: Gateway, inputs: Mapping[str, dict[str, Any]], folders: Folders, *, readable: bool = False
) -> None:
    """Puts every input where the step expects it; raises the first failure, as `transfer.fetch` does."""
    if not inputs:
        return
    from mlworkflow_steps.agent import transfer

    pending = list(inputs.items())
    failures: list[BaseException] = []

    def work() -> None:
        while pending and not failures:
            try:
                name, artifact = pending.pop()
            except IndexError:
                return
            try:
                transfer.fetch(gateway, name, artifact, os.path.join(folders.inputs, name), readable=readable)
            except BaseException as error:
                failures.append(error)

    if len(pending) == 1:
        work()
    else:
        from threading import Thread

        threads = [Thread(target=work, daemon=True) for _ in range(min(PARALLEL, len(pending)))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]
