"""A simulated world for `decide`: attempts that wait, run, fail, die and vanish; an operator that lags, stumbles and is killed.

`World` keeps the truth (attempts that exist, records that were committed) apart from what the operator sees of it (a cache that lags behind), and
carries out actions as the engine does: creates first, then the rest, one after the other, with a fence on commits. A `Fate` is what an attempt does,
as a function of its task and of how often the task has failed by its own fault; everything that the infrastructure does comes from a tape of bytes,
so that a run is a function of (case, tape). When the tape is over the world is fair: whatever can happen happens, and `decide` is called only when
something that it sees has changed, or when it asked to be. Every turn is checked against what must always hold; see `_turn` and `_check_starts`.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from mlworkflow.core import paths, riders, status
from mlworkflow.core.actions import Choose, Order, Probe, Publish, Start, Stop
from mlworkflow.core.decide import Decision, decide
from mlworkflow.core.graph import Need
from mlworkflow.core.model import Workflow
from mlworkflow.core.names import Reason
from mlworkflow.core.nodes import Node, Role
from mlworkflow.core.observation import Attempt, AttemptId, Observations, Probed, Result, Seen
from mlworkflow.core.plan import Plan
from mlworkflow.core.spec_fields import Approval
from mlworkflow.core.state import PENDING, Phase, Run
from mlworkflow.core.values import ArtifactRef
from msgspec import UNSET, json

from tests.unit.core.remembering import Remembering

TURNS = 2000
LOSSES = 3
"""What the infrastructure may cost a task in all, a crash of the operator counted as one: `decide` gives up after more."""


class Does(StrEnum):
    """What an attempt does, left alone."""

    SUCCEED = "succeed"
    SUCCEED_BARE = "succeed without its optional artifact and its metric"
    FAIL = "commit a failure"
    DIE = "die without a word"
    REFUSED = "be refused by the API"
    STUCK = "never start"
    HANG = "never end"


@dataclass(frozen=True)
class Fate:
    """What the attempts of a task do: the first, then after one failure, and so on (the last for ever), and the number they leave."""

    does: tuple[Does, ...] = (Does.SUCCEED,)
    number: float = 1.0

    def after(self, failures: int) -> Does:
        return self.does[min(failures, len(self.does) - 1)]


@dataclass(frozen=True)
class Case:
    """A workflow and the fates of its tasks (a task that is not named succeeds)."""

    resource: Mapping[str, Any]
    fates: Mapping[str, Fate] = field(default_factory=dict)

    def does(self, task: str, failures: int) -> Does:
        """What a task's attempt does after so many failures, those of earlier attempts of its group counted too."""
        again = sum(level.again for level in paths.segments(task))
        return self._fate(task).after(failures + again)

    def number(self, task: str) -> float:
        return self._fate(task).number

    def _fate(self, task: str) -> Fate:
        first = re.sub("~[0-9]+", "", task)
        return self.fates.get(first) or self.fates.get(first.rpartition(".")[2], Fate())

    @property
    def is_timed(self) -> bool:
        """Whether the workflow's end depends on how fast the world is."""
        return "timeout" in self.resource["spec"]


@dataclass
class Pod:
    """The truth about an attempt."""

    order: Order
    created_at: float
    stage: Seen = Seen.WAITING
    exit_code: int | None = None
    lost: bool = False
    leaving: bool = False
    running_since: float | None = None
    aboard: tuple[AttemptId, ...] = ()
    has_heard: bool = False
    """Of one that shares its Pod: that it is not wanted any more."""

    @property
    def key(self) -> AttemptId:
        return self.order.task, self.order.attempt

    @property
    def all(self) -> tuple[AttemptId, ...]:
        return self.aboard or (self.key,)

    def shown(self) -> Attempt:
        reason = "Evicted" if self.lost else "Error" if self.exit_code else ""
        return Attempt(
            *self.key,
            "pod-{}-{}".format(*self.all[0]),
            self.stage,
            self.created_at,
            self.exit_code,
            reason,
            "",
            self.lost,
            self.leaving,
            running_since=self.running_since,
            failures=self.order.failures,
            losses=self.order.losses,
            aboard=self.aboard,
        )


class Tape:
    """Choices, one byte each."""

    def __init__(self, data: bytes) -> None:
        self._bytes = iter(data)
        self.is_over = False

    def below(self, limit: int) -> int:
        """A number below `limit`; 0 when the tape is over."""
        byte = next(self._bytes, None)
        if byte is None:
            self.is_over = True
            return 0
        return byte % limit


class World:
    """One run of a case. `play` runs it to its end and gives the final state."""

    def __init__(self, case: Case, tape: bytes = b"", may_cancel: bool = False) -> None:
        self.case = case
        self.plan = Plan.of(case.resource)
        self.tape = Tape(tape)
        self.may_cancel = may_cancel
        self.now = 1_000_000.0
        # the truth
        self.pods: dict[AttemptId, Pod] = {}
        self.records: dict[AttemptId, Result] = {}
        self.lost: Counter[str] = Counter()
        self.judged: set[AttemptId] = set()
        """Failures that left no record: their probe was answered before they ended, or they were stopped because they ran too long."""
        self.crashes = 0
        # the operator
        self.run = Run()
        self.remembering = Remembering()
        self.written: list[Run] = [Run()]
        self.cache: dict[AttemptId, Attempt] = {}
        self.creating: dict[AttemptId, Order] = {}
        self.shared: dict[AttemptId, tuple[Order, ...]] = {}
        self.probed: dict[AttemptId, Probed] = {}
        self.chosen: dict[str, dict[str, int]] = {}
        self.refused: dict[AttemptId, str] = {}
        self.wake_at: float | None = None
        self.is_settled = False
        self.is_dirty = True
        self.turns = 0
        self.log: list[str] = []

    @property
    def workflow(self) -> Workflow:
        return self.plan.workflow

    def _edit(self, **fields: Any) -> None:
        self.plan = replace(self.plan, workflow=replace(self.workflow, **fields))

    def play(self) -> Run:
        while not self.tape.is_over and self.turns < TURNS:
            self._act()
        self._settle()
        return self.run

    # ── the tape ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _act(self) -> None:
        """One event of the tape's choice."""
        self.now += 1.0
        events: tuple[tuple[int, Callable[[], None]], ...] = (
            (4, self._deliver_one),
            (10, self._advance_one),
            (5, self._turn),
            (2, self._turn_again),
            (2, self._sleep),
            (1, self._lose_one),
            (1, self._hide_one),
            (1, self._crash),
            (1, self._toggle_suspend),
            (1, self._cancel),
            (1, self._answer),
        )
        choice = self.tape.below(sum(weight for weight, _ in events))
        for weight, event in events:
            if choice < weight:
                event()
                return
            choice -= weight

    def _pick(self, keys: Mapping[AttemptId, Any]) -> AttemptId | None:
        return sorted(keys)[self.tape.below(len(keys))] if keys else None

    def _deliver_one(self) -> None:
        if key := self._pick({**self.pods, **self.cache}):
            self._deliver(key)

    def _advance_one(self) -> None:
        if key := self._pick(self.pods):
            self._advance(self.pods[key])

    def _turn_again(self) -> None:
        """A duplicate: nothing has changed, and yet a turn."""
        self._turn()
        self._turn()

    def _sleep(self) -> None:
        if self.wake_at is not None and self.now < self.wake_at <= self.now + 5:
            self.now = self.wake_at
            self._turn()

    def _lose_one(self) -> None:
        key = self._pick(self.pods)
        if key is None:
            return
        pod, mates = self.pods[key], self._mates(self.pods[key])
        if not all(self._may_lose(mate.order.task) for mate in mates) or key in self.records:
            return
        for mate in mates:
            self.lost[mate.order.task] += 1
        match self.tape.below(4):
            case 0:
                self._note(f"{key} vanishes")
                self._remove(pod)
            case 1 if pod.stage is not Seen.ENDED:
                self._note(f"{key} is evicted")
                for mate in mates:
                    mate.stage, mate.lost = Seen.ENDED, True
            case 2 if pod.stage is Seen.RUNNING:
                self._note(f"{key} ends well, and its result never arrives")
                for mate in mates:
                    mate.stage, mate.exit_code = Seen.ENDED, 0
            case 3 if pod.stage is Seen.RUNNING and pod is self._front(pod):
                if self._commit(pod, None):
                    for mate in (
                        mates if pod.aboard else ()
                    ):  # the Pod goes, and the others in it have not had their turn
                        mate.stage, mate.lost = Seen.ENDED, True

    def _mates(self, pod: Pod) -> list[Pod]:
        """All that share a Pod, itself among them."""
        return [self.pods[key] for key in pod.all if key in self.pods]

    def _remove(self, pod: Pod) -> None:
        for key in pod.all:
            self.pods.pop(key, None)

    def _front(self, pod: Pod) -> Pod | None:
        """Whose turn it is in a Pod."""
        return next((mate for mate in self._mates(pod) if mate.key not in self.records and not mate.has_heard), None)

    def _may_lose(self, task: str) -> bool:
        return self.lost[task] + self.crashes < LOSSES

    def _hide_one(self) -> None:
        """The cache misses an attempt for a while."""
        if not self.is_settled:  # a driver that has just listed everything
            return
        if key := self._pick(self.cache):
            self._note(f"{key} is hidden")
            for mate in self.cache[key].aboard or (key,):
                self.cache.pop(mate, None)
            self.is_dirty = True

    def _crash(self) -> None:
        """The operator is killed; the next one has a status from any time before, the attempts that exist, and the records."""
        if self.tape.below(3) != 2:  # rare, so that there is something to forget
            return
        if (
            any(lost + self.crashes >= LOSSES for lost in self.lost.values())
            or self.crashes >= LOSSES
            or self.run.phase.is_finished
        ):
            return
        self.crashes += 1
        old = self.written[self.tape.below(len(self.written))]
        text = json.encode(status.written(self.plan, old, {}, self.now))
        self.run = status.read(json.decode(text), self.plan.nodes)
        self.written = [old]
        self.judged = {key for key in self.judged if self._is_remembered(key)}
        self._note(f"the operator is killed; it comes back with {self._phases()}")
        self.cache = {key: pod.shown() for key, pod in self.pods.items()}
        self.creating, self.shared, self.probed, self.refused = {}, {}, {}, {}
        self.wake_at, self.is_settled, self.is_dirty = None, False, True
        self.remembering = Remembering()

    def _is_remembered(self, key: AttemptId) -> bool:
        """Whether a failure that left no record is known to the state that outlived a crash, or to a later attempt."""
        if any(task == key[0] and number > key[1] for task, number in self.pods):
            return True
        task = self.run.tasks.get(key[0], PENDING)
        return task.failures > 0 and (
            task.attempt > key[1] or (task.attempt == key[1] and task.phase is not Phase.RUNNING)
        )

    def _toggle_suspend(self) -> None:
        self._edit(suspend=not self.workflow.suspend)
        self.is_dirty = True

    def _cancel(self) -> None:
        if self.may_cancel and self.tape.below(4) == 3:
            self._note("cancelled")
            self._edit(cancel=True)
            self.is_dirty = True

    def _answer(self) -> bool:
        """A person answers what is asked, as the fate of the step says. Whether anything was asked."""
        asked = {
            name: task
            for name, task in self.run.tasks.items()
            if task.phase is Phase.RUNNING and self.plan.nodes[name].role is Role.APPROVAL
        }
        answers = {
            name: Approval(approved=self.case.does(name, 0) is Does.SUCCEED, by="person", attempt=task.attempt)
            for name, task in asked.items()
        }
        if all(self.workflow.approvals.get(name) == answer for name, answer in answers.items()):
            return False
        self._edit(approvals={**self.workflow.approvals, **answers})
        self.is_dirty = True
        return True

    # ── the truth ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _advance(self, pod: Pod) -> bool:
        """The next thing that an attempt does by itself. Whether it did anything."""
        if pod.aboard:
            return pod.key in self.pods and self._advance_shared(pod)
        if pod.leaving or (pod.key in self.records and pod.stage is Seen.ENDED):
            del self.pods[pod.key]
            return True
        does = self.case.does(pod.order.task, self._failures(pod.order.task))
        match pod.stage:
            case Seen.WAITING if does is not Does.STUCK:
                pod.stage, pod.running_since = Seen.RUNNING, self.now
                return True
            case Seen.RUNNING if pod.key in self.records:
                pod.stage, pod.exit_code = Seen.ENDED, self.records[pod.key].exit_code
                return True
            case Seen.RUNNING if does is Does.DIE:
                self._note(f"{pod.key} dies")
                pod.stage, pod.exit_code = Seen.ENDED, 137
                return True
            case Seen.RUNNING if does in (Does.SUCCEED, Does.SUCCEED_BARE, Does.FAIL):
                return self._commit(pod, does)
        return False

    def _advance_shared(self, pod: Pod) -> bool:
        """As `_advance`, of one that shares its Pod: each runs when those before it have committed, or have heard that they are not wanted."""
        mates, front = self._mates(pod), self._front(pod)
        if pod.leaving or (pod.stage is Seen.ENDED and all(mate.key in self.records for mate in mates)):
            self._remove(pod)
            return True
        if pod.stage is Seen.WAITING:
            for mate in mates:
                mate.stage, mate.running_since = Seen.RUNNING, self.now
            return True
        if pod.stage is Seen.RUNNING and front is None:
            for mate in mates:
                mate.stage, mate.exit_code = Seen.ENDED, 0
            return True
        if pod.stage is not Seen.RUNNING or pod is not front:
            return False
        does = self.case.does(pod.order.task, self._failures(pod.order.task))
        if does is Does.DIE:
            self._note(f"{pod.key} dies, and with it its Pod")
            for mate in mates:
                mate.stage, mate.exit_code = Seen.ENDED, 137
                mate.lost = pod.all.index(mate.key) > pod.all.index(pod.key)
            return True
        return does is not Does.HANG and self._commit(pod, does)

    def _failures(self, task: str) -> int:
        """How often a task has failed by its own fault."""
        failed = {
            key for key, record in self.records.items() if not record.is_success and record.reason != Reason.TERMINATED
        }
        return sum(name == task for name, _ in failed | self.judged)

    def _commit(self, pod: Pod, does: Does | None) -> bool:
        """The gateway's fence: only the current attempt of a task commits, and only once the operator knows what is current."""
        if not self.is_settled:
            return False
        task = self.run.tasks.get(pod.order.task, PENDING)
        if task.phase is not Phase.RUNNING or task.attempt != pod.order.attempt:
            assert self._is_over(pod.key), self.story(
                f"{pod.key} is the newest attempt of a task that goes on, and cannot commit"
            )
            self._note(f"{pod.key} is superseded")
            if pod.aboard:
                pod.has_heard = True
            else:
                del self.pods[pod.key]
            return True
        self._record(pod.key, self._result(pod.order, does))
        return True

    def _is_over(self, key: AttemptId) -> bool:
        """Whether nobody waits for an attempt any more."""
        task = self.run.tasks.get(key[0], PENDING)
        has_run_too_long = task.phase is Phase.PENDING and task.reason == Reason.DEADLINE_EXCEEDED
        return task.is_finished or key[1] < task.attempt or has_run_too_long

    def _result(self, order: Order, does: Does | None) -> Result:
        if does is None:
            return Result(143, Reason.TERMINATED, "told to end", started_at=self.now, finished_at=self.now)
        if does is Does.FAIL:
            return Result(1, "Error", "it failed", started_at=self.now, finished_at=self.now)
        is_bare = does is Does.SUCCEED_BARE
        lineage = repr((order.task, sorted(order.inputs.items()), order.params, order.spec))
        digest = hashlib.sha256(lineage.encode()).hexdigest()
        outputs = {
            name: ArtifactRef(f"sha256:{digest}", 1)
            for name, output in order.outputs.items()
            if output.is_artifact and not (is_bare and output.optional)
        }
        numbers = {
            name: self.case.number(order.task)
            for name, output in order.outputs.items()
            if output.type == "number" and not (is_bare and output.optional)
        }
        return Result(0, outputs=outputs, parameters=numbers, started_at=self.now, finished_at=self.now)

    def _record(self, key: AttemptId, result: Result) -> None:
        assert key not in self.records, f"{key} committed twice"
        if result.is_success:
            others = [other for other, earlier in self.records.items() if other[0] == key[0] and earlier.is_success]
            assert not others, f"{key} committed a success after {others}"
        self._note(f"{key} commits {'a success' if result.is_success else 'a failure'}")
        self.records[key] = result
        self.is_dirty = True

    # ── the operator ───────────────────────────────────────────────────────────────────────────────────────────────

    def _deliver(self, key: AttemptId) -> None:
        """News of a Pod, and so of all that share it."""
        pod, known = self.pods.get(key), self.cache.get(key)
        for mate in {key, *(pod.all if pod else ()), *(known.aboard if known else ())}:
            before = self.cache.get(mate)
            if found := self.pods.get(mate):
                self.cache[mate] = found.shown()
            else:
                self.cache.pop(mate, None)
            self.is_dirty |= self.cache.get(mate) != before

    def _observations(self) -> Observations:
        attempts = dict(self.cache)
        for task, number in self.creating:
            attempts.setdefault((task, number), Attempt(task, number, "", Seen.WAITING, self.now, reason="Creating"))
        return Observations(attempts, dict(self.records), self.probed, self.refused, chosen=dict(self.chosen))

    def _turn(self) -> None:
        """What the engine does in a turn; it may be killed between any two effects."""
        if self.creating and not self._create():
            return
        seen = self._observations()
        self.is_dirty = False
        self.turns += 1
        decision = self._decide(seen)
        self.probed, self.refused = {}, {}
        for name, task in decision.run.tasks.items():
            if task.failures > self._failures(name):
                self.judged.add((name, task.attempt))
        self.run, self.wake_at, self.is_settled = decision.run, decision.wake_at, True
        orders = [action.order for action in decision.actions if isinstance(action, Start)]
        self._check_starts(
            orders, [(action.task, action.attempt) for action in decision.actions if isinstance(action, Stop)]
        )
        self.creating.update({(order.task, order.attempt): order for order in orders})
        for seat in riders.seated(orders):
            self.shared.update({(order.task, order.attempt): seat for order in seat})
        if self.tape.below(8) != 7:  # else this status was coalesced with a later one
            self.written.append(self.run)
        if not self._create():
            return
        for action in decision.actions:
            if self.tape.below(24) == 23:
                self._note("the effects stop here")
                self.is_dirty = True
                return
            if not isinstance(action, Start):
                self._carry_out(action)

    def _create(self) -> bool:
        """Create what was decided on. Whether the API let it."""
        for key, order in list(self.creating.items()):
            if key not in self.creating:
                continue
            if self.tape.below(24) == 23:
                self._note(f"{key} cannot be created now")
                self.is_dirty = True
                return False
            if len(seat := self.shared[key]) > 1:
                self._board(seat)
                continue
            del self.creating[key]
            if self.case.does(order.task, self._failures(order.task)) is Does.REFUSED:
                self.refused[key] = "admission webhook says no"
                self.is_dirty = True
                continue
            self._note(f"{key} is created")
            self.pods.setdefault(key, Pod(order, self.now))
            self._deliver(key)
            self.is_dirty = (
                False if not self.refused else self.is_dirty
            )  # a new attempt's own news comes when it starts
        return True

    def _board(self, seat: tuple[Order, ...]) -> None:
        """Create a Pod that several share, unless one of its name exists: that has whom it has."""
        aboard = tuple((order.task, order.attempt) for order in seat)
        self._note(f"{aboard} share a Pod that is created")
        if all(pod.all[0] != aboard[0] for pod in self.pods.values()):
            self.pods |= {key: Pod(order, self.now, aboard=aboard) for key, order in zip(aboard, seat, strict=True)}
        for key in aboard:
            self.creating.pop(key, None)
        self._deliver(aboard[0])
        self.is_dirty = bool(self.refused) and self.is_dirty

    def _choose(self, action: Choose) -> None:
        for index in range(action.count):
            number = len(action.told) + index
            name = f"{action.task}/{number}"
            assert name not in self.chosen, self.story(f"the parameters of {name} are chosen twice")
            self.chosen[name] = {"p": number}
        self.is_dirty = True

    def _carry_out(self, action: Stop | Probe | Publish | Choose) -> None:
        if isinstance(action, Choose):
            self._choose(action)
            return
        key = (action.task, action.attempt)
        self._note(f"{type(action).__name__} {key}")
        match action:
            case Stop():
                assert self._is_over(key), self.story(
                    f"{key} is the newest attempt of a task that goes on, and is stopped"
                )
                self.creating.pop(key, None)
                if pod := self.pods.get(key):
                    pod.has_heard = True
                    if not any(map(self._is_under_way, pod.all)):
                        for mate in self._mates(pod):
                            mate.leaving = True
            case Probe():
                self._probe(key)
                self.is_dirty = True
            case Publish():
                if key not in self.records:
                    made = {**action.files, **action.collections}
                    files = {
                        name: ArtifactRef(f"sha256:{hashlib.sha256(data).hexdigest()}", 1)
                        for name, data in made.items()
                    }
                    self._record(
                        key,
                        Result(
                            0,
                            outputs={**action.reuse, **files},
                            parameters=action.parameters,
                            fingerprint=action.fingerprint,
                            started_at=self.now,
                            finished_at=self.now,
                        ),
                    )
                self.is_dirty = True

    def _is_under_way(self, key: AttemptId) -> bool:
        task = self.run.tasks.get(key[0], PENDING)
        return task.phase is Phase.RUNNING and task.attempt == key[1] and key not in self.records

    def _probe(self, key: AttemptId) -> None:
        pod = self.pods.get(key)
        if key in self.records:
            return
        shown = self.cache.get(key)
        if shown and shown.seen is Seen.ENDED and not shown.lost and shown.exit_code != 0:
            self._record(
                key, Result(shown.exit_code or 1, "Error", "it died", started_at=self.now, finished_at=self.now)
            )
            return
        self.probed[key] = Probed(exists=pod is not None)

    # ── fairness ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _settle(self) -> None:
        """The tape is over: whatever can happen happens, until nothing can."""
        self._edit(suspend=False)
        self.is_dirty = True
        while self._step():
            assert self.turns < TURNS, self.story("does not come to an end")
        assert self.run.phase.is_finished, self.story("nothing happens any more, and the workflow has not ended")
        alive = [
            key
            for key, pod in self.pods.items()
            if pod.stage is not Seen.ENDED and key not in self.records and not pod.has_heard
        ]
        assert not alive, self.story(f"the workflow has ended, and these run on: {alive}")

    def _step(self) -> bool:
        self.now += 1.0
        for key in [*self.pods, *self.cache]:
            self._deliver(key)
        if self.is_dirty or (self.wake_at is not None and self.wake_at <= self.now):
            self._turn()
            return True
        moved = [self._advance(pod) for pod in list(self.pods.values())]  # each of them, not up to the first that moves
        if any(moved) or self._answer():
            return True
        if self.wake_at is not None and not self.run.phase.is_finished:
            self.now = self.wake_at
            return True
        return False

    # ── what must always hold ──────────────────────────────────────────────────────────────────────────────────────

    def _decide(self, seen: Observations) -> Decision:
        """One decision, which must be repeatable, leave its arguments alone, and start nothing twice."""
        before = repr((self.run, seen))
        decision = decide(self.plan, self.run, seen, self.now)
        assert repr(decide(self.plan, self.run, seen, self.now)) == repr(decision), self.story(
            "two decisions about the same differ"
        )
        assert repr((self.run, seen)) == before, self.story("a decision changed what it was given")
        again = decide(self.plan, decision.run, seen, self.now)
        decision = self.remembering.decide(self.plan, self.run, seen, self.now, decision)
        twice = _starts(decision) & _starts(again)
        assert not twice, self.story(f"{twice} would be started twice")
        return decision

    def _check_starts(self, orders: list[Order], stops: list[AttemptId]) -> None:
        for order in orders:
            task, key = order.task, (order.task, order.attempt)
            self._note(f"Start {key}")
            assert not self._committed(task), self.story(f"{task} has committed, and is started again")
            assert key not in self.records, self.story(f"{key} has a record, and is started again")
            assert key not in self.pods or self.pods[key].leaving is False, self.story(
                f"{key} is leaving, and is started again"
            )
            node = self.plan.nodes[task]
            for place in node.chain():
                if place.item is None and place.trial is None:
                    self._check_needs(task, place)
            self._check_inputs(order, node)
            if paths.step_of(task) in self.workflow.on_exit:
                going = [name for name in self.workflow.steps if not self.run.tasks.get(name, PENDING).is_finished]
                assert not going, self.story(f"{task} starts before {going} have ended")
            self._check_locks(task)
        limit = self.workflow.parallelism
        if orders and limit is not None:
            busy = {
                key
                for key, pod in self.pods.items()
                if not (pod.leaving or pod.has_heard)
                and pod.stage is not Seen.ENDED
                and key not in self.records
                and not self._is_out_of_sight(key)
            }
            busy |= set(self.creating) | {(order.task, order.attempt) for order in orders}
            assert len(busy - set(stops)) <= limit, self.story(f"{busy} are more than {limit}")

    def _is_out_of_sight(self, key: AttemptId) -> bool:
        """Whether nobody wants an attempt any more, and nobody can see that it is there still: it will be stopped when it is seen."""
        return key not in self.cache and self.run.tasks.get(key[0], PENDING).is_finished

    def _check_locks(self, task: str) -> None:
        """A lock has no more holders than it may."""
        for lock in self.plan.nodes[task].step.locks:
            holders = [
                name
                for name, other in self.run.tasks.items()
                if other.phase is Phase.RUNNING and lock in self.plan.nodes[name].step.locks
            ]
            holders = [name for name in holders if self.plan.nodes[name].role is not Role.FAN]
            assert len(holders) <= lock.size, self.story(f"{holders} hold the lock {lock.name}")

    def _check_needs(self, task: str, place: Node) -> None:
        """A task has what its step, and every step that it is part of, waits for."""
        graph = self.plan.graph
        around = next((above.inner for above in place.chain() if above.inner and above.scope != place.scope), None)
        scope = around or (graph.main if place.task in graph.main.needs else graph.exit)
        for name, need in scope.needs[place.step.name].items():
            parent = paths.child(place.scope, name)
            state = self.run.tasks.get(parent, PENDING)
            assert state.is_finished, self.story(f"{task} starts before {parent} has ended")
            if need is Need.SUCCESS:
                assert self._committed(parent), self.story(f"{task} starts before {parent} has committed")
            if need is Need.ORDER:
                forgiven = state.phase is Phase.FAILED and self.plan.nodes[parent].owner.allow_failure
                fits = state.phase in place.step.run_after or (forgiven and "Succeeded" in place.step.run_after)
                assert fits, self.story(f"{task} starts after {parent}, which is {state.phase}")

    def _check_inputs(self, order: Order, node: Node) -> None:
        """Each input is the first of its sources that was committed, or its default, or is left out."""
        for name, source in node.owner.inputs.items():
            committed = [
                (self._committed(self.plan.nodes.resolve(node.scope, step) or ""), output)
                for step, output in source.sources
            ]
            left = [result.outputs[output] for result, output in committed if result and output in result.outputs]
            if left:
                assert order.inputs[name] == left[0], self.story(f"{order.task}.{name} is not what was committed")
            else:
                assert not source.is_required, self.story(f"{order.task} starts without its input {name}")
                assert (name in order.inputs) == (source.default is not UNSET)

    def _committed(self, task: str) -> Result | None:
        return next((result for (name, _), result in self.records.items() if name == task and result.is_success), None)

    def _phases(self) -> dict[str, str]:
        return {name: f"{task.phase}#{task.attempt}" for name, task in self.run.tasks.items()}

    def _note(self, line: str) -> None:
        self.log.append(f"{self.now - 1_000_000:7.0f}  {line}")

    def story(self, what: str) -> str:
        """What went wrong, and everything that led there."""
        return "\n".join([what, f"state: {self.run.phase} {self._phases()}", *self.log[-80:]])


def _starts(decision: Decision) -> set[AttemptId]:
    return {(action.order.task, action.order.attempt) for action in decision.actions if isinstance(action, Start)}


def outcome(world: World) -> Iterator[tuple[str, object]]:
    """What must be the same whatever the infrastructure did: the final phases, and what was left behind."""
    yield "workflow", world.run.phase
    for name in world.workflow.all_steps():
        task = world.run.tasks.get(name, PENDING)
        yield name, (task.phase, dict(task.parameters), dict(task.artifacts))
