"""The types of the resource, as far as msgspec would stumble over them."""

from __future__ import annotations

import subprocess
import sys
import typing
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from mlworkflow.core.fields import StepFields
from mlworkflow.core.kinds import KINDS
from mlworkflow.core.spec_fields import SpecFields
from mlworkflow.core.status_fields import StatusFields
from mlworkflow.store.records import Record

_PARSE = """
from mlworkflow.core.model import Workflow
Workflow.parse({"apiVersion": "mlworkflow.io/v1alpha1", "kind": "MLWorkflow", "metadata": {"name": "x"},
                "spec": {"steps": [{"name": "a", "container": {}}]}})
"""


def _unions(type_: Any, seen: set[Any]) -> Iterator[Any]:
    """Every union in a type, and in the structs that it leads to."""
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        if type_ not in seen:
            seen.add(type_)
            for hint in typing.get_type_hints(type_, include_extras=True).values():
                yield from _unions(hint, seen)
        return
    arguments = typing.get_args(type_)
    if typing.get_origin(type_) in (typing.Union, type(int | str)):
        yield type_
    for argument in arguments:
        yield from _unions(argument, seen)


def _flat(type_: Any) -> Iterator[Any]:
    """The members of a union, whatever is annotated around them."""
    for argument in typing.get_args(type_):
        inner = typing.get_args(argument)[0] if hasattr(argument, "__metadata__") else argument
        nested = typing.get_origin(inner) in (typing.Union, type(int | str))
        yield from _flat(inner) if nested else [argument]


@pytest.mark.parametrize(
    "struct", [SpecFields, StepFields, StatusFields, Record, *(kind.body for kind in KINDS.values())]
)
def test_no_union_holds_a_list_beside_a_text_with_a_pattern(struct: type) -> None:
    """msgspec #717: the interpreter crashes at its end over such a type."""
    for union in _unions(struct, set()):
        members = list(_flat(union))
        has_list = any(typing.get_origin(member) is list for member in members)
        patterns = [meta.pattern for member in members for meta in getattr(member, "__metadata__", ())]
        assert not (has_list and any(patterns)), f"{struct.__name__}: {union}"


def test_the_interpreter_ends_well_after_a_workflow_was_parsed() -> None:
    for _ in range(5):
        subprocess.run([sys.executable, "-c", _PARSE], check=True, timeout=60)
