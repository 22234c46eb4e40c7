"""Tune steps: start trials within their budget, settle the step when they are done."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping

from mlworkflow.core import paths
from mlworkflow.core.actions import Publish
from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.fingerprint import of_composed
from mlworkflow.core.kinds.tune import Tune
from mlworkflow.core.names import Reason
from mlworkflow.core.nodes import Node
from mlworkflow.core.policies.starting import start
from mlworkflow.core.state import Phase, Task, value_named
from mlworkflow.core.study import study_of, trial_count, trial_params
from mlworkflow.core.turn import CarryOn, Turn


def run_study(turn: Turn, node: Node, carry_on: CarryOn) -> None:
    """One turn of a tune step that is under way."""
    try:
        _run(turn, node, study_of(node.step, turn.view.names(node)), carry_on)
    except ExpressionError as error:
        turn.stop_task(node.task, Phase.FAILED, Reason.EXPRESSION_ERROR, str(error))


def _run(turn: Turn, node: Node, study: Tune, carry_on: CarryOn) -> None:
    total = trial_count(study)
    for number in range(total):
        name, task = _trial(turn, node, number)
        if task.phase is Phase.SUCCEEDED and value_of(task, study) is None:
            wanted = study.metric.name
            message = f"the trial emitted no metric and left no output parameter '{wanted}'"
            turn.finish(name, Phase.FAILED, Reason.METRIC_MISSING, message)
    if _too_many_failed(turn, node, study, total):
        return
    trials = [_trial(turn, node, number) for number in range(total)]
    under_way = sum(task.phase is Phase.RUNNING for _, task in trials)
    for name, task in trials:
        if task.phase is Phase.PENDING and under_way < int(study.trials.parallel):
            under_way += start(turn, turn.node(name))
        carry_on(turn, turn.node(name))
    found = {number: _trial(turn, node, number)[1] for number in range(total)}
    if not _too_many_failed(turn, node, study, total) and all(task.is_finished for task in found.values()):
        _settle(turn, node, study, found)


def _trial(turn: Turn, node: Node, number: int) -> tuple[str, Task]:
    name = paths.numbered(node.task, number)
    return name, turn.task(name)


def _too_many_failed(turn: Turn, node: Node, study: Tune, total: int) -> bool:
    """Fails the step, and stops its trials, once more have failed than may."""
    trials = [_trial(turn, node, number)[1] for number in range(total)]
    failed = [number for number, task in enumerate(trials) if task.phase is Phase.FAILED]
    if len(failed) <= int(study.trials.max_failed):
        return False
    first = trials[failed[0]]
    message = f"{len(failed)} of {total} trials failed, {study.trials.max_failed} may; trial {failed[0]}: {first.reason}: {first.message}"
    turn.stop_task(node.task, Phase.FAILED, Reason.TRIALS_FAILED, message)
    return True


def _settle(turn: Turn, node: Node, study: Tune, trials: Mapping[int, Task]) -> None:
    values = {
        number: value
        for number, task in trials.items()
        if task.phase is Phase.SUCCEEDED and (value := value_of(task, study)) is not None
    }
    if not values:
        turn.finish(node.task, Phase.FAILED, Reason.NO_TRIALS, "no trial succeeded")
        return
    sign = 1 if study.metric.goal == "maximize" else -1
    best = max(values, key=lambda number: (sign * values[number], -number))
    parameters = {
        "best": {"params": dict(trial_params(study, best)), "value": values[best], "trial": best},
        "trial_count": len(trials),
        "failed_count": len(trials) - len(values),
    }
    turn.actions.append(
        Publish(
            node.step,
            node.task,
            turn.task(node.task).attempt,
            parameters,
            files={"trials": _table(study, trials)},
            reuse=trials[best].artifacts,
            inputs=turn.view.inputs(node),
            fingerprint=of_composed(turn.view, node),
        )
    )


def value_of(task: Task, study: Tune) -> float | None:
    """The number that decides, of a finished trial: a metric it emitted, or an output parameter."""
    return value_named(task, study.metric.name)


def _table(study: Tune, trials: Mapping[int, Task]) -> bytes:
    """The trials as CSV: number, phase, value, reason, and a column per parameter. No times: same trials, same bytes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", "phase", study.metric.name, "reason", *study.space])
    for number, task in trials.items():
        params = trial_params(study, number)
        cells = [value if isinstance(value, str) else json.dumps(value) for value in params.values()]
        value = value_of(task, study)
        writer.writerow([number, task.phase, "" if value is None else json.dumps(value), task.reason, *cells])
    return text.getvalue().encode()
