"""Names of Pods, and durations."""

from __future__ import annotations

import re

import pytest
from mlworkflow.core.duration import PATTERN, human, seconds
from mlworkflow.core.names import pod_name

_DNS = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


@pytest.mark.parametrize("workflow", ["w", "a" * 63, "dots.and.more", "UPPER_case", "ünï", "工作流", "a-" * 31])
@pytest.mark.parametrize("task", ["s", "tune/12345", "x" * 63, "a--b"])
@pytest.mark.parametrize("attempt", [0, 99, 123456])
def test_a_pod_name_is_a_dns_label(workflow: str, task: str, attempt: int) -> None:
    name = pod_name(workflow, "uid", task, attempt)
    assert len(name) <= 63
    assert _DNS.fullmatch(name)


def test_a_pod_name_is_the_same_every_time_and_in_every_process() -> None:
    assert pod_name("digits", "u1", "train", 0) == pod_name("digits", "u1", "train", 0)
    assert re.fullmatch(r"digits-train-0-[0-9a-f]{8,}", pod_name("digits", "u1", "train", 0))


def test_pod_names_of_10_000_tasks_with_a_long_workflow_name_are_all_different() -> None:
    assert len({pod_name("w" * 63, "u", f"s-{number}", 0) for number in range(10_000)}) == 10_000


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(("w", "u", "tune/1", 0), ("w", "u", "tune-1", 0), id="a trial and a step that reads like it"),
        pytest.param(("w", "u1", "s", 0), ("w", "u2", "s", 0), id="the same workflow made again"),
        pytest.param(("w", "u", "s", 1), ("w", "u", "s", 11), id="attempts"),
        pytest.param(("w", "u", "s-1", 0), ("w", "u", "s", 10), id="a step's number and an attempt's"),
        pytest.param(("a-b", "u", "c", 0), ("a", "u", "b-c", 0), id="a dash in the workflow or in the step"),
    ],
)
def test_pod_names_differ_where_attempts_differ(
    one: tuple[str, str, str, int], other: tuple[str, str, str, int]
) -> None:
    assert pod_name(*one) != pod_name(*other)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90s", 90),
        ("1h30m", 5400),
        ("250ms", 0.25),
        ("1.5m", 90),
        ("2d", 172800),
        ("0s", 0),
        ("1m1ms", 60.001),
        (90, 90),
    ],
)
def test_a_duration_is_seconds(text: str | int, span: float) -> None:
    assert seconds(text) == pytest.approx(span)


@pytest.mark.parametrize("text", ["", "90", "1 h", "h", "-1s", "1w", "1s2", "1..5s"])
def test_what_is_no_duration_does_not_match(text: str) -> None:
    assert re.search(PATTERN, text) is None


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (0.42, "0.4s"),
        (9.99, "10.0s"),
        (12.3, "12s"),
        (59.7, "1m00s"),
        (185, "3m05s"),
        (3599.9, "1h00m"),
        (7800, "2h10m"),
    ],
)
def test_a_span_reads_as_a_person_would_say_it(span: float, text: str) -> None:
    assert human(span) == text
