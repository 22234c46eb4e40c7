"""The table of situations: every row of it names tests, and each of them is there."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs/what-happens-when.md").read_text().splitlines()
    if line.startswith("|") and not line.startswith(("| when |", "|---"))
]
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


@functools.cache
def names_in(path: str) -> frozenset[str]:
    """The tests that a file defines at its top, read and not imported."""
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_there_is_a_row_for_each_situation_once() -> None:
    assert len(ROWS) > 50
    assert all(len(row) == 3 and all(row) for row in ROWS)
    situations = [row[0] for row in ROWS]
    assert sorted(set(situations)) == sorted(situations)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_names_tests_that_exist(row: list[str]) -> None:
    proof = row[2]
    named = _TEST.findall(proof)
    assert named, "no test is named"
    assert _TEST.sub("", proof).replace("<br>", "").strip() == "", "what stands there beside the tests is no test"
    missing = [f"{path}::{name}" for path, name in named if not (ROOT / path).exists() or name not in names_in(path)]
    assert missing == []
