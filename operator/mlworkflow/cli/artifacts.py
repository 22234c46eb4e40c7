"""The artifacts of a run: which there are, and one by its name ``train.model``, ``tune/3.model``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from mlworkflow.cli.errors import CliError, Usage
from mlworkflow.cli.runs import LOGS, Run, Runs
from mlworkflow.core import paths
from mlworkflow.core.state import Phase


@dataclass(frozen=True, slots=True)
class Artifact:
    """`task` left it under this name; `type` is ``file``, ``directory`` or ``collection``."""

    task: str
    name: str
    type: str
    size: int
    digest: str

    def plain(self) -> dict[str, Any]:
        return asdict(self)


async def artifacts_of(runs: Runs, run: Run, *, trials: bool = False) -> list[Artifact]:
    """What the steps left, also those that failed; with `trials`, what each trial left too."""
    found: list[Artifact] = []
    for task, status in run.tasks():
        if paths.parent(task) is None or trials:
            found += await _left_by(runs, run, task, status)
    return found


async def find(runs: Runs, run: Run, name: str) -> Artifact:
    """The artifact ``<step>.<artifact>`` or ``<step>/<n>.<artifact>``; ``<step>.logs`` is the log. Raises CliError."""
    task, _, wanted = name.rpartition(".")  # a task of a group has dots itself
    if not task or not wanted:
        raise Usage(f"'{name}' is no artifact: write STEP.ARTIFACT, as in train.model or tune/3.model")
    status = run.task(task)
    if wanted == LOGS:
        record = await runs.record(run, task, int(status.get("attempts") or 0) - 1)
        left = [_artifact(task, LOGS, record["logs"])] if record and record.get("logs") else []
    else:
        left = await _left_by(runs, run, task, status)
    for artifact in left:
        if artifact.name == wanted:
            return artifact
    phase = status.get("phase") or Phase.PENDING
    has = ", ".join(artifact.name for artifact in left)
    raise CliError(f"{run.id}: step '{task}' ({phase}) left no artifact '{wanted}'", f"it left: {has}" if has else "")


async def _left_by(runs: Runs, run: Run, task: str, status: Any) -> list[Artifact]:
    """From the status where it says so, else from the record: the status of a trial or of a failed step does not."""
    outputs = status.get("artifacts")
    if not outputs and (paths.parent(task) is not None or status.get("phase") == Phase.FAILED):
        record = await runs.record(run, task, int(status.get("attempts") or 0) - 1)
        outputs = (record or {}).get("outputs")
    return [_artifact(task, name, artifact) for name, artifact in sorted((outputs or {}).items())]


def _artifact(task: str, name: str, reference: Any) -> Artifact:
    return Artifact(task, name, reference.get("type") or "file", int(reference["size"]), reference["digest"])
