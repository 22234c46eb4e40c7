"""Trials that are stopped on the way: by exactly what Optuna says, the same whatever dies, and never by two different words."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import optuna
import pytest
from mlworkflow.core import rerun
from mlworkflow.core.kinds.tune import Tune
from mlworkflow.core.observation import Curve
from mlworkflow.core.state import Phase
from mlworkflow.engine import listening
from mlworkflow.engine.driver import ContainerEnd
from mlworkflow.engine.judging import NAME, pruner_of
from mlworkflow.engine.sampling import Search
from mlworkflow.engine.told import Told
from mlworkflow.gateway.errors import Superseded
from mlworkflow.gateway.runs import Batch, Heard, Point

from tests.builders import WorkflowBuilder, a_workflow, artifact

from .pruned import Trials, a_search
from .world import UID, key

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
STEPS = 9
PRUNERS: dict[str, dict[str, Any]] = {
    "median": {"median": {"n_startup_trials": 2}},
    "percentile": {"percentile": {"percentile": 25, "n_startup_trials": 2}},
    "asha": {"asha": {"min_resource": 1, "reduction_factor": 3}},
    "asha-auto": {"asha": {}},
    "hyperband": {"hyperband": {"max_resource": 9}},
    "hyperband-auto": {"hyperband": {}},
    "threshold": {"threshold": {"lower": 0.2, "n_warmup_steps": 1}},
    "wilcoxon": {"wilcoxon": {"p_threshold": 0.1}},
    "patient": {"patient": {"patience": 1, "min_delta": 0.01}},
    "patient-asha": {"patient": {"patience": 1, "wrapped_pruner": {"asha": {"min_resource": 1}}}},
}


def value(params: Mapping[str, Any], step: int) -> float:
    """Best at x = 0.3; far from it a trial gets worse again."""
    miss = (float(params["x"]) - 0.3) ** 2
    return (1 - miss) * (1 - math.exp(-step / 3)) - 0.3 * miss * max(0, step - 3)


def by_optuna(pruner: Mapping[str, Any], points: list[float], parallel: int) -> list[int]:
    """Which of the trials Optuna itself prunes, told of their values in the same turns."""
    body = {"metric": {"name": "acc"}, "space": {"x": {"choice": [1]}}, "step": {}, "pruner": pruner}
    study = optuna.create_study(
        direction="maximize", pruner=pruner_of(msgspec.convert(body, Tune), []), study_name=NAME
    )
    waiting, running, pruned = list(points), {}, []
    while waiting or running:
        while waiting and len(running) < parallel:
            trial = study.ask()
            running[trial.number] = (trial, waiting.pop(0), 0)
        for number, (trial, x, step) in list(running.items()):
            step += 1
            running[number] = (trial, x, step)
            trial.report(value({"x": x}, step), step)
            if step == STEPS:
                study.tell(trial, value({"x": x}, step))
                del running[number]
                continue
            if trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                pruned.append(number)
                del running[number]
    return sorted(pruned)


@pytest.mark.parametrize("name", PRUNERS)
async def test_a_pruner_stops_what_optuna_stops_and_the_best_is_found_whatever_dies(name: str, tmp_path: Path) -> None:
    found = []
    for restarts in ((), (3, 4, 11, 20)):
        trials = Trials(a_search(PRUNERS[name], trials=14), tmp_path / str(len(restarts)), value, STEPS)
        outputs = await trials.run(restarts)
        tasks = trials.operator.live.run.tasks
        curves = {number: len(trials.operator.records()[f"t/{number}", 0].curve) for number in range(14)}
        found.append((trials.pruned, outputs, curves))
        assert outputs["failed_count"] == 0
        assert outputs["pruned_count"] == len(trials.pruned)
        assert sum(trials.operator.world.created.values()) == 14
    assert found[0] == found[1]
    pruned, outputs, _ = found[0]
    points = [tasks[f"t/{number}"].params["x"] for number in range(14)]
    assert abs(outputs["best"]["params"]["x"] - 0.3) == min(abs(x - 0.3) for x in points)
    assert 2 <= len(pruned) < 14
    if "auto" not in name:  # of the last value nobody is asked: what has made its last step has its result
        assert pruned == by_optuna(PRUNERS[name], points, 2)


@pytest.fixture(autouse=True)
def quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def strict(**fields: Any) -> WorkflowBuilder:
    """Two trials at once, which are pruned as soon as they say something below 0.5."""
    return a_search(
        {"threshold": {"lower": 0.5}}, trials=2, algorithm={"grid": {}}, space={"x": {"choice": [0.1, 0.9]}}, **fields
    )


def begun(builder: WorkflowBuilder, folder: Path, **how: Any) -> Trials:
    return Trials(builder, folder, lambda params, step: float(params["x"]), 3, **how)


async def test_a_trial_that_is_pruned_has_ended_and_has_not_failed(tmp_path: Path) -> None:
    trials = begun(strict(), tmp_path)
    await trials.turn()
    assert await trials.say("t/1", 1, 0) == Heard()
    assert await trials.say("t/0", 2, 0) == Heard(stop=True)
    operator = trials.operator
    await trials.turn()
    assert operator.is_("t/0", Phase.CANCELLED, "Pruned")
    assert operator.task("t/0").message == "pruned at step 1, where 'acc' was 0.1"
    assert operator.world.stopped == [("t/0", 0)]
    record = operator.records()["t/0", 0]
    assert (record.reason, record.metrics, record.curve) == ("Pruned", {"acc": 0.1}, ((1, 0.1),))
    await operator.commit("t/1", metrics={"acc": 0.9}, outputs={"model": artifact("m")})
    await trials.turn()
    assert operator.live.run.phase is Phase.SUCCEEDED
    outputs = operator.task("t").parameters
    assert outputs["best"] == {"params": {"x": 0.9}, "value": 0.9, "trial": 1}
    assert (outputs["trial_count"], outputs["failed_count"], outputs["pruned_count"]) == (2, 0, 1)


async def test_whoever_has_been_pruned_hears_it_again_and_commits_nothing(tmp_path: Path) -> None:
    trials = begun(strict(), tmp_path)
    await trials.turn()
    assert (await trials.say("t/0", 1, 0)).stop
    await trials.restart()
    assert await trials.operator.runs.metrics(key("t/0"), Batch([Point("acc", 1.0, 2)], 1)) == Heard(stop=True)
    with pytest.raises(Superseded):
        await trials.operator.commit("t/0", metrics={"acc": 1.0}, outputs={"model": artifact("m")})
    assert trials.operator.is_("t/0", Phase.CANCELLED, "Pruned")
    assert trials.operator.world.created["t/0", 0] == 1


async def test_what_has_committed_meanwhile_keeps_its_result(tmp_path: Path) -> None:
    trials = begun(strict(), tmp_path)
    await trials.turn()
    operator = trials.operator
    sending = asyncio.create_task(operator.runs.metrics(key("t/0"), Batch([Point("acc", 0.1, 1)], 0)))
    await asyncio.sleep(0)
    await operator.commit("t/0", metrics={"acc": 0.1}, outputs={"model": artifact("m")})
    known = operator.live.results.pop(("t/0", 0))  # the record is there, and the operator has not heard of it
    await trials.turn()
    assert await sending == Heard()
    assert operator.live.results["t/0", 0] == known
    assert operator.is_("t/0", Phase.SUCCEEDED)


async def test_a_decision_that_cannot_be_written_down_is_told_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlworkflow.engine.searching.ASK_AGAIN", 0.01)
    trials = begun(strict(), tmp_path)
    await trials.turn()
    operator = trials.operator
    operator.store.is_away = True
    sending = asyncio.create_task(operator.runs.metrics(key("t/0"), Batch([Point("acc", 0.1, 1)], 0)))
    await asyncio.sleep(0)
    await operator.turn()
    await asyncio.gather(*operator.live.judging.values())
    assert (operator.task("t/0").phase, sending.done(), operator.records()) == (Phase.RUNNING, False, {})
    operator.store.is_away = False
    await trials.turn()
    assert (await sending).stop
    assert list(operator.records()) == [("t/0", 0)]


async def test_a_pruner_that_is_added_while_trials_run_looks_at_all_that_they_say(tmp_path: Path) -> None:
    (step,) = strict().steps
    without = {name: field for name, field in step["tune"].items() if name != "pruner"}
    trials = begun(a_workflow().raw({**step, "tune": without}), tmp_path)
    await trials.turn()
    assert await trials.say("t/0", 1, 0) == Heard()
    trials.operator.live.plan = strict().plan()
    assert (await trials.say("t/0", 2, 1)).again
    assert (await trials.say("t/0", 2, 0, 1)).stop
    assert trials.operator.records()["t/0", 0].curve == ((1, 0.1), (2, 0.1))


async def test_each_point_counts_once_and_what_is_unknown_is_asked_for_again(tmp_path: Path) -> None:
    trials = begun(strict(), tmp_path)
    await trials.turn()
    runs, shown = trials.operator.runs, trials.operator.live.curves.shown
    points = [
        Point("acc", 0.9, 1),
        Point("loss", 7.0, 1),
        Point("acc", None, 2.0),
        Point("acc", 0.7, 2),
        Point("acc", 0.8, 2.5),
        Point("acc", 0.8),
    ]
    assert await runs.metrics(key("t/1"), Batch(points[2:], 2, 2)) == Heard(again=True)
    assert shown == {}
    assert await runs.metrics(key("t/1"), Batch(points[:3], 0, 3)) == Heard()
    assert await runs.metrics(key("t/1"), Batch(points[1:], 1, 6)) == Heard()
    assert shown == {
        ("t/1", 0): Curve(((1, 0.9), (2, None), (3, 0.8)), 3)
    }  # one value a step; 2 is there already, and 2.5 is no step


async def test_what_was_answered_before_is_not_decided_upon_again(tmp_path: Path) -> None:
    trials = begun(strict(), tmp_path)
    await trials.turn()
    low = [Point("acc", 0.1, 1), Point("acc", 0.9, 2)]
    assert await trials.operator.runs.metrics(key("t/1"), Batch(low, 0, 2)) == Heard()
    sending = asyncio.create_task(trials.operator.runs.metrics(key("t/1"), Batch([Point("acc", 0.8, 3)], 2, 2)))
    await asyncio.sleep(0)
    await trials.turn()
    assert await sending == Heard()
    assert trials.operator.task("t/1").phase is Phase.RUNNING


async def test_the_values_of_an_attempt_that_was_lost_are_not_those_of_the_next(tmp_path: Path) -> None:
    trials = begun(strict(), tmp_path)
    await trials.turn()
    await trials.say("t/1", 2, 0)
    operator = trials.operator
    operator.world.ended("t/1", exit_code=None, lost=True)
    await trials.turn()
    await trials.turn()
    batch = Batch([Point("acc", 0.1, 1)], 0)
    sending = asyncio.create_task(operator.runs.metrics(key("t/1", 1), batch))
    await asyncio.sleep(0)
    await trials.turn()
    assert (await sending).stop
    assert operator.records()["t/1", 1].curve == ((1, 0.1),)
    assert operator.is_("t/1", Phase.CANCELLED, "Pruned")


async def test_a_group_that_is_a_trial_is_stopped_by_what_one_of_its_steps_says(tmp_path: Path) -> None:
    run = {"image": "i", "command": ["run"]}
    steps = [{"name": name, "container": run, "outputs": {"acc": {"type": "number"}}} for name in ("fit", "other")]
    group = {"steps": steps, "outputs": {"acc": {"value": "${{ steps.fit.outputs.acc }}"}}}
    trials = begun(strict(step=group), tmp_path)
    await trials.turn()
    operator = trials.operator
    batch = Batch([Point("acc", 0.1, 1)], 0)
    sending = asyncio.create_task(operator.runs.metrics(key("t/0.fit"), batch))
    await asyncio.sleep(0)
    await trials.turn()
    assert await sending == Heard(stop=True)
    assert (await operator.runs.metrics(key("t/0.other"), Batch([]))).stop
    assert sorted(operator.world.stopped) == [("t/0.fit", 0), ("t/0.other", 0)]
    assert all(operator.is_(name, Phase.CANCELLED, "Pruned") for name in ("t/0", "t/0.fit", "t/0.other"))
    await trials.restart()
    assert operator.is_("t/0", Phase.CANCELLED, "Pruned")


async def test_more_trials_leave_those_alone_that_were_pruned(tmp_path: Path) -> None:
    first = Trials(a_search(PRUNERS["asha"], trials=6), tmp_path, value, STEPS)
    await first.run()
    pruned = first.pruned
    assert pruned
    plan = a_search(PRUNERS["asha"], trials=8).having(rerun={"id": "1"}).plan()
    operator = first.operator
    run = rerun.honour(plan, operator.live.run, operator.world.now).run
    again = Trials(a_search(PRUNERS["asha"], trials=8), tmp_path, value, STEPS)
    again.operator.world = operator.world
    await again.operator.engine.open(plan, run)
    assert (await again.run())["trial_count"] == 8
    assert [number for number in again.pruned if number < 6] == pruned
    assert list(again.said) == ["t/6", "t/7"]


async def test_the_process_that_judges_may_die(tmp_path: Path) -> None:
    trials = Trials(a_search(PRUNERS["asha"], trials=5), tmp_path / "real", value, STEPS, near=False)
    await trials.turn()
    await trials.step("t/0")
    await trials.operator.engine.chooser.close()
    outputs = await trials.run()
    near = Trials(a_search(PRUNERS["asha"], trials=5), tmp_path / "near", value, STEPS)
    assert (await near.run(), near.pruned) == (outputs, trials.pruned)


async def test_a_pruner_that_needs_what_is_not_there_fails_the_step_with_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlworkflow.engine.judging.importlib.util.find_spec", lambda name: None)
    trials = begun(a_search(PRUNERS["wilcoxon"], trials=2), tmp_path)
    await trials.turn()
    assert trials.operator.is_("t", Phase.FAILED, "ChoiceFailed")
    assert "tune.pruner.wilcoxon needs the package 'scipy'" in trials.operator.task("t").message
    assert trials.operator.world.created == {}


def test_the_sampler_hears_of_pruned_trials_as_such() -> None:
    told = Told({"x": 0.5}, None, finished=True, pruned=True, curve=((4, 0.25),))
    assert (told.state, told.final) == (optuna.trial.TrialState.PRUNED, [0.25])
    body = {
        "metric": {"name": "acc"},
        "space": {"x": {"float": {"min": 0, "max": 1}}},
        "step": {},
        "algorithm": {"tpe": {}},
        "pruner": {"median": {}},
    }
    search = Search(msgspec.convert(body, Tune), {})
    search.tell([Told({"x": 0.5})])
    search.tell([told])
    (trial,) = search._study.get_trials()
    assert (trial.state, trial.value, trial.intermediate_values) == (told.state, 0.25, {4: 0.25})
    anew = Search(msgspec.convert(body, Tune), {})
    anew.tell([told])
    assert anew._study.get_trials()[0].intermediate_values == {4: 0.25}


def printing(**fields: Any) -> WorkflowBuilder:
    return strict(metric={"name": "acc", "pattern": r"^acc=(\S+)$"}, **fields)


async def until(trials: Trials, is_so: Callable[[], bool]) -> None:
    """Turns until something is so: logs are followed by the side."""
    async with asyncio.timeout(30):
        while not is_so():
            await asyncio.sleep(0.01)
            await trials.turn()


async def test_what_a_trial_prints_may_stop_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "CALM", 0.01)
    trials = begun(printing(), tmp_path)
    await trials.turn()
    world, operator = trials.operator.world, trials.operator
    world.logs["t/0", 0] = b"starting\nacc=0.7\nacc=soon\nacc=0"
    world.logs["t/1", 0] = b"acc=0.9\nacc=0.8\n"
    world.runs("t/0")
    world.runs("t/1")
    curves = operator.live.curves
    await until(trials, lambda: len(curves.of(("t/0", 0)).values) == 1 and len(curves.of(("t/1", 0)).values) == 2)
    assert (operator.task("t/0").phase, operator.task("t/1").phase) == (Phase.RUNNING, Phase.RUNNING)
    world.logs["t/0", 0] += b".1\nacc=0.9\n"
    await until(trials, lambda: operator.task("t/0").is_pruned)
    assert operator.records()["t/0", 0].curve == ((1, 0.7), (2, 0.1))
    assert world.stopped == [("t/0", 0)]
    assert list(operator.live.listening) == [("t/1", 0)]
    world.logs["t/1", 0] += b"acc=0.2"  # its last word: it has ended with that, and is not stopped by it
    world.ends["t/1", 0] = ContainerEnd(0, "Completed")
    await until(trials, lambda: len(curves.of(("t/1", 0)).values) == 3)
    await operator.commit("t/1", outputs={"model": artifact("m")})
    await until(trials, lambda: operator.live.run.phase.is_finished)
    assert operator.task("t").parameters["best"]["value"] == 0.2
    assert operator.live.listening == {}
    operator.engine.close(UID)


async def test_what_was_printed_before_the_operator_came_is_not_judged_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "CALM", 0.01)
    trials = begun(printing(), tmp_path)
    await trials.turn()
    world = trials.operator.world
    world.runs("t/0")
    world.logs["t/0", 0] = b"acc=0.1\nacc=0.6\n"
    trials.operator.engine.close(UID)
    await trials.restart()
    trial = ("t/0", 0)
    await until(trials, lambda: len(trials.operator.live.curves.of(trial).values) == 2)
    assert trials.operator.task("t/0").phase is Phase.RUNNING
    world.logs[trial] += b"acc=0.2\n"
    await until(trials, lambda: trials.operator.task("t/0").is_pruned)
    assert trials.operator.records()[trial].curve == ((1, 0.1), (2, 0.6), (3, 0.2))
    trials.operator.engine.close(UID)


async def test_a_trial_that_says_its_values_itself_is_not_overheard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = begun(printing(), tmp_path)
    await trials.turn()
    assert await trials.say("t/1", 1, 0) == Heard()
    trials.operator.live.curves.overhear(("t/1", 0), [0.1], 0, 0)
    assert trials.operator.live.curves.of(("t/1", 0)).values == ((1, 0.9),)


async def test_a_log_that_breaks_off_is_followed_again_and_nothing_counts_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "CALM", 0.01)
    monkeypatch.setattr(listening, "AGAIN", 0.01)
    trials = begun(printing(), tmp_path)
    await trials.turn()
    world, driver = trials.operator.world, trials.operator.driver
    whole, broken = driver.follow, [True]

    async def follow(*where: Any) -> AsyncGenerator[bytes, None]:
        async for piece in whole(*where):
            yield piece
            if broken[0]:
                broken[0] = False
                raise OSError("cut off")

    monkeypatch.setattr(driver, "follow", follow)
    world.logs["t/1", 0] = b"acc=0.9\nacc=0.8\n"
    world.runs("t/1")
    curves = trials.operator.live.curves
    await until(trials, lambda: not broken[0] and len(curves.of(("t/1", 0)).values) == 2)
    world.logs["t/1", 0] += b"acc=0.7\n"
    await until(trials, lambda: len(curves.of(("t/1", 0)).values) == 3)
    assert curves.of(("t/1", 0)).values == ((1, 0.9), (2, 0.8), (3, 0.7))
    trials.operator.engine.close(UID)
