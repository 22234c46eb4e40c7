"""One JSON object over another, as a table; and that neither is changed."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from mlworkflow.core.merge import overlay

A, B = {"name": "a", "v": 1}, {"name": "b", "v": 2}


@pytest.mark.parametrize(
    ("base", "patch", "merged"),
    [
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"a": 2, "b": 3}, {"a": 2, "b": 3}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}, {"a": {"c": 2}}),
        ({"a": 1}, {"b": None}, {"a": 1}),
        ({}, {"a": {"b": None, "c": 1}}, {"a": {"c": 1}}),
        ({"a": 1}, {"a": {"b": None}}, {"a": {}}),
        ({"a": {"b": 1}}, {"a": 2}, {"a": 2}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": [A]}, {"a": []}, {"a": []}),
        ({"a": []}, {"a": [A]}, {"a": [A]}),
        ([A, B], [{"name": "b", "v": 3}], [A, {"name": "b", "v": 3}]),
        ([A, B], [{"name": "a", "v": None}], [{"name": "a"}, B]),
        ([A], [{"name": "c"}, {"name": "b"}], [A, {"name": "c"}, {"name": "b"}]),
        ([A], [{"key": "b"}], [{"key": "b"}]),
        ([A], ["b"], ["b"]),
        (
            [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}],
            [{"name": "v", "mountPath": "/b", "readOnly": True}, {"name": "v", "mountPath": "/c"}],
            [
                {"name": "v", "mountPath": "/a"},
                {"name": "v", "mountPath": "/b", "readOnly": True},
                {"name": "v", "mountPath": "/c"},
            ],
        ),
    ],
    ids=[
        "nothing", "change and add", "null removes", "null of what is not there", "null in something new", "a map over a value", "a value over a map",
        "plain lists replace", "an empty list replaces", "over an empty list", "by name", "null in an item", "new items last", "other items", "values", "mounts by path",
    ],
)  # fmt: skip
def test_overlay(base: Any, patch: Any, merged: Any) -> None:
    kept = deepcopy((base, patch))
    assert overlay(base, patch) == merged
    assert (base, patch) == kept


VALUES = some.recursive(
    some.integers() | some.text(max_size=3),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(
    base=some.dictionaries(some.sampled_from("abc"), VALUES), patch=some.dictionaries(some.sampled_from("abc"), VALUES)
)
def test_laying_the_same_over_twice_changes_nothing_more(base: dict[str, Any], patch: dict[str, Any]) -> None:
    once = overlay(base, patch)
    assert overlay(once, patch) == once
    assert overlay(base, {}) == base
    assert overlay({}, patch) == patch
