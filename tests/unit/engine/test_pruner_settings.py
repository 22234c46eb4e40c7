"""The settings of a pruner: what is refused is what Optuna would refuse, before anything runs, and every pruner takes what it has."""

from __future__ import annotations

from typing import Any

import msgspec
import optuna
import pytest
from mlworkflow.core.kinds._pruning import Pruner, pruner_problems
from mlworkflow.core.kinds.tune import Tune
from mlworkflow.engine.judging import pruner_of
from mlworkflow.engine.told import Impossible, Told

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"median": {"n_startup_trials": -1}}, "median.n_startup_trials", "at least 0"),
    ({"median": {"n_warmup_steps": -1}}, "median.n_warmup_steps", "at least 0"),
    ({"median": {"interval_steps": 0}}, "median.interval_steps", "at least 1"),
    ({"median": {"n_min_trials": 0}}, "median.n_min_trials", "at least 1"),
    ({"percentile": {"percentile": 101.0}}, "percentile.percentile", "from 0 to 100"),
    ({"asha": {"min_resource": 0}}, "asha.min_resource", "at least 1"),
    ({"asha": {"reduction_factor": 1}}, "asha.reduction_factor", "at least 2"),
    ({"asha": {"min_early_stopping_rate": -1}}, "asha.min_early_stopping_rate", "at least 0"),
    ({"asha": {"min_resource": 1, "bootstrap_count": -1}}, "asha.bootstrap_count", "at least 0"),
    ({"asha": {"bootstrap_count": 2}}, "asha.bootstrap_count", "needs a number as min_resource"),
    ({"hyperband": {"bootstrap_count": 2}}, "hyperband.bootstrap_count", "needs a number as max_resource"),
    ({"threshold": {}}, "threshold", "at least one of: lower, upper"),
    ({"threshold": {"lower": 2.0, "upper": 1.0}}, "threshold.lower", "above upper"),
    ({"threshold": {"lower": 2.0, "interval_steps": 0}}, "threshold.interval_steps", "at least 1"),
    ({"wilcoxon": {"p_threshold": 1.5}}, "wilcoxon.p_threshold", "from 0 to 1"),
    ({"wilcoxon": {"n_startup_steps": -1}}, "wilcoxon.n_startup_steps", "at least 0"),
    ({"patient": {"patience": -1}}, "patient.patience", "at least 0"),
    ({"patient": {"patience": 1, "min_delta": -1.0}}, "patient.min_delta", "at least 0"),
    ({"patient": {"patience": 1, "wrapped_pruner": {"median": {"interval_steps": 0}}}}, "patient.wrapped_pruner.median.interval_steps", "at least 1"),
]  # fmt: skip


def study(pruner: dict[str, Any]) -> Tune:
    return msgspec.convert(
        {"metric": {"name": "m"}, "space": {"x": {"choice": [1]}}, "step": {}, "pruner": pruner}, Tune
    )


@pytest.mark.parametrize(("pruner", "field", "words"), BAD, ids=[field for _, field, _ in BAD])
def test_what_is_refused_names_its_field_and_optuna_refuses_it_too(
    pruner: dict[str, Any], field: str, words: str
) -> None:
    ((path, message),) = pruner_problems(msgspec.convert(pruner, Pruner))
    assert (path, words in message) == (f"pruner.{field}", True)
    with pytest.raises(Impossible, match=r"^tune\.pruner\."):
        pruner_of(study(pruner), [])


@pytest.mark.parametrize(
    ("pruner", "kind"),
    [
        ({"median": {"n_startup_trials": 1, "n_warmup_steps": 2, "interval_steps": 3, "n_min_trials": 4}}, "MedianPruner"),
        ({"percentile": {"percentile": 10.0, "n_min_trials": 4}}, "PercentilePruner"),
        ({"asha": {"min_resource": "auto", "reduction_factor": 2, "min_early_stopping_rate": 1}}, "SuccessiveHalvingPruner"),
        ({"hyperband": {"min_resource": 2, "max_resource": 9, "reduction_factor": 3, "bootstrap_count": 1}}, "HyperbandPruner"),
        ({"threshold": {"upper": 1.0}}, "ThresholdPruner"),
        ({"wilcoxon": {"p_threshold": 0.2, "n_startup_steps": 3}}, "WilcoxonPruner"),
        ({"patient": {"patience": 1, "min_delta": 0.5, "wrapped_pruner": {"median": {}}}}, "PatientPruner"),
    ],
)  # fmt: skip
def test_every_setting_reaches_optuna(pruner: dict[str, Any], kind: str) -> None:
    assert list(pruner_problems(msgspec.convert(pruner, Pruner))) == []
    made = pruner_of(study(pruner), [])
    assert type(made).__name__ == kind
    ((_, settings),) = pruner.items()
    for name, value in settings.items():
        known = vars(made).get(f"_{name}")
        assert known == value or (value == "auto" and known is None) or isinstance(known, optuna.pruners.BasePruner)


def test_a_resource_that_is_automatic_follows_from_the_trials_that_have_ended() -> None:
    told = [
        Told(values=[1.0], finished=True, curve=((1, 0.5), (500, 1.0))),
        Told(finished=True, pruned=True, curve=((900, 0.1),)),
    ]
    assert vars(pruner_of(study({"asha": {}}), told))["_min_resource"] == 5
    assert vars(pruner_of(study({"hyperband": {}}), told))["_max_resource"] == 501


def test_expressions_are_looked_at_once_they_have_been_evaluated() -> None:
    assert list(pruner_problems(msgspec.convert({"asha": {"min_resource": "${{ params.least }}"}}, Pruner))) == []
