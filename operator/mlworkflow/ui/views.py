"""What can be read: each endpoint a function of the visitor and the query (`answers` lists them)."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import FileResponse, PlainTextResponse, Response

from mlworkflow.runs.errors import NoSuchRun, RunsError, Usage
from mlworkflow.runs.rows import failed_below
from mlworkflow.runs.run import Run
from mlworkflow.ui import catalog, index, listing, logs, series, studies, tasks, tracing
from mlworkflow.ui.answers import (
    ArtifactsPage,
    Comparison,
    DatasetAnswer,
    DatasetsAnswer,
    EventsAnswer,
    Lineage,
    Metrics,
    Model,
    ModelsAnswer,
    Preview,
    Rights,
    RunAnswer,
    RunRow,
    RunsPage,
    Study,
    TaskAnswer,
    TasksPage,
    Timeline,
)
from mlworkflow.ui.asked import Query
from mlworkflow.ui.previews.show import Asked, Elsewhere
from mlworkflow.ui.previews.sniffing import HEAD, media_type_of
from mlworkflow.ui.responses import sent
from mlworkflow.ui.shown import archived_row, run_row, task_row
from mlworkflow.ui.standing import SHOWN, run_state
from mlworkflow.ui.visitors import Visitor

PAGE, LARGEST_PAGE = 100, 500
LONG = 500
"""Steps from which on a workflow's text is given by itself."""


async def rights(visitor: Visitor, query: Query) -> Rights:
    return await visitor.site.rights(query.namespace() or visitor.site.namespace)


async def runs(visitor: Visitor, query: Query) -> RunsPage:
    if query.flag("archived"):
        return await _archived(visitor, query)
    wanted = runs_query(query)
    await visitor.site.look_into(wanted.namespace)
    return visitor.site.index.page(wanted)


def runs_query(query: Query) -> index.Query:
    return index.Query(
        namespace=query.namespace(),
        phases=phases(query),
        text=query.text("text"),
        sort=query.text("sort", "-started"),
        cursor=query.text("cursor"),
        limit=query.number("limit", PAGE, most=index.MOST),
    )


def phases(query: Query) -> frozenset[str]:
    return frozenset(word for word in query.text("phase").split(",") if word)


async def run(visitor: Visitor, query: Query) -> RunAnswer:
    found = await run_of(visitor, query)
    may = await visitor.site.rights(found.namespace)
    drawing, metadata = await visitor.look.drawing(found), found.resource["metadata"]
    failed = [task for step in found.steps for task in _failed(found, step["name"])]
    failed.sort(key=lambda task: str(task.get("finishedAt") or ""))
    return RunAnswer(
        row=run_row(found),
        state=run_state(found, drawing, may.may, 0),
        graph=drawing.graph,
        params=(found.resource.get("spec") or {}).get("params") or {},
        spec=found.resource.get("spec"),
        yaml=await visitor.look.yaml(found) if len(found.steps) <= LONG else "",
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
        problems=list(drawing.problems),
        failures=[task_row(found, task) for task in failed[:SHOWN]],
    )


async def run_happened(visitor: Visitor, query: Query) -> EventsAnswer:
    return EventsAnswer(events=await visitor.site.events(await run_of(visitor, query)))


async def run_yaml(visitor: Visitor, query: Query) -> Response:
    return PlainTextResponse(await visitor.look.yaml(await run_of(visitor, query)))


def _failed(run: Run, step: str) -> list[dict[str, object]]:
    """What has failed itself of a step: the step, or what of its parts has."""
    if found := failed_below(run, step):
        return [dict(task) for task in found]
    return [dict(run.known[step])] if run.known[step].get("phase") == "Failed" else []


async def run_tasks(visitor: Visitor, query: Query) -> TasksPage:
    found = await visitor.look.whole(await run_of(visitor, query))
    wanted = listing.Wanted(query.text("node"), query.text("below"), phases(query), query.text("text"))
    offset, limit = page_of(query)
    return listing.page(found, await visitor.look.drawing(found), wanted, offset, limit)


async def run_timeline(visitor: Visitor, query: Query) -> Timeline:
    found = await visitor.look.whole(await run_of(visitor, query))
    return listing.timeline(found, listing.in_order(found))


async def run_task(visitor: Visitor, query: Query) -> TaskAnswer:
    found = await run_of(visitor, query)
    return await tasks.task_answer(visitor.look, found, query.needed("task"), attempt_of(query))


async def run_log(visitor: Visitor, query: Query) -> Response:
    found = await run_of(visitor, query)
    place = visitor.site.runs(found.namespace)
    tail = query.number("tail", logs.MOST)
    data, is_cut = await logs.end_of_log(place, found, query.needed("task"), attempt_of(query), max(tail, 1))
    return PlainTextResponse(data, headers={"x-mlwf-truncated": str(is_cut).lower()})


async def run_metrics(visitor: Visitor, query: Query) -> Metrics:
    found = await run_of(visitor, query)
    task = query.needed("task")
    attempt = attempt_or_last(found, task, query)
    points, is_final = await visitor.site.metrics(found, task, attempt)
    return series.metrics_of(points, attempt, is_final=is_final)


async def run_study(visitor: Visitor, query: Query) -> Study:
    return await studies.study_answer(visitor.look, await run_of(visitor, query), query.needed("task"))


async def run_artifacts(visitor: Visitor, query: Query) -> ArtifactsPage:
    found = await run_of(visitor, query)
    offset, limit = page_of(query)
    trials = query.flag("trials")
    return await tracing.artifacts_page(
        visitor.look, found, query.text("text"), trials=trials, offset=offset, limit=limit
    )


async def artifact(visitor: Visitor, query: Query, elsewhere: Elsewhere) -> Preview:
    offset, limit = query.number("offset", 0), query.number("limit", 0)
    return await visitor.previews.preview(artifact_of(visitor, query), offset, limit, elsewhere)


async def download(visitor: Visitor, query: Query) -> Response:
    wanted = artifact_of(visitor, query)
    name = query.text("name") or wanted.called
    if wanted.path:
        async with visitor.previews.file(wanted) as (file, _):
            return FileResponse(file, filename=wanted.called, media_type="application/octet-stream")
    suffix = {"directory": ".tar", "collection": ".json"}.get(wanted.type, "")
    return await sent(visitor.previews.stream(wanted), f"{name.replace('/', '-')}{suffix}")


async def image(visitor: Visitor, query: Query) -> Response:
    """An image that runs nothing; anything else is not given by this address."""
    async with visitor.previews.file(artifact_of(visitor, query)) as (file, _):
        with file.open("rb") as stream:
            media_type = media_type_of(stream.read(HEAD))
        if not media_type:
            raise Usage("this is no image")
        return FileResponse(
            file, media_type=media_type, headers={"content-security-policy": "sandbox; default-src 'none'"}
        )


async def lineage(visitor: Visitor, query: Query) -> Lineage:
    return await tracing.lineage_answer(
        visitor.look,
        query.namespace() or visitor.site.namespace,
        query.text("digest"),
        query.text("run"),
        query.text("task"),
        query.text("output"),
    )


async def compare(visitor: Visitor, query: Query) -> Comparison:
    return await tracing.comparison(visitor.look, query.all("run"), everything=query.flag("all"))


async def models(visitor: Visitor, query: Query) -> ModelsAnswer:
    namespace = query.namespace() or visitor.site.namespace
    found = await visitor.site.runs(namespace).models()
    return ModelsAnswer(models=[catalog.model_row(each, _called(visitor, namespace)) for each in found])


async def model(visitor: Visitor, query: Query) -> Model:
    namespace, name = query.namespace() or visitor.site.namespace, query.name("name")
    found = await visitor.site.runs(namespace).model(name)
    if found is None:
        raise NoSuchRun(f"there is no model '{name}' in {namespace}")
    return catalog.model_of(found, _called(visitor, namespace))


async def datasets(visitor: Visitor, query: Query) -> DatasetsAnswer:
    namespace = query.namespace() or visitor.site.namespace
    found = await visitor.site.runs(namespace).datasets()
    return DatasetsAnswer(datasets=[catalog.dataset_of(each) for each in found])


async def dataset(visitor: Visitor, query: Query) -> DatasetAnswer:
    namespace, name = query.namespace() or visitor.site.namespace, query.name("name")
    found = await visitor.site.runs(namespace).datasets(name)
    if not found:
        raise NoSuchRun(f"there is no dataset '{name}' in {namespace}")
    return DatasetAnswer(versions=[catalog.dataset_of(each) for each in found])


async def run_of(visitor: Visitor, query: Query) -> Run:
    return await visitor.look.run(query.namespace() or visitor.site.namespace, query.name("run"))


def artifact_of(visitor: Visitor, query: Query) -> Asked:
    return Asked(
        namespace=query.namespace() or visitor.site.namespace,
        digest=query.needed("digest"),
        type=query.text("type") or "file",
        name=query.text("name"),
        path=query.text("path").strip("/"),
    )


def attempt_of(query: Query) -> int | None:
    return query.number("attempt", 0) if query.text("attempt") else None


def attempt_or_last(run: Run, task: str, query: Query) -> int:
    """The attempt that is asked for, or the last there is. Raises RunsError where none has started."""
    count = int(run.task(task).get("attempts") or 0)
    attempt = attempt_of(query)
    number = count - 1 if attempt is None else attempt
    if not 0 <= number < count:
        raise RunsError(f"{run.id}: {task} has had {count} attempts", "they are numbered from 0")
    return number


def page_of(query: Query) -> tuple[int, int]:
    """Where a page begins, and how long it is."""
    return query.number("cursor", 0), max(1, query.number("limit", PAGE, most=LARGEST_PAGE))


async def _archived(visitor: Visitor, query: Query) -> RunsPage:
    """Runs that are gone, the last to end first."""
    namespace = query.namespace() or visitor.site.namespace
    lines = await visitor.site.runs(namespace).archived()
    live = visitor.site.index
    words, wanted = query.text("text").lower().split(), phases(query)
    rows: list[RunRow] = [
        archived_row(namespace, line)
        for line in reversed(lines)
        if live.row(namespace, line.uid) is None and all(word in line.run.lower() for word in words)
    ]
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.phase] = counts.get(row.phase, 0) + 1
    rows = [row for row in rows if not wanted or row.phase in wanted]
    offset, limit = page_of(query)
    return RunsPage(
        rows=rows[offset : offset + limit],
        next=str(offset + limit) if offset + limit < len(rows) else "",
        total=len(rows),
        phases=counts,
        namespaces=live.namespaces(),
        is_loading=False,
    )


def _called(visitor: Visitor, namespace: str) -> Callable[[str], str]:
    def called(uid: str) -> str:
        row = visitor.site.index.row(namespace, uid)
        return row.id if row else ""

    return called
