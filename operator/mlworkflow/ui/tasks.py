"""One attempt of a task: what it ran with, what it had and left, how it went, and why."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import UNSET

from mlworkflow.core import paths
from mlworkflow.core.nodes import Node
from mlworkflow.core.state import Phase
from mlworkflow.runs import approvals
from mlworkflow.runs.errors import RunsError, Usage
from mlworkflow.runs.run import Run
from mlworkflow.ui.answers import Approval, ArtifactLink, Question, TaskAnswer
from mlworkflow.ui.drawing import Drawing
from mlworkflow.ui.look import Look
from mlworkflow.ui.shown import from_seconds, millis, task_row

REPORT = "report"


async def task_answer(look: Look, run: Run, name: str, attempt: int | None) -> TaskAnswer:
    """Of the last attempt unless another is asked for. Raises RunsError for a task or attempt that there is not."""
    drawing = await look.drawing(run)
    if name not in run.known:
        run = await look.whole(run)
    task = _task(run, drawing, name)
    count = int(task.get("attempts") or 0)
    number = count - 1 if attempt is None else attempt
    if attempt is not None and not 0 <= attempt < count:
        raise Usage(f"attempt={attempt}: {name} has had {count}", "they are numbered from 0")
    is_composed = run.is_composed(name)
    record: Mapping[str, Any] = {}
    if number >= 0:
        record = await look.record(run, name, number)
    has_pod = number >= 0 and not is_composed and not record.get("cachedFrom")
    pod, points = await asyncio.gather(
        look.site.pod(run, name, number) if has_pod else _none(), look.site.metrics(run, name, max(number, 0))
    )
    node = drawing.plan.nodes.get(name) if drawing.plan else None
    is_last = number == count - 1
    outputs = _outputs(run, record, task if is_last else {})
    emitted = [str(point["name"]) for point in points[0]]
    return TaskAnswer(
        row=task_row(run, task),
        message=str((task.get("message") if is_last else "") or record.get("message") or ""),
        attempt=number,
        attempts=list(range(count)),
        kind=str(record.get("kind") or (node.step.kind.name if node else "")),
        params=record.get("params") or task.get("params") or (dict(node.step.params) if node else {}),
        spec=dict(node.step.raw) if node and node.step.raw else record.get("spec"),
        inputs=list(_inputs(run, drawing, node, name, record)),
        outputs=outputs,
        parameters=record.get("parameters") or (task.get("outputs") if is_last else None) or {},
        metrics=record.get("metrics") or {point["name"]: point["value"] for point in points[0]},
        series=[each for each, count in Counter(emitted).items() if count > 1],
        logs=_link("logs", record["logs"]) if record.get("logs") else None,
        exit_code=record.get("exitCode"),
        image=str(record.get("image") or ""),
        image_digest=str(record.get("imageDigest") or ""),
        code=str(record.get("code") or ""),
        started=from_seconds(record.get("startedAt")) or (millis(task.get("startedAt")) if count == 1 else None),
        finished=from_seconds(record.get("finishedAt")) or (millis(task.get("finishedAt")) if is_last else None),
        cached_from=str(record.get("cachedFrom") or ""),
        cached_run=_run_of(look, run, str(record.get("cachedFrom") or "")),
        missed=str(record.get("missed") or ""),
        waits_for=list(_waits_for(run, drawing, node, name, task)),
        approval=_approval(run, name),
        decision=((run.resource.get("spec") or {}).get("approvals") or {}).get(name),
        pod=pod,
        report=next((link for link in outputs if link.name == REPORT and link.digest), None),
    )


def _task(run: Run, drawing: Drawing, name: str) -> Mapping[str, Any]:
    """Its status; one that has none yet is still to come."""
    try:
        return run.task(name)
    except RunsError:
        if drawing.plan and drawing.plan.nodes.get(name) and _has_step(run, name):
            return {"name": name}
        raise


def _has_step(run: Run, name: str) -> bool:
    """Whether the step around a task is there: an item that nobody knows yet is none."""
    return not paths.segments(name)[-1].numbers or paths.parent(name) in run.known


async def _none() -> None:
    return None


def _link(name: str, reference: Mapping[str, Any], **more: Any) -> ArtifactLink:
    return ArtifactLink(
        name=name,
        digest=str(reference.get("digest") or ""),
        size=reference.get("size"),
        type=str(reference.get("type") or ("file" if reference.get("digest") else "")),
        **more,
    )


def _outputs(run: Run, record: Mapping[str, Any], task: Mapping[str, Any]) -> list[ArtifactLink]:
    left = {**(task.get("artifacts") or {}), **(record.get("outputs") or {})}
    keep = record.get("keep") or {}
    return [_link(name, reference, keep=str(keep.get(name) or "")) for name, reference in sorted(left.items())]


def _inputs(
    run: Run, drawing: Drawing, node: Node | None, name: str, record: Mapping[str, Any]
) -> Iterator[ArtifactLink]:
    """As its record says, before there is one as its step does; sizes are those that whoever left them tells."""
    known = {
        reference["digest"]: reference for task in run.known.values() for reference in (task.get("artifacts") or {}).values()
    }  # fmt: skip
    sources = record.get("sources") or {}
    had = record.get("inputs")
    if had is not None:
        for input_, said in sorted(had.items()):
            digest = str(said.get("digest", "") if isinstance(said, Mapping) else said)
            yield _link(input_, {"digest": digest, **known.get(digest, {})}, sources=list(sources.get(input_) or []))
        return
    inputs = node.owner.inputs if node else {}
    for input_, source in sorted(inputs.items()):
        named = [f"{step}.{output}" for step, output in source.sources]
        reference: Mapping[str, Any] = {}
        for step, output in source.sources:
            task = drawing.plan.nodes.resolve(node.scope, step) if drawing.plan and node else None
            reference = (run.known.get(task or "", {}).get("artifacts") or {}).get(output) or reference
        yield _link(input_, reference, sources=named)


def _waits_for(run: Run, drawing: Drawing, node: Node | None, name: str, task: Mapping[str, Any]) -> Iterator[str]:
    """What has not ended of that which it needs."""
    if drawing.plan is None or node is None or Phase(task.get("phase") or Phase.PENDING) is not Phase.PENDING:
        return
    graph = drawing.plan.graph
    if node.scope:
        inside = {step for source in node.owner.inputs.values() for step, _ in source.sources} | {*node.owner.after}
    else:
        inside = {*(graph.exit if node.owner.name in graph.exit.needs else graph.main).needs.get(node.owner.name, {})}
    for needed in sorted(inside):
        found = drawing.plan.nodes.resolve(node.scope, needed)
        if found and not Phase(run.known.get(found, {}).get("phase") or Phase.PENDING).is_finished:
            yield found


def _approval(run: Run, name: str) -> Approval | None:
    if run.phase.is_finished or run.is_archived:
        return None
    found = next((one for one in approvals.waiting(run) if one.task == name), None)
    if found is None:
        return None
    return Approval(
        message=found.message,
        questions=[
            Question(
                name=each,
                type=question.type,
                description=question.description,
                default=None if question.default is UNSET else question.default,
                has_default=question.default is not UNSET,
                enum=list(question.enum),
            )
            for each, question in found.questions.items()
        ],
    )


def _run_of(look: Look, run: Run, cached_from: str) -> str:
    uid = cached_from.partition("/")[0]
    row = look.site.index.row(run.namespace, uid) if uid else None
    return row.id if row else ""
