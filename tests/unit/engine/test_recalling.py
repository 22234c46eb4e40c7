"""`warmStart`: which trials of which run a search begins with, what is said where there are none, and that it is found once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from mlworkflow.core.kinds.tune import Tune
from mlworkflow.core.state import Phase
from mlworkflow.engine.choosing import Chooser
from mlworkflow.engine.recalling import NoSearch, recall
from mlworkflow.engine.sampling import Question, Searches
from mlworkflow.store import archive
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.layout import AttemptKey
from mlworkflow.store.records import Chosen, Known, Record, write_trials
from mlworkflow.store.signing import BlobSigner

from tests.builders import a_workflow, artifact, write_record

from .world import NAMESPACE, UID, Operator, World

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore:.*experimental")
SPACE: dict[str, Any] = {"x": {"float": {"min": 0, "max": 1}}}
OWN = AttemptKey(NAMESPACE, UID, "t", 0)


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return DirectoryStore(tmp_path, BlobSigner(b"0" * 32))


def a_study(source: str = "nightly.t", *, optional: bool = False, **fields: Any) -> Tune:
    warm = {"from": source, "optional": optional}
    body = {"metric": {"name": "acc"}, "space": SPACE, "step": {}, "algorithm": {"tpe": {"seed": 1}}, "warmStart": warm}
    return msgspec.convert({**body, **fields}, Tune)


def ended(store: ArtifactStore, uid: str, run: str = "nightly", at: str = "2026-11-30T12:00:00Z") -> None:
    """A run that has ended, and whose resource may be gone."""
    metadata = {"name": run, "namespace": NAMESPACE, "uid": uid}
    archive.archive(store, run, {"metadata": metadata, "spec": {}, "status": {"phase": "Failed", "finishedAt": at}})


def tried(store: ArtifactStore, uid: str, number: int, params: dict[str, Any], acc: float | None, *, step: str = "t", attempt: int = 0, is_chosen: bool = True) -> None:  # fmt: skip
    """A trial: its parameters as they were chosen, or those of a grid, which only its record has."""
    task = f"{step}/{number}"
    if is_chosen:
        write_trials(store, NAMESPACE, uid, {task: Chosen(params)})
    parameters = {} if acc is None else {"acc": acc}
    record = Record(
        workflow="nightly", step=step, task=task, attempt=attempt, kind="container", exit_code=0, parameters=parameters, params={"other": 1, **params}
    )  # fmt: skip
    write_record(store, AttemptKey(NAMESPACE, uid, task, attempt), record)


def values(found: list[Known]) -> list[tuple[Any, float]]:
    return [(trial.params["x"], trial.values[0]) for trial in found]


def test_the_trials_of_a_run_that_is_gone_are_found_by_its_name(store: ArtifactStore) -> None:
    tried(store, "uid-a", 0, {"x": 0.25}, 0.5)
    tried(store, "uid-a", 1, {"x": 0.75}, 0.9, is_chosen=False)
    tried(store, "uid-a", 2, {"x": 0.5}, None)
    tried(store, "uid-a", 10, {"x": 0.125}, 0.4)
    tried(store, "uid-a", 0, {"x": 0.99}, 0.1, step="t-other")
    ended(store, "uid-a")
    prior = recall(store, OWN, a_study(), [])
    assert values(prior.trials) == [(0.25, 0.5), (0.75, 0.9), (0.125, 0.4)]
    assert (prior.uid, prior.of) == ("uid-a", 3)


def test_of_several_runs_of_a_name_it_is_the_newest_that_has_the_search(store: ArtifactStore) -> None:
    for number, uid in enumerate(["uid-a", "uid-b", "uid-c"]):
        ended(
            store,
            uid,
            f"nightly.{number}",
            f"2026-11-3{number}T12:00:00Z".replace("30", "28").replace("31", "29").replace("32", "30"),
        )
    ended(store, "uid-d", "nightly.old", "2026-11-30T13:00:00Z")
    for uid, x in (("uid-a", 0.1), ("uid-b", 0.2), ("uid-d", 0.4)):
        tried(store, uid, 0, {"x": x}, 0.5)
    assert values(recall(store, OWN, a_study(), []).trials) == [(0.2, 0.5)]
    assert values(recall(store, OWN, a_study("nightly.0.t"), []).trials) == [(0.1, 0.5)]


def test_a_run_under_way_comes_first_and_the_search_itself_never(store: ArtifactStore) -> None:
    ended(store, "uid-a")
    tried(store, "uid-a", 0, {"x": 0.1}, 0.5)
    tried(store, UID, 0, {"x": 0.9}, 0.5)
    tried(store, UID, 0, {"x": 0.8}, 0.5, step="coarse")
    assert values(recall(store, OWN, a_study("nightly.coarse"), [UID]).trials) == [(0.8, 0.5)]
    assert values(recall(store, OWN, a_study(), [UID]).trials) == [(0.1, 0.5)]


def test_only_trials_that_fit_count(store: ArtifactStore) -> None:
    ended(store, "uid-a")
    for number, params in enumerate([{"x": 0.5}, {"x": 2.0}, {"y": 1}, {"x": 0.5, "k": 3}, {"x": 0.25, "k": 1}]):
        tried(store, "uid-a", number, params, 0.5)
    prior = recall(store, OWN, a_study(fixed={"k": 1}), [])
    assert (values(prior.trials), prior.of) == ([(0.5, 0.5), (0.25, 0.5)], 5)


def test_the_last_attempt_of_a_trial_counts(store: ArtifactStore) -> None:
    ended(store, "uid-a")
    tried(store, "uid-a", 0, {"x": 0.5}, 0.1)
    tried(store, "uid-a", 0, {"x": 0.5}, 0.2, attempt=1)
    assert values(recall(store, OWN, a_study(), []).trials) == [(0.5, 0.2)]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("weekly.t", "there is no run 'weekly' in the namespace"),
        ("nightly.u", "the run 'nightly' has no tune step 'u' with a trial that has succeeded and left acc"),
        ("nightly.t", "none of the 1 trials of nightly.t fits this search: the first x=7 is outside the space"),
        ("../other.t", "'../other' is no name of a run"),
        ("nightly.../t", "'nightly..' is no name of a run"),
    ],
)
def test_what_is_not_there_is_told_unless_it_is_optional(store: ArtifactStore, source: str, words: str) -> None:
    ended(store, "uid-a")
    tried(store, "uid-a", 0, {"x": 7}, 0.5)
    with pytest.raises(NoSearch) as error:
        recall(store, OWN, a_study(source), [])
    assert str(error.value).startswith("tune.warmStart.from: ")
    assert words in str(error.value)
    assert recall(store, OWN, a_study(source, optional=True), []).trials == []


PEAK = 0.8125


def known(count: int = 24) -> list[Known]:
    """What a search along the line knows of a peak."""
    return [Known({"x": index / count, "y": index / count}, [-abs(index / count - PEAK)]) for index in range(count)]


@pytest.mark.parametrize("algorithm", ["tpe", "cmaes", "nsga2"])
def test_whoever_learns_begins_near_what_the_other_search_has_found(algorithm: str) -> None:
    space = {**SPACE, "y": SPACE["x"]}
    settings = {"nsga2": {"population_size": 8, "mutation_prob": 0.0}}.get(algorithm, {})
    study = a_study(space=space, algorithm={algorithm: {"seed": 3, **settings}})
    missed = {}
    for name, prior in (("warm", known()), ("cold", [])):
        chosen = Searches().choose(Question(study=study, prior=prior, count=6))
        missed[name] = sum(abs(one.params["x"] - PEAK) for one in chosen)
    assert missed["warm"] < 0.75 * missed["cold"]


def test_cma_es_begins_at_the_best_of_a_few() -> None:
    space = {**SPACE, "y": SPACE["x"]}
    study = a_study(space=space, algorithm={"cmaes": {"seed": 3}})
    prior = [Known({"x": 0.9, "y": 0.9}, [1.0]), Known({"x": 0.1, "y": 0.1}, [0.0])]
    chosen = Searches().choose(Question(study=study, prior=prior, count=4))
    assert sum(one.params["x"] for one in chosen) / 4 > 0.6


async def turn(operator: Operator) -> None:
    await operator.turn()
    while choosing := list(operator.live.choosing.values()):
        await asyncio.gather(*choosing)
        await operator.turn()


async def test_it_is_found_once_and_the_search_says_how_many_fit(tmp_path: Path, store: ArtifactStore) -> None:
    ended(store, "uid-a")
    for number in range(12):
        tried(store, "uid-a", number, {"x": number / 10}, 1 - abs(number / 10 - 0.3))
    (step,) = a_workflow().tune("t", SPACE, algorithm={"tpe": {"seed": 1}}, trials={"max": 2, "parallel": 1}).steps
    builder = a_workflow().raw({**step, "tune": {**step["tune"], "warmStart": {"from": "nightly.t"}}})
    operator = Operator(builder, World(), tmp_path)
    await turn(operator)
    assert operator.task("t").message == "it began with 11 of the 12 trials of nightly.t"
    first = operator.live.chosen["t/0"]
    assert (await Chooser().choose(_asked(operator), {}, operator.live.priors["t"].trials))["t/0"] == first
    archive.purge(store, NAMESPACE, "uid-a")
    await operator.engine.chooser.close()
    operator = operator.again()
    await turn(operator)
    await operator.commit("t/0", parameters={"acc": 0.5}, outputs={"model": artifact("m")})
    await turn(operator)
    assert operator.task("t").message.endswith("; it began with 11 of the 12 trials of nightly.t")
    await operator.commit("t/1", parameters={"acc": 0.6}, outputs={"model": artifact("m")})
    await turn(operator)
    assert operator.is_("t", Phase.SUCCEEDED)
    assert operator.task("t").parameters["warm_count"] == 11
    assert operator.task("t").parameters["trial_count"] == 2
    await operator.engine.chooser.close()


def _asked(operator: Operator) -> Any:
    from mlworkflow.core.actions import Choose
    from mlworkflow.core.study import study_of

    return Choose("t", 1, study_of(operator.live.workflow.steps["t"], {"params": {}}), {"params": {}}, ())


async def test_a_search_that_is_not_there_fails_the_step_before_its_first_trial(tmp_path: Path) -> None:
    (step,) = a_workflow().tune("t", SPACE, algorithm={"tpe": {"seed": 1}}).steps
    builder = a_workflow().raw({**step, "tune": {**step["tune"], "warmStart": {"from": "nightly.t"}}})
    operator = Operator(builder, World(), tmp_path)
    await turn(operator)
    assert operator.is_("t", Phase.FAILED, "ChoiceFailed")
    assert operator.task("t").message.startswith("tune.warmStart.from: there is no run 'nightly'")
    assert operator.world.created == {}
