"""`mlwf reproduce`: a run is run once more where it ran, and compared. `mlwf export`: it is written down to be run elsewhere."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from mlworkflow.cli.live import View
from mlworkflow.core.names import MAX_NAME
from mlworkflow.runs import comparing, reproducing
from mlworkflow.runs.errors import RunsError
from mlworkflow.runs.places import Place
from mlworkflow.runs.records import standing
from mlworkflow.runs.run import Run, Runs

_SUFFIX = 12


async def reproduced(runs: Runs, name: str, place: Place, view: View, *, pin: bool) -> reproducing.Verdict:
    """Raises RunsError where it cannot be run again."""
    run = await runs.get(name)
    if not run.phase.is_finished:
        raise RunsError(
            f"{run.id} is {run.phase}: there is nothing to compare with yet", f"mlwf watch {run.id}{runs.flags}"
        )
    left = comparing.Side(run, await standing(runs, run))
    said = {task: await _as_it_ran(runs, run, record) for task, record in left.records.items()}
    own = str(run.resource["metadata"]["name"])
    if runs.is_local:
        from mlworkflow.cli.local_run import run_locally

        wanted = reproducing.resource(left, own, said, pin=pin)
        again, _ = await run_locally(place.find_home(os.environ), wanted, view)
    else:
        called = f"{own[: MAX_NAME - _SUFFIX].rstrip('-.')}-again-{secrets.token_hex(3)[:5]}"
        again = await _run_there(runs, reproducing.resource(left, called, said, pin=pin), view)
    return await reproducing.verdict(runs, left, comparing.Side(again, await standing(runs, again)))


async def exported(runs: Runs, name: str, *, pin: bool) -> dict[str, Any]:
    """The recipe of a run. Raises RunsError."""
    run = await runs.get(name)
    records = await standing(runs, run) if pin else {}
    return reproducing.recipe(run, {task: await _as_it_ran(runs, run, one) for task, one in records.items()}, pin=pin)


async def _as_it_ran(runs: Runs, run: Run, record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record of what ran: that of the attempt whose result it is, where that is kept."""
    uid, _, rest = str(record.get("cachedFrom") or "").partition("/")
    task, _, attempt = rest.rpartition("/")
    if not task:
        return record
    there = Run(run.id, {**run.resource, "metadata": {**run.resource["metadata"], "uid": uid}})
    return await runs.record(there, task, int(attempt)) or record


async def _run_there(runs: Runs, wanted: Mapping[str, Any], view: View) -> Run:
    """The run at its end. One whose images cannot be had by their digests is stopped at once."""
    made = await runs.submit(wanted)
    latest = made
    with view:
        async with aclosing(runs.watch(made.id)) as versions:
            async for latest in versions:
                view.show(latest)
                stuck = [task for task in latest.known.values() if task.get("reason") in reproducing.CANNOT_PULL]
                if stuck and not latest.phase.is_finished:
                    await runs.change(latest, {"cancel": True})
                    why = f"{made.id}: {stuck[0]['name']}: {stuck[0]['reason']}: {stuck[0].get('message', '')}"
                    hint = "an image that is in no registry has no digest to be had by: mlwf reproduce --no-pin"
                    raise RunsError(why, hint)
    return latest
