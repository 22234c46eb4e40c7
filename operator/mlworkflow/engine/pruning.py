"""Stopping trials that do not look promising: a decision is a record, written once, before anybody hears of it.

So it survives whatever dies, and a trial that has committed meanwhile keeps what it committed. Callers: `engine`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from mlworkflow.core import paths
from mlworkflow.core.actions import Judge, Publish
from mlworkflow.core.fingerprint import of_composed
from mlworkflow.core.names import Reason
from mlworkflow.core.observation import AttemptId, Result
from mlworkflow.core.study import deciding_metric
from mlworkflow.core.view import View
from mlworkflow.engine import records
from mlworkflow.engine.live import Live

if TYPE_CHECKING:
    from mlworkflow.engine.engine import Engine

_log = logging.getLogger(__name__)
TERMINATED = 143
"""The exit code of what SIGTERM ends."""


async def judge(engine: Engine, live: Live, action: Judge) -> None:
    """Decide which of the trials that are asked for go on, and write down which do not. Raises ChoiceFailed, StoreError."""
    pruned = await engine.chooser.judge(live.workflow.uid, action)
    for number, place in pruned.items():
        await _prune(engine, live, _attempt(action, number), place)
    for number in action.asked:
        if number not in pruned:
            live.curves.judged(_attempt(action, number), len(action.told[number].curve))
    engine.changed(live)


def _attempt(action: Judge, number: int) -> AttemptId:
    return paths.numbered(action.task, number), action.attempts[number]


async def _prune(engine: Engine, live: Live, trial: AttemptId, place: int) -> None:
    """Write the record of a trial's attempt that ends with the value at `place`, unless it has one."""
    node, now = live.plan.nodes[trial[0]], engine.clock()
    curve, metric = live.curves.of(trial).values[: place + 1], deciding_metric(node.owner.body)
    step, last = curve[-1]
    task = live.run.tasks[trial[0]]
    result = Result(
        exit_code=TERMINATED,
        reason=str(Reason.PRUNED),
        message=f"pruned at step {step}, where '{metric}' was {'no number' if last is None else last}",
        metrics={} if last is None else {metric: last},
        curve=curve,
        started_at=task.started_at or now,
        finished_at=now,
    )
    if node.is_unit:
        live.take(trial, await engine.commit(live, trial, result))
    else:
        view = View(live.workflow, live.plan.nodes, live.run.tasks, live.run.verdict)
        action = Publish(node.step, *trial, {}, fingerprint=of_composed(view, node))
        live.take(
            trial,
            await records.publish(engine.store, engine.write_new, live.key(trial), live.workflow.name, action, result),
        )
    live.curves.replace(trial, live.results[trial].curve)
    _log.info("%s: %s", live.workflow.subject(trial[0]), result.message)


def is_pruned(live: Live, attempt: AttemptId) -> bool:
    """Whether the trial that an attempt is, or is part of, has been pruned."""
    trial = live.curves.trial_of(attempt)
    result = live.results.get(trial) if trial else None
    return result is not None and result.reason == Reason.PRUNED
