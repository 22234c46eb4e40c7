"""The output of steps: from where an attempt runs while it runs, from its record once it has ended."""

from __future__ import annotations

from collections.abc import AsyncIterator

from mlworkflow.core import paths
from mlworkflow.core.state import Phase
from mlworkflow.runs.errors import RunsError
from mlworkflow.runs.run import NoLog, Run, Runs


async def log_of(runs: Runs, run: Run, task: str, attempt: int | None, follow: bool) -> AsyncIterator[bytes]:
    """The output of one attempt (None: the last); with `follow` until it ends. Raises RunsError where there is none."""
    if follow:
        run = await _started(runs, run, task)
    status = run.task(task)
    attempts = int(status.get("attempts") or 0)
    number = attempts - 1 if attempt is None else attempt
    if not 0 <= number < attempts:
        had = f"attempts 0 to {attempts - 1}" if attempts else "not been started yet"
        raise RunsError(
            f"{run.id}: {task} has {had}",
            f"look: mlwf get {run.id}{runs.flags}; wait for it: mlwf logs {run.id} {task} -f{runs.flags}",
        )
    if status["phase"] == Phase.RUNNING and number == attempts - 1:
        try:
            async for piece in runs.live_log(run, task, number, follow):
                yield piece
            return
        except NoLog:
            run = await runs.get(run.id)  # it may just have ended
    async for piece in _kept(runs, run, task, number):
        yield piece


async def all_logs(runs: Runs, run: Run, follow: bool) -> AsyncIterator[bytes]:
    """The output of every task, in the order of their starts, each under its name; with `follow` to the run's end."""
    seen: set[str] = set()
    while True:
        fresh = [(task, status) for task, status in run.tasks() if task not in seen and not run.is_composed(task)]
        for task, _ in sorted(fresh, key=lambda item: item[1].get("startedAt") or ""):
            seen.add(task)
            yield f"==> {task} <==\n".encode()
            try:
                async for piece in log_of(runs, run, task, None, follow):
                    yield piece
            except NoLog as error:
                yield f"({error})\n".encode()
        if not follow or (run.phase.is_finished and not fresh):
            return
        run = await (runs.get(run.id) if fresh else _news(runs, run))


async def _started(runs: Runs, run: Run, task: str) -> Run:
    """The run once the task has started, or ended without."""
    while not run.phase.is_finished and not _is_started(run, task):
        run = await _news(runs, run)
    return run


async def _news(runs: Runs, run: Run) -> Run:
    """The run when it differs from what we know."""
    latest = run
    async for latest in runs.watch(run.id):
        if latest.status != run.status:
            break
    return latest


def _is_started(run: Run, task: str) -> bool:
    try:
        return bool(run.task(task).get("attempts"))
    except RunsError:
        if paths.parent(task) is not None or not run.steps:
            return False  # an item or a trial yet to come, or no status yet
        raise


async def _kept(runs: Runs, run: Run, task: str, attempt: int) -> AsyncIterator[bytes]:
    if run.is_composed(task):
        first = run.below(task)[0]["name"] if run.below(task) else f"{task}/0"
        raise RunsError(
            f"{task} is made of other tasks, which have logs", f"try: mlwf logs {run.id} {first}{runs.flags}"
        )
    record = await runs.record(run, task, attempt)
    logs = (record or {}).get("logs") or await runs.kept_log(run, task, attempt)
    if logs:
        async for piece in runs.artifact(run, logs["digest"]):
            yield piece
    elif record is None:
        async for piece in runs.live_log(run, task, attempt, False):  # it never committed, but may have left something
            yield piece
