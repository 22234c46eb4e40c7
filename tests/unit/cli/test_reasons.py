"""Every reason that the code gives to a step is told in docs/troubleshooting.md, and so by `mlwf explain`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from mlworkflow.core.names import Reason
from mlworkflow.kube.podview import CANNOT_START
from mlworkflow.runs import reasons

ROOT = Path(__file__).parents[3]
QUIET = {Reason.SUCCEEDED, Reason.STORE_UNAVAILABLE}
"""What is no trouble; and what the workflow's own message tells."""


def of_steps() -> Iterator[str]:
    """The first argument of each `StepFailure`, where it stands there as a word."""
    for path in (ROOT / "steps").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            is_failure = isinstance(node, ast.Call) and ast.unparse(node.func).endswith("StepFailure")
            if is_failure and node.args and isinstance(node.args[0], ast.Constant):
                yield node.args[0].value


def test_every_reason_of_the_engine_is_told() -> None:
    assert [str(reason) for reason in Reason if reason not in QUIET and not reasons.find(reason)] == []


def test_every_reason_of_a_container_that_cannot_start_is_told() -> None:
    assert sorted(reason for reason in CANNOT_START if not reasons.find(reason)) == []


def test_every_reason_of_a_built_in_step_is_told() -> None:
    found = set(of_steps())
    assert "ColumnNotFound" in found
    assert sorted(reason for reason in found if not reasons.find(reason)) == []


def test_each_says_what_happened_and_what_to_do_whatever_its_capitals() -> None:
    assert all(reason.meaning and reason.remedy for reason in reasons.all_reasons())
    (killed,) = reasons.find("oomkilled")
    assert (killed.name, killed.of) == ("OOMKilled", "")
    assert "resources.limits.memory" in killed.remedy
    assert [reason.of for reason in reasons.find("Pruned")] == ["of a trial"]
    assert reasons.find("NoSuchReason") == []
