"""Tables, pages and endings, as they are printed."""

from __future__ import annotations

import io
from typing import Any

import pytest
from mlworkflow.cli import render
from mlworkflow.cli.formats import Format, document
from mlworkflow.cli.live import Live, Plain, _fitting
from mlworkflow.core.status import moment
from mlworkflow.runs.artifacts import Artifact
from mlworkflow.runs.errors import RunsError
from mlworkflow.runs.rows import EXIT, rows
from mlworkflow.runs.run import Run
from mlworkflow.runs.text import size


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


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


def test_a_search_under_way_shows_its_counts_and_the_best_so_far() -> None:
    message = "the best so far is 0.93, of trial 0: depth=5"
    shown = render.run_page(run("Running", {**TUNE, "message": message}), NOW)
    assert f"2/3, 1 failed; {message}" in shown


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
    head = "digits.2   Running   1/2   1m00s\n\n"
    assert render.run_page(shown, NOW) == head + (
        "STEP       PHASE       ATTEMPTS   DURATION   OUTPUTS\n"
        "prep       Succeeded   1          5.5s       rows=1797 note=a b\n"
        "tune       Running     1          1m00s      2/3, 1 failed\n"
        "  tune/1   Failed      1                     Error: exit code 3\n"
        "train      Pending"
    )
    assert render.run_page(shown, NOW, tasks=True) == head + (
        "STEP       PHASE       ATTEMPTS   DURATION   OUTPUTS\n"
        "prep       Succeeded   1          5.5s       rows=1797 note=a b\n"
        "tune       Running     1          1m00s      2/3, 1 failed\n"
        "  tune/0   Succeeded   1          2.0s       value=0.93\n"
        "  tune/1   Failed      1                     Error: exit code 3\n"
        "  tune/2   Running     1          1m00s\n"
        "train      Pending"
    )


def sweep(count: int, failed: int) -> Run:
    """A run with a step of many items, the first of which have failed."""
    items = [{"name": f"sweep/{number}", "phase": "Failed" if number < failed else "Running", "attempts": 1,
              "reason": "Error"} for number in range(count)]  # fmt: skip
    return run("Running", step("sweep", "Running", progress=f"{failed}/{count}"), step("next", "Pending"), tasks=items)


def test_ten_thousand_items_are_a_line_and_the_first_that_failed() -> None:
    shown = sweep(10_000, 12)
    lines = render.run_page(shown, NOW).splitlines()[3:]
    assert lines[0].split() == ["sweep", "Running", "1", "1m00s", "12/10000,", "12", "failed"]
    assert [line.split()[0] for line in lines[1:11]] == [f"sweep/{number}" for number in range(10)]
    assert lines[11:] == ["  and 2 more that failed", lines[-1]]
    assert lines[-1].split() == ["next", "Pending"]
    assert len(render.run_page(shown, NOW, tasks=True).splitlines()) == 10_005


def test_ten_thousand_items_fit_a_terminal_and_a_log() -> None:
    stream, terminal = io.StringIO(), Terminal()
    view = Plain(stream, lambda: NOW)
    for failed in range(0, 10_001, 500):
        view.show(sweep(10_000, failed))
    lines = [line.partition(" ")[2] for line in stream.getvalue().splitlines()]
    assert len([line for line in lines if line.startswith("sweep/")]) == 10, "only the first that failed have lines"
    assert [line for line in lines if line.startswith("sweep Running")] == [
        f"sweep Running {tenth}000/10000" if tenth else "sweep Running 0/10000" for tenth in range(11)
    ]
    with Live(terminal) as live:
        live.show(sweep(10_000, 12))
    assert "12/10000, 12 failed" in terminal.getvalue()
    assert "sweep/10 " not in terminal.getvalue()


def test_of_groups_that_failed_the_tasks_are_shown_that_failed_themselves_and_now() -> None:
    tasks = [
        {"name": "folds/0", "phase": "Failed", "attempts": 2},
        {"name": "folds/0.prep", "phase": "Failed", "attempts": 1},
        {"name": "folds~1/0.prep", "phase": "Succeeded", "attempts": 1},
        {"name": "folds~1/0.fit", "phase": "Failed", "attempts": 1},
        {"name": "folds/1", "phase": "Running", "attempts": 2},
        {"name": "folds/1.prep", "phase": "Failed", "attempts": 1},
        {"name": "folds~1/1.prep", "phase": "Running", "attempts": 1},
    ]
    shown = run("Running", step("folds", "Running", progress="1/2"), tasks=tasks)
    assert [row.name for row in rows(shown)] == ["folds", "folds~1/0.fit"]


ASKING = [
    {"name": "ship", "approve": {"inputs": {"share": {"type": "number"}, "note": {"default": ""}}}},
    {"name": "tell", "container": {}},
]


def test_what_a_person_has_to_do_is_told_with_the_command() -> None:
    ship = step("ship", "Running", message="waits for approval: Ship it?")
    shown = run("Suspended", ship, message="step 'ship' waits for approval")
    shown = Run(shown.id, {**shown.resource, "spec": {"steps": ASKING}})
    page = render.run_page(shown, NOW, " --home x")
    assert page.splitlines()[1] == "step 'ship' waits for approval"
    assert page.partition("\n\nnothing")[2] == (
        " new starts; go on: mlwf resume digits.2 --home x\n"
        "ship waits for approval: Ship it?\n"
        "  mlwf approve digits.2 ship -p share=… --home x"
    )
    stream = io.StringIO()
    view = Plain(stream, lambda: NOW, " --home x")
    for _ in range(2):
        view.show(shown)
    lines = [line.partition(" ")[2] for line in stream.getvalue().splitlines()]
    assert lines == [
        "digits.2 Suspended step 'ship' waits for approval",
        "nothing new starts; go on: mlwf resume digits.2 --home x",
        "mlwf approve digits.2 ship -p share=… --home x",
        "ship Running waits for approval: Ship it?",
    ]
    terminal = Terminal()
    with Live(terminal) as live:
        live.show(shown)
    assert "mlwf approve digits.2 ship" in terminal.getvalue()


def test_the_end_is_told_before_it_is_reached() -> None:
    ending = {"phase": "Failed", "at": "2026-11-25T12:00:30Z", "message": "step 'a' failed"}
    shown = run("Running", step("ship", "Failed"), step("bye", "Running"), ending=ending,
                message="Failed: step 'a' failed; the steps of onExit run")  # fmt: skip
    shown = Run(shown.id, {**shown.resource, "spec": {"steps": ASKING, "onExit": {"always": [{"name": "bye"}]}}})
    lines = render.run_page(shown, NOW).splitlines()
    assert lines[:2] == [
        "digits.2   Running (ends as Failed)   1/2   1m00s",
        "Failed: step 'a' failed; the steps of onExit run",
    ]
    assert [line.split()[0] for line in lines[4:]] == ["ship", "at", "bye"]
    assert lines[5] == EXIT


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
    ("count", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (5 << 30, "5.0 GiB"),
        (3 << 40, "3.0 TiB"),
        (1 << 60, "1048576.0 TiB"),
    ],
)
def test_sizes(count: int, shown: str) -> None:
    assert size(count) == shown


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
        "tune Running 2/3",
        "x Skipped",
    ]


def test_a_table_that_is_too_long_shows_what_matters() -> None:
    steps = [step(f"s{number}") for number in range(100)]
    steps[50], steps[99], steps[3] = step("live", "Running"), step("bad", "Failed"), step("next", "Pending")
    shown, hidden = _fitting(list(rows(run("Running", *steps))), 5)
    assert [one.name for one in shown] == ["s0", "next", "live", "bad"]
    assert hidden == 96
    few = list(rows(run("Running", *steps[:5])))
    assert _fitting(few, 5) == (few, 0)


def test_the_live_table_draws() -> None:
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
        with pytest.raises(RunsError):
            shown.task(name)
