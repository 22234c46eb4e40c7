"""Running steps again because a person asks for it (`spec.rerun`): what has failed, what was named, what an edit has changed, and all that follows.

What has committed and is not concerned stays as it is. The new state is written to the status before anything is done about it: a record that an
earlier attempt left must never be taken for the answer to the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from mlworkflow.core import orders, paths
from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.fingerprint import of_composed
from mlworkflow.core.graph import Scope
from mlworkflow.core.names import Reason
from mlworkflow.core.nodes import Node, Role
from mlworkflow.core.observation import Result
from mlworkflow.core.plan import Plan
from mlworkflow.core.state import PENDING, Phase, Run, Task
from mlworkflow.core.view import View


def is_asked(plan: Plan, run: Run) -> bool:
    """Whether there is a request that has not been honoured."""
    rerun = plan.workflow.rerun
    return rerun is not None and rerun.id != run.rerun


@dataclass(frozen=True, slots=True)
class Renewed:
    """The state from which a request is carried out, and the tasks whose checkpoint is of no use to their next attempt: they had succeeded, or
    would run from something else now.
    """

    run: Run
    stale: tuple[str, ...] = ()


def honour(plan: Plan, run: Run, now: float) -> Renewed:
    """What a request makes of a run; one that names a step that is not there changes nothing, and is told so."""
    rerun = plan.workflow.rerun
    assert rerun is not None
    if unknown := [name for name in rerun.steps if name not in plan.workflow.steps]:
        known = ", ".join(plan.workflow.steps)
        message = f"spec.rerun.steps: there is no step '{unknown[0]}'; the steps are {known}"
        return Renewed(replace(run, message=message, rerun=rerun.id))
    tasks = dict(run.tasks)
    again = _Again(plan, View(plan.workflow, plan.nodes, tasks), tasks, now)
    again.scope(plan.graph.main, paths.ROOT, frozenset(rerun.steps))
    for name in plan.graph.exit.order:
        again.whole(plan.nodes[name])
    return Renewed(Run(Phase.RUNNING, "", "", now, None, tasks, None, rerun.id), tuple(again.stale))


def with_records(run: Run, results: Mapping[tuple[str, int], Result]) -> Run:
    """A state that was read from a status, with what the status does not hold and the records do: fingerprints, and every metric."""
    tasks = {}
    for name, task in run.tasks.items():
        found = results.get((name, task.attempt))
        tasks[name] = replace(task, fingerprint=found.fingerprint, metrics=found.metrics) if found else task
    return replace(run, tasks=tasks)


def with_points(plan: Plan, run: Run, recorded: Mapping[str, Mapping[str, Any]]) -> Run:
    """A state that was read from a status, with the points of those trials of a grid that the status leaves to their records (task → parameters):
    what each has tried cannot be told from the grid, which may have been another.
    """
    tasks = dict(run.tasks)
    for name, params in recorded.items():
        node = plan.nodes.get(name)
        if node is not None and node.trial is not None and "grid" in node.owner.body.get("algorithm", {"grid": {}}):
            task = tasks.get(name, PENDING)
            names = [*node.owner.body["space"], *node.owner.body.get("fixed", {})]
            if not task.params:
                tasks[name] = replace(task, params={each: params[each] for each in names if each in params})
    return replace(run, tasks=tasks)


@dataclass(frozen=True, slots=True)
class _Again:
    """The tasks as they become; `view` looks at them."""

    plan: Plan
    view: View
    tasks: dict[str, Task]
    now: float
    stale: list[str] = field(default_factory=list)

    def scope(self, scope: Scope, at: str, named: frozenset[str] = frozenset()) -> None:
        """The steps of a scope, in their order: the named ones, or else what has failed or changed, and with each what comes after."""
        again: set[str] = set()
        for name in scope.order:
            node = self.plan.nodes[paths.child(at, name)]
            if name in named or any(parent in again for parent in scope.needs[name]):
                self.whole(node)
            elif not named and self._is_concerned(node):
                self.part(node)
            else:
                continue
            again.add(name)

    def whole(self, node: Node) -> None:
        """A task and all that it is made of. A group's next attempt has tasks of its own."""
        if node.role is not Role.GROUP:
            for child in self._children(node):
                self.whole(child)
        self._renew(node)

    def part(self, node: Node) -> None:
        """What of a task has failed or has changed. What has no result yet goes on as it is."""
        task = self._task(node)
        goes_on = task.phase is not Phase.SUCCEEDED and task.attempt >= 0 and node.role in _COMPOSED
        if node.role is Role.GROUP and goes_on:
            assert node.inner is not None
            self.scope(node.inner, paths.scope_of(node.task, task.attempt))
        elif node.role is not Role.GROUP:
            for child in self._children(node):
                if self._is_concerned(child):
                    self.part(child)
        self._renew(node)
        if goes_on:
            self.tasks[node.task] = Task(
                phase=Phase.RUNNING, attempt=task.attempt, since=task.since, started_at=self.now
            )

    def _is_concerned(self, node: Node) -> bool:
        """Whether a task has ended without success (as a trial that was pruned has not), or would run from something else now than it did. One that was skipped is concerned
        where its condition holds now; where it followed another, that one says.
        """
        task = self._task(node)
        match task.phase:
            case Phase.SUCCEEDED:
                return self._has_changed(node)
            case Phase.CANCELLED if task.is_pruned and task.fingerprint:
                return self._has_changed(node)
            case Phase.SKIPPED:
                return task.reason == Reason.CONDITION_FALSE and self._is_wanted(node)
        return task.is_finished

    def _has_changed(self, node: Node) -> bool:
        task = self._task(node)
        try:
            if node.is_unit:
                return task.fingerprint != orders.order(self.view, node, task.attempt).fingerprint
            return task.fingerprint != of_composed(self.view, node)
        except (ExpressionError, KeyError):
            return True

    def _is_wanted(self, node: Node) -> bool:
        try:
            return self.view.condition(node)
        except ExpressionError:
            return True

    def _children(self, node: Node) -> list[Node]:
        found = [self.plan.nodes.get(name) for name in self.tasks if paths.parent(name) == node.task]
        return [child for child in found if child is not None]

    def _task(self, node: Node) -> Task:
        return self.tasks.get(node.task, PENDING)

    def _renew(self, node: Node) -> None:
        """Back to Pending, with the next attempt as the first that counts."""
        task = self._task(node)
        if node.is_unit and (task.phase is Phase.SUCCEEDED or (task.fingerprint and self._has_changed(node))):
            self.stale.append(node.task)
        leaves = self.now if task.phase is Phase.RUNNING else 0.0  # its attempt is given its time to end
        self.tasks[node.task] = Task(
            attempt=task.attempt, since=task.attempt + 1, not_before=leaves, params=task.params
        )


_COMPOSED = frozenset({Role.FAN, Role.STUDY, Role.GROUP})
