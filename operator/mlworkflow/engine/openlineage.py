"""OpenLineage events: what a turn changed in a run, told as starts and ends of runs of jobs. All of it pure; `lineage_sender` sends.

A workflow is a job, and so is each step (`<workflow>.<step>`); an attempt of a task is a run of its step's job, whose parent is the task or the
workflow that it is part of. Ids of runs are functions of what they are of, so what is told twice is the same event twice. A dataset is
what a task leaves, `<workflow>.<task>.<output>`, and its version is the digest.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mlworkflow.core import names, paths
from mlworkflow.core.nodes import Node
from mlworkflow.core.plan import Plan
from mlworkflow.core.state import PENDING, Phase, Run, Task
from mlworkflow.core.status import stamp
from mlworkflow.core.values import ArtifactRef
from mlworkflow.engine.telling import Turned

SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACETS = "https://openlineage.io/spec/facets"
PRODUCER = f"https://{names.GROUP}"
_IDS = uuid.uuid5(uuid.NAMESPACE_URL, f"https://{names.GROUP}/openlineage")
_ENDS = {Phase.SUCCEEDED: "COMPLETE", Phase.FAILED: "FAIL", Phase.CANCELLED: "ABORT"}

Event = dict[str, Any]


def changes(turned: Turned, namespace: str, version: str, now: float) -> list[Event]:
    """The events of a turn, in the order in which they happened. `namespace` is that of jobs and datasets."""
    return list(_Told(turned.plan, turned.after, namespace, version, now).changes(turned))


def workflow_run_id(uid: str, rerun: str = "") -> str:
    """The run of a workflow; each time that it is run again is another."""
    return str(uuid.uuid5(_IDS, f"{uid}/{rerun}" if rerun else uid))


def task_run_id(uid: str, task: str, attempt: int) -> str:
    """The run of an attempt of a task."""
    return str(uuid.uuid5(_IDS, f"{uid}/{task}/{attempt}"))


@dataclass(frozen=True, slots=True)
class _Told:
    """Tells of a run as it is after a turn."""

    plan: Plan
    run: Run
    namespace: str
    version: str
    now: float

    def changes(self, turned: Turned) -> Iterator[Event]:
        before = turned.before
        if before.phase is Phase.PENDING and self.run.phase is not Phase.PENDING:
            yield self._workflow("START", self.run.started_at or self.now)
        changed = sorted(turned.tasks(), key=lambda change: change[0])  # what a task is part of before the task
        for name, old, new in reversed(changed):
            if _runs(old) and not _runs(new) and new.attempt == old.attempt:
                yield self._end(name, old, new)
        for name, old, new in changed:
            if _is_new(old, new):
                if _runs(old):  # the turn that ended one attempt began the next
                    yield self._task("ABORT" if new.losses > old.losses else "FAIL", name, old, self.now)
                yield self._task("START", name, new, (new.started_at if old.started_at is None else None) or self.now)
        for name, old, new in reversed(changed):
            if _is_new(old, new) and not _runs(new):
                yield self._end(name, old, new)
        if self.run.phase in _ENDS and before.phase is not self.run.phase:
            yield self._workflow(_ENDS[self.run.phase], self.run.finished_at or self.now)

    def _end(self, name: str, old: Task, new: Task) -> Event:
        """The end of an attempt; of a task that is still to be tried again too."""
        retried = "ABORT" if new.losses > old.losses else "FAIL"
        return self._task(_ENDS.get(new.phase, retried), name, new, new.finished_at or self.now)

    def _workflow(self, type_: str, at: float) -> Event:
        facets = self._facets(type_, self.run.message)
        run = workflow_run_id(self.plan.workflow.uid, self.run.rerun)
        return self._event(type_, at, run, facets, self.plan.workflow.name, "WORKFLOW", [], [])

    def _task(self, type_: str, name: str, task: Task, at: float) -> Event:
        node = self.plan.nodes.get(name)
        run = task_run_id(self.plan.workflow.uid, name, task.attempt)
        facets = {**self._facets(type_, task.message), "parent": self._parent(name)}
        kind = node.step.kind.name.upper() if node else "STEP"
        inputs = list(self._inputs(node)) if node else []
        outputs = [self._output(name, output, left) for output, left in task.artifacts.items()]
        return self._event(type_, at, run, facets, self._job(name), kind, inputs, outputs if type_ != "START" else [])

    def _event(
        self,
        type_: str,
        at: float,
        run: str,
        facets: dict[str, Any],
        job: str,
        job_type: str,
        inputs: list[Event],
        outputs: list[Event],
    ) -> Event:
        kind = {"processingType": "BATCH", "integration": "MLWORKFLOW", "jobType": job_type}
        return {
            "eventType": type_,
            "eventTime": stamp(at),
            "run": {"runId": run, "facets": facets},
            "job": {
                "namespace": self.namespace,
                "name": job,
                "facets": {"jobType": _facet("2-0-3/JobTypeJobFacet", **kind)},
            },
            "inputs": inputs,
            "outputs": outputs,
            "producer": PRODUCER,
            "schemaURL": SCHEMA,
        }

    def _facets(self, type_: str, message: str) -> dict[str, Any]:
        engine = _facet("1-1-1/ProcessingEngineRunFacet", version=self.version, name="mlworkflow")
        if type_ != "FAIL":
            return {"processing_engine": engine}
        why = _facet("1-0-1/ErrorMessageRunFacet", message=message or "failed", programmingLanguage="UNKNOWN")
        return {"processing_engine": engine, "errorMessage": why}

    def _parent(self, name: str) -> dict[str, Any]:
        workflow = self.plan.workflow
        root = {
            "run": {"runId": workflow_run_id(workflow.uid, self.run.rerun)},
            "job": {"namespace": self.namespace, "name": workflow.name},
        }
        above = paths.parent(name)
        parent = root
        if above is not None:
            attempt = max(0, self.run.tasks.get(above, PENDING).attempt)
            parent = {
                "run": {"runId": task_run_id(workflow.uid, above, attempt)},
                "job": {"namespace": self.namespace, "name": self._job(above)},
            }
        return _facet("1-1-0/ParentRunFacet", **parent, root=root)

    def _job(self, task: str) -> str:
        """`<workflow>.<step>`; of a step in a group `<workflow>.<group>.<step>`."""
        return ".".join([self.plan.workflow.name, *(segment.step for segment in paths.segments(task))])

    def _inputs(self, node: Node) -> Iterator[Event]:
        for source in node.owner.inputs.values():
            for step, output in source.sources:
                task = self.plan.nodes.resolve(node.scope, step) or ""
                left = self.run.tasks.get(task, PENDING).artifacts.get(output)
                if left:
                    yield self._dataset(task, output, left)
                    break

    def _output(self, task: str, output: str, left: ArtifactRef) -> Event:
        size = _facet("1-0-2/OutputStatisticsOutputDatasetFacet", size=left.size)
        return {**self._dataset(task, output, left), "outputFacets": {"outputStatistics": size}}

    def _dataset(self, task: str, output: str, left: ArtifactRef) -> Event:
        version = _facet("1-0-1/DatasetVersionDatasetFacet", datasetVersion=left.digest)
        name = f"{self.plan.workflow.name}.{task}.{output}"
        return {"namespace": self.namespace, "name": name, "facets": {"version": version}}


def _runs(task: Task) -> bool:
    return task.phase is Phase.RUNNING


def _is_new(old: Task, new: Task) -> bool:
    """Whether an attempt has begun that was not there before; one that was skipped never did."""
    has_run = _runs(new) or (new.phase in _ENDS and new.started_at is not None)
    return has_run and new.attempt >= 0 and (new.attempt != old.attempt or not (_runs(old) or old.is_finished))


def _facet(schema: str, **fields: Any) -> dict[str, Any]:
    """`schema` is its version and name."""
    name = schema.partition("/")[2]
    return {"_producer": PRODUCER, "_schemaURL": f"{FACETS}/{schema}.json#/$defs/{name}", **fields}
