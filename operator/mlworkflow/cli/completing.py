"""What a shell offers when Tab is pressed: runs, their steps and artifacts, parameters, models and datasets.

It has to be there at once: for runs of this machine nothing is imported but the standard library. A cluster is asked for as long as `PATIENCE`. What cannot be found out is
not offered, and nothing is ever said: words would end up in the middle of the line that somebody types.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import typer

from mlworkflow.local.listing import run_files
from mlworkflow.runs.places import Place

PATIENCE = 2.0
"""Seconds that a cluster has to answer."""
Resource = Mapping[str, Any]


def _offered(find: Callable[[typer.Context], Iterator[str]]) -> Callable[[typer.Context, str], list[str]]:
    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        found: list[str] = []
        with suppress(Exception):
            found = sorted({word for word in find(ctx) if word.startswith(incomplete)})
        return found

    return complete


def _place(ctx: typer.Context) -> Place:
    given = {name: ctx.params.get(name) for name in ("local", "home", "context", "kubeconfig", "namespace")}
    home, kubeconfig = given["home"], given["kubeconfig"]
    return Place(
        bool(given["local"]),
        Path(home) if home else None,
        given["context"],
        Path(kubeconfig) if kubeconfig else None,
        given["namespace"],
    )


def _named(ctx: typer.Context, parameter: str, position: int) -> str:
    """An argument that stands before; in front of the value of an option the parser leaves arguments as they were typed."""
    given = ctx.params.get(parameter) or next(iter(ctx.args[position : position + 1]), "")
    return str(given)


def _run_names(ctx: typer.Context) -> Iterator[str]:
    place = _place(ctx)
    if place.is_local(os.environ):
        for name, number, _ in run_files(place.find_home(os.environ)):
            yield from (name, f"{name}.{number}")
    else:
        yield from (str(one["metadata"]["name"]) for one in _asked(place, None))


def _run(ctx: typer.Context) -> Resource:
    """The run that has been named before, as it is; an empty one where there is none."""
    place, wanted = _place(ctx), _named(ctx, "name", 0)
    if not place.is_local(os.environ):
        return next(iter(_asked(place, wanted)), {})
    matching = [
        (number, path)
        for name, number, path in run_files(place.find_home(os.environ))
        if wanted in (name, f"{name}.{number}")
    ]
    return dict(json.loads(max(matching)[1].read_text(encoding="utf-8"))) if matching else {}


def _tasks(run: Resource) -> Iterator[Resource]:
    status = run.get("status") or {}
    yield from status.get("steps") or []
    yield from status.get("tasks") or []


def _step_names(ctx: typer.Context) -> Iterator[str]:
    run = _run(ctx)
    yield from (str(task["name"]) for task in _tasks(run))
    yield from (str(step["name"]) for step in (run.get("spec") or {}).get("steps") or [])


def _waiting_steps(ctx: typer.Context) -> Iterator[str]:
    run = _run(ctx)
    asking = {str(step["name"]) for step in run["spec"]["steps"] if "approve" in step}
    for task in _tasks(run):
        if task.get("phase") == "Running" and str(task["name"]).partition("/")[0] in asking:
            yield str(task["name"])


def _artifact_names(ctx: typer.Context) -> Iterator[str]:
    for task in _tasks(_run(ctx)):
        yield from (f"{task['name']}.{name}" for name in task.get("artifacts") or {})
        if task.get("attempts"):
            yield f"{task['name']}.logs"


def _file_params(ctx: typer.Context) -> Iterator[str]:
    """The parameters of the file that has been named, or of the run."""
    if "name" in ctx.params:
        yield from (f"{name}=" for name in (_run(ctx).get("spec") or {}).get("params") or {})
        return
    import yaml

    for document in yaml.safe_load_all(Path(_named(ctx, "file", 0)).read_text(encoding="utf-8")):
        yield from (f"{name}=" for name in document["spec"].get("params") or {})


def _answers(ctx: typer.Context) -> Iterator[str]:
    """The inputs that the step asks for."""
    wanted = _named(ctx, "step", 1).partition("/")[0]
    for step in _run(ctx)["spec"]["steps"]:
        if step["name"] == wanted:
            yield from (f"{name}=" for name in step["approve"].get("inputs") or {})


def _templates(ctx: typer.Context) -> Iterator[str]:
    yield from (path.name for path in Path(__file__).with_name("starters").iterdir())


def _model_names(ctx: typer.Context) -> Iterator[str]:
    yield from (str(model["name"]) for model in _read(_place(ctx), "models"))


def _model_versions(ctx: typer.Context) -> Iterator[str]:
    """By what their aliases mean."""
    for model in _read(_place(ctx), "models"):
        yield from (f"{model['name']}@{alias}" for alias in model["aliases"])


def _dataset_names(ctx: typer.Context) -> Iterator[str]:
    yield from (str(dataset["name"]) for dataset in _read(_place(ctx), "datasets"))


def _read(place: Place, noun: Literal["models", "datasets"]) -> Sequence[Mapping[str, Any]]:
    """What a store knows by name."""
    import asyncio

    from mlworkflow.runs.places import runs_at

    async def read() -> Sequence[Mapping[str, Any]]:
        async with runs_at(place) as runs:
            return await (runs.models() if noun == "models" else runs.datasets())

    return asyncio.run(asyncio.wait_for(read(), PATIENCE))


def _asked(place: Place, name: str | None) -> Sequence[Resource]:
    """The workflows of a cluster, or the one of a name."""
    import asyncio

    from mlworkflow.kube.backoff import Backoff
    from mlworkflow.kube.client import KubeClient
    from mlworkflow.kube.config import load_config
    from mlworkflow.kube.paths import MLWORKFLOWS

    async def ask() -> Sequence[Resource]:
        config = load_config(kubeconfig=place.kubeconfig, context=place.context)
        async with KubeClient(config, timeout=PATIENCE, backoff=Backoff(base=0.1, cap=0.1, attempts=1)) as client:
            path = MLWORKFLOWS.path(place.namespace or config.namespace, name)
            if name:
                return [await client.get(path)]
            return list((await client.list(path, {"limit": 500}))["items"])

    return asyncio.run(asyncio.wait_for(ask(), PATIENCE))


run_names = _offered(_run_names)
step_names = _offered(_step_names)
waiting_steps = _offered(_waiting_steps)
artifact_names = _offered(_artifact_names)
model_names = _offered(_model_names)
model_versions = _offered(_model_versions)
dataset_names = _offered(_dataset_names)
params = _offered(_file_params)
answers = _offered(_answers)
templates = _offered(_templates)
