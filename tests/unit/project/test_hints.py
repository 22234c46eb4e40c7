"""Every error of the command line that a user can cause names the next step."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from mlworkflow.runs import documents, errors

ROOT = Path(__file__).parents[3] / "operator/mlworkflow"
ERRORS = {
    name
    for module in (errors, documents)
    for name, found in vars(module).items()
    if isinstance(found, type) and issubclass(found, errors.RunsError)
}


def without_a_hint() -> Iterator[str]:
    for path in sorted([*(ROOT / "cli").rglob("*.py"), *(ROOT / "runs").rglob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text())):
            is_error = isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ERRORS
            if is_error and len(node.args) < 2 and not any(keyword.arg == "hint" for keyword in node.keywords):
                yield f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"


def test_an_error_says_what_to_do_next() -> None:
    assert {"RunsError", "Usage", "Refused", "BadFile"} <= ERRORS
    assert list(without_a_hint()) == []
