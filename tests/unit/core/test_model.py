"""Parsing: every mistake names its field, defaults merge, nothing unknown passes."""

from __future__ import annotations

from typing import Any

import pytest
from mlworkflow.core.errors import SpecError
from mlworkflow.core.model import Workflow
from msgspec import UNSET

from tests.builders import a_workflow

_OK = a_workflow().step("a")


def problems_of(resource: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(SpecError) as caught:
        Workflow.parse(resource)
    return {problem.path: problem.message for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("step", "path", "words"),
    [
        pytest.param({"name": "b"}, "spec.steps[1]", "exactly one of", id="no kind"),
        pytest.param({"name": "b", "container": {}, "prep": {}}, "spec.steps[1]", "prep and container", id="two kinds"),
        pytest.param({"container": {}}, "spec.steps[1].name", "is missing", id="no name"),
        pytest.param(
            {"name": "b", "container": {}, "outputs": {"o": {"keep": "never"}}},
            "spec.steps[1].outputs[...].keep",
            "match",
            id="kept as nobody knows",
        ),
        pytest.param(
            {"name": "b", "container": {}, "outputs": {"o": {"type": "number", "keep": "30d"}}},
            "spec.steps[1].outputs.o.keep",
            "a parameter is part of the step's record",
            id="a parameter for a while",
        ),
        pytest.param(
            {
                "name": "b",
                "steps": [{"name": "c", "container": {}, "outputs": {"o": {}}}],
                "outputs": {"o": {"from": "c.o", "keep": "always"}},
            },
            "spec.steps[1].outputs.o.keep",
            "say `always` at the step that leaves it",
            id="a group's output always",
        ),
        pytest.param({"name": "a", "container": {}}, "spec.steps[1].name", "earlier step", id="a name twice"),
        pytest.param({"name": "B", "container": {}}, "spec.steps[1].name", "match", id="an upper case name"),
        pytest.param({"name": "a_b", "container": {}}, "spec.steps[1].name", "match", id="an underscore in a name"),
        pytest.param({"name": "x" * 64, "container": {}}, "spec.steps[1].name", "length", id="a long name"),
        pytest.param(
            {"name": "b", "container": {}, "imaeg": "x"},
            "spec.steps[1]",
            "unknown field `imaeg`",
            id="an unknown field",
        ),
        pytest.param(
            {"name": "b", "container": {"cmd": []}},
            "spec.steps[1].container",
            "unknown field `cmd`",
            id="an unknown field of the kind",
        ),
        pytest.param(
            {"name": "b", "container": {"command": "ls"}},
            "spec.steps[1].container.command",
            "Expected `array`",
            id="text for a list",
        ),
        pytest.param(
            {"name": "b", "container": {"command": ["a", 1]}},
            "spec.steps[1].container.command[1]",
            "Expected `str`",
            id="a number in a command",
        ),
        pytest.param(
            {"name": "b", "container": {}, "retry": {"limit": -1}},
            "spec.steps[1].retry.limit",
            ">= 0",
            id="a negative limit",
        ),
        pytest.param(
            {"name": "b", "container": {}, "retry": {"backoff": "10"}},
            "spec.steps[1].retry.backoff",
            "match",
            id="a backoff without a unit",
        ),
        pytest.param(
            {"name": "b", "container": {}, "timeout": "soon"}, "spec.steps[1].timeout", "match", id="no duration"
        ),
        pytest.param(
            {"name": "b", "container": {}, "inputs": {"x": {"from": "a"}}},
            "spec.steps[1].inputs.x.from",
            "write <step>.<output>",
            id="an input without an output",
        ),
        pytest.param(
            {"name": "b", "container": {}, "outputs": {"x": {"type": "int"}}},
            "spec.steps[1].outputs[...].type",
            "Invalid enum",
            id="an unknown type",
        ),
        pytest.param(
            {"name": "b", "container": {"agent": True}},
            "spec.steps[1].container.command",
            "is needed",
            id="an agent without a command",
        ),
        pytest.param(
            {"name": "b", "train": {}},
            "spec.steps[1].train",
            "missing field `estimator`",
            id="a train step without an estimator",
        ),
        pytest.param(
            {"name": "b", "train": {"estimator": "x", "cv": 1}},
            "spec.steps[1].train.cv",
            "at least 2 folds",
            id="one fold",
        ),
        pytest.param(
            {"name": "b", "prep": {"source": {}, "target": "y"}},
            "spec.steps[1].prep.source",
            "exactly one of",
            id="no source",
        ),
        pytest.param(
            {"name": "b", "evaluate": {"gate": {"acc": {}}}},
            "spec.steps[1].evaluate.gate.acc",
            "needs `min`, `max`,",
            id="a gate without bounds",
        ),
    ],
)
def test_a_mistake_in_a_step_names_its_field(step: dict[str, Any], path: str, words: str) -> None:
    found = problems_of(_OK.raw(step).resource())
    assert words in found[path]


def _tune(**fields: Any) -> dict[str, Any]:
    body = {"metric": {"name": "acc"}, "space": {"p": {"choice": [1]}}, "step": {"container": {}}, **fields}
    body = {key: value for key, value in body.items() if value is not UNSET}
    return _OK.raw({"name": "t", "tune": body}).resource()


@pytest.mark.parametrize(
    ("fields", "path", "words"),
    [
        pytest.param({"space": {}}, "space", "length", id="an empty space"),
        pytest.param({"space": {"p": {}}}, "space.p", "exactly one of", id="a dimension without values"),
        pytest.param(
            {"space": {"p": {"choice": [1], "int": {"min": 0, "max": 1}}}},
            "space.p",
            "exactly one of",
            id="two kinds of dimension",
        ),
        pytest.param({"space": {"p": {"int": {"min": 3, "max": 1}}}}, "space.p", "above max", id="min above max"),
        pytest.param(
            {"space": {"p": {"int": {"min": 0, "max": 1, "log": True}}}}, "space.p", "min > 0", id="a logarithm of 0"
        ),
        pytest.param(
            {"space": {"p": {"float": {"min": 0, "max": 1}}}},
            "space.p.float.step",
            "a grid needs",
            id="a grid without a step",
        ),
        pytest.param({"algorithm": {}}, "algorithm", "exactly one of", id="no algorithm"),
        pytest.param({"trials": {"max": 0}}, "trials.max", "at least 1", id="no trials"),
        pytest.param(
            {"trials": {"parallel": 0}}, "trials.parallel", "at least 1", id="no trials at once, which would never end"
        ),
        pytest.param({"trials": {"maxFailed": -1}}, "trials.maxFailed", "at least 0", id="fewer than no failures"),
        pytest.param(
            {"metric": {"name": "${{ params.m }}"}}, "metric.name", "cannot be an expression", id="a computed metric"
        ),
        pytest.param(
            {"step": {"container": {}, "name": "x"}}, "step.name", "belongs to the tune step", id="a name of a trial"
        ),
        pytest.param(
            {"step": {"container": {}, "after": ["a"]}},
            "step.after",
            "belongs to the tune step",
            id="an order of a trial",
        ),
        pytest.param({"step": {}}, "step", "exactly one of", id="a trial without a kind"),
        pytest.param(
            {"algorithm": {"tpe": {"n_startup": 3}}},
            "algorithm.tpe",
            "unknown field `n_startup`",
            id="no setting of Optuna's",
        ),
        pytest.param(
            {"algorithm": {"tpe": {"multivariate": 3}}},
            "algorithm.tpe.multivariate",
            "Expected",
            id="a setting of another type",
        ),
        pytest.param(
            {"algorithm": {"nsga2": {"crossover": "None"}}},
            "algorithm.nsga2.crossover",
            "Invalid enum",
            id="no crossover",
        ),
        pytest.param({"pruner": {}}, "pruner", "exactly one of: median", id="no pruner named"),
        pytest.param(
            {"pruner": {"asha": {"reduction": 3}}}, "pruner.asha", "unknown field `reduction`", id="no setting of it"
        ),
        pytest.param(
            {"pruner": {"asha": {"reduction_factor": 1}}}, "pruner.asha.reduction_factor", "at least 2", id="too little"
        ),
        pytest.param(
            {"metrics": [{"name": "a"}, {"name": "b"}], "pruner": {"median": {}}},
            "pruner",
            "one `metric`",
            id="a pruner of several metrics",
        ),
        pytest.param(
            {"metrics": [{"name": "a"}, {"name": "b"}]},
            "metric",
            "exactly one of: metric, metrics",
            id="one metric and several",
        ),
        pytest.param({"metric": UNSET}, "metric", "exactly one of: metric, metrics", id="no metric"),
        pytest.param(
            {"metric": UNSET, "metrics": [{"name": "a"}, {"name": "a"}]},
            "metrics[1].name",
            "there twice",
            id="a metric twice",
        ),
        pytest.param(
            {"metric": UNSET, "metrics": [{"name": "a"}, {"name": "b"}], "algorithm": {"cmaes": {}}},
            "algorithm.cmaes",
            "for several take one of",
            id="several metrics for an algorithm of one",
        ),
        pytest.param(
            {"metric": {"name": "a", "pattern": "("}}, "metric.pattern", "is no regular expression", id="no pattern"
        ),
        pytest.param(
            {"metric": {"name": "a", "pattern": "a=.*"}},
            "metric.pattern",
            "has 0 groups",
            id="a pattern without a group",
        ),
        pytest.param(
            {"metric": {"name": "a", "pattern": "(.*)"}, "step": {"steps": [{"name": "x", "container": {}}]}},
            "metric.pattern",
            "a group prints nothing",
            id="a pattern for a group",
        ),
        pytest.param(
            {"space": {"p": {"int": {"min": 1, "max": 9, "step": 2, "log": True}}}, "algorithm": {"tpe": {}}},
            "space.p",
            "has no step",
            id="a logarithm with steps",
        ),
        pytest.param(
            {"space": {"p": {"choice": [1], "when": {"q": 1}}}},
            "space.p.when.q",
            "no parameter 'q'",
            id="a condition on nothing",
        ),
        pytest.param(
            {"space": {"p": {"choice": [1], "when": {"q": [1, 3]}}, "q": {"choice": [1, 2]}}},
            "space.p.when.q",
            "3 is no value of 'q'",
            id="a condition that never holds",
        ),
        pytest.param(
            {"space": {"p": {"choice": [1], "when": {"q": 1}}, "q": {"choice": [1], "when": {"p": 1}}}},
            "space.p.when",
            "in a circle",
            id="conditions in a circle",
        ),
        pytest.param({"fixed": {"p": 1}}, "fixed.p", "of the space too", id="fixed and searched"),
        pytest.param(
            {"enqueue": [{"p": 1}, {"x": 1}]}, "enqueue[1].x", "no parameter 'x'", id="a starting point elsewhere"
        ),
        pytest.param({"enqueue": [{"p": True}]}, "enqueue[0].p", "True is no value", id="a starting point outside"),
        pytest.param(
            {"constraints": ["trial.params.p > 0"]}, "constraints[0]", "one whole expression", id="no constraint"
        ),
        pytest.param(
            {"constraints": ["${{ steps.a.outputs.n > 0 }}"]},
            "constraints[0]",
            "only trial.params",
            id="a constraint on steps",
        ),
        pytest.param({"trials": {"timeout": "soon"}}, "trials.timeout", "Expected", id="no time"),
        pytest.param(
            {"trials": {"goal": 1.0}, "metric": UNSET, "metrics": [{"name": "a"}, {"name": "b"}]},
            "trials.goal",
            "one `metric`",
            id="a goal for several metrics",
        ),
        pytest.param({"warmStart": {"from": "w.t"}}, "warmStart", "`grid` does not learn", id="a grid that learns"),
        pytest.param(
            {"warmStart": {"from": "t"}, "algorithm": {"tpe": {}}}, "warmStart.from", "<run>.<step>", id="no other run"
        ),
        pytest.param(
            {"warmStart": {"from": "w.t"}, "algorithm": {"cmaes": {"sigma0": 0.1}}},
            "algorithm.cmaes.sigma0",
            "leave one of them out",
            id="two beginnings",
        ),
    ],
)
def test_a_mistake_in_a_tune_step_names_its_field(fields: dict[str, Any], path: str, words: str) -> None:
    assert words in problems_of(_tune(**fields))[f"spec.steps[1].tune.{path}"]


def test_a_trial_cannot_tune() -> None:
    inner = {"metric": {"name": "m"}, "space": {"q": {"choice": [1]}}, "step": {"container": {}}}
    assert "cannot be a tune step" in problems_of(_tune(step={"tune": inner}))["spec.steps[1].tune.step.tune"]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        pytest.param({"apiVersion": "mlworkflow.io/v2"}, "apiVersion", id="another version"),
        pytest.param({"kind": "Workflow"}, "apiVersion", id="another kind"),
        pytest.param({"metadata": {}}, "metadata.name", id="no name"),
        pytest.param({"metadata": {"name": "x" * 64}}, "metadata.name", id="a long name"),
        pytest.param({"spec": {}}, "spec", id="no steps"),
        pytest.param({"spec": {"steps": []}}, "spec.steps", id="empty steps"),
        pytest.param({"spec": {"steps": [{}], "paralellism": 3}}, "spec", id="an unknown field"),
        pytest.param({"spec": {"steps": [{}], "parallelism": 0}}, "spec.parallelism", id="no Pod at once"),
        pytest.param({"spec": {"steps": [{}], "timeout": "1y"}}, "spec.timeout", id="no duration"),
        pytest.param({"spec": {"steps": ["x"]}}, "spec.steps[0]", id="a step that is text"),
        pytest.param(
            {"spec": {"steps": [{}], "defaults": {"inputs": {}}}},
            "spec.defaults",
            id="a default of what is each step's own",
        ),
    ],
)
def test_a_mistake_in_the_workflow_names_its_field(change: dict[str, Any], path: str) -> None:
    assert path in problems_of({**_OK.resource(), **change})


def test_problems_of_all_steps_are_found_in_one_pass() -> None:
    assert set(problems_of(a_workflow("").raw({"name": "a"}).raw({"container": {}}).resource())) == {
        "metadata.name",
        "spec.steps[0]",
        "spec.steps[1].name",
    }


def test_defaults_hold_where_a_step_says_nothing() -> None:
    defaults = {"image": "d", "timeout": "1h", "retry": {"limit": 5}, "labels": {"a": "b"}}
    workflow = (
        a_workflow().having(defaults=defaults).step("a").step("b", timeout="1m", retry={"backoff": "1s"}).parsed()
    )
    a, b = workflow.steps["a"], workflow.steps["b"]
    assert (a.common.image, a.timeout, a.retry.limit) == ("d", 3600, 5)
    assert (b.common.image, b.timeout, b.retry.limit, b.common.labels) == ("d", 60, 2, {"a": "b"})


def test_a_trial_has_the_common_fields_of_its_tune_step_and_of_the_defaults() -> None:
    workflow = (
        a_workflow().having(defaults={"image": "d", "timeout": "1h"}).tune("t", {"p": [1]}, retry={"limit": 1}).parsed()
    )
    trial = workflow.steps["t"].trial
    assert trial is not None
    assert (trial.common.image, trial.timeout, trial.retry.limit) == ("d", 3600, 1)


def test_without_retry_a_step_is_tried_once_and_waits_ten_minutes() -> None:
    step = _OK.parsed().steps["a"]
    assert (step.retry.limit, step.timeout, step.pending_timeout, step.common.image) == (0, None, 600, UNSET)


def test_a_tune_step_leaves_what_its_trials_leave_and_its_own() -> None:
    outputs = a_workflow().tune("t", {"p": [1]}).parsed().steps["t"].outputs
    assert {
        "trials",
        "best",
        "pareto",
        "trial_count",
        "failed_count",
        "pruned_count",
        "warm_count",
        "acc",
        "model",
    } == set(outputs)
