"""What a turn asks for besides attempts to be created: attempts stopped and looked for, and results that are written without a Pod.

Callers: `engine`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

from mlworkflow.core.actions import Choose, Judge, LookUp, Probe, Promote, Publish, Stop
from mlworkflow.core.observation import AttemptId, Probed, Result, Seen
from mlworkflow.core.state import PENDING
from mlworkflow.engine import named, pruning, records, searching
from mlworkflow.engine.live import Live

if TYPE_CHECKING:
    from mlworkflow.engine.engine import Engine

Effect: TypeAlias = Stop | Probe | Publish | LookUp | Promote | Choose | Judge


async def carry_out(engine: Engine, live: Live, action: Effect) -> bool:
    """Do it. Whether another turn is due at once."""
    namespace, uid = live.workflow.namespace, live.workflow.uid
    if isinstance(action, Stop):
        live.creating.pop((action.task, action.attempt), None)
        await engine.driver.stop(namespace, uid, (action.task, action.attempt), action.handle, action.grace)
        return False
    if isinstance(action, Probe):
        return await _probe(engine, live, (action.task, action.attempt), action.handle)
    if isinstance(action, LookUp | Promote):
        await _settle(engine, live, action)
    if isinstance(action, Choose):
        if action.task not in live.choosing:
            live.choosing[action.task] = asyncio.create_task(
                searching.aside(engine, live, action.task, live.choosing, searching.choose(engine, live, action))
            )
        return False
    if isinstance(action, Judge):
        if action.task not in live.judging:
            live.judging[action.task] = asyncio.create_task(
                searching.aside(engine, live, action.task, live.judging, pruning.judge(engine, live, action))
            )
        return False
    if isinstance(action, Publish):
        await _publish(engine, live, action)
    return True


async def _probe(engine: Engine, live: Live, attempt: AttemptId, handle: str) -> bool:
    namespace, uid = live.workflow.namespace, live.workflow.uid
    if record := await records.read(engine.store, live.key(attempt)):
        live.take(attempt, record)
        return True
    found = await engine.driver.find(namespace, uid, attempt, handle)
    seen = engine.driver.attempts(uid).get(attempt)
    if seen and seen.seen is Seen.ENDED and not seen.lost and seen.exit_code != 0:
        log = found.log
        logs = await records.put(engine.store, namespace, log) if log else None
        result = records.spoken_for(seen, log, logs, engine.clock())
        live.take(attempt, await engine.commit(live, attempt, result))
    else:
        live.probed[attempt] = Probed(found.exists, records.tail(found.log))
    return True


async def _publish(engine: Engine, live: Live, action: Publish) -> None:
    attempt = (action.task, action.attempt)
    if attempt in live.results:
        return
    namespace, now = live.workflow.namespace, engine.clock()
    made = [(name, data, "file") for name, data in action.files.items()]
    made += [(name, data, "collection") for name, data in action.collections.items()]
    files = {name: await records.put(engine.store, namespace, data, type_) for name, data, type_ in made}
    result = Result(
        exit_code=0,
        outputs={**action.reuse, **files},
        parameters=action.parameters,
        started_at=live.run.tasks.get(action.task, PENDING).started_at or now,
        finished_at=now,
    )
    await _write(engine, live, action, result)


async def _settle(engine: Engine, live: Live, action: LookUp | Promote) -> None:
    """Commit what a name stands for, or that it does from now on, or why not."""
    if (action.task, action.attempt) in live.results:
        return
    known = list(live.results.values())
    done = await asyncio.to_thread(named.settled, engine.store, live.workflow, known, action)
    now = engine.clock()
    result = Result(
        exit_code=1 if done.reason else 0,
        reason=done.reason,
        message=done.message,
        outputs=done.outputs,
        parameters=done.parameters,
        cached_from=done.left_by,
        started_at=live.run.tasks.get(action.task, PENDING).started_at or now,
        finished_at=now,
    )
    inputs = action.inputs if isinstance(action, Promote) else {}
    published = Publish(action.step, action.task, action.attempt, {}, inputs=inputs, fingerprint=action.fingerprint)
    await _write(engine, live, published, result)


async def _write(engine: Engine, live: Live, action: Publish, result: Result) -> None:
    written = await records.publish(
        engine.store, engine.write_new, live.key((action.task, action.attempt)), live.workflow.name, action, result
    )
    live.take((action.task, action.attempt), written)
