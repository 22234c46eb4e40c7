"""One turn of `decide`: what comes of the facts, and the few moves that policies make of.

Policies read facts and call the moves; nothing else changes a task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from mlworkflow.core.actions import Action, Choose, Judge, Start, Stop
from mlworkflow.core.duration import seconds
from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.facts import Facts
from mlworkflow.core.memory import Place
from mlworkflow.core.names import Reason, pod_name
from mlworkflow.core.nodes import Node
from mlworkflow.core.observation import Attempt, Result
from mlworkflow.core.origins import blamed
from mlworkflow.core.retrying import is_retried
from mlworkflow.core.state import Phase, Task, Verdict

MESSAGE = 2048
"""Characters of a message that are kept."""
PRUNED_GRACE = 1
"""Seconds that a container which no agent has started has to end when its trial is pruned: a shell as process 1 would use up all of its grace."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """A task that did not start or does not end, what it waits for, and how many it speaks for."""

    task: str
    what: str
    count: int


@dataclass(slots=True)
class Turn(Facts):
    """The facts, and what comes of them: `actions`, `wakes`, `verdict`; `blocked` says why tasks that are ready did not start."""

    actions: list[Action] = field(default_factory=list)
    wakes: list[float] = field(default_factory=list)
    blocked: list[Blocked] = field(default_factory=list)
    wanted: int = 0
    locks: set[str] = field(default_factory=set)

    def _set(self, name: str, task: Task) -> None:
        """The one way in which a task changes; what is counted or listed of them changes with it."""
        before = self.task(name)
        self.changed.setdefault(name, before)
        self.tasks[name] = task
        self.memory.note_change(self.node(name), before, task)

    # ── what is looked at next ─────────────────────────────────────────────────────────────────────────────────────

    def ask(self, action: Action) -> None:
        """What the next turn looks after, whatever is heard of it."""
        self.actions.append(action)
        if isinstance(action, Choose | Judge):
            self.memory.note_task(action.task)
        else:
            asked = action.order if isinstance(action, Start) else action
            self.memory.note((asked.task, asked.attempt))

    def look_again(self, node: Node) -> None:
        """Have a task looked at in the next turn, whether there is news or not."""
        place, position = self.memory.place_of(node)
        if place is not None:
            place.call_again(position)
        elif node.above:
            self.memory.call_later(node.above.task)

    def wait(self, node: Node) -> None:
        """A task could have started, and did not: have it looked at again once there is room, or in the next turn."""
        place, position = self.memory.place_of(node)
        if not node.is_unit or self.has_room():
            self.look_again(node)
        elif place is not None:
            place.wait(position)
        else:
            self.look_again(node)
            if self.is_crowded:
                self._crowd(node, 1)

    def leave(self, place: Place, node_at: Callable[[int], Node], *, may_start: bool = True) -> None:
        """All of a place have been looked at; `may_start`: those that wait there wait for nothing else than room."""
        if place.waiting and may_start and self.is_crowded:
            self._crowd(node_at(place.first_waiting), place.waiting)
        if place.leave():
            self.memory.call_later(place.home)

    def _crowd(self, node: Node, count: int) -> None:
        self.wanted += count
        self.block(node, "room: as many Pods run as may run at once", count)

    def block(self, node: Node, what: str, count: int = 1) -> None:
        """A task, and with it `count` - 1 more, did not start or does not end, because of something outside its own steps."""
        self.blocked.append(Blocked(node.task, what, count))

    # ── notes ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def note_items(self, name: str, items: str) -> None:
        """The items that a step with `forEach` began with."""
        self._set(name, replace(self.task(name), items=items))

    def note_params(self, name: str, params: Mapping[str, Any]) -> None:
        """The parameters of a trial."""
        self._set(name, replace(self.task(name), params=params))

    def wake(self, at: float, task: str = "") -> None:
        """Ask for a turn at `at`, whatever happens before; for that of a task once, for any other in every turn until then."""
        if task:
            self.memory.wake(task, at)
        else:
            self.wakes.append(at)

    def _handle(self, node: Node, attempt: int) -> str:
        """What an attempt is called as long as no driver says otherwise."""
        if node.trial is not None and (seen := self.seen.attempts.get((node.task, attempt))) and seen.aboard:
            return seen.handle
        return pod_name(self.workflow.name, self.workflow.uid, node.task, attempt) if node.is_unit else ""

    # ── moves ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self, name: str, attempt: int, handle: str = "", at: float | None = None, fingerprint: str = "") -> None:
        """Pending → Running."""
        task, node = self.task(name), self.node(name)
        if node.trial is not None and node.may_share and not task.failures:
            began = at  # else once it is its turn, and anew where it was lost: `begin`
        else:
            began = task.started_at if task.started_at is not None else (self.now if at is None else at)
        self._set(
            name,
            replace(
                task,
                phase=Phase.RUNNING,
                attempt=attempt,
                started_at=began,
                handle=handle or self._handle(node, attempt),
                reason="",
                message="",
                not_before=0.0,
                fingerprint=fingerprint or task.fingerprint,
            ),
        )
        if (limit := node.step.timeout) is not None and began is not None:
            self.wake(began + limit, name)

    def begin(self, name: str) -> None:
        """It is the turn of a trial in a Pod which others may share."""
        self._set(name, replace(self.task(name), started_at=self.now))

    def adopt(self, name: str, attempt: Attempt) -> None:
        """→ Running, by an attempt that was started by somebody who knew more."""
        task = self.task(name)
        failures, losses = max(task.failures, attempt.failures), max(task.losses, attempt.losses)
        self._set(name, replace(task, failures=failures, losses=losses))
        at = None if self.node(name).may_share else attempt.created_at
        self.start(name, attempt.number, attempt.handle, at=at, fingerprint=attempt.fingerprint)

    def note_handle(self, name: str, handle: str) -> None:
        """What the attempt that runs is called by who runs it."""
        self._set(name, replace(self.task(name), handle=handle))

    def note_fingerprint(self, name: str, fingerprint: str) -> None:
        """What a task that runs runs from, after a restart."""
        self._set(name, replace(self.task(name), fingerprint=fingerprint))

    def say(self, name: str, message: str) -> None:
        """What a running task waits for."""
        if self.task(name).message != message:
            self._set(name, replace(self.task(name), message=message[-MESSAGE:]))

    def succeed(self, name: str, attempt: int, result: Result) -> None:
        """→ Succeeded, with what the attempt committed."""
        task = self.task(name)
        self._set(
            name,
            replace(
                task,
                phase=Phase.SUCCEEDED,
                reason="",
                message="",
                attempt=attempt,
                handle="" if result.cached_from else self._handle_of(name, attempt),
                is_cached=bool(result.cached_from) and self.node(name).is_unit,
                started_at=task.started_at if task.started_at is not None else result.started_at or self.now,
                finished_at=task.finished_at or result.finished_at or self.now,
                not_before=0.0,
                fingerprint=result.fingerprint,
                parameters=result.parameters,
                artifacts=result.outputs,
                metrics=result.metrics,
            ),
        )

    def prune(self, name: str, attempt: int, result: Result) -> None:
        """→ Cancelled, of a trial that does not look promising; what runs of it is ended."""
        self.cancel_below(name, Reason.PRUNED, result.message, soon=True)
        self.stop(name, soon=True)
        task = self.task(name)
        self._set(
            name,
            replace(
                task,
                phase=Phase.CANCELLED,
                reason=str(Reason.PRUNED),
                message=result.message[-MESSAGE:],
                attempt=attempt,
                handle=self._handle_of(name, attempt),
                started_at=task.started_at if task.started_at is not None else result.started_at or self.now,
                finished_at=result.finished_at or self.now,
                not_before=0.0,
                fingerprint=result.fingerprint,
                metrics=result.metrics,
            ),
        )

    def _handle_of(self, name: str, attempt: int) -> str:
        task = self.task(name)
        return task.handle if task.attempt == attempt else self._handle(self.node(name), attempt)

    def keep(self, name: str, result: Result) -> None:
        """What a failed attempt left all the same, such as the report of a gate: to look at, never an input of a step."""
        self._set(name, replace(self.task(name), parameters=result.parameters, artifacts=result.outputs))

    def finish(self, name: str, phase: Phase, reason: str, message: str = "") -> None:
        """→ Failed, Skipped or Cancelled, for good."""
        self._set(
            name,
            replace(
                self.task(name),
                phase=phase,
                reason=str(reason),
                message=message[-MESSAGE:],
                finished_at=self.now,
                not_before=0.0,
            ),
        )

    def fail(
        self, name: str, reason: str, message: str, *, exit_code: int | None = None, retriable: bool = True
    ) -> None:
        """An attempt failed by its own fault: → Pending until its back-off is over, or → Failed."""
        task, node = self.task(name), self.node(name)
        retry = node.step.retry
        failures = task.failures + 1
        if node.step.stands_for:
            message = blamed(node.step.stands_for, message)
        task = replace(task, failures=failures)
        self._set(name, task)
        if retriable and failures <= retry.limit:
            try:
                retriable = is_retried(self.view, node, task, reason, message, exit_code)
            except ExpressionError as error:
                retriable, message = False, f"{message}\nretry.only.expression: {error}"
        if not retriable or failures > retry.limit:
            self.finish(name, Phase.FAILED, reason, message)
            return
        delay = min(seconds(retry.backoff) * retry.factor ** (failures - 1), seconds(retry.cap))
        self._retry(name, task, reason, message, delay)

    def lose(self, name: str, reason: str, message: str) -> None:
        """An attempt was lost to the infrastructure: try again, out of a budget of its own."""
        task = self.task(name)
        losses = task.losses + 1
        task = replace(task, losses=losses)
        self._set(name, task)
        if losses > self.node(name).step.retry.losses:
            times = "once" if losses == 1 else f"{losses} times"
            self.finish(name, Phase.FAILED, reason, f"lost {times} to the infrastructure, the last time: {message}")
            return
        self._retry(name, task, reason, message, 0.0 if losses == 1 else min(2.0 ** (losses - 1), 300.0))

    def _retry(self, name: str, task: Task, reason: str, message: str, delay: float) -> None:
        again = self.now + delay
        self._set(
            name,
            replace(task, phase=Phase.PENDING, reason=str(reason), message=message[-MESSAGE:], not_before=again),
        )
        self.wake(again, name)

    def stop(self, name: str, *, soon: bool = False) -> None:
        """End the attempt that a task has under way; `soon` where what it would save in its time to end is of no use."""
        task, node = self.task(name), self.node(name)
        if task.phase is Phase.RUNNING and node.is_unit:
            self.ask(Stop(name, task.attempt, task.handle, shortened(node) if soon else None))
            if node.may_share:
                self.wake(self.now)  # it may be the turn of the next one in its Pod

    def stop_task(self, name: str, phase: Phase, reason: Reason, message: str) -> None:
        """End a task from outside; one that is made of others takes them with it."""
        if not self.node(name).is_unit:
            self.cancel_below(name, reason, message)
        self.stop(name)
        self.finish(name, phase, reason, message)

    def cancel_below(self, name: str, reason: Reason, message: str, *, soon: bool = False) -> None:
        """End what is part of a task and has not ended."""
        for other in self.below(name):
            if not self.task(other).is_finished:
                self.stop(other, soon=soon)
                self.finish(other, Phase.CANCELLED, reason, message)

    def end(self, phase: Phase, reason: Reason, message: str) -> None:
        """The workflow's own end, which nothing changes from now on but a failure of the steps for the end."""
        self.verdict = self.view.verdict = Verdict(phase, str(reason), message, self.now)


def shortened(node: Node) -> int | None:
    """The grace of what is of no use any more: an agent keeps its log in it, and who writes a grace period means it."""
    is_own = node.step.common.termination_grace_period_seconds is not UNSET
    has_agent = bool(node.step.kind.command or node.step.body.get("agent"))
    return None if is_own or has_agent else PRUNED_GRACE


CarryOn = Callable[[Turn, Node], None]
"""How a policy hands a task that is made of others back to the one that knows how to go on with each."""
