"""What `decide` remembers from one turn to the next, so that a turn costs by what has changed and not by how much there is.

All of it follows from the plan, the state and what is seen. Where the plan or the state is another than it was left with (a restart, an edit, a task
that runs again) it is made anew, and that turn looks at everything. With a memory and without one the same is decided: the tests of `core` hold the two
against each other in each of their turns. Callers: `decide`, `turn`; whoever sees something new tells it by `note`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from typing import Any

from mlworkflow.core import paths
from mlworkflow.core.graph import Scope
from mlworkflow.core.nodes import Node, Nodes
from mlworkflow.core.observation import AttemptId
from mlworkflow.core.plan import Plan
from mlworkflow.core.state import PENDING, Phase, Run, Task

EXIT = "/"
"""The place of the steps for the end: no scope and no task is called this."""


class Place:
    """The steps of a scope or the items of a step with `forEach`, by their position in the order in which they are looked at.

    `open` counts those that have not ended, `running` those that run, `failed` are those that failed or were cancelled. `home` is the task that they
    are part of. In the turn that makes it, all of them are due.
    """

    __slots__ = ("_due", "_later", "_ready", "_waiting", "failed", "home", "left", "open", "running", "size")

    def __init__(self, home: str, states: Sequence[Task], left: Sequence[int] = ()) -> None:
        self.home = home
        self.size = len(states)
        self.left = list(left)
        """Of each step, how many of those that it waits for have not ended."""
        self.open = sum(not task.is_finished for task in states)
        self.running = sum(task.phase is Phase.RUNNING for task in states)
        self.failed = {position for position, task in enumerate(states) if _has_failed(task)}
        self._due = list(range(len(states)))
        self._later: list[int] = []
        self._ready: list[int] = []
        self._waiting: set[int] = set()

    def note(self, position: int, before: Task, after: Task) -> None:
        """One of them has changed."""
        self.open += before.is_finished - after.is_finished
        self.running += (after.phase is Phase.RUNNING) - (before.phase is Phase.RUNNING)
        if _has_failed(after):
            self.failed.add(position)

    def visits(self, can_start: Callable[[], bool]) -> Iterator[int]:
        """Those to look at in this turn, in their order: what is due, and while one `can_start` those that wait for room."""
        last = -1
        while True:
            if self._ready and can_start() and not (self._due and self._due[0] < self._ready[0]):
                position = heappop(self._ready)
                if position not in self._waiting:
                    continue
            elif self._due:
                position = heappop(self._due)
                if position == last:
                    continue
            else:
                return
            self._waiting.discard(position)
            last = position
            yield position

    def call(self, position: int) -> None:
        """It is to be looked at, in this turn if it has not been already."""
        heappush(self._due, position)

    def call_again(self, position: int) -> None:
        """It is to be looked at in the next turn."""
        self._later.append(position)

    def wait(self, position: int) -> None:
        """It could start, had it room."""
        self._waiting.add(position)
        heappush(self._ready, position)

    @property
    def waiting(self) -> int:
        """How many wait for room."""
        return len(self._waiting)

    @property
    def first_waiting(self) -> int:
        """The first of those that wait for room, where there is one."""
        while self._ready[0] not in self._waiting:
            heappop(self._ready)
        return self._ready[0]

    def leave(self) -> bool:
        """All have been looked at. Whether some are to be in the next turn."""
        for position in self._later:
            heappush(self._due, position)
        self._later.clear()
        return bool(self._due or self._waiting)


class Memory:
    """Of one workflow. `pods` counts the attempts under way, `held` how often each lock is held (while a task runs, and neither before nor between two
    attempts), `done` are the fingerprints of what has succeeded, `items` those of steps with `forEach`, `values` what decides of the trials of a search, by number, each beside the state
    that it was read from.
    """

    def __init__(self) -> None:
        self._plan: Plan | None = None
        self._run: Run | None = None
        self._tasks: set[str] = set()
        self._attempts: set[AttemptId] = set()
        self._forget()

    def _forget(self) -> None:
        self.pods = 0
        self.held: dict[str, int] = {}
        self.done: set[str] = set()
        self.items: dict[str, list[Any]] = {}
        self.values: dict[str, dict[int, tuple[Task, list[float] | None]]] = {}
        self.places: dict[str, Place] = {}
        self._hungry: set[str] = set()
        self._wakes: list[tuple[float, str]] = []
        self._wake_of: dict[str, float] = {}

    # ── news ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def note(self, attempt: AttemptId) -> None:
        """Something new is seen of an attempt: that it is there, how it goes, its result, that it is gone."""
        self._attempts.add(attempt)

    def note_task(self, task: str) -> None:
        """Something new is seen of a task."""
        self._tasks.add(task)

    def clear(self) -> None:
        """The next turn is to look at everything."""
        self._plan = self._run = None

    # ── a turn ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, plan: Plan, run: Run, now: float) -> tuple[list[str], list[AttemptId]] | None:
        """The tasks and the attempts of which there is news, those whose time has come among them; None where everything is to be looked at."""
        attempts, tasks = self._attempts, self._tasks
        self._attempts, self._tasks = set(), set()
        is_known = self._plan is plan and self._run is run
        self._plan, self._run = plan, None  # until the turn has come to its end
        if not is_known:
            self._forget()
            for name, task in run.tasks.items():
                if node := plan.nodes.get(name):
                    self._count(node, PENDING, task)
            return None
        tasks |= {name for name, _ in attempts}
        while self._wakes and self._wakes[0][0] <= now:
            at, name = heappop(self._wakes)
            if self._wake_of.get(name) == at:
                tasks.add(name)
        for name in tasks:
            self._wake_of.pop(name, None)  # what sets it looks at it again
        hungry, self._hungry = self._hungry, set()
        for name in tasks | hungry:
            self._call(plan.nodes, name)
        return sorted(tasks), sorted(attempts)

    def end(self, run: Run) -> float | None:
        """The turn has come to its end with this state. When to look again, if nothing happens before."""
        self._run = run
        while self._wakes:
            at, name = self._wakes[0]
            task = run.tasks.get(name)
            if self._wake_of.get(name) == at and task is not None and not task.is_finished:
                return at
            heappop(self._wakes)
        return None

    def wake(self, task: str, at: float) -> None:
        """A task is to be looked at when its time has come."""
        if at < self._wake_of.get(task, float("inf")):
            self._wake_of[task] = at
            heappush(self._wakes, (at, task))

    def note_change(self, node: Node, before: Task, after: Task) -> None:
        """A task has changed in this turn."""
        self._count(node, before, after)
        place, position = self.place_of(node)
        if place is None:
            return
        place.note(position, before, after)
        if after.is_finished and not before.is_finished and node.item is None:
            self._call_followers(place, self._scope_of(node), node, after)

    def _count(self, node: Node, before: Task, after: Task) -> None:
        if node.is_unit:
            self.pods += (after.phase is Phase.RUNNING) - (before.phase is Phase.RUNNING)
            if after.phase is Phase.SUCCEEDED and after.fingerprint:
                self.done.add(after.fingerprint)
        for task, change in ((before, -1), (after, 1)):
            if task.phase is Phase.RUNNING:
                for name in locks_of(node, task):
                    self.held[name] = self.held.get(name, 0) + change

    # ── places ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def scope(self, scope: Scope, at: str, tasks: Mapping[str, Task]) -> Place:
        """The steps of a scope."""
        key = EXIT if self._plan and scope is self._plan.graph.exit else at
        if key not in self.places:
            states = [tasks.get(paths.child(at, name), PENDING) for name in scope.order]
            left = [
                sum(
                    not states[scope.places[parent]].is_finished
                    for parent in scope.needs[name]
                    if parent in scope.places
                )
                for name in scope.order
            ]
            self.places[key] = Place(paths.group_of(at) if at else "", states, left)
        return self.places[key]

    def fan(self, task: str, size: int, tasks: Mapping[str, Task]) -> Place:
        """The items of a step with `forEach`."""
        states = [tasks.get(paths.numbered(task, number), PENDING) for number in range(size)]
        place = self.places[task] = Place(task, states)
        return place

    def place_of(self, node: Node) -> tuple[Place | None, int]:
        """Where a task is looked at from, and its position there; no place for the trials of a search, which looks at all of them."""
        key, position = self._place_of(node)
        return (None if key is None else self.places.get(key)), position

    def call_later(self, task: str) -> None:
        """What is in a task is to be looked at in the next turn."""
        self._hungry.add(task)

    def _place_of(self, node: Node) -> tuple[str | None, int]:
        if node.item is not None:
            assert node.above is not None
            return node.above.task, node.item
        if node.trial is not None:
            return None, 0
        scope = self._scope_of(node)
        key = EXIT if self._plan and scope is self._plan.graph.exit else node.scope
        return key, scope.places[node.step.name]

    def _scope_of(self, node: Node) -> Scope:
        assert self._plan is not None
        if node.above is None or node.scope == paths.ROOT:
            main = self._plan.graph.main
            return main if node.step.name in main.places else self._plan.graph.exit
        assert node.above.inner is not None
        return node.above.inner

    def _call(self, nodes: Nodes, task: str) -> None:
        """Have a task looked at, and with it what it is part of."""
        node = nodes.get(task)
        for one in node.chain() if node else ():
            place, position = self.place_of(one)
            if place is not None:
                place.call(position)

    def _call_followers(self, place: Place, scope: Scope, node: Node, ended: Task) -> None:
        """Have those looked at for which the end of a step changes anything: that it was the last they waited for, or not as they need it."""
        for name in scope.followers.get(node.step.name, ()):
            position = scope.places[name]
            place.left[position] -= 1
            if not place.left[position] or ended.phase is not Phase.SUCCEEDED or name in scope.averse:
                place.call(position)


def locks_of(node: Node, task: Task) -> Iterable[str]:
    """The names of the locks that a task holds while it runs: those of its step, and that of its work, where its result would be taken by others."""
    names = [lock.name for lock in node.locks]
    if node.is_unit and node.step.is_cached and task.fingerprint:
        names.append(work(task.fingerprint))
    return names


def work(fingerprint: str) -> str:
    """The lock that whoever does this work holds: no name that a workflow can give a lock."""
    return f"={fingerprint}"


def _has_failed(task: Task) -> bool:
    return task.phase is Phase.FAILED or task.phase is Phase.CANCELLED
