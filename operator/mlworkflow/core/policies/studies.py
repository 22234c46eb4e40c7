"""Tune steps: choose parameters and start trials within their budget, settle the step when they are done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from mlworkflow.core import history, paths
from mlworkflow.core.actions import Choose, Judge, Publish, Told
from mlworkflow.core.duration import seconds
from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.expressions import as_text
from mlworkflow.core.fingerprint import of_composed
from mlworkflow.core.history import Tried
from mlworkflow.core.kinds.tune import Tune
from mlworkflow.core.names import Reason
from mlworkflow.core.nodes import Node
from mlworkflow.core.observation import Curve
from mlworkflow.core.policies.starting import start
from mlworkflow.core.state import PENDING, Phase, Task, value_named
from mlworkflow.core.study import best_of, is_reached, pareto_of, values_of
from mlworkflow.core.turn import MESSAGE, CarryOn, Turn


def run_study(turn: Turn, node: Node, carry_on: CarryOn) -> None:
    """One turn of a tune step that is under way."""
    try:
        study = turn.view.study(node)
        is_grid = study.algorithm.grid is not UNSET
        total = len(turn.view.grid(node)) if is_grid else int(study.trials.max)
        _run(
            _Search(turn, node, study, is_grid, [paths.numbered(node.task, number) for number in range(total)]),
            carry_on,
        )
    except ExpressionError as error:
        turn.stop_task(node.task, Phase.FAILED, Reason.EXPRESSION_ERROR, str(error))


@dataclass(frozen=True, slots=True)
class _Search:
    """A tune step in a turn; `names` are the tasks of the trials that it may have."""

    turn: Turn
    node: Node
    study: Tune
    is_grid: bool
    names: list[str]

    @property
    def total(self) -> int:
        """How many trials it may have."""
        return len(self.names)

    def task(self, number: int) -> Task:
        return self.turn.task(self.names[number])

    def together(self, left: int) -> int:
        """How many of the trials that are left start at once, at least: as many as share a Pod, which would not wait for more of them."""
        trials = self.study.trials
        return max(1, min(int(trials.per_pod), int(trials.parallel), left))

    def trials(self) -> dict[int, Task]:
        """The trials that there are so far: those whose parameters are known."""
        known = self.turn.tasks.get
        if self.is_grid:
            return {number: known(name, PENDING) for number, name in enumerate(self.names)}
        return {number: task for number, name in enumerate(self.names) if (task := known(name)) and task.params}

    def curve(self, number: int) -> Curve:
        """What a trial has said of its metric on the way, where that may stop trials."""
        return self.turn.seen.curves.get((self.names[number], self.task(number).attempt), _SILENT)

    def told(self, number: int, *, all_values: bool) -> Told:
        """A trial as Optuna is told of it, with everything that it said on the way, or once it has ended the last of it."""
        task = self.task(number)
        curve = self.curve(number).values if self.study.pruner is not UNSET else ()
        if not all_values:
            curve = curve[-1:] if task.is_finished else ()
        return Told(task.params, self.values(number), task.is_finished, task.is_pruned, curve)

    def values(self, number: int, task: Task | None = None) -> list[float] | None:
        """What decides of a trial that succeeded; `task` is its state, for who has it at hand."""
        task = self.task(number) if task is None else task
        if task.phase is not Phase.SUCCEEDED:
            return None
        values = self.turn.memory.values.setdefault(self.node.task, {})
        known = values.get(number)
        if known is None or known[0] is not task:
            found = {metric.name: value_named(task, metric.name) for metric in self.study.objectives}
            known = values[number] = (task, values_of(self.study, found))
        return known[1]


_SILENT = Curve()


def _run(search: _Search, carry_on: CarryOn) -> None:
    _note_chosen(search)
    trials = search.trials()
    if _find_metrics(search, trials):
        trials = search.trials()
    if _too_many_failed(search, trials):
        return
    if reason := _is_over(search, trials):
        _stop(search, trials, *reason)
    else:
        _start(search, trials, carry_on)
    trials = search.trials()
    if _too_many_failed(search, trials):
        return
    is_whole = bool(reason) or len(trials) == search.total
    if is_whole and all(task.is_finished for task in trials.values()):
        none = "" if search.total else ": no combination of the grid keeps tune.constraints"
        _settle(search, trials, f": {reason[1]}" if reason else none)
    elif not reason:
        _judge(search, trials)
        _choose(search, trials)
    _tell(search, trials)


def _note_chosen(search: _Search) -> None:
    """What was chosen for the trials, as far as it is known."""
    turn = search.turn
    if not turn.seen.chosen:
        return
    for name in search.names:
        if not turn.task(name).params and (params := turn.seen.chosen.get(name)):
            turn.note_params(name, params)


def _find_metrics(search: _Search, trials: Mapping[int, Task]) -> bool:
    """A trial that succeeded and left no number has failed. Whether there is one."""
    is_any = False
    for number, task in trials.items():
        if task.phase is Phase.SUCCEEDED and search.values(number, task) is None:
            search.turn.finish(search.names[number], Phase.FAILED, Reason.METRIC_MISSING, _missing(search.study, task))
            is_any = True
    return is_any


def _missing(study: Tune, task: Task) -> str:
    metric = next(metric for metric in study.objectives if value_named(task, metric.name) is None)
    left = ", ".join(sorted({*task.metrics, *task.parameters})) or "nothing"
    pattern = f", and nothing that it printed matches '{metric.pattern}'" if metric.pattern else ""
    return f"the trial emitted no metric and left no output parameter '{metric.name}' that is a number{pattern}; it left {left}"


def _too_many_failed(search: _Search, trials: Mapping[int, Task]) -> bool:
    """Fails the step, and stops its trials, once more have failed than may."""
    study = search.study
    failed = [number for number, task in trials.items() if task.phase is Phase.FAILED]
    if len(failed) <= int(study.trials.max_failed):
        return False
    first = trials[failed[0]]
    message = f"{len(failed)} of {search.total} trials failed, {study.trials.max_failed} may; trial {failed[0]}: {first.reason}: {first.message}"
    search.turn.stop_task(search.node.task, Phase.FAILED, Reason.TRIALS_FAILED, message)
    return True


def _is_over(search: _Search, trials: Mapping[int, Task]) -> tuple[Reason, str] | None:
    """Why the search ends before it has had all its trials."""
    study, turn = search.study, search.turn
    if study.trials.goal is not UNSET:
        for number, task in trials.items():
            if (values := search.values(number, task)) and is_reached(study, values[0]):
                return Reason.GOAL_REACHED, f"trial {number} reached {values[0]}, the goal is {study.trials.goal}"
    began = turn.task(search.node.task).started_at
    if study.trials.timeout is not UNSET and began is not None:
        until = began + seconds(study.trials.timeout)
        if turn.now >= until:
            return Reason.BUDGET_SPENT, f"trials.timeout: {study.trials.timeout} are over"
        turn.wake(until, search.node.task)
    return None


def _stop(search: _Search, trials: Mapping[int, Task], reason: Reason, message: str) -> None:
    for number, task in trials.items():
        if not task.is_finished:
            search.turn.stop_task(search.names[number], Phase.CANCELLED, reason, message)


def _start(search: _Search, trials: Mapping[int, Task], carry_on: CarryOn) -> None:
    turn, parallel = search.turn, int(search.study.trials.parallel)
    under_way = sum(task.phase is Phase.RUNNING for task in trials.values())
    waiting = sum(task.phase is Phase.PENDING for task in trials.values())
    may_start = parallel - under_way >= search.together(waiting)
    are_units = bool(trials) and turn.node(search.names[next(iter(trials))]).is_unit
    for number, task in trials.items():
        if task.is_finished or (are_units and task.phase is Phase.RUNNING):
            continue
        node = turn.node(search.names[number])
        if task.phase is Phase.PENDING and may_start and under_way < parallel:
            if start(turn, node):
                under_way += 1
                if search.is_grid:  # it keeps its point, whatever becomes of the space
                    turn.note_params(node.task, turn.view.trial_params(node))
            elif not turn.task(node.task).is_finished:
                turn.wait(node)
        carry_on(turn, node)


def _judge(search: _Search, trials: Mapping[int, Task]) -> None:
    """Ask whether trials that have said something new go on."""
    turn, task = search.turn, search.node.task
    if search.study.pruner is UNSET or task in turn.seen.judging or task in turn.seen.unchosen:
        return
    asked = {
        number: search.curve(number).judged
        for number, trial in trials.items()
        if trial.phase is Phase.RUNNING and search.curve(number).is_open
    }
    if asked:
        told = tuple(search.told(number, all_values=True) for number in trials)
        attempts = {number: trials[number].attempt for number in asked}
        turn.ask(Judge(task, search.study, told, asked, attempts))


def _choose(search: _Search, trials: Mapping[int, Task]) -> None:
    """Ask for the parameters of as many trials as may start now: those which are chosen later know of more results."""
    turn, task = search.turn, search.node.task
    if message := turn.seen.unchosen.get(task):
        turn.stop_task(task, Phase.FAILED, Reason.CHOICE_FAILED, message)
        return
    left = search.total - len(trials)
    free = int(search.study.trials.parallel) - sum(not trial.is_finished for trial in trials.values())
    count = min(free, left)
    if count <= 0 or free < search.together(left) or task in turn.seen.choosing or turn.workflow.suspend:
        return
    told = tuple(search.told(number, all_values=False) for number in trials)
    names = {"params": turn.view.names(search.node)["params"]}
    turn.ask(Choose(task, count, search.study, names, told))


def _tell(search: _Search, trials: Mapping[int, Task]) -> None:
    """The best trial so far, for whoever looks at the step while it runs."""
    turn, task, values = search.turn, search.node.task, _values(search, trials)
    if turn.task(task).phase is not Phase.RUNNING:
        return
    said = []
    if values:
        best = _shown(search, best_of(search.study, values), values)
        params = ", ".join(f"{name}={as_text(value)}" for name, value in best["params"].items())
        said.append(f"the best so far is {best['value']}, of trial {best['trial']}: {params}")
    if (warm := search.study.warm_start) is not UNSET and (known := turn.seen.recalled.get(task)):
        said.append(f"it began with {known.count} of the {known.of} trials of {warm.from_}")
    if said:
        turn.say(task, "; ".join(said)[:MESSAGE])


def _values(search: _Search, trials: Mapping[int, Task]) -> dict[int, list[float]]:
    return {number: found for number, task in trials.items() if (found := search.values(number, task)) is not None}


def _shown(search: _Search, number: int, values: Mapping[int, list[float]]) -> dict[str, Any]:
    """A trial as an output tells it."""
    params = dict(search.turn.view.trial_params(search.turn.node(search.names[number])))
    shown = {"params": params, "value": values[number][0], "trial": number}
    if search.study.metrics is not UNSET:
        shown["values"] = {m.name: value for m, value in zip(search.study.metrics, values[number], strict=True)}
    return shown


def _settle(search: _Search, trials: Mapping[int, Task], why: str) -> None:
    turn, node, study = search.turn, search.node, search.study
    values = _values(search, trials)
    if not values:
        turn.finish(node.task, Phase.FAILED, Reason.NO_TRIALS, f"no trial succeeded{why}")
        return
    best = best_of(study, values)
    parameters = {
        "best": _shown(search, best, values),
        "trial_count": len(trials),
        "failed_count": sum(task.phase is Phase.FAILED for task in trials.values()),
    }
    if study.pruner is not UNSET:
        parameters["pruned_count"] = sum(task.is_pruned for task in trials.values())
    front = pareto_of(study, values) if study.metrics is not UNSET else []
    if front:
        parameters["pareto"] = [_shown(search, number, values) for number in front]
    tried, began = _tried(search, trials), turn.task(node.task).started_at
    if study.warm_start is not UNSET and (known := turn.seen.recalled.get(node.task)):
        parameters["warm_count"] = known.count
    files = {"trials": history.table(study, tried)}
    if study.report:
        ended = history.Search(turn.workflow.name, node.step.name, began, turn.now, why.removeprefix(": "), best, front)
        files["study"] = history.document(study, tried, ended)
    turn.ask(
        Publish(
            node.step,
            node.task,
            turn.task(node.task).attempt,
            parameters,
            files=files,
            reuse=trials[best].artifacts,
            inputs=turn.view.inputs(node),
            fingerprint=of_composed(turn.view, node),
        )
    )


def _tried(search: _Search, trials: Mapping[int, Task]) -> list[Tried]:
    """The trials as the outputs tell them."""
    names = [metric.name for metric in search.study.objectives]
    return [
        Tried(
            number,
            task,
            search.turn.view.trial_params(search.turn.node(search.names[number])),
            {name: value_named(task, name) for name in names},
            search.curve(number).values,
        )
        for number, task in trials.items()
    ]
