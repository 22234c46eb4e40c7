"""What is asked of Optuna by the side, for it may take long: the parameters of the next trials, and which trials go on. Callers: `effects`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from msgspec import UNSET

from mlworkflow.core.actions import Choose
from mlworkflow.engine import records
from mlworkflow.engine.choosing import ChoiceFailed
from mlworkflow.engine.live import Live
from mlworkflow.engine.recalling import NoSearch, recall, run_of
from mlworkflow.store.errors import StoreError
from mlworkflow.store.records import Known

if TYPE_CHECKING:
    from mlworkflow.engine.engine import Engine

_log = logging.getLogger(__name__)
ASK_AGAIN = 3.0
"""Seconds until what could not be chosen is asked for again."""


async def choose(engine: Engine, live: Live, action: Choose) -> None:
    """Have parameters chosen, and write them down. Raises ChoiceFailed, NoSearch, StoreError."""
    prior = await _prior(engine, live, action)
    chosen = await engine.chooser.choose(action, live.chosen, prior)
    await records.keep_trials(engine.store, live.key((action.task, 0)), chosen)
    live.chosen |= chosen
    for task in (*chosen, action.task):
        live.memory.note_task(task)


async def aside(
    engine: Engine, live: Live, task: str, under_way: dict[str, asyncio.Task[None]], asking: Awaitable[None]
) -> None:
    """Ask Optuna by the side, for it may take long. The turn after it knows of the answer."""
    try:
        await asking
    except (ChoiceFailed, NoSearch) as failure:
        live.unchosen[task] = str(failure)
    except Exception as trouble:  # the store is away, or a bug: asked again
        is_known = isinstance(trouble, StoreError)
        _log.warning("%s: choosing: %s", live.workflow.subject(task), trouble, exc_info=not is_known)
        await asyncio.sleep(ASK_AGAIN)
    finally:
        del under_way[task]
        live.memory.note_task(task)
        engine.wake(live.workflow.uid)


def _called(engine: Engine, namespace: str, name: str) -> list[str]:
    """The runs of a name that are not in the archive, as far as they are known here."""
    found = [live.workflow for live in list(engine.live.values())]
    mine = [workflow.uid for workflow in found if (workflow.namespace, workflow.name) == (namespace, name)]
    return list(dict.fromkeys([*mine, *engine.called(namespace, name)]))


async def _prior(engine: Engine, live: Live, action: Choose) -> list[Known]:
    """What a search knows of another one: found once, and written down. Raises NoSearch."""
    wanted = action.study.warm_start
    if wanted is UNSET:
        return []
    known = live.priors.get(action.task)
    if known is None or known.source != wanted.from_:
        runs = await asyncio.to_thread(_called, engine, live.workflow.namespace, run_of(wanted))
        known = await asyncio.to_thread(recall, engine.store, live.key((action.task, 0)), action.study, runs)
        await records.keep_prior(engine.store, live.key((action.task, 0)), known)
        live.priors[action.task] = known
    return known.trials
