"""Tables, pages and endings, as they are printed."""

from __future__ import annotations

import io
from typing import Any

import pytest
from mlworkflow.cli import render
from mlworkflow.cli.artifacts import Artifact
from mlworkflow.cli.errors import CliError
from mlworkflow.cli.formats import Format, document
from mlworkflow.cli.live import Live, Plain, _fitting
from mlworkflow.cli.runs import Run
from mlworkflow.core.status import moment

NOW = moment("2026-11-25T12:01:00Z") or 0.0
DIGEST = f"sha256:{'ab' * 32}"


def step(name: str, phase: str = "Succeeded", **fields: Any) -> dict[str, Any]:
    ran = {"attempts": 1, "startedAt": "2026-11-25T12:00:00Z"} if phase not in ("Pending", "Skipped") else {}
    ended = {"finishedAt": "2026-11-25T12:00:05.500Z"} if phase in ("Succeeded", "Failed") else {}
    return {"name": name, "phase": phase, **ran, **ended, **fields}


def run(phase: str = "Running", *steps: dict[str, Any], **status: Any) -> Run:
    metadata = {"name": "digits", "namespace": "ml", "uid": "u", "creationTimestamp": "2026-11-25T11:59:00Z"}
    return Run(
        "digits.2",
        {
            "metadata": metadata,
            "spec": {"steps": [{"name": one["name"]} for one in steps]},
            "status": {
                "phase": phase,
                "progress": "1/2",
                "startedAt": "2026-11-25T12:00:00Z",
                "steps": list(steps),
                "tasks": TRIALS if any(one["name"] == "tune" for one in steps) else [],
                **status,
            },
        },
    )


TUNE = step("tune", "Running", progress="2/3")
TRIALS = [
    {
        "name": "tune/0",
        "phase": "Succeeded",
        "attempts": 1,
        "startedAt": "2026-11-25T12:00:00Z",
        "finishedAt": "2026-11-25T12:00:02Z",
        "value": 0.93,
    },
    {"name": "tune/1", "phase": "Failed", "attempts": 1, "reason": "Error", "message": "exit code 3\nboom"},
    {"name": "tune/2", "phase": "Running", "attempts": 1, "startedAt": "2026-11-25T12:00:00Z"},
]


def test_the_list() -> None:
    runs = [run("Running", message="waiting\nfor it"), Run("new", {"metadata": {"name": "new", "uid": "v"}})]
    assert render.run_table(runs, NOW) == (
        "NAME       PHASE     PROGRESS   DURATION   AGE   MESSAGE\n"
        "digits.2   Running   1/2        1m00s      2m    waiting\n"
        "new        Pending"
    )
    assert render.run_table(runs, NOW, namespaces=True).splitlines()[0].startswith("NAMESPACE   NAME")


def test_the_page_of_a_run_with_trials() -> None:
    shown = run("Running", step("prep", outputs={"rows": 1797, "note": "a\nb"}), TUNE, step("train", "Pending"))
    assert render.run_page(shown, NOW) == (
        "digits.2   Running   1/2   1m00s\n"
        "\n"
        "STEP     PHASE       ATTEMPTS   DURATION   OUTPUTS\n"
        "prep     Succeeded   1          5.5s       rows=1797 note=a b\n"
        "tune     Running     1          1m00s      2/3 ended\n"
        "tune/0   Succeeded   1          2.0s       value=0.93\n"
        "tune/1   Failed      1                     Error: exit code 3\n"
        "tune/2   Running     1          1m00s\n"
        "train    Pending"
    )


def test_a_success_ends_with_what_to_look_at() -> None:
    report = {"report": {"digest": DIGEST, "size": 1, "type": "file"}, "scores": {"digest": DIGEST, "size": 1}}
    shown = run(
        "Succeeded",
        step("train", artifacts={"model": {"digest": DIGEST, "size": 1, "type": "directory"}}),
        step("evaluate", outputs={"accuracy": 0.95432, "passed": True}, artifacts=report),
        finishedAt="2026-11-25T12:00:12Z",
    )
    assert render.ending(shown, " --home 'a b'", NOW) == (
        "digits.2 succeeded in 12s\n"
        "  evaluate: accuracy=0.9543 passed=true\n"
        "  report   mlwf download digits.2 evaluate.report report.html --home 'a b'\n"
        "  scores   mlwf download digits.2 evaluate.scores scores.json --home 'a b'\n"
        "  model    mlwf download digits.2 train.model --home 'a b'"
    )


def test_a_failure_ends_with_the_first_cause_and_the_last_lines() -> None:
    late = step("late", "Failed", reason="DependencyFailed", message="x", finishedAt="2026-11-25T12:00:06Z")
    first = step("first", "Failed", reason="Error", message="exit code 3\none\ntwo\n")
    shown = run(
        "Failed", late, first, message="step 'first' failed: Error: exit code 3", finishedAt="2026-11-25T12:00:06Z"
    )
    assert render.ending(shown, "", NOW) == (
        "digits.2 failed in 6.0s\n"
        "step 'first' failed: Error: exit code 3\n"
        "  | one\n"
        "  | two\n"
        "  the whole log: mlwf logs digits.2 first"
    )


def test_a_failed_tune_step_points_to_the_log_of_a_trial() -> None:
    shown = run("Failed", {**TUNE, "phase": "Failed", "reason": "TrialsFailed", "message": "1 of 3 trials failed"})
    assert render.ending(shown, "", NOW).splitlines()[-1] == "  the whole log: mlwf logs digits.2 tune/1"


def test_artifacts() -> None:
    assert render.artifact_table([Artifact("tune/0", "model", "directory", 48213, DIGEST)]) == (
        f"ARTIFACT       TYPE        SIZE       DIGEST\ntune/0.model   directory   47.1 KiB   {DIGEST}"
    )


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (5 << 30, "5.0 GiB"),
        (3 << 40, "3.0 TiB"),
        (1 << 60, "1048576.0 TiB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert render.size(count) == text


def test_formats() -> None:
    value = {"b": ["ü", 1], "a": None}
    assert document(value, Format.JSON) == '{\n  "b": [\n    "ü",\n    1\n  ],\n  "a": null\n}'
    assert document(value, Format.YAML) == "b:\n- ü\n- 1\na: null"


def test_plain_lines_say_each_change_once() -> None:
    stream = io.StringIO()
    view = Plain(stream, lambda: NOW)
    first = run("Running", step("prep", "Running"), step("train", "Pending"))
    for shown in (
        first,
        first,
        run("Running", step("prep", outputs={"rows": 3}), TUNE),
        run("Succeeded", step("prep"), step("x", "Skipped")),
    ):
        view.show(shown)
    lines = [line.partition(" ")[2] for line in stream.getvalue().splitlines()]
    assert lines == [
        "digits.2 Running",
        "prep Running",
        "prep Succeeded 5.5s rows=3",
        "tune/0 Succeeded 2.0s value=0.93",
        "tune/1 Failed Error: exit code 3",
        "tune/2 Running",
        "tune Running 2/3 ended",
        "x Skipped",
    ]


def test_a_table_that_is_too_long_shows_what_matters() -> None:
    steps = [step(f"s{number}") for number in range(100)]
    steps[50], steps[99], steps[3] = step("live", "Running"), step("bad", "Failed"), step("next", "Pending")
    shown, hidden = _fitting(run("Running", *steps), 5)
    assert [one["name"] for one in shown] == ["s0", "next", "live", "bad"]
    assert hidden == 96
    assert _fitting(run("Running", *steps[:5]), 5) == (steps[:5], 0)


def test_the_live_table_draws() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with Live(stream) as view:
        view.show(run("Running", step("prep", outputs={"rows": "[red]3[/red]"}), TUNE))
    assert "prep" in stream.getvalue()
    assert "[red]3[/red]" in stream.getvalue(), "what a step says is no markup"


def test_tasks_by_name() -> None:
    shown = run("Running", step("prep"), TUNE)
    assert [name for name, _ in shown.tasks()] == ["prep", "tune/0", "tune/1", "tune/2", "tune"]
    assert shown.task("tune/0")["value"] == 0.93
    for name in ("nope", "tune/9", "tune/x", "prep/0", ""):
        with pytest.raises(CliError):
            shown.task(name)
