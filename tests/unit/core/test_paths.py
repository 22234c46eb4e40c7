"""The ids of tasks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlworkflow.core import paths
from mlworkflow.core.nodes import Role

from tests.builders import a_workflow

_NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,5}", fullmatch=True)


@pytest.mark.parametrize(
    ("task", "parent", "scope", "step"),
    [
        ("train", None, "", "train"),
        ("sweep/3", "sweep", "", "sweep"),
        ("tune/2/5", "tune/2", "", "tune"),
        ("folds/1.prep", "folds/1", "folds/1", "folds"),
        ("folds~2/1.prep", "folds/1", "folds~2/1", "folds"),
        ("a~1.b~2/0.c/4", "a~1.b~2/0.c", "a~1.b~2/0", "a"),
        ("a~1.b", "a", "a~1", "a"),
    ],
)
def test_a_task_knows_its_place(task: str, parent: str | None, scope: str, step: str) -> None:
    assert (paths.parent(task), paths.enclosing(task), paths.step_of(task)) == (parent, scope, step)


@given(_NAMES, _NAMES, st.integers(0, 12), st.integers(0, 3), st.booleans())
def test_the_scope_of_a_group_leads_back_to_it(outer: str, inner: str, item: int, attempt: int, is_item: bool) -> None:
    group = paths.child("x/0", outer) if attempt else outer
    group = paths.numbered(group, item) if is_item else group
    scope = paths.scope_of(group, attempt)
    assert paths.group_of(scope) == group
    assert paths.attempt_of(scope) == attempt
    assert paths.parent(paths.child(scope, inner)) == group
    assert paths.is_below(paths.child(scope, inner), group)
    assert not paths.is_below(group, paths.child(scope, inner))


def test_what_begins_alike_is_not_below() -> None:
    assert not paths.is_below("train-2/0", "train")
    assert not paths.is_below("train", "train")
    assert paths.is_below("train/0/1.x", "train")


_PLAN = (
    a_workflow()
    .step("unit")
    .step("fan", forEach=[1, 2])
    .group("group", a_workflow().step("inner").group("deep", a_workflow().step("leaf")))
    .group("folds", a_workflow().step("part", forEach=[1]), forEach=[1])
    .tune("tune", {"p": [1, 2]})
    .tune("tunes", {"p": [1, 2]}, forEach=[1])
    .kind("ask", "approve", {})
    .having(onExit={"always": [{"name": "bye", "container": {"image": "i"}}]})
    .plan()
)


@pytest.mark.parametrize(
    ("task", "role"),
    [
        ("unit", Role.UNIT),
        ("fan", Role.FAN),
        ("fan/7", Role.UNIT),
        ("group", Role.GROUP),
        ("group.inner", Role.UNIT),
        ("group~3.inner", Role.UNIT),
        ("group.deep", Role.GROUP),
        ("group.deep~1.leaf", Role.UNIT),
        ("folds", Role.FAN),
        ("folds/0", Role.GROUP),
        ("folds/0.part", Role.FAN),
        ("folds~1/0.part/2", Role.UNIT),
        ("tune", Role.STUDY),
        ("tune/1", Role.UNIT),
        ("tunes", Role.FAN),
        ("tunes/0", Role.STUDY),
        ("tunes/0/1", Role.UNIT),
        ("ask", Role.APPROVAL),
        ("bye", Role.UNIT),
    ],
)
def test_a_task_is_found_by_its_id(task: str, role: Role) -> None:
    assert _PLAN.nodes[task].role is role


@pytest.mark.parametrize(
    "task",
    [
        "",
        "none",
        "unit/0",
        "unit.inner",
        "group~1",
        "group/0",
        "fan/0/0",
        "tune/1/2",
        "unit.",
        ".",
        "group..inner",
        "a b",
    ],
)
def test_what_has_no_place_is_not_found(task: str) -> None:
    assert _PLAN.nodes.get(task) is None


def test_names_are_found_from_inside_out() -> None:
    resolve = _PLAN.nodes.resolve
    assert resolve("group.deep~1", "leaf") == "group.deep~1.leaf"
    assert resolve("group.deep", "inner") == "group.inner"
    assert resolve("group~2.deep", "inner") == "group~2.inner"
    assert resolve("folds/0", "unit") == "unit"
    assert resolve("", "inner") is None
