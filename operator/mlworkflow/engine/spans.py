"""What a turn has ended, as spans: pure. `trace_sender` sends them.

A span is made at its end, from the times that the state holds; so nothing is open anywhere, and nothing of it is lost when an operator is restarted. Attributes have the
names of OpenTelemetry's semantic conventions for CI/CD and Kubernetes where there are such.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlworkflow.core import paths, tracing
from mlworkflow.core.names import Reason
from mlworkflow.core.state import PENDING, Phase, Task
from mlworkflow.engine.telling import Turned

RESULTS = {Phase.SUCCEEDED: "success", Phase.FAILED: "failure", Phase.CANCELLED: "cancellation"}
TIMEOUTS = frozenset({str(Reason.DEADLINE_EXCEEDED), str(Reason.PENDING_TIMEOUT)})


@dataclass(frozen=True, slots=True)
class Span:
    """`parent` is empty for a root. Times are seconds since the epoch; `error` says what went wrong, empty where nothing did."""

    trace: str
    id: str
    parent: str
    name: str
    started: float
    ended: float
    error: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)


def ended(turned: Turned, began: Mapping[str, float], now: float, *, has_pods: bool) -> Iterator[Span]:
    """The spans that came to their end in a turn. `began` says when the current attempts of tasks began that have had others before, as far as that is known;
    `has_pods` that handles are names of Pods.
    """
    plan, run = turned.plan, turned.after
    uid, root = plan.workflow.uid, tracing.root_id(plan.workflow.uid, run.rerun)
    about = {
        "k8s.namespace.name": plan.workflow.namespace,
        "cicd.pipeline.name": plan.workflow.name,
        "cicd.pipeline.run.id": uid,
    }
    for name, old, task in turned.tasks():
        for last in _over(old, task, now):
            if last.started_at is None or last.finished_at is None or (node := plan.nodes.get(name)) is None:
                continue
            above = paths.parent(name)
            parent = root
            if above is not None:
                parent = tracing.span_id(uid, above, max(0, run.tasks.get(above, PENDING).attempt))
            own = {
                "cicd.pipeline.task.name": name,
                "cicd.pipeline.task.run.id": f"{uid}/{name}/{last.attempt}",
                "cicd.pipeline.task.run.result": _result(last.phase, last.reason),
                "mlworkflow.kind": node.step.kind.name,
                "mlworkflow.attempt": last.attempt,
                "mlworkflow.cached": last.is_cached,
                **({"k8s.pod.name": last.handle} if last.handle and has_pods else {}),
            }
            started = began.get(name, last.started_at) if last.attempt > 0 else last.started_at
            id_ = tracing.span_id(uid, name, max(0, last.attempt))
            yield _span(
                uid,
                id_,
                parent,
                name,
                started,
                last.finished_at,
                last.phase,
                last.reason,
                last.message,
                {**about, **own},
            )
    if run.phase in RESULTS and not turned.before.phase.is_finished:
        own = {"cicd.pipeline.result": _result(run.phase, run.reason)}
        at = run.started_at if run.started_at is not None else now
        name = f"RUN {plan.workflow.name}"
        yield _span(
            uid, root, "", name, at, run.finished_at or now, run.phase, run.reason, run.message, {**about, **own}
        )


def _over(old: Task, task: Task, now: float) -> Iterator[Task]:
    """The attempts of a task that are over: one that is followed by another, and the last."""
    if task.attempt > old.attempt >= 0 and old.phase is Phase.RUNNING:  # the turn that ended one began the next
        yield _failed(old, now, old.reason, old.message)
    elif old.phase is Phase.RUNNING and task.phase is Phase.PENDING and task.attempt == old.attempt:
        yield _failed(old, now, task.reason, task.message)
    if task.phase in RESULTS and not old.is_finished:
        yield task


def _failed(task: Task, now: float, reason: str, message: str) -> Task:
    return Task(
        phase=Phase.FAILED,
        reason=reason or "Error",
        message=message,
        attempt=task.attempt,
        started_at=task.started_at,
        finished_at=now,
        handle=task.handle,
    )


def _result(phase: Phase, reason: str) -> str:
    return "timeout" if phase is Phase.FAILED and reason in TIMEOUTS else RESULTS[phase]


def _span(
    uid: str, id_: str, parent: str, name: str, started: float, ended: float, phase: Phase, reason: str, message: str, attributes: dict[str, Any]
) -> Span:  # fmt: skip
    is_error = phase is Phase.FAILED
    if is_error:
        attributes["error.type"] = reason or str(phase)
    error = (message or reason or str(phase)) if is_error else ""
    return Span(tracing.trace_id(uid), id_, parent, name, started, max(started, ended), error, attributes)
