"""Tune steps: start trials within their budget, settle the step when they are done."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping

from mlworkflow.core import orders
from mlworkflow.core.actions import Publish
from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.kinds.tune import Tune
from mlworkflow.core.model import Step
from mlworkflow.core.names import Reason
from mlworkflow.core.policies.starting import start_task
from mlworkflow.core.policies.timeouts import cancel_trials, stop_task
from mlworkflow.core.state import Phase, Task, trial_id, trials_of, value_named
from mlworkflow.core.study import study_of, trial_count, trial_params
from mlworkflow.core.turn import Turn


def run_studies(turn: Turn) -> None:
    """Every tune step that is open; one that has ended leaves no trial behind, whatever an older state says of it."""
    for name, step in turn.workflow.steps.items():
        if step.trial and turn.task(name).is_finished:
            cancel_trials(turn, name, Reason.CANCELLED, f"step '{name}' has ended")
        elif step.trial and turn.task(name).phase is Phase.RUNNING:
            try:
                _run(turn, step, study_of(step, orders.names(turn.workflow, turn.tasks)))
            except ExpressionError as error:
                stop_task(turn, name, Phase.FAILED, Reason.EXPRESSION_ERROR, str(error))


def _run(turn: Turn, step: Step, study: Tune) -> None:
    total = trial_count(study)
    trials = trials_of(step.name, turn.tasks)
    for number, task in trials.items():
        if task.phase is Phase.SUCCEEDED and value_of(task, study) is None:
            named = study.metric.name
            turn.finish(
                trial_id(step.name, number),
                Phase.FAILED,
                Reason.METRIC_MISSING,
                f"the trial emitted no metric and left no output parameter '{named}'",
            )
    if _too_many_failed(turn, step, study, total):
        return
    under_way = sum(task.phase is Phase.RUNNING for task in trials.values())
    for number in range(total):
        if under_way >= int(study.trials.parallel):
            break
        if trials.get(number, _NEW).phase is Phase.PENDING:
            under_way += start_task(turn, trial_id(step.name, number))
    trials = trials_of(step.name, turn.tasks)
    if (
        not _too_many_failed(turn, step, study, total)
        and len(trials) == total
        and all(task.is_finished for task in trials.values())
    ):
        _settle(turn, step, study, trials)


_NEW = Task()


def _too_many_failed(turn: Turn, step: Step, study: Tune, total: int) -> bool:
    """Fails the step, and stops its trials, once more have failed than may."""
    trials = trials_of(step.name, turn.tasks)
    failed = [number for number, task in trials.items() if task.phase is Phase.FAILED]
    if len(failed) <= int(study.trials.max_failed):
        return False
    first = trials[failed[0]]
    message = f"{len(failed)} of {total} trials failed, {study.trials.max_failed} may; trial {failed[0]}: {first.reason}: {first.message}"
    stop_task(turn, step.name, Phase.FAILED, Reason.TRIALS_FAILED, message)
    return True


def _settle(turn: Turn, step: Step, study: Tune, trials: Mapping[int, Task]) -> None:
    values = {
        number: value
        for number, task in trials.items()
        if task.phase is Phase.SUCCEEDED and (value := value_of(task, study)) is not None
    }
    if not values:
        turn.finish(step.name, Phase.FAILED, Reason.NO_TRIALS, "no trial succeeded")
        return
    sign = 1 if study.metric.goal == "maximize" else -1
    best = max(values, key=lambda number: (sign * values[number], -number))
    parameters = {
        "best": {"params": dict(trial_params(study, best)), "value": values[best], "trial": best},
        "trial_count": len(trials),
        "failed_count": len(trials) - len(values),
    }
    turn.actions.append(
        Publish(step, step.name, 0, parameters, {"trials": _table(study, trials)}, trials[best].artifacts)
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
