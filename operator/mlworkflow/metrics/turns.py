"""What turns bring about, counted: workflows and steps that end, attempts that are tried again."""

from __future__ import annotations

from collections.abc import Callable

from mlworkflow.core.kinds import KINDS
from mlworkflow.core.names import Reason
from mlworkflow.core.plan import Plan
from mlworkflow.core.state import Phase, Task
from mlworkflow.engine.telling import Turned
from mlworkflow.kube.podview import CANNOT_START
from mlworkflow.metrics import definitions as d
from mlworkflow.metrics.meter import Meter

OTHER = "Other"
ENDS = (str(Phase.SUCCEEDED), str(Phase.FAILED), str(Phase.CANCELLED))
SCHEDULING = frozenset({"Unschedulable", "SchedulingGated"})
_KUBELET = {"Evicted", "Preempted", "Preempting", "NodeLost", "ContainerCannotRun", "DeadlineExceeded", "Shutdown"}
_STEPS = [
    "CodeInvalid",
    "ColumnInvalid",
    "ColumnMissing",
    "DataInvalid",
    "DiskFull",
    "EstimatorInvalid",
    "FeaturesInvalid",
    "FitFailed",
    "GateFailed",
    "InputMissing",
    "LibraryMissing",
    "ModelInvalid",
    "OutputMissing",
    "ParamInvalid",
    "ParamsInvalid",
    "PartitionInvalid",
    "PredictFailed",
    "RequirementsFailed",
    "SchemaInvalid",
    "SourceInvalid",
    "SourceUnavailable",
    "SpecInvalid",
    "SplitInvalid",
    "StoreRefused",
    "TargetInvalid",
]
"""What the built-in kinds and the agent say."""
REASONS = frozenset({*map(str, Reason), *_KUBELET, *CANNOT_START, *SCHEDULING, *_STEPS})
"""Those that a step may end with and be counted by: a step can say whatever it likes."""


class Turns:
    """`tell` is for the engine. `changed_at` says when each workflow last changed that has since the start, by the engine's clock."""

    def __init__(self, meter: Meter, clock: Callable[[], float]) -> None:
        for phase in ENDS:
            meter.expect(d.WORKFLOW_DURATION, phase)
        for kind in KINDS:
            for phase in (*ENDS, str(Phase.SKIPPED)):
                meter.expect(d.STEPS_ENDED, kind, phase)
            for cause in ("failed", "lost"):
                meter.expect(d.STEP_RETRIES, kind, cause)
        for reason in (*REASONS, OTHER):
            meter.expect(d.STEP_FAILURES, reason)
        self._meter = meter
        self._clock = clock
        self.changed_at: dict[str, float] = {}

    def tell(self, turned: Turned) -> None:
        before, after = turned.before, turned.after
        for name, old, task in turned.tasks():
            self._count(turned.plan, name, old, task)
        uid = turned.plan.workflow.uid
        if not after.phase.is_finished:
            self.changed_at[uid] = self._clock()
            return
        self.changed_at.pop(uid, None)
        if not before.phase.is_finished and after.started_at is not None and after.finished_at is not None:
            self._meter.observe(d.WORKFLOW_DURATION, after.finished_at - after.started_at, str(after.phase))

    def _count(self, plan: Plan, name: str, old: Task, task: Task) -> None:
        has_ended = task.is_finished and not old.is_finished
        is_again = not task.is_finished
        is_lost, is_failed = is_again and task.losses > old.losses, is_again and task.failures > old.failures
        if not (has_ended or is_lost or is_failed) or (node := plan.nodes.get(name)) is None:
            return
        kind = node.step.kind.name
        if is_lost or is_failed:
            self._meter.add(d.STEP_RETRIES, kind, "lost" if is_lost else "failed")
        if not has_ended:
            return
        phase = str(task.phase)
        self._meter.add(d.STEPS_ENDED, kind, phase)
        if task.phase is Phase.FAILED:
            self._meter.add(d.STEP_FAILURES, task.reason if task.reason in REASONS else OTHER)
        if task.started_at is not None and task.finished_at is not None and task.phase is not Phase.SKIPPED:
            self._meter.observe(d.STEP_DURATION, max(0.0, task.finished_at - task.started_at), kind, phase)
