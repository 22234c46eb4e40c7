"""What Optuna is asked, and that the same history gets the same answer however it came to be known."""

from __future__ import annotations

import pickle
import random
import re
import time
from typing import Any

import msgspec
import optuna
import pytest
from mlworkflow.core.kinds.tune import Tune
from mlworkflow.engine import sampling
from mlworkflow.engine.sampling import Impossible, Question, Searches, Told

optuna.logging.set_verbosity(optuna.logging.ERROR)
pytestmark = pytest.mark.filterwarnings("ignore")

SPACE: dict[str, Any] = {
    "rate": {"float": {"min": 1e-4, "max": 1.0, "log": True}},
    "depth": {"int": {"min": 1, "max": 9, "step": 4}},
    "share": {"float": {"min": 0.1, "max": 0.5, "step": 0.1}},
    "units": {"int": {"min": 1, "max": 1000, "log": True}},
}
CHOICES = {**SPACE, "kind": {"choice": ["x", None, True, 1, [1, 2]]}}
TWO = [{"name": "a"}, {"name": "b", "goal": "minimize"}]


def question(told: list[Told], count: int = 1, algorithm: dict[str, Any] | None = None, **fields: Any) -> Question:
    metric = {} if "metrics" in fields else {"metric": {"name": "a"}}
    study = {**metric, "space": CHOICES, "step": {}, "algorithm": algorithm or {"random": {"seed": 7}}, **fields}
    return Question(study=msgspec.convert(study, Tune), told=told, count=count)


def outcome(params: dict[str, Any], metrics: int) -> list[float]:
    """A result that follows from the parameters alone."""
    draw = random.Random(repr(params))
    return [draw.random() for _ in range(metrics)]


def search(trials: int, *, anew: bool = False, **fields: Any) -> list[dict[str, Any]]:
    """The parameters of a search, one trial after the other; `anew`: by a process that knows nothing but the history."""
    told: list[Told] = []
    searches = Searches()
    for _ in range(trials):
        searches = Searches() if anew else searches
        (chosen,) = searches.choose(question(told, **fields))
        reply = msgspec.json.decode(msgspec.json.encode(chosen, enc_hook=lambda number: number.item()))
        values = outcome(chosen.params, len(fields.get("metrics", [1])))
        told = [*told, Told(values=values, finished=True, **reply)]
    return [trial.params for trial in told]


ALGORITHMS = [
    pytest.param({"algorithm": {"random": {"seed": 1}}}, id="random"),
    pytest.param({"algorithm": {"tpe": {"seed": 1, "n_startup_trials": 5, "multivariate": False}}}, id="tpe"),
    pytest.param({"algorithm": {"tpe": {"seed": 1, "n_startup_trials": 5, "multivariate": True, "group": True}}}, id="multivariate tpe"),
    pytest.param({"algorithm": {"tpe": {"seed": 1, "n_startup_trials": 5}}, "metrics": TWO}, id="tpe of two metrics"),
    pytest.param({"algorithm": {"cmaes": {"seed": 1, "popsize": 4}}, "space": SPACE}, id="cma-es"),
    pytest.param({"algorithm": {"cmaes": {"seed": 1, "popsize": 4, "with_margin": True}}, "space": SPACE}, id="cma-es with margin"),
    pytest.param({"algorithm": {"cmaes": {"seed": 1, "use_separable_cma": True, "x0": {"rate": 0.01, "depth": 5, "share": 0.3, "units": 7}}}, "space": SPACE}, id="separable cma-es"),
    pytest.param({"algorithm": {"qmc": {"seed": 1}}}, id="sobol"),
    pytest.param({"algorithm": {"qmc": {"seed": 1, "scramble": True, "qmc_type": "halton"}}}, id="scrambled halton"),
    pytest.param({"algorithm": {"nsga2": {"seed": 1, "population_size": 4, "crossover": "SBXCrossover", "mutation": "PolynomialMutation"}}, "metrics": TWO}, id="nsga-ii"),
    pytest.param({"algorithm": {"tpe": {"seed": 1}}, "constraints": ["${{ trial.params.depth < 9 }}"]}, id="with a constraint"),
]  # fmt: skip


@pytest.mark.parametrize("fields", ALGORITHMS)
def test_the_same_history_gives_the_same_answer_to_a_process_that_knows_nothing_else(fields: dict[str, Any]) -> None:
    assert search(24, **fields) == search(24, anew=True, **fields)


@pytest.mark.parametrize("fields", ALGORITHMS)
def test_what_is_chosen_is_of_the_space_and_follows_the_seed(fields: dict[str, Any]) -> None:
    trials = search(24, **fields)
    assert {trial["depth"] for trial in trials} <= {1, 5, 9}
    assert {trial["share"] for trial in trials} <= {0.1, 0.2, 0.3, 0.4, 0.5}
    assert all(1e-4 <= trial["rate"] <= 1 and 1 <= trial["units"] <= 1000 for trial in trials)
    assert all(trial.get("kind") in ("x", None, True, 1, [1, 2]) for trial in trials)
    assert len({repr(trial) for trial in trials}) > 20
    ((name, settings),) = fields["algorithm"].items()
    other = {**fields, "algorithm": {name: {**settings, "seed": 2}}}
    if name != "qmc" or settings.get("scramble"):
        assert search(3, **other) != trials[:3]


def test_random_draws_are_spread_as_the_space_says() -> None:
    trials = search(300)
    assert {trial["depth"] for trial in trials} == {1, 5, 9}
    assert {trial["share"] for trial in trials} == {0.1, 0.2, 0.3, 0.4, 0.5}
    assert {repr(trial["kind"]) for trial in trials} == {"'x'", "None", "True", "1", "[1, 2]"}
    assert 100 < sum(trial["rate"] < 1e-2 for trial in trials) < 200
    assert 90 < sum(trial["units"] < 32 for trial in trials) < 210


def test_tpe_finds_what_is_better() -> None:
    space = {"x": {"float": {"min": -10, "max": 10}}}
    told: list[Told] = []
    searches = Searches()
    for _ in range(60):
        (chosen,) = searches.choose(question(told, algorithm={"tpe": {"seed": 3}}, space=space))
        told = [*told, Told(chosen.params, [-((chosen.params["x"] - 3) ** 2)], True, chosen.noted, chosen.study)]
    first, last = told[:10], told[-10:]
    assert max(trial.values[0] for trial in told if trial.values) > -0.1
    assert sum(t.values[0] for t in last if t.values) > sum(t.values[0] for t in first if t.values)


def test_several_at_once_know_of_each_other_as_of_trials_that_run() -> None:
    algorithm = {"tpe": {"seed": 1, "n_startup_trials": 2}}
    together = Searches().choose(question([], 4, algorithm))
    told: list[Told] = []
    for _ in range(4):
        (chosen,) = Searches().choose(question(told, 1, algorithm))
        told = [*told, Told(chosen.params, noted=chosen.noted, study=chosen.study)]
    assert [one.params for one in together] == [one.params for one in told]


def test_the_first_trials_are_the_starting_points_and_what_they_leave_out_is_chosen() -> None:
    points = [{"depth": 5, "kind": [1, 2]}, {"share": 0.3, "rate": 0.5}]
    first, second, third = search(3, algorithm={"tpe": {}}, enqueue=points, fixed={"cv": 3})
    assert (first["depth"], first["kind"], second["share"], second["rate"]) == (5, [1, 2], 0.3, 0.5)
    assert first.keys() == second.keys() == third.keys() == {*CHOICES, "cv"}


def test_a_parameter_is_there_only_where_its_condition_holds() -> None:
    space = {
        "kernel": {"choice": ["rbf", "poly", "linear"]},
        "gamma": {"float": {"min": 0, "max": 1}, "when": {"kernel": ["rbf", "poly"]}},
        "degree": {"int": {"min": 2, "max": 4}, "when": {"kernel": "poly"}},
        "coef": {"choice": [0, 1], "when": {"degree": 3}},
    }
    trials = search(60, algorithm={"tpe": {"seed": 1, "group": True, "multivariate": True}}, space=space)
    assert {frozenset(trial) for trial in trials} == {
        frozenset({"kernel"}),
        frozenset({"kernel", "gamma"}),
        frozenset({"kernel", "gamma", "degree"}),
        frozenset({"kernel", "gamma", "degree", "coef"}),
    }
    assert all(("degree" in trial) == (trial["kernel"] == "poly") for trial in trials)


def test_what_breaks_a_constraint_is_never_tried() -> None:
    constraints = ["${{ trial.params.depth * trial.params.k < 10 }}", "${{ trial.params.rate < 0.1 }}"]
    trials = search(30, algorithm={"tpe": {"seed": 1}}, constraints=constraints, fixed={"k": 2})
    assert all(trial["depth"] == 1 and trial["rate"] < 0.1 for trial in trials)


def test_constraints_that_nothing_keeps_are_told() -> None:
    with pytest.raises(Impossible, match=r"tune\.constraints: none of 1000 draws"):
        search(1, constraints=["${{ trial.params.depth > 9 }}"])
    with pytest.raises(Impossible, match=r"tune\.enqueue\[0\]: tune\.constraints"):
        search(1, constraints=["${{ trial.params.depth > 1 }}"], enqueue=[{"depth": 1}])


def test_an_edited_space_keeps_the_history_that_fits_it() -> None:
    algorithm = {"tpe": {"seed": 1, "n_startup_trials": 2}}
    told = [Told({"x": 1}, [0.5], True), Told({"x": 5}, [0.9], True), Told({"x": 2, "old": 3}, [0.1], True)]
    for space in (
        {"x": {"int": {"min": 1, "max": 9}}},
        {"x": {"int": {"min": 1, "max": 3}}},
        {"x": {"choice": [2, 7]}},
    ):
        (chosen,) = Searches().choose(question(told, 1, algorithm, space=space))
        assert set(chosen.params) == {"x"}


def test_a_gaussian_process_without_torch_is_refused_with_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "_NEEDS", {"gp": "a_package_that_is_not_there"})
    with pytest.raises(Impossible, match=r"tune\.algorithm\.gp needs the package .* \(the extra `gp` of mlworkflow\)"):
        search(1, algorithm={"gp": {}})


@pytest.mark.parametrize(
    ("algorithm", "words"),
    [
        ({"nsga2": {"population_size": 1}}, "tune.algorithm.nsga2: .*population_size"),
        ({"qmc": {"qmc_type": "dice"}}, "tune.algorithm.qmc: .*dice"),
        ({"cmaes": {"lr_adapt": True, "with_margin": True}}, "tune.algorithm.cmaes: .*lr_adapt"),
        ({"cmaes": {"x0": {"nowhere": 1}}}, "tune.algorithm.cmaes: 'nowhere'"),
    ],
)
def test_a_setting_that_optuna_refuses_names_its_field(algorithm: dict[str, Any], words: str) -> None:
    with pytest.raises(Impossible, match=words):
        search(1, algorithm=algorithm)


def test_the_noted_state_of_cma_es_is_data_alone() -> None:
    evil = pickle.dumps(re.compile("x")).hex()
    told = [Told({"depth": 1}, [1.0], True, {"cma:optimizer:0": evil})]
    with pytest.raises(Impossible, match=r"holds re\._compile"):
        Searches().choose(question(told))


def test_the_last_match_is_what_a_pattern_finds() -> None:
    assert sampling.last_match(r"^loss=(\S+)$", "loss=1\nx loss=9\nloss=0.5\n") == "0.5"
    assert sampling.last_match(r"loss=(\S+)", "nothing") is None


def test_an_answer_takes_at_most_a_tenth_of_a_second_after_a_thousand_trials() -> None:
    draw = random.Random(1)
    told = []
    for _ in range(1000):
        params = {
            "rate": draw.uniform(1e-4, 1),
            "depth": draw.choice([1, 5, 9]),
            "share": 0.3,
            "units": draw.randint(1, 1000),
            "kind": "x",
        }
        told.append(Told(params, [draw.random()], True))
    searches = Searches()
    took = []
    for _ in range(5):
        began = time.process_time()
        (chosen,) = searches.choose(question(told, algorithm={"tpe": {}}))
        took.append(time.process_time() - began)
        told = [*told, Told(chosen.params, [0.5], True, chosen.noted, chosen.study)]
    assert min(took) < 0.1
