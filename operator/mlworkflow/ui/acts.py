"""What the page can ask for: each a function of the look and the request, which says in one sentence what was done."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

from mlworkflow.runs import approvals, reruns
from mlworkflow.runs.artifacts import find
from mlworkflow.runs.errors import RunsError, Usage
from mlworkflow.runs.run import Run, must_exist
from mlworkflow.ui.answers import Decision, Done, Promotion, Retry, Rollback, Submit, Which
from mlworkflow.ui.editor import wanted
from mlworkflow.ui.look import Look


async def submit(look: Look, asked: Submit) -> Done:
    is_local = look.site.mode == "local"
    resource = wanted(asked, with_files=look.site.mode != "team", is_local=is_local)
    namespace, run = await look.site.submit(resource)
    return Done(message=f"{run} was started", namespace=namespace, run=run)


async def retry(look: Look, asked: Retry) -> Done:
    run = await look.run(asked.namespace, asked.run)
    must_exist(run)
    params = [f"{name}={json.dumps(value)}" for name, value in asked.params.items()]
    patch = reruns.request(run, secrets.token_hex(8), steps=asked.steps, params=params)
    if patch is None:
        raise Usage(
            f"{run.id} has succeeded, and nothing has changed", "name a step to run again, or change a parameter"
        )
    await look.site.settled(run)
    await look.site.go_on(run, patch)
    return _done(run, "goes on")


async def suspend(look: Look, asked: Which) -> Done:
    return await _change(look, asked, {"suspend": True}, "starts no further steps; what runs goes on")


async def resume(look: Look, asked: Which) -> Done:
    return await _change(look, asked, {"suspend": False}, "goes on")


async def cancel(look: Look, asked: Which) -> Done:
    return await _change(look, asked, {"cancel": True}, "is being stopped")


async def delete(look: Look, asked: Which) -> Done:
    run = await look.run(asked.namespace, asked.run)
    if not run.phase.is_finished:
        raise RunsError(f"{run.id} is {run.phase}: it cannot be deleted", "stop it first")
    await look.site.settled(run)
    await look.site.runs(asked.namespace).delete(run)
    return _done(run, "was deleted; its record is kept")


async def approve(look: Look, asked: Decision) -> Done:
    run = await look.run(asked.namespace, asked.run)
    waiting = approvals.find(run, asked.task)
    given = [f"{name}={_text(value)}" for name, value in asked.inputs.items()]
    by = await look.site.user()
    decision = approvals.answer(waiting, by, approved=asked.approved, comment=asked.comment, given=given)
    await look.site.runs(asked.namespace).change(run, approvals.patch(run, waiting, decision))
    return _done(run, f"has its answer: {asked.task} was {'approved' if asked.approved else 'rejected'} by {by}")


async def promote(look: Look, asked: Promotion) -> Done:
    wish: dict[str, Any] = {"alias": asked.alias, "expect": asked.expect, "message": asked.message}
    if asked.version:
        wish["version"] = asked.version.removeprefix("@")
    elif asked.run and asked.task:
        run = await look.run(asked.namespace, asked.run)
        found = await find(look.site.runs(asked.namespace), run, f"{asked.task}.{asked.output}")
        wish |= {"run": run.uid, "digest": found.digest}
    else:
        raise Usage("say what is promoted", "version, or run and task")
    return await _move(look, asked.namespace, asked.name, wish)


async def rollback(look: Look, asked: Rollback) -> Done:
    wish = {"alias": asked.alias, "message": asked.message, "rollback": True}
    return await _move(look, asked.namespace, asked.name, wish)


async def _move(look: Look, namespace: str, name: str, wish: Mapping[str, Any]) -> Done:
    by, id_ = await look.site.user(), secrets.token_hex(16)
    move = await look.site.runs(namespace).move_alias(name, {**wish, "by": by, "id": id_})
    return Done(message=f"{name}@{move['alias']} is version {move['version']} now", namespace=namespace)


async def _change(look: Look, asked: Which, spec: Mapping[str, Any], word: str) -> Done:
    run = await look.run(asked.namespace, asked.run)
    if run.phase.is_finished:
        raise RunsError(f"{run.id} is over already: {run.phase}")
    await look.site.runs(asked.namespace).change(run, spec)
    return _done(run, word)


def _done(run: Run, word: str) -> Done:
    return Done(message=f"{run.id} {word}", namespace=run.namespace, run=run.id)


def _text(value: Any) -> str:
    """A value as it would be given by hand."""
    return value if isinstance(value, str) else json.dumps(value)
