"""What a turn of `decide` knows, and what policies ask of it: the plan, the state as it is by now, what is seen, and what there is news of.

Nothing here changes a task; `turn` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mlworkflow.core import paths
from mlworkflow.core.graph import Graph, Scope
from mlworkflow.core.memory import Memory, Place
from mlworkflow.core.model import Workflow
from mlworkflow.core.nodes import Node, Nodes
from mlworkflow.core.observation import Attempt, AttemptId, Observations, Result
from mlworkflow.core.plan import Plan
from mlworkflow.core.state import PENDING, Phase, Run, Task, Verdict
from mlworkflow.core.view import View


@dataclass(slots=True)
class Facts:
    """What was given (`plan`, `run`, `seen`, `now`), and the working copy of the state: `tasks` and `verdict`, `changed` with what the tasks were
    that have changed, and `starts`, the Pods of this turn.

    Of a turn before, `memory` knows what there is to look at; policies look at nothing else.
    """

    plan: Plan
    run: Run
    seen: Observations
    now: float
    memory: Memory = field(default_factory=Memory)
    tasks: dict[str, Task] = field(init=False)
    changed: dict[str, Task] = field(default_factory=dict)
    verdict: Verdict | None = None
    starts: int = 0
    view: View = field(init=False)
    _news: tuple[list[str], list[AttemptId]] | None = None

    def __post_init__(self) -> None:
        self._news = self.memory.begin(self.plan, self.run, self.now)
        tasks = self.run.tasks
        # an edit may have removed steps
        self.tasks = (
            dict(tasks)
            if self._news is not None
            else {name: task for name, task in tasks.items() if self.nodes.get(name)}
        )
        self.verdict = self.run.verdict
        self.view = View(self.workflow, self.nodes, self.tasks, self.verdict, self.memory.items)

    @property
    def workflow(self) -> Workflow:
        return self.plan.workflow

    @property
    def graph(self) -> Graph:
        return self.plan.graph

    @property
    def nodes(self) -> Nodes:
        return self.plan.nodes

    def task(self, name: str) -> Task:
        return self.tasks.get(name, PENDING)

    def node(self, name: str) -> Node:
        return self.nodes[name]

    def attempts(self) -> list[tuple[AttemptId, Attempt]]:
        """The attempts that are seen, of which there is news."""
        seen = self.seen.attempts
        return list(seen.items()) if self._news is None else [(key, seen[key]) for key in self._news[1] if key in seen]

    def results(self) -> list[tuple[AttemptId, Result]]:
        """The results of which there is news, in their order."""
        found = self.seen.results
        return (
            sorted(found.items())
            if self._news is None
            else [(key, found[key]) for key in self._news[1] if key in found]
        )

    def touched_attempts(self) -> Iterator[tuple[AttemptId, Attempt]]:
        """The attempts that are seen, of the tasks of which there is news, or that have changed in this turn."""
        if self._news is None:
            yield from self.seen.attempts.items()
            return
        tasks = dict.fromkeys([*self._news[0], *self.changed])
        known = ((name, number) for name in tasks for number in range(self.task(name).attempt + 1))
        for key in dict.fromkeys([*known, *self._news[1]]):
            if attempt := self.seen.attempts.get(key):
                yield key, attempt

    def is_its_turn(self, key: AttemptId) -> bool:
        """Whether an attempt runs, of those that share a Pod one after the other: none before it is under way."""
        attempt = self.seen.attempts.get(key)
        if attempt is None or attempt.running_since is None:
            return False
        before = attempt.aboard[: attempt.aboard.index(key)] if attempt.aboard else ()
        return not any(self._is_under_way(other) for other in before)

    def _is_under_way(self, key: AttemptId) -> bool:
        task = self.task(key[0])
        return task.phase is Phase.RUNNING and task.attempt == key[1] and key not in self.seen.results

    def open_tasks(self) -> list[tuple[Node, Task]]:
        """The tasks that have not ended, of those that the state knows and of which there is news, or that have changed in this turn."""
        names = self.tasks if self._news is None else dict.fromkeys([*self._news[0], *self.changed])
        found = [(name, self.tasks[name]) for name in names if name in self.tasks]
        return [(self.node(name), task) for name, task in found if not task.is_finished]

    def running(self) -> list[tuple[Node, Task]]:
        """Those of them that have an attempt under way."""
        return [(node, task) for node, task in self.open_tasks() if task.phase is Phase.RUNNING and node.is_unit]

    @property
    def pods(self) -> int:
        """How many attempts are under way."""
        return self.memory.pods

    @property
    def held(self) -> Mapping[str, int]:
        """How often each lock is held by the tasks: while they run, and neither before nor between two attempts."""
        return self.memory.held

    def below(self, name: str) -> Iterator[str]:
        """The tasks that are part of another."""
        marks = (f"{name}/", f"{name}.", *_scopes(name))
        for other in list(self.tasks):
            if other.startswith(marks) and paths.is_below(other, name):
                yield other

    def scope(self, scope: Scope, at: str) -> Place:
        """The steps of a scope."""
        return self.memory.scope(scope, at, self.tasks)

    def has_ended(self, scope: Scope, at: str = paths.ROOT) -> bool:
        """Whether all steps of a scope have."""
        return not self.scope(scope, at).open

    # ── room ───────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def is_halted(self) -> bool:
        """Whether nothing starts at all."""
        return (self.workflow.suspend and self.verdict is None) or bool(self.seen.waiting)

    @property
    def _is_full(self) -> bool:
        limit = self.workflow.parallelism
        return limit is not None and self.pods >= limit

    @property
    def is_crowded(self) -> bool:
        """Whether it is the Pods of other workflows that leave no room for one more of this."""
        room = self.seen.room.pods
        return not self.is_halted and not self._is_full and room is not None and self.starts >= room

    def has_room(self) -> bool:
        """Whether one more Pod may run: of this workflow, and of all of them."""
        return not (self.is_halted or self._is_full or self.is_crowded)


def _scopes(name: str) -> tuple[str, ...]:
    """What the scopes of later attempts of a group begin with."""
    outer, dot, own = name.rpartition(".")
    step, _, _ = own.partition("/")
    return (f"{outer}{dot}{step}~",)
