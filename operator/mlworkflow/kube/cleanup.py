"""`spec.podCleanup`: Pods that have ended are deleted, each once, as soon as nothing of them is needed any more.

What is needed is the log: it is kept with an attempt's record, so an attempt without one keeps its Pod, save where the infrastructure
took it and its log with it. Nothing else depends on a Pod that has ended: results are read from the store.
"""

from __future__ import annotations

import asyncio

from mlworkflow.core.observation import Attempt, AttemptId, Seen
from mlworkflow.core.state import PENDING, Phase
from mlworkflow.engine.driver import Driver
from mlworkflow.engine.live import Live
from mlworkflow.kube.objects import Json
from mlworkflow.kube.retention import pod_cleanup

AT_ONCE = 8
"""Deletions under way at the same time, of all workflows together: a clean-up is never urgent."""


class Cleanup:
    """Remembers which attempts have been dealt with, for as long as their workflow is known."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._settled: dict[str, set[AttemptId]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)

    def is_due(self, resource: Json) -> bool:
        """Whether a workflow that has ended may have Pods to delete, so that its records are worth reading."""
        uid, phase = resource["metadata"]["uid"], (resource.get("status") or {}).get("phase")
        match pod_cleanup(resource):
            case "Never":
                return False
            case "WorkflowSucceeded" if phase != Phase.SUCCEEDED:
                return False
        settled = self._settled.get(uid, ())
        return any(is_over(attempt) and key not in settled for key, attempt in self._driver.attempts(uid).items())

    async def clean(self, live: Live) -> None:
        """Delete what there is to delete now. Raises ApiError; what has been deleted by then is not deleted again."""
        if live.workflow.pod_cleanup == "Never":
            return
        uid = live.workflow.uid
        settled = self._settled.setdefault(uid, set())
        ended = {key: attempt for key, attempt in self._driver.attempts(uid).items() if is_over(attempt)}
        wanted = {
            attempt.handle: attempt
            for key, attempt in ended.items()
            if key not in settled
            and all(other in ended and _is_wanted(live, other, ended[other]) for other in attempt.aboard or [key])
        }
        await asyncio.gather(*(self._delete(live, attempt, settled) for attempt in wanted.values()))
        if live.run.phase.is_finished:
            settled.update(ended)  # the others stay

    def forget(self, uid: str) -> None:
        self._settled.pop(uid, None)

    async def _delete(self, live: Live, attempt: Attempt, settled: set[AttemptId]) -> None:
        key = (attempt.task, attempt.number)
        async with self._slots:
            await self._driver.stop(live.workflow.namespace, live.workflow.uid, key, attempt.handle)
        settled.update(attempt.aboard or [key])


def is_over(attempt: Attempt) -> bool:
    """Whether a Pod has ended, and nobody has asked for its end yet."""
    return attempt.seen is Seen.ENDED and not attempt.leaving and not attempt.lingering


def _is_wanted(live: Live, key: AttemptId, attempt: Attempt) -> bool:
    was_stopped = attempt.aboard and not live.is_under_way(key)  # and kept its log itself, for its Pod went on
    if key not in live.results and not attempt.lost and not was_stopped:
        return False
    task, run = live.run.tasks.get(attempt.task, PENDING), live.run
    match live.workflow.pod_cleanup:
        case "StepSucceeded":
            return task.phase is Phase.SUCCEEDED
        case "StepEnded":
            return task.is_finished
        case "WorkflowSucceeded":
            return run.phase is Phase.SUCCEEDED
        case "WorkflowEnded":
            return run.phase.is_finished
        case _:
            return False
