"""Runs as text for people. Pure: `now` is a parameter."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlworkflow.core.duration import human
from mlworkflow.core.names import Reason
from mlworkflow.core.state import Phase
from mlworkflow.core.status import moment, stamp
from mlworkflow.runs import reasons
from mlworkflow.runs.artifacts import Artifact
from mlworkflow.runs.rows import Row, remarks, rows
from mlworkflow.runs.run import Run
from mlworkflow.runs.text import number, size, table
from mlworkflow.store.layout import Line

_WIDTH = 100
_LOOKED_AT = ("report", "scores", "metrics", "model", "trials")
_ENDING = {"report": ".html", "scores": ".json"}


def summary(run: Run) -> dict[str, Any]:
    """A run as one flat object, for `list`."""
    fields = ("phase", "progress", "startedAt", "finishedAt", "duration", "message")
    about = {"id": run.id, "name": run.resource["metadata"]["name"], "namespace": run.namespace}
    return {**about, **{field: run.status.get(field, "") for field in fields}, "phase": str(run.phase)}


def run_table(runs: Sequence[Run], now: float, *, namespaces: bool = False) -> str:
    """What `list` shows."""
    rows = [
        [
            *([run.namespace] if namespaces else []),
            run.id,
            str(run.phase),
            run.status.get("progress", ""),
            took(run.status, now),
            age(run, now),
            _cut(first_line(run.status.get("message", ""))),
        ]
        for run in runs
    ]
    return table(
        [*(["NAMESPACE"] if namespaces else []), "NAME", "PHASE", "PROGRESS", "DURATION", "AGE", "MESSAGE"], rows
    )


def line(ended: Line) -> dict[str, Any]:
    """A run that has ended as one flat object, for `list --archived`."""
    return {"id": ended.run, "uid": ended.uid, "phase": ended.phase, "finishedAt": stamp(ended.ended / 1000)}


def line_table(lines: Sequence[Line], now: float) -> str:
    """What `list --archived` shows."""
    rows = [[one.run, one.phase, f"{since(one.ended / 1000, now)} ago", one.uid] for one in lines]
    return table(["NAME", "PHASE", "ENDED", "UID"], rows)


def run_page(run: Run, now: float, flags: str = "", *, tasks: bool = False) -> str:
    """What `get` shows: a run and its steps; with `tasks` also all that these are made of."""
    status = run.status
    words = [
        run.id,
        f"{standing(run)}{' (archived)' if run.is_archived else ''}",
        status.get("progress", ""),
        took(status, now),
    ]
    lines = ["   ".join(word for word in words if word)]
    if status.get("message"):
        lines.append(status["message"])
    if run.steps:
        shown = [_cells(row, now) for row in rows(run, everything=tasks)]
        lines += ["", table(["STEP", "PHASE", "ATTEMPTS", "DURATION", "OUTPUTS"], shown)]
    if do := list(remarks(run, flags)):
        lines += ["", *do]
    return "\n".join(lines)


def standing(run: Run) -> str:
    """The phase of a run, and how it will end where that is known already."""
    ending = run.status.get("ending")
    return f"{run.phase} (ends as {ending['phase']})" if ending else str(run.phase)


def _cells(row: Row, now: float) -> list[str]:
    task, name = row.task, "  " * row.depth + row.name
    if task is None:
        return [name, "", "", "", ""]
    return [name, phase_of(task), str(task.get("attempts") or ""), took(task, now), words_of(row)]


def words_of(row: Row) -> str:
    """What is said of a line: how far a task is, what went wrong, or what it left."""
    task = row.task
    if task is None:
        return ""
    value = "" if task.get("value") is None else f"value={number(task['value'])}"
    words = value if value and not task.get("reason") else told(task)
    cached = "cached" if task.get("cached") else ""
    return "; ".join(word for word in (row.count, cached, words) if word)


def artifact_table(artifacts: Sequence[Artifact]) -> str:
    """What `artifacts` shows."""
    rows = [[f"{one.task}.{one.name}{_of_failure(one)}", one.type, size(one.size), one.digest] for one in artifacts]
    return table(["ARTIFACT", "TYPE", "SIZE", "DIGEST"], rows)


def _of_failure(artifact: Artifact) -> str:
    return f" (attempt {artifact.attempt}, failed)" if artifact.is_failed else ""


def told(step: Mapping[str, Any]) -> str:
    """A task in a few words: what went wrong, what it waits for, or what it left."""
    reason, message = step.get("reason", ""), first_line(step.get("message", ""))
    if reason or message:
        return _cut(": ".join(word for word in (reason, message) if word))
    return _cut(" ".join(f"{name}={_value(value)}" for name, value in (step.get("outputs") or {}).items()))


def ending(run: Run, flags: str, now: float) -> str:
    """What is said of a run that has ended: what it left and how to get it, or why it failed."""
    lines = [f"{run.id} {str(run.phase).lower()} in {took(run.status, now) or '0.0s'}"]
    if run.phase is Phase.FAILED:
        lines += _cause(run, flags)
    for step in run.steps:
        if step.get("outputs") and not step.get("reason"):
            lines.append(
                f"  {step['name']}: {' '.join(f'{key}={_value(value)}' for key, value in step['outputs'].items())}"
            )
    lines += [f"  {name:9}{command}" for name, command in _downloads(run, flags)]
    return "\n".join(lines)


def _cause(run: Run, flags: str) -> Iterator[str]:
    if run.status.get("message"):
        yield run.status["message"]
    failed = [step for step in run.steps if phase_of(step) == Phase.FAILED]
    if failed:
        first = min(failed, key=lambda step: step.get("finishedAt") or "~")
        message = str(first.get("message", "")).strip()
        yield from (f"  | {line}" for line in message.splitlines()[1:])
        task = _innermost(run, first)
        if first.get("attempts"):
            yield f"  the whole log: mlwf logs {run.id} {task}{flags}"
        reason = str(run.known.get(task, first).get("reason") or "")
        if reason != Reason.ERROR and reasons.find(reason):  # what the command itself said is in its log
            yield f"  what {reason} means: mlwf explain {reason}"


def _innermost(run: Run, failed: Mapping[str, Any]) -> str:
    """The task inside a failed one that failed itself, and so has a log."""
    inner = [task for task in run.below(failed["name"]) if phase_of(task) == Phase.FAILED and task.get("attempts")]
    return _innermost(run, min(inner, key=lambda task: task.get("finishedAt") or "~")) if inner else failed["name"]


def _downloads(run: Run, flags: str) -> Iterator[tuple[str, str]]:
    for wanted in _LOOKED_AT:
        for step in run.steps:
            if wanted in (step.get("artifacts") or {}):
                is_file = (step["artifacts"][wanted].get("type") or "file") == "file"
                place = f" {wanted}{_ENDING[wanted]}" if wanted in _ENDING and is_file else ""
                yield wanted, f"mlwf download {run.id} {step['name']}.{wanted}{place}{flags}"


def phase_of(task: Mapping[str, Any]) -> str:
    return str(task.get("phase") or Phase.PENDING)


def progress_of(task: Mapping[str, Any]) -> tuple[int, int]:
    """Of what a task is made of: how many have ended, and how many there are."""
    ended, _, known = str(task.get("progress") or "0/0").partition("/")
    return int(ended), int(known)


def took(status: Mapping[str, Any], now: float) -> str:
    """How long something has taken so far."""
    started = moment(status.get("startedAt") or "")
    finished = moment(status.get("finishedAt") or "")
    if started is None:
        return ""
    return human(max(0.0, (now if finished is None else finished) - started))


def age(run: Run, now: float) -> str:
    created = moment(run.resource["metadata"].get("creationTimestamp") or "")
    return "" if created is None else since(created, now)


def since(then: float, now: float) -> str:
    """How long ago something was: ``4s``, ``3d``."""
    seconds = max(0.0, now - then)
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f}{unit}"
    return f"{seconds:.0f}s"


def first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def _value(value: Any) -> str:
    if isinstance(value, float):
        return number(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cut(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= _WIDTH else f"{one_line[: _WIDTH - 1]}…"
