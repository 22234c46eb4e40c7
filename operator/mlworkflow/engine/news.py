"""What a turn has brought about that a person wants to hear of without asking: pure. Callers: `kube.events`.

A workflow in which all goes well has two pieces of news, its start and its end; a step that succeeds is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mlworkflow.core.names import Reason
from mlworkflow.core.nodes import Role
from mlworkflow.core.plan import Plan
from mlworkflow.core.state import Phase, Task
from mlworkflow.engine.telling import Turned

ENDS = {Phase.SUCCEEDED: "Succeeded", Phase.FAILED: "Failed", Phase.CANCELLED: "Cancelled"}
NO_NEWS = frozenset({str(Reason.DEPENDENCY_FAILED), str(Reason.STEP_FAILED), str(Reason.ITEMS_FAILED)})
"""Of steps that failed because another did: that one is the news."""


@dataclass(frozen=True, slots=True)
class News:
    """`reason` is one word, `what` tells it from other news of the same reason, and stays the same if it is told twice."""

    reason: str
    message: str
    what: str
    is_warning: bool = False
    is_last: bool = False


def news(turned: Turned) -> list[News]:
    """In the order in which it happened."""
    return list(_news(turned))


def _news(turned: Turned) -> Iterator[News]:
    before, after, plan = turned.before, turned.after, turned.plan
    if before.phase is Phase.PENDING and after.phase in (Phase.RUNNING, Phase.SUSPENDED):
        yield News("Started", f"{len(plan.workflow.all_steps())} steps", f"started {after.rerun}")
    if before.phase is not Phase.SUSPENDED and after.phase is Phase.SUSPENDED:
        yield News("Suspended", "nothing new starts until it is resumed", f"suspended {plan.workflow.generation}")
    if before.phase is Phase.SUSPENDED and after.phase is Phase.RUNNING:
        yield News("Resumed", "steps start again", f"resumed {plan.workflow.generation}")
    for name, old, task in turned.tasks():
        yield from _of_task(plan, name, old, task)
    if after.phase in ENDS and not before.phase.is_finished:
        is_bad = after.phase is Phase.FAILED
        words = after.message or "all steps have ended"
        yield News(ENDS[after.phase], words, f"ended {after.rerun}", is_bad, is_last=True)


def _of_task(plan: Plan, name: str, old: Task, task: Task) -> Iterator[News]:
    node = plan.nodes.get(name)
    if node is None:
        return
    what = f"{name} {task.attempt}"
    words = f"{name}: {task.reason or task.phase}{': ' + task.message if task.message else ''}"
    if not task.is_finished and (task.failures, task.losses) > (old.failures, old.losses):
        reason = "StepLost" if task.losses > old.losses else "StepRetried"
        yield News(reason, words if task.reason else f"{name}: attempt {old.attempt} is tried again", what, True)
    if task.phase is Phase.RUNNING and old.phase is not Phase.RUNNING and node.role is Role.APPROVAL:
        yield News("WaitingForApproval", f"{name}: {task.message or 'waits for approval'}", what)
    if task.phase is Phase.FAILED and old.phase is not Phase.FAILED and task.reason not in NO_NEWS:
        yield News("GateFailed" if task.reason == "GateFailed" else "StepFailed", words, what, True)
    if (
        task.phase is Phase.SUCCEEDED
        and not old.is_finished
        and node.role is Role.PROMOTION
        and not node.step.body.get("dryRun")
    ):
        version, previous = (task.parameters.get(field) or "none" for field in ("version", "previous"))
        yield News("Promoted", f"{name}: the alias means version {version}, and meant {previous} before", what)
