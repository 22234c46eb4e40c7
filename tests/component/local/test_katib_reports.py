"""What people have reported of Katib (its issues are named where they are known), and what happens here: on this machine, with real trials."""

from __future__ import annotations

import asyncio
import csv
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from mlworkflow.core import status
from mlworkflow.core.state import Phase, Run, Task
from mlworkflow.local.home import NAMESPACE, Home, LocalRun
from mlworkflow.local.runner import LocalRunner
from mlworkflow.store.layout import cas_key
from mlworkflow.store.records import load_run

from tests.builders import WorkflowBuilder, a_workflow

LINE: dict[str, Any] = {"x": {"float": {"min": 0, "max": 1}}}
ACC = {"acc": {"type": "number"}}


def sh(script: str, **fields: Any) -> dict[str, Any]:
    """A trial in shell, in any image."""
    return {"container": {"image": "busybox", "command": ["sh", "-c", script]}, **fields}


def says(value: str, before: str = "true", **fields: Any) -> dict[str, Any]:
    return sh(f'{before}; printf %s "{value}" > $MLWF_OUT/params/acc', outputs=ACC, **fields)


def a_search(space: Mapping[str, Any] = LINE, *, trial: Mapping[str, Any], name: str = "w", step: Mapping[str, Any] | None = None, **body: Any) -> WorkflowBuilder:  # fmt: skip
    metric = {} if "metrics" in body else {"metric": {"name": "acc"}}
    tune = {**metric, "space": space, "step": dict(trial), **body}
    return a_workflow(name).raw({"name": "tune", "tune": tune, **(step or {})})


async def ran(folder: Path, builder: WorkflowBuilder, seen: Callable[[LocalRun], None] = lambda _: None) -> LocalRun:
    async with asyncio.timeout(240):
        return await LocalRunner(Home(folder), builder.resource(), seen).execute()


async def ran_again(folder: Path, run: LocalRun, builder: WorkflowBuilder) -> LocalRun:
    """`mlwf retry -f` of an edited file."""
    home = Home(folder)
    lock = home.reclaim(run)
    assert lock
    patch = {"steps": builder.resource()["spec"]["steps"], "rerun": {"id": "again"}}
    async with asyncio.timeout(240):
        return await LocalRunner.again(home, run, lock, patch, lambda _: None).execute()


def tasks(run: LocalRun) -> dict[str, Any]:
    shown = run.resource["status"]
    return {task["name"]: task for task in [*shown["steps"], *shown.get("tasks", [])]}


def phases(run: LocalRun) -> list[str]:
    return [task["phase"] for name, task in tasks(run).items() if name.startswith("tune/") and "." not in name]


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


async def test_2452_trials_that_crash_count_and_the_search_ends_with_their_reason(tmp_path: Path) -> None:
    run = await ran(tmp_path, a_search(trial=sh("echo no such column >&2; exit 3"), algorithm={"random": {}}, trials={"max": 3, "parallel": 3, "maxFailed": 2}))  # fmt: skip
    assert (run.resource["status"]["phase"], phases(run)) == ("Failed", ["Failed"] * 3)
    assert tasks(run)["tune"]["reason"] == "TrialsFailed"
    assert tasks(run)["tune"]["message"].startswith("3 of 3 trials failed, 2 may; trial 0: Error: ")
    assert "no such column" in tasks(run)["tune"]["message"]


async def test_855_and_2061_a_search_that_has_failed_leaves_no_trial_running(tmp_path: Path) -> None:
    trial = sh('[ "$MLWF_PARAM_P" = 0 ] && exec sleep 600; exit 1', terminationGracePeriodSeconds=1)
    run = await ran(tmp_path, a_search({"p": {"choice": [0, 1]}}, trial=trial, trials={"parallel": 2}))
    assert phases(run) == ["Cancelled", "Failed"]
    assert tasks(run)["tune/0"]["reason"] == "TrialsFailed"


@pytest.mark.parametrize(
    ("most", "expected"), [(5, 5), (20, 6)], ids=["fewer than the grid has", "more than the grid has"]
)
async def test_1534_and_1494_a_grid_comes_to_its_end_whatever_runs_at_once(
    tmp_path: Path, most: int, expected: int
) -> None:
    space = {"p": {"int": {"min": 0, "max": 2}}, "q": {"choice": ["a", "b"]}}
    run = await ran(tmp_path, a_search(space, trial=says("0.$MLWF_PARAM_P"), trials={"max": most, "parallel": 4}))
    assert phases(run) == ["Succeeded"] * expected
    tried = {
        (task["params"]["p"], task["params"]["q"]) for name, task in tasks(run).items() if name.startswith("tune/")
    }
    assert len(tried) == expected


async def test_2554_and_1795_a_metric_that_is_printed_is_found_and_one_that_is_not_is_named(tmp_path: Path) -> None:
    space = {"p": {"choice": [0, 1]}}
    metric = {"name": "acc", "pattern": r"accuracy\s*=\s*(\S+)$"}
    trial = sh(
        '[ "$MLWF_PARAM_P" = 1 ] && echo "Epoch 1: loss 3" || { echo accuracy=0.25; echo "Train accuracy = 0.75"; }'
    )
    run = await ran(tmp_path, a_search(space, trial=trial, metric=metric, trials={"maxFailed": 1}))
    assert tasks(run)["tune"]["outputs"]["best"] == {"params": {"p": 0}, "trial": 0, "value": 0.75}
    failed = tasks(run)["tune/1"]
    assert (failed["phase"], failed["reason"]) == ("Failed", "MetricMissing")
    assert "'acc'" in failed["message"]
    assert r"nothing that it printed matches 'accuracy\s*=\s*(\S+)$'" in failed["message"]


async def test_2260_the_death_of_the_process_that_chooses_costs_nothing(tmp_path: Path) -> None:
    found = []
    for is_killed in (False, True):
        killed: list[int] = []

        def kill(run: LocalRun, killed: list[int] = killed, is_killed: bool = is_killed) -> None:
            ended = [
                name
                for name, task in tasks(run).items()
                if name.startswith("tune/") and task.get("phase") == "Succeeded"
            ]
            if is_killed and len(ended) > len(killed):
                killed += [pid for pid in _choosers() if pid not in killed] or [0]
                if killed[-1]:
                    os.kill(killed[-1], signal.SIGKILL)

        builder = a_search(trial=says("$MLWF_PARAM_X"), algorithm={"tpe": {"seed": 3, "n_startup_trials": 2}}, trials={"max": 5, "parallel": 1})  # fmt: skip
        run = await ran(tmp_path / str(is_killed), builder, kill)
        assert phases(run) == ["Succeeded"] * 5
        assert any(killed) == is_killed
        found.append([tasks(run)[f"tune/{number}"]["params"] for number in range(5)])
    assert found[0] == found[1]


def _choosers() -> list[int]:
    """Processes of ours that choose parameters."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if b"mlworkflow.engine.sampling" in words and parent == str(os.getpid()):
                found.append(int(entry.name))
    return found


def test_1847_twenty_thousand_trials_fit_into_what_a_cluster_keeps_of_a_resource() -> None:
    plan = a_search(trial=says("1"), algorithm={"tpe": {}}, trials={"max": 20_000, "parallel": 30}).plan()
    done = Task(phase=Phase.SUCCEEDED, attempt=0, started_at=1.0, finished_at=2.0, params={"x": 0.123456789}, parameters={"acc": 0.987654321}, handle="w-tune-123-x7k2p")  # fmt: skip
    trials = {f"tune/{number}": done for number in range(20_000)}
    run = Run(Phase.RUNNING, started_at=1.0, tasks={"tune": Task(phase=Phase.RUNNING, attempt=0), **trials})
    shown = status.written(plan, run, {}, 3.0)
    assert len(str(shown)) < 100_000, "etcd takes 1.5 MB"
    assert shown["steps"][0]["progress"] == "20000/20000"


async def test_1914_a_whole_pipeline_is_a_trial(tmp_path: Path) -> None:
    """And the artifacts of the best one are the search's."""
    prep = {"name": "prep", **sh("echo $((MLWF_PARAM_P * 10)) > $MLWF_OUT/data"), "outputs": {"data": {}}}
    train = {"name": "train", **sh('read n < $MLWF_IN/data; printf %s $((n + MLWF_PARAM_P)) > $MLWF_OUT/params/n; cp $MLWF_IN/data $MLWF_OUT/model'), "params": {"p": "${{ params.p }}"}}  # fmt: skip
    prep["params"] = train["params"]
    train |= {"inputs": {"data": {"from": "prep.data"}}, "outputs": {"model": {}, "n": {"type": "number"}}}
    group = {
        "steps": [prep, train],
        "outputs": {"acc": {"value": "${{ steps.train.outputs.n }}"}, "model": {"from": "train.model"}},
    }
    run = await ran(tmp_path, a_search({"p": {"choice": [2, 3, 1]}}, trial=group, trials={"parallel": 2}))
    assert tasks(run)["tune"]["outputs"]["best"] == {"params": {"p": 3}, "trial": 1, "value": 33.0}
    digest = tasks(run)["tune"]["artifacts"]["model"]["digest"]
    assert Home(tmp_path).store.read_bytes(cas_key(NAMESPACE, digest)) == b"30\n"


async def test_1846_data_of_earlier_steps_reaches_every_trial(tmp_path: Path) -> None:
    builder = a_workflow().step("data", ["sh", "-c", "echo 5 > $MLWF_OUT/table"], outputs="table")
    (search,) = a_search({"p": {"choice": [1, 2]}}, trial=says("$(($(cat $MLWF_IN/table) * MLWF_PARAM_P))"), step={"inputs": {"table": {"from": "data.table"}}}).steps  # fmt: skip
    run = await ran(tmp_path, builder.raw(search))
    assert tasks(run)["tune"]["outputs"]["best"]["value"] == 10


async def test_1549_several_objectives_leave_the_trials_that_no_other_beats(tmp_path: Path) -> None:
    metrics = [{"name": "acc"}, {"name": "size", "goal": "minimize"}]
    trial = sh('printf %s $((MLWF_PARAM_P % 4)) > $MLWF_OUT/params/acc; printf %s $MLWF_PARAM_P > $MLWF_OUT/params/size', outputs={**ACC, "size": {"type": "number"}})  # fmt: skip
    run = await ran(tmp_path, a_search({"p": {"int": {"min": 1, "max": 6}}}, trial=trial, metrics=metrics))
    outputs = tasks(run)["tune"]["outputs"]
    assert [(one["values"]["acc"], one["values"]["size"]) for one in outputs["pareto"]] == [(1, 1), (2, 2), (3, 3)]
    assert outputs["best"]["values"] == {"acc": 3, "size": 3}


async def test_2571_parameters_that_are_chosen_twice_cost_nothing(tmp_path: Path) -> None:
    trial = says("$MLWF_PARAM_P", f"echo $MLWF_PARAM_P >> {tmp_path}/ran", cache={"enabled": True, "salt": "1"})
    run = await ran(tmp_path / "home", a_search({"p": {"choice": [1, 2]}}, trial=trial, algorithm={"random": {"seed": 1}}, trials={"max": 8, "parallel": 4}))  # fmt: skip
    assert phases(run) == ["Succeeded"] * 8
    assert sorted(lines(tmp_path / "ran")) == ["1", "2"]


async def test_952_a_search_that_has_ended_goes_on_with_more_trials_and_a_wider_space(tmp_path: Path) -> None:
    """Of both kinds: one that asks Optuna, and a grid whose new value is the first."""
    home, file = tmp_path / "home", tmp_path / "ran"
    trial = says("0.5", f"echo $MLWF_PARAM_X >> {file}")

    def random(most: int, high: float) -> WorkflowBuilder:
        return a_search({"x": {"float": {"min": 0, "max": high}}}, trial=trial, algorithm={"random": {"seed": 1}}, trials={"max": most})  # fmt: skip

    first = await ran(home, random(3, 1.0))
    before = lines(file)
    second = await ran_again(home, first, random(5, 9.0))
    assert (len(before), lines(file)[:3], len(lines(file))) == (3, before, 5)
    assert (second.uid, phases(second)) == (first.uid, ["Succeeded"] * 5)
    assert tasks(second)["tune"]["outputs"]["trial_count"] == 5
    file.unlink()
    grid = await ran(home, a_search({"x": {"choice": [3, 5]}}, trial=trial))
    wider = await ran_again(home, grid, a_search({"x": {"choice": [1, 3, 5]}}, trial=trial))
    assert sorted(lines(file)) == ["1", "3", "5"]
    assert [tasks(wider)[f"tune/{number}"]["params"]["x"] for number in range(3)] == [3, 5, 1]
    digest = tasks(wider)["tune"]["artifacts"]["trials"]["digest"]
    table = csv.DictReader(Home(home).store.read_bytes(cas_key(NAMESPACE, digest)).decode().splitlines())
    assert [row["x"] for row in table] == ["3", "5", "1"]


@pytest.mark.parametrize("is_deleted", [False, True], ids=["a run that has ended", "one that is deleted"])
async def test_1067_a_search_begins_with_what_another_has_found(tmp_path: Path, is_deleted: bool) -> None:
    trial = says("$MLWF_PARAM_X")
    first = await ran(tmp_path, a_search(trial=trial, name="nightly", algorithm={"random": {"seed": 1}}, trials={"max": 5}))  # fmt: skip
    home = Home(tmp_path)
    if is_deleted:
        home.delete(first)
    warm = {"warmStart": {"from": "nightly.tune"}, "algorithm": {"tpe": {"seed": 1, "n_startup_trials": 5}}}
    second = await ran(tmp_path, a_search({"x": {"float": {"min": 0.25, "max": 1}}}, trial=trial, trials={"max": 1}, **warm))  # fmt: skip
    fitting = sum(task["params"]["x"] >= 0.25 for name, task in tasks(first).items() if name.startswith("tune/"))
    assert 0 < fitting < 5
    assert tasks(second)["tune"]["outputs"]["warm_count"] == fitting
    (prior,) = load_run(home.store, NAMESPACE, second.uid).priors.values()
    assert (prior.uid, len(prior.trials), prior.of) == (first.uid, fitting, 5)
