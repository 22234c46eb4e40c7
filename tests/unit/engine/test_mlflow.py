"""What of a run becomes what in MLflow."""

from __future__ import annotations

from typing import Any

from mlworkflow.core.names import Reason
from mlworkflow.core.values import ArtifactRef
from mlworkflow.engine.mlflow import Point, Told, registered, told
from mlworkflow.store.layout import AttemptKey
from mlworkflow.store.records import Record

DIGEST = "sha256:" + 64 * "a"
MODEL = ArtifactRef(DIGEST, 12, "directory")
RESOURCE: dict[str, Any] = {
    "metadata": {"name": "w", "namespace": "ml", "uid": "u1"},
    "spec": {"params": {"seed": 7}},
    "status": {
        "phase": "Failed",
        "message": "why",
        "startedAt": "2026-01-01T00:00:00.000Z",
        "finishedAt": "2026-01-01T00:00:02.500Z",
    },
}


def record(task: str, kind: str, attempt: int = 0, **fields: Any) -> tuple[AttemptKey, Record]:
    step = task.partition("/")[0]
    given = {"exit_code": 0, "started_at": 1.0, "finished_at": 2.5, **fields}
    return AttemptKey("ml", "u1", task, attempt), Record(workflow="w", step=step, task=task, attempt=attempt, kind=kind, **given)  # fmt: skip


def all_of(*records: tuple[AttemptKey, Record], **deciding: str) -> dict[str, Told]:
    return {run.name: run for run in told(RESOURCE, dict(records), deciding)}


def test_the_workflow_and_what_was_trained_are_runs_and_nothing_else() -> None:
    runs = all_of(
        record("prep", "prep", parameters={"rows": 3}),
        record("train", "train", params={}),
        record("tune/0", "container", params={"x": 1}),
        record("tune", "tune", parameters={"trial_count": 1}),
        record("each/0", "container"),
    )
    assert list(runs) == ["w", "w.train", "w.tune/0"]
    assert (runs["w"].status, runs["w"].started, runs["w"].ended) == ("FAILED", 1767225600000, 1767225602500)
    assert (runs["w"].params, runs["w"].metrics) == ({"seed": "7"}, (Point("prep.rows", 3.0),))
    assert len({run.key for run in runs.values()}) == 3


def test_of_attempts_the_last_is_told() -> None:
    runs = all_of(
        record("train", "train", exit_code=1, reason="Error"),
        record("train", "train", 1, metrics={"loss": 0.5}),
    )
    assert (runs["w.train"].key, runs["w.train"].status) == ("u1/train/1", "FINISHED")


def test_values_on_the_way_have_their_steps_and_the_last_comes_after_them() -> None:
    pruned = record("tune/3", "container", params={"x": 1}, exit_code=143, reason=str(Reason.PRUNED), curve=((0, 0.9), (5, None), (7, 0.4)), metrics={"loss": 0.4})  # fmt: skip
    run = all_of(pruned, tune="loss")["w.tune/3"]
    assert run.status == "KILLED"
    assert run.metrics == (Point("loss", 0.9, 0), Point("loss", 0.4, 7), Point("loss", 0.4, 8))


def test_parameters_are_flat_texts_and_programs_are_left_out() -> None:
    spec = {"estimator": {"use": "x.Y", "params": {"a": [1, 2]}}, "params": {"depth": 3}, "card": {"name": "long"}, "source": "def …"}  # fmt: skip
    run = all_of(record("train", "train", spec=spec, params={"lr": 0.1}, parameters={"odd name!": 1.5, "ok": True}))
    assert run["w.train"].params == {"estimator.use": "x.Y", "estimator.params.a": "[1, 2]", "depth": "3", "lr": "0.1"}
    assert run["w.train"].metrics == (Point("odd name_", 1.5),), "true is no number"


def test_a_promoted_model_belongs_to_the_training_that_left_it() -> None:
    made = record("train", "train", outputs={"model": MODEL})
    copied = record("again", "python", outputs={"model": MODEL})
    promoted = record("promote", "promote", spec={"model": "m"}, inputs={"model": DIGEST})
    (found,) = registered(RESOURCE, dict([copied, made, promoted]))
    assert (found.name, found.artifact, found.key) == ("m", MODEL, "u1/train/0")
    (found,) = registered(RESOURCE, dict([copied, promoted]))
    assert found.key == "u1", "of the workflow itself where none is known"
    rehearsal = record("promote", "promote", spec={"model": "m", "dryRun": True}, inputs={"model": DIGEST})
    assert registered(RESOURCE, dict([made, rehearsal])) == []
