"""Where artifacts come from, what runs left, and what differs between runs."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, cast

from mlworkflow.runs import artifacts, comparing
from mlworkflow.runs.comparing import Side
from mlworkflow.runs.errors import RunsError, Usage
from mlworkflow.runs.lineage.book import Book
from mlworkflow.runs.lineage.graph import lineage
from mlworkflow.runs.records import standing
from mlworkflow.runs.run import Run
from mlworkflow.ui.answers import (
    Arrow,
    Artifact,
    ArtifactsPage,
    CompareRow,
    CompareSeries,
    Comparison,
    Lineage,
    LineageArtifact,
    LineageStep,
    Point,
)
from mlworkflow.ui.look import Look
from mlworkflow.ui.series import metrics_of
from mlworkflow.ui.shown import looks, run_row

STEPS = 500
"""Steps of a lineage that are told."""
ROWS = 2000
TASKS = 60
"""Tasks whose metrics on the way are compared."""
POINTS = 200
COMPARED = range(2, 9)
_KINDS = ("phase", "param", "metric", "input", "output", "code", "image", "step", "spec")


async def artifacts_page(look: Look, run: Run, text: str, *, trials: bool, offset: int, limit: int) -> ArtifactsPage:
    """What the steps of a run left, in their order."""
    whole = await look.whole(run) if trials else run
    found = await artifacts.artifacts_of(look.site.runs(run.namespace), whole, trials=trials)
    words = text.lower().split()
    rows = [
        Artifact(
            task=one.task,
            name=one.name,
            digest=one.digest,
            size=one.size,
            type=one.type,
            attempt=one.attempt,
            looks=looks(one.name, one.type),
        )
        for one in found
        if all(word in f"{one.task}.{one.name} {one.type}".lower() for word in words)
    ]
    end = offset + limit
    return ArtifactsPage(rows=rows[offset:end], next=str(end) if end < len(rows) else "", total=len(rows))


async def lineage_answer(look: Look, namespace: str, digest: str, run_name: str, task: str, output: str) -> Lineage:
    """By a digest (its beginning will do), or by what a task of a run left."""
    runs = look.site.runs(namespace)
    book = Book.of([act async for act in runs.acts()])
    if digest:
        found = await asyncio.to_thread(lambda: lineage(book, book.find(digest)))
    elif run_name and task and output:
        run = await look.run(namespace, run_name)
        found = await asyncio.to_thread(lambda: lineage(book, *book.output(run.uid, run.id, task, output)))
    else:
        raise Usage("say whose lineage it is", "digest=…, or run=…, task=… and output=…")
    acts = list(found.acts.values())[:STEPS]
    kept = {act.id for act in acts}
    arrows = [
        each
        for each in found.arrows
        if all(end in kept or end in found.artifacts for end in (each.source, each.target))
    ]
    ends = {found.digest} | {end for each in arrows for end in (each.source, each.target)}
    return Lineage(
        digest=found.digest,
        artifacts=[
            LineageArtifact(
                digest=each,
                name=found.names.get(each, ""),
                size=about.get("size"),
                type=str(about.get("type") or "file"),
                is_outside=each in found.outside,
            )
            for each, about in found.artifacts.items()
            if each in ends
        ],
        steps=[
            LineageStep(
                id=act.id,
                run=_called(look, namespace, act.uid, act.run),
                uid=act.uid,
                task=act.task,
                attempt=act.attempt,
                kind=str(act.record.get("kind") or ""),
                image=str(act.record.get("image") or ""),
                code=str(act.record.get("code") or ""),
                params=act.record.get("params") or {},
                parameters=act.record.get("parameters") or {},
                metrics=act.record.get("metrics") or {},
                cached_from=act.cached_from,
            )
            for act in acts
        ],
        arrows=[
            Arrow(source=each.source, target=each.target, kind=cast("Any", each.kind), name=each.name)
            for each in arrows
        ],
        left_out=len(found.acts) - len(acts),
    )


async def comparison(look: Look, names: Sequence[str], *, everything: bool) -> Comparison:
    """Runs, each as ``namespace/id``, beside each other. Raises RunsError."""
    if len(names) not in COMPARED:
        raise Usage(f"{len(names)} runs are to be compared", f"name {COMPARED[0]} to {COMPARED[-1]}: run=NAMESPACE/RUN")
    runs = await asyncio.gather(*(_run(look, name) for name in names))
    sides = [Side(run, await standing(look.site.runs(run.namespace), run)) for run in runs]
    rows = _rows(sides)
    if everything:
        known = {(row.kind, row.where) for row in rows}
        rows += [row for row in _same(sides) if (row.kind, row.where) not in known]
    rows.sort(key=lambda row: (_KINDS.index(row.kind), not row.differs))
    series = await _series(look, sides)
    return Comparison(
        runs=[run_row(run) for run in runs], rows=rows[:ROWS], series=series, left_out=max(0, len(rows) - ROWS)
    )


async def _run(look: Look, name: str) -> Run:
    namespace, slash, id_ = name.partition("/")
    if not slash:
        raise Usage(f"run={name}: a run to be compared is named NAMESPACE/RUN")
    return await look.run(namespace, id_)


def _rows(sides: Sequence[Side]) -> list[CompareRow]:
    """What is not the same in all of them: each is compared with the first, and has what the first has where they do not differ."""
    found: dict[tuple[str, str], dict[int, tuple[Any, Any]]] = defaultdict(dict)
    for place, side in enumerate(sides[1:], 1):
        for one in comparing.compare(sides[0], side):
            found[one.kind, one.where][place] = (one.left, one.right)
    rows = []
    for (kind, where), values in found.items():
        first = next(iter(values.values()))[0]
        told = [first, *(values[place][1] if place in values else first for place in range(1, len(sides)))]
        rows.append(CompareRow(kind=cast("Any", kind), where=where, values=told, differs=True))
    return rows


def _same(sides: Sequence[Side]) -> list[CompareRow]:
    """Parameters, metrics and outputs that all have in common, as the first tells them."""
    first = sides[0]
    params = (first.run.resource.get("spec") or {}).get("params") or {}
    told: list[tuple[str, str, Any]] = [("param", name, value) for name, value in params.items()]
    for task, record in sorted(first.records.items()):
        told += [("param", f"{task}.{name}", value) for name, value in sorted((record.get("params") or {}).items())]
        told += [("metric", f"{task}.{name}", value) for name, value in sorted((record.get("metrics") or {}).items())]
        left = {
            **(record.get("parameters") or {}),
            **{name: each["digest"] for name, each in (record.get("outputs") or {}).items()},
        }
        told += [("output", f"{task}.{name}", value) for name, value in sorted(left.items())]
    return [
        CompareRow(kind=cast("Any", kind), where=where, values=[value] * len(sides), differs=False)
        for kind, where, value in told
    ]


async def _series(look: Look, sides: Sequence[Side]) -> list[CompareSeries]:
    """Metrics with more than one value of tasks that any of them has."""
    tasks = sorted({task for side in sides for task in side.run.known if not side.run.is_composed(task)})[:TASKS]
    found = []
    for task in tasks:
        by_run = await asyncio.gather(*(_points(look, side.run, task) for side in sides))
        for name in dict.fromkeys(name for points in by_run for name in points):
            found.append(CompareSeries(task=task, name=name, runs=[points.get(name) for points in by_run]))
    return found


async def _points(look: Look, run: Run, task: str) -> Mapping[str, list[Point]]:
    attempts = int(run.known.get(task, {}).get("attempts") or 0)
    if not attempts:
        return {}
    try:
        points, is_final = await look.site.metrics(run, task, attempts - 1)
    except RunsError:
        return {}
    metrics = metrics_of(points, attempts - 1, is_final=is_final, most=POINTS)
    return {series.name: series.points for series in metrics.series if series.total > 1}


def _called(look: Look, namespace: str, uid: str, name: str) -> str:
    row = look.site.index.row(namespace, uid)
    return row.id if row else name
