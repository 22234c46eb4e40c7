"""A play of one workflow: the test says what happens, `turn` asks `decide`, and the helpers look at what it asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from mlworkflow.core import rerun, status
from mlworkflow.core.actions import Action, Choose, Judge, LookUp, Order, Probe, Promote, Publish, Start, Stop
from mlworkflow.core.decide import Decision
from mlworkflow.core.model import Workflow
from mlworkflow.core.observation import Attempt, AttemptId, Curve, Observations, Probed, Result, Room, Seen
from mlworkflow.core.spec_fields import Rerun
from mlworkflow.core.state import PENDING, Phase, Run, Task

from tests.builders import WorkflowBuilder, artifact
from tests.unit.core.remembering import Remembering

T = TypeVar("T", Start, Stop, Probe, Publish, LookUp, Promote, Choose, Judge)


class Play:
    """State, clock and world of one workflow, all of them in the test's hands."""

    def __init__(self, workflow: WorkflowBuilder, now: float = 1000.0) -> None:
        self.plan = workflow.plan()
        self.run = Run()
        self.now = now
        self.attempts: dict[AttemptId, Attempt] = {}
        self.results: dict[AttemptId, Result] = {}
        self.probed: dict[AttemptId, Probed] = {}
        self.refused: dict[AttemptId, str] = {}
        self.chosen: dict[str, dict[str, Any]] = {}
        self.unchosen: dict[str, str] = {}
        self.curves: dict[AttemptId, Curve] = {}
        self.judging: frozenset[str] = frozenset()
        self.waiting = ""
        self.room = Room()
        self.stale: tuple[str, ...] = ()
        self.decision = Decision(self.run, (), None)
        self._remembering = Remembering()

    # ── what happens ───────────────────────────────────────────────────────────────────────────────────────────────

    def turn(self, after: float = 0.0) -> Play:
        """`after` seconds later, one turn; what it starts is shown as being created from then on."""
        self.now += after
        seen = Observations(
            dict(self.attempts),
            dict(self.results),
            self.probed,
            self.refused,
            self.waiting,
            self.room,
            chosen=dict(self.chosen),
            unchosen=self.unchosen,
            curves=dict(self.curves),
            judging=self.judging,
        )
        self.probed, self.refused = {}, {}
        self.decision = self._remembering.decide(self.plan, self.run, seen, self.now)
        self.run = self.decision.run
        for order in self.orders:
            self.attempts[(order.task, order.attempt)] = Attempt(
                order.task, order.attempt, f"{order.task}-pod", Seen.WAITING, self.now, reason="Creating"
            )
        return self

    def change(self, **fields: Any) -> Play:
        """The user edits `spec` (parsed fields)."""
        self.plan = replace(self.plan, workflow=replace(self.workflow, **fields))
        return self

    def runs(self, task: str, attempt: int | None = None) -> Play:
        return self._see(task, attempt, seen=Seen.RUNNING, reason="")

    def waits(self, task: str, reason: str = "", message: str = "", attempt: int | None = None) -> Play:
        return self._see(task, attempt, seen=Seen.WAITING, reason=reason, message=message)

    def ends(self, task: str, exit_code: int | None = 1, attempt: int | None = None, **fields: Any) -> Play:
        """The attempt's process ends; no result arrives by this."""
        return self._see(task, attempt, seen=Seen.ENDED, exit_code=exit_code, **{"reason": "", **fields})

    def vanishes(self, task: str, attempt: int | None = None) -> Play:
        del self.attempts[self._key(task, attempt)]
        return self

    def answers(self, task: str, *, exists: bool, tail: str = "") -> Play:
        """The answer to a probe, for the next turn only."""
        self.probed[self._key(task, None)] = Probed(exists, tail)
        return self

    def refuses(self, task: str, message: str) -> Play:
        key = self._key(task, None)
        self.attempts.pop(key, None)
        self.refused[key] = message
        return self

    def succeeds(
        self,
        task: str,
        attempt: int | None = None,
        metrics: dict[str, float] | None = None,
        without: str = "",
        **parameters: Any,
    ) -> Play:
        """A committed success, with an artifact for every output that is one (`without` apart)."""
        outputs = self.plan.nodes[task].step.outputs
        names = [name for name, output in outputs.items() if output.is_artifact and name != without]
        key = self._key(task, attempt)
        self.results[key] = Result(
            0,
            outputs={name: artifact(f"{task}.{name}") for name in names},
            parameters=parameters,
            metrics=metrics or {},
            fingerprint=self.task(task).fingerprint,
            started_at=self.now,
            finished_at=self.now,
        )
        self.attempts.pop(key, None)
        return self

    def fails(
        self,
        task: str,
        reason: str = "Error",
        message: str = "exit code 1",
        attempt: int | None = None,
        left: dict[str, Any] | None = None,
    ) -> Play:
        """A committed failure, which may have left something."""
        key = self._key(task, attempt)
        self.results[key] = Result(1, reason, message, started_at=self.now, finished_at=self.now, **(left or {}))
        self.attempts.pop(key, None)
        return self

    def chooses(self, *params: dict[str, Any]) -> Play:
        """Parameters are chosen for the next trials, as many as are asked for, and written down."""
        for action in self.asked(Choose):
            for index, one in enumerate(params[: action.count]):
                self.chosen[f"{action.task}/{len(action.told) + index}"] = {**action.study.fixed, **one}
        return self

    def publishes(self) -> Play:
        """What the engine worked out is committed."""
        for action in self.asked(Publish):
            files = {name: artifact(data.decode()) for name, data in action.files.items()}
            files |= {name: artifact(data.decode(), type_="collection") for name, data in action.collections.items()}
            self.results[(action.task, action.attempt)] = Result(
                0,
                outputs={**action.reuse, **files},
                parameters=action.parameters,
                fingerprint=action.fingerprint,
                finished_at=self.now,
            )
        return self

    def restarts(self) -> Play:
        """A new operator that knows what the status says, the live attempts and the records, and nothing else."""
        self.run = status.read(status.written(self.plan, self.run, {}, self.now), self.plan.nodes)
        return self

    def asks_again(self, *steps: str, id: str = "1") -> Play:
        """A person asks to run steps again, and the new state has been written."""
        self.change(rerun=Rerun(id=id, steps=list(steps)))
        again = rerun.honour(self.plan, self.run, self.now)
        self.run, self.stale = again.run, again.stale
        return self

    # ── what is there ──────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def workflow(self) -> Workflow:
        return self.plan.workflow

    @property
    def actions(self) -> tuple[Action, ...]:
        return self.decision.actions

    @property
    def wake_at(self) -> float | None:
        return self.decision.wake_at

    @property
    def orders(self) -> list[Order]:
        return [action.order for action in self.asked(Start)]

    @property
    def started(self) -> list[str]:
        """The tasks that the last turn started; with the number of the attempt where it is not the first."""
        return [f"{order.task}#{order.attempt}" if order.attempt else order.task for order in self.orders]

    @property
    def stopped(self) -> list[str]:
        return [action.task for action in self.asked(Stop)]

    def asked(self, kind: type[T]) -> list[T]:
        return [action for action in self.actions if isinstance(action, kind)]

    def task(self, name: str) -> Task:
        return self.run.tasks.get(name, PENDING)

    @property
    def phases(self) -> dict[str, str]:
        return {name: str(self.task(name).phase) for name in self.workflow.all_steps()}

    def is_(self, task: str, phase: Phase, reason: str = "") -> bool:
        return (self.task(task).phase, self.task(task).reason) == (phase, reason)

    # ── inside ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _key(self, task: str, attempt: int | None) -> AttemptId:
        return task, max(self.task(task).attempt, 0) if attempt is None else attempt

    def _see(self, task: str, attempt: int | None, **fields: Any) -> Play:
        key = self._key(task, attempt)
        before = self.attempts.get(key, Attempt(*key, f"{task}-pod", Seen.WAITING, self.now))
        self.attempts[key] = replace(before, **fields)
        return self
