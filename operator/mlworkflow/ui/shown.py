"""A run and its tasks as rows: what a status says, in the words of `answers`. Pure."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from mlworkflow.core import paths
from mlworkflow.core.state import Phase
from mlworkflow.runs.approvals import waiting
from mlworkflow.runs.run import Run
from mlworkflow.store.layout import Line
from mlworkflow.ui.answers import Artifact, RunPhase, RunRow, TaskPhase, TaskRow, Time

LONGEST = 300
"""Characters of a message in a list."""
SHORT = 120
"""Characters of a parameter in a list."""
_SUFFIXES = {
    "table": (".parquet", ".csv", ".arrow", ".feather"),
    "image": (".png", ".jpg", ".jpeg", ".gif", ".webp"),
    "html": (".html", ".svg"),
    "json": (".json",),
    "text": (".txt", ".log", ".md", ".yaml", ".yml"),
}
_NAMES = {
    "report": "html", "logs": "text", "facts": "json", "metrics": "json", "study": "json", "model": "model", "trials": "table", "table": "table",
    "csv": "table", "train": "table", "test": "table", "predictions": "table", "data": "table", "valid": "table",
}  # fmt: skip


def millis(stamp: str | None) -> Time:
    """A time of a status as the page has it."""
    return int(datetime.fromisoformat(stamp).timestamp() * 1000) if stamp else None


def from_seconds(seconds: float | None) -> Time:
    return int(seconds * 1000) if seconds else None


def now() -> int:
    return int(time.time() * 1000)


def cut(text: Any, most: int = LONGEST) -> str:
    """The beginning of a text."""
    text = str(text or "")
    return text if len(text) <= most else f"{text[: most - 1]}…"


def run_row(run: Run) -> RunRow:
    status, metadata = run.status, run.resource["metadata"]
    params = (run.resource.get("spec") or {}).get("params") or {}
    return RunRow(
        namespace=run.namespace,
        id=run.id,
        uid=run.uid,
        phase=cast("RunPhase", str(run.phase)),
        progress=str(status.get("progress") or ""),
        message=cut(status.get("message")),
        created=millis(metadata.get("creationTimestamp")),
        started=millis(status.get("startedAt")),
        finished=millis(status.get("finishedAt")),
        waiting=0 if run.phase.is_finished else len(waiting(run)),
        params={name: _short(value) for name, value in params.items()},
        is_archived=run.is_archived,
    )


def archived_row(namespace: str, line: Line) -> RunRow:
    """Of what is gone."""
    return RunRow(
        namespace=namespace,
        id=line.run,
        uid=line.uid,
        phase=cast("RunPhase", line.phase),
        progress="",
        message="",
        created=None,
        started=None,
        finished=line.ended,
        waiting=0,
        params={},
        is_archived=True,
    )


def task_row(run: Run, task: Mapping[str, Any]) -> TaskRow:
    name = str(task["name"])
    return TaskRow(
        task=name,
        node=node_of(name),
        phase=told(phase_of(task)),
        reason=str(task.get("reason") or ""),
        message=cut(task.get("message")),
        attempts=int(task.get("attempts") or 0),
        started=millis(task.get("startedAt")),
        finished=millis(task.get("finishedAt")),
        cached=bool(task.get("cached")),
        is_composed=run.is_composed(name),
        progress=str(task.get("progress") or ""),
        params=task.get("params") or {},
        value=task.get("value"),
    )


def phase_of(task: Mapping[str, Any]) -> Phase:
    return Phase(task.get("phase") or Phase.PENDING)


def told(phase: Phase) -> TaskPhase:
    """A phase as the page has it."""
    return cast("TaskPhase", str(phase))


def node_of(task: str) -> str:
    """The place of a task, whatever item, trial or attempt it is of: ``folds~1/2.prep`` → ``folds.prep``."""
    return ".".join(segment.step for segment in paths.segments(task))


def looks(artifact: Artifact | str, type_: str = "file") -> str:
    """What the preview of an artifact will probably be, by its name."""
    name = artifact if isinstance(artifact, str) else artifact.name
    if type_ != "file":
        return "directory"
    lower = name.lower()
    for kind, suffixes in _SUFFIXES.items():
        if lower.endswith(suffixes):
            return kind
    return _NAMES.get(lower, "")


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return cut(value, SHORT)
    if isinstance(value, Mapping | list):
        return cut(value, SHORT)
    return value
