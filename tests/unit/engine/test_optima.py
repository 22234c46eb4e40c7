"""Every algorithm, with a fixed seed, on functions whose optimum is known: it finds it as closely as its kind can in so many trials."""

from __future__ import annotations

import importlib.util
from typing import Any

import msgspec
import optuna
import pytest
from mlworkflow.core.kinds.tune import Tune
from mlworkflow.core.study import best_of, grid_points, pareto_of
from mlworkflow.engine.sampling import Impossible, Question, Searches, Told

optuna.logging.set_verbosity(optuna.logging.ERROR)
pytestmark = pytest.mark.filterwarnings("ignore")

PLANE: dict[str, Any] = {"x": {"float": {"min": -5, "max": 5}}, "y": {"float": {"min": -5, "max": 5}}}


def bowl(params: dict[str, Any]) -> list[float]:
    """0 at (2, -1), and more everywhere else."""
    return [(params["x"] - 2) ** 2 + (params["y"] + 1) ** 2]


def study(algorithm: dict[str, Any], **fields: Any) -> Tune:
    metric = {} if "metrics" in fields else {"metric": {"name": "loss", "goal": "minimize"}}
    return msgspec.convert({**metric, "space": PLANE, "step": {}, "algorithm": algorithm, **fields}, Tune)


def searched(tune: Tune, trials: int, function: Any = bowl) -> list[Told]:
    told: list[Told] = []
    searches = Searches()
    while len(told) < trials:
        (chosen,) = searches.choose(Question(study=tune, told=told, count=1))
        told = [*told, Told(chosen.params, function(chosen.params), True, chosen.noted, chosen.study)]
    return told


@pytest.mark.parametrize(
    ("algorithm", "trials", "reached"),
    [
        pytest.param({"random": {"seed": 1}}, 150, 0.5, id="random"),
        pytest.param({"qmc": {"seed": 1}}, 128, 0.3, id="sobol"),
        pytest.param({"qmc": {"seed": 1, "qmc_type": "halton", "scramble": True}}, 128, 0.3, id="halton"),
        pytest.param({"tpe": {"seed": 1, "multivariate": False}}, 80, 0.05, id="tpe"),
        pytest.param({"tpe": {"seed": 1, "multivariate": True}}, 80, 0.05, id="multivariate tpe"),
        pytest.param({"cmaes": {"seed": 1}}, 120, 1e-4, id="cma-es"),
        pytest.param({"cmaes": {"seed": 1, "use_separable_cma": True}}, 120, 1e-4, id="separable cma-es"),
        pytest.param({"nsga2": {"seed": 1, "population_size": 12}}, 150, 0.5, id="nsga-ii"),
    ],
)
def test_the_optimum_of_a_bowl_is_reached(algorithm: dict[str, Any], trials: int, reached: float) -> None:
    tune = study(algorithm)
    told = searched(tune, trials)
    values = {number: trial.values for number, trial in enumerate(told) if trial.values}
    best = told[best_of(tune, values)]
    assert best.values
    assert best.values[0] < reached
    assert (best.params["x"], best.params["y"]) == pytest.approx((2, -1), abs=reached**0.5)


def test_a_gaussian_process_reaches_it_in_a_few_trials_or_says_what_it_needs() -> None:
    tune = study({"gp": {"seed": 1, "n_startup_trials": 5}})
    if importlib.util.find_spec("torch"):
        assert min(trial.values[0] for trial in searched(tune, 20) if trial.values) < 0.05
    else:
        with pytest.raises(Impossible, match=r"tune\.algorithm\.gp needs the package 'torch' \(the extra `gp`"):
            searched(tune, 1)


def test_a_grid_has_the_optimum_where_it_is_one_of_its_points() -> None:
    space = {name: {"float": {**span["float"], "step": 1}} for name, span in PLANE.items()}
    tune = study({"grid": {}}, space=space, trials={"max": 121})
    points = grid_points(tune, {})
    assert len(points) == 121
    assert points[best_of(tune, {number: bowl(point) for number, point in enumerate(points)})] == {"x": 2, "y": -1}


@pytest.mark.parametrize(
    "algorithm", [{"nsga2": {"seed": 1, "population_size": 12}}, {"tpe": {"seed": 1}}], ids=["nsga-ii", "tpe"]
)
def test_of_two_aims_the_whole_front_is_found(algorithm: dict[str, Any]) -> None:
    """Schaffer's function: to be near 0 and near 2. No point between them beats another, and every point beside is beaten."""
    metrics = [{"name": "zero", "goal": "minimize"}, {"name": "two", "goal": "minimize"}]
    tune = study(algorithm, metrics=metrics, space={"x": {"float": {"min": -10, "max": 10}}})
    told = searched(tune, 90, lambda params: [params["x"] ** 2, (params["x"] - 2) ** 2])
    front = pareto_of(tune, {number: trial.values for number, trial in enumerate(told) if trial.values})
    found = sorted(told[number].params["x"] for number in front)
    assert all(-0.5 <= x <= 2.5 for x in found)
    assert found[0] < 0.5
    assert found[-1] > 1.5
    assert len(found) >= 8
