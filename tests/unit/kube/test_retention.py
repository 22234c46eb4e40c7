"""When a workflow that has ended is deleted: a function of what its resource says."""

from __future__ import annotations

from typing import Any

import pytest
from mlworkflow.core.errors import SpecError
from mlworkflow.core.spec_fields import Ttl
from mlworkflow.kube.retention import delete_at, pod_cleanup

from tests.builders import a_workflow

ENDED = 1_700_000_000.0
STAMP = "2023-11-14T22:13:20.000Z"
BOTH = {"succeeded": "1h", "failed": "7d"}


@pytest.mark.parametrize(
    ("ttl", "phase", "after"),
    [
        (BOTH, "Succeeded", 3600.0),
        (BOTH, "Failed", 7 * 86400.0),
        (BOTH, "Cancelled", 7 * 86400.0),
        ("30m", "Succeeded", 1800.0),
        ("30m", "Failed", 1800.0),
        ("0s", "Succeeded", 0.0),
        ({"succeeded": "1h"}, "Failed", None),
        ({"failed": "1h"}, "Succeeded", None),
        ({}, "Succeeded", None),
        (None, "Succeeded", None),
        ("soon", "Succeeded", None),
        ({"succeeded": 7}, "Succeeded", None),
        (BOTH, "Running", None),
        (BOTH, "Suspended", None),
        (BOTH, "", None),
    ],
)
def test_the_end_and_a_span_give_the_moment(ttl: Any, phase: str, after: float | None) -> None:
    resource = {"spec": {} if ttl is None else {"ttl": ttl}, "status": {"phase": phase, "finishedAt": STAMP}}
    assert delete_at(resource) == (None if after is None else ENDED + after)


def test_an_end_that_was_never_written_asks_for_nothing() -> None:
    assert delete_at({"spec": {"ttl": "1s"}, "status": {"phase": "Failed"}}) is None
    assert delete_at({"spec": {"ttl": "1s"}}) is None


@pytest.mark.parametrize(("written", "expected"), [("StepEnded", "StepEnded"), (None, "Never"), ("Sometimes", "Never")])
def test_when_pods_go(written: str | None, expected: str) -> None:
    assert pod_cleanup({"spec": {} if written is None else {"podCleanup": written}}) == expected


def test_a_workflow_carries_what_it_says() -> None:
    plain = a_workflow().step("a")
    assert (plain.parsed().ttl, plain.parsed().pod_cleanup) == (None, "Never")
    assert plain.having(ttl="1h").parsed().ttl == Ttl("1h", "1h")
    assert plain.having(ttl={"failed": "2d"}, podCleanup="StepEnded").parsed().ttl == Ttl(failed="2d")


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"ttl": "tomorrow"}, "spec.ttl"),
        ({"ttl": {"succeeded": "tomorrow"}}, "spec.ttl.succeeded"),
        ({"ttl": {"cancelled": "1h"}}, "spec.ttl"),
        ({"podCleanup": "Sometimes"}, "spec.podCleanup"),
    ],
)
def test_mistakes_are_named(fields: dict[str, Any], where: str) -> None:
    with pytest.raises(SpecError, match=where):
        a_workflow().step("a").having(**fields).parsed()
