"""Fields by their paths, every one that there is, and the words for those that there are not."""

from __future__ import annotations

import pytest
from mlworkflow.core.kinds import KINDS
from mlworkflow.schema.explaining import Explainer, Field, NoSuchField

EXPLAINER = Explainer()


@pytest.mark.parametrize(
    ("path", "full"),
    [
        ("steps.tune.algorithm", "spec.steps.tune.algorithm"),
        ("mlwf.spec.steps[].tune.algorithm", "spec.steps.tune.algorithm"),
        ("tune", "spec.steps.tune"),
        ("retry.limit", "spec.steps.retry.limit"),
        ("steps.steps.steps.train", "spec.steps.steps.steps.train"),
        ("onExit.failed.container.image", "spec.onExit.failed.container.image"),
        ("steps.inputs.table.from.dataset", "spec.steps.inputs.table.from.dataset"),
        ("steps.inputs.from", "spec.steps.inputs.from"),
        ("tune.step.train.estimator", "spec.steps.tune.step.train.estimator"),
        ("status.steps.phase", "status.steps.phase"),
        ("", "spec"),
    ],
)
def test_a_path(path: str, full: str) -> None:
    assert ".".join(EXPLAINER.field(path).path) == full


def test_what_is_told_of_a_field() -> None:
    limit = EXPLAINER.field("retry.limit")
    assert (limit.type, limit.default, limit.bounds) == ("whole number", "2", ("at least 0", "at most 100"))
    assert EXPLAINER.field("steps.tune.metric.goal").values == ("maximize", "minimize")
    assert {field.path[-1] for field in EXPLAINER.field("tune.space.float").fields if field.is_required} == {
        "min",
        "max",
    }


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("steps.trian", "spec.steps.train"),
        ("paramss", "spec.params"),
        ("tune.algorithm.tp", "spec.steps.tune.algorithm.tpe"),
    ],
)
def test_a_field_that_is_not_there_is_told_with_those_that_are(path: str, near: str) -> None:
    with pytest.raises(NoSuchField) as raised:
        EXPLAINER.field(path)
    assert near in raised.value.near


def test_every_field_has_a_description_and_can_be_asked_for_by_its_own_path() -> None:
    def walk(field: Field, depth: int) -> None:
        assert field.description, field.path
        assert EXPLAINER.field(".".join(field.path)).path == field.path
        if depth:
            for below in EXPLAINER.field(".".join(field.path)).fields:
                walk(below, depth - 1)

    for path in ("spec", "status", *(f"steps.{kind}" for kind in KINDS)):
        walk(EXPLAINER.field(path), 2 if path != "spec" else 1)
    assert [field.path[-1] for field in EXPLAINER.kinds()] == list(KINDS)
