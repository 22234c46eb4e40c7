"""The workflow's own phase, from those of its steps; and an end to attempts that nobody waits for."""

from __future__ import annotations

from mlworkflow.core import paths
from mlworkflow.core.actions import Stop
from mlworkflow.core.graph import Scope
from mlworkflow.core.names import Reason
from mlworkflow.core.observation import Seen
from mlworkflow.core.policies.groups import first_failure, told
from mlworkflow.core.state import Phase, Run
from mlworkflow.core.turn import Turn, shortened

_MOST_CAUSES = 3


def judge(turn: Turn) -> None:
    """The end of the workflow's own steps is the end of the workflow, but for the steps of `onExit`."""
    if turn.verdict is None and turn.has_ended(turn.graph.main):
        if failure := _failure(turn, turn.graph.main):
            turn.end(Phase.FAILED, Reason.STEP_FAILED, failure)
        else:
            turn.end(Phase.SUCCEEDED, Reason.SUCCEEDED, "")


def stop_orphans(turn: Turn) -> None:
    """A task that is part of one that has ended ends with it, whatever an older state said of it."""
    for node, _ in turn.open_tasks():
        ended = next((above for above in node.chain() if above is not node and turn.task(above.task).is_finished), None)
        if ended is not None:
            turn.stop_task(node.task, Phase.CANCELLED, Reason.CANCELLED, f"'{ended.task}' has ended")


def stop_leftovers(turn: Turn) -> None:
    """An attempt that is neither its task's current one nor about to leave by itself, having committed, is stopped.

    One that lingers will not leave by itself: it is stopped as soon as all is known of it.
    """
    asked = {(action.task, action.attempt) for action in turn.actions if isinstance(action, Stop)}
    for key, attempt in turn.touched_attempts():
        if attempt.leaving or key in asked or (attempt.seen is Seen.ENDED and not attempt.lingering):
            continue
        task = turn.task(attempt.task)
        is_current = task.phase is Phase.RUNNING and task.attempt == attempt.number
        is_pruned = task.is_pruned
        is_known = key in turn.seen.results and not is_pruned
        if not (is_current and not is_known if attempt.lingering else is_current or is_known):
            node = turn.nodes.get(attempt.task)
            grace = shortened(node) if is_pruned and node else None
            turn.ask(Stop(attempt.task, attempt.number, attempt.handle, grace))


def conclude(turn: Turn) -> Run:
    """The state after this turn."""
    run = turn.run
    began = run.started_at if run.started_at is not None else turn.now
    verdict = turn.verdict
    if verdict is None:
        phase = Phase.SUSPENDED if turn.workflow.suspend else Phase.RUNNING
        return Run(phase, "", turn.seen.waiting or _waits(turn), began, None, turn.tasks, None, run.rerun)
    if not turn.has_ended(turn.graph.exit):
        message = f"{verdict.phase}{': ' + verdict.message if verdict.message else ''}; the steps of onExit run"
        return Run(Phase.RUNNING, "", message, began, None, turn.tasks, verdict, run.rerun)
    phase, reason, message = verdict.phase, verdict.reason, verdict.message
    if failure := _failure(turn, turn.graph.exit):
        message = f"{message}; {failure}" if message else failure
        if phase is Phase.SUCCEEDED:
            phase, reason = Phase.FAILED, str(Reason.EXIT_FAILED)
    return Run(phase, reason, message, began, turn.now, turn.tasks, verdict, run.rerun)


def _failure(turn: Turn, scope: Scope) -> str:
    """The first failure that counts, in one sentence; nothing where there is none."""
    nodes = {name: turn.node(paths.child(paths.ROOT, name)) for name in scope.order}
    tasks = {name: turn.task(name) for name in scope.order}
    failed = first_failure(nodes, tasks)
    return told(failed, tasks[failed]) if failed else ""


def _waits(turn: Turn) -> str:
    """What the workflow waits for, where that is not its own steps."""
    alike: dict[str, tuple[str, int]] = {}
    for blocked in turn.blocked:
        first, count = alike.get(blocked.what, (blocked.task, 0))
        alike[blocked.what] = first, count + blocked.count
    return "; ".join(
        f"step '{first}' waits for {what}{f' (and {count - 1} more tasks wait)' if count > 1 else ''}"
        for what, (first, count) in list(alike.items())[:_MOST_CAUSES]
    )
