"""The artifacts of a run: which there are, and one by its name ``train.model``, ``tune/3.model``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from mlworkflow.core import paths
from mlworkflow.core.state import Phase
from mlworkflow.runs.errors import RunsError, Usage
from mlworkflow.runs.run import LOGS, Run, Runs


@dataclass(frozen=True, slots=True)
class Artifact:
    """`task` left it under this name; `type` is ``file``, ``directory`` or ``collection``. An `attempt` is named where it is one that
    failed: what it left is to be looked at, and is no result.
    """

    task: str
    name: str
    type: str
    size: int
    digest: str
    attempt: int | None = None

    @property
    def is_failed(self) -> bool:
        return self.attempt is not None

    def plain(self) -> dict[str, Any]:
        """Without what says nothing."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "")}


async def artifacts_of(runs: Runs, run: Run, *, trials: bool = False) -> list[Artifact]:
    """What the steps left, also attempts that failed; with `trials`, what each trial left too."""
    found: list[Artifact] = []
    for task, status in run.tasks():
        if paths.parent(task) is None or trials:
            found += await _left_by(runs, run, task, status)
    return found


async def find(runs: Runs, run: Run, name: str, attempt: int | None = None) -> Artifact:
    """The artifact ``<step>.<artifact>`` or ``<step>/<n>.<artifact>``; ``<step>.logs`` is the log. The result of the step where there is one, else what
    its last attempt left that left any; with `attempt` what a failed one did. Raises RunsError.
    """
    task, _, wanted = name.rpartition(".")  # a task of a group has dots itself
    if not task or not wanted:
        raise Usage(
            f"'{name}' is no artifact",
            f"write STEP.ARTIFACT, as in train.model or tune/3.model; those there are: mlwf artifacts {run.id}{runs.flags}",
        )
    status = run.task(task)
    if wanted == LOGS:
        number = int(status.get("attempts") or 0) - 1 if attempt is None else attempt
        record = await runs.record(run, task, number)
        logs = (record or {}).get("logs") or await runs.kept_log(run, task, number)
        left, attempt = [_artifact(task, LOGS, logs)] if logs else [], None
    else:
        left = await _left_by(runs, run, task, status)
    for artifact in (one for one in reversed(left) if one.name == wanted and attempt in (None, one.attempt)):
        return artifact
    phase = status.get("phase") or Phase.PENDING
    if attempt is not None:
        phase = f"attempt {attempt}"
    has = ", ".join(artifact.name for artifact in left)
    raise RunsError(f"{run.id}: step '{task}' ({phase}) left no artifact '{wanted}'", f"it left: {has}" if has else "")


async def why_removed(runs: Runs, run: Run, artifact: Artifact) -> str:
    """Why the store does not have an artifact any more, as far as its step has said so; empty where it has not."""
    number = artifact.attempt
    if number is None:
        number = int(run.task(artifact.task).get("attempts") or 0) - 1
    record = await runs.record(run, artifact.task, number) or {}
    keep = (record.get("keep") or {}).get(artifact.name)
    return f"{artifact.task}.{artifact.name} was removed {keep} after its step, as `keep` says" if keep else ""


async def _left_by(runs: Runs, run: Run, task: str, status: Any) -> list[Artifact]:
    """The result last, before it what attempts left that failed, in their order."""
    attempts = int(status.get("attempts") or 0)
    failed = [left for number in range(attempts) for left in await _left_by_failure(runs, run, task, status, number)]
    return [*failed, *await _result_of(runs, run, task, status, attempts - 1)]


async def _result_of(runs: Runs, run: Run, task: str, status: Any, attempt: int) -> list[Artifact]:
    """From the status where it says so, else from the record: the status of a trial does not."""
    if status.get("phase") != Phase.SUCCEEDED:
        return []
    outputs = status.get("artifacts")
    if not outputs and paths.parent(task) is not None:
        record = await runs.record(run, task, attempt)
        outputs = (record or {}).get("outputs")
    return [_artifact(task, name, artifact) for name, artifact in sorted((outputs or {}).items())]


async def _left_by_failure(runs: Runs, run: Run, task: str, status: Any, attempt: int) -> list[Artifact]:
    is_last = attempt == int(status.get("attempts") or 0) - 1
    if is_last and status.get("phase") in (Phase.SUCCEEDED, Phase.RUNNING):
        return []
    record = await runs.record(run, task, attempt)
    if record is None:
        outputs: Any = await runs.left(run, task, attempt)
    elif record.get("exitCode") or record.get("reason"):
        outputs = record.get("outputs") or {}
    else:
        outputs = {}  # it succeeded, and a later attempt was asked for
    return [_artifact(task, name, artifact, attempt) for name, artifact in sorted(outputs.items())]


def _artifact(task: str, name: str, reference: Any, attempt: int | None = None) -> Artifact:
    return Artifact(task, name, reference.get("type") or "file", int(reference["size"]), reference["digest"], attempt)
