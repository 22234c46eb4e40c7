"""`tune`: a search over parameters; every trial is a step of its own, the best one is an output."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.expressions import OPEN, Expression, split
from mlworkflow.core.kinds._kind import Kind, exactly_one
from mlworkflow.core.kinds._pruning import Pruner, pruner_problems
from mlworkflow.core.kinds._samplers import CmaEs, Gp, Nsga2, Qmc, Random, Settings, Tpe
from mlworkflow.core.kinds._space import Dimension, point_problems, space_problems
from mlworkflow.core.values import Duration, Fields, Integer, Json, Number


class Metric(Fields, frozen=True):
    """The number that decides."""

    name: Annotated[
        str, Meta(min_length=1, description="A metric that the trial emits, or one of its output parameters.")
    ]
    goal: Annotated[Literal["maximize", "minimize"], Meta(description="Which way is better.")] = "maximize"
    pattern: Annotated[
        str,
        Meta(
            max_length=1024,
            description="A regular expression with one group, looked for in what the trial has printed: the last match is the number. "
            "Taken where the trial neither emits the metric nor leaves it.",
        ),
    ] = ""


class Grid(Fields, frozen=True):
    """Every combination of the space, in order. Floats need a `step`."""


class Algorithm(Fields, frozen=True):
    """How the next parameters are chosen: exactly one of these. All but `grid` are Optuna's, and so are the names of their settings."""

    grid: Annotated[Grid | UnsetType, Meta(description="Every combination.")] = UNSET
    random: Annotated[Random | UnsetType, Meta(description="Independent draws.")] = UNSET
    tpe: Annotated[Tpe | UnsetType, Meta(description="Tree-structured Parzen estimator.")] = UNSET
    gp: Annotated[Gp | UnsetType, Meta(description="Gaussian process.")] = UNSET
    cmaes: Annotated[CmaEs | UnsetType, Meta(description="CMA-ES.")] = UNSET
    qmc: Annotated[Qmc | UnsetType, Meta(description="Quasi-random points.")] = UNSET
    nsga2: Annotated[Nsga2 | UnsetType, Meta(description="NSGA-II.")] = UNSET

    @property
    def settings(self) -> tuple[str, Settings] | None:
        """The algorithm of Optuna that is named, with its settings; None for a grid."""
        named = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return next(((name, given) for name, given in named if isinstance(given, Settings)), None)


class Trials(Fields, frozen=True):
    """How many trials, how many at once, and what ends the search early."""

    max: Annotated[Integer, Meta(description="At most this many trials; a grid may be smaller.")] = 20
    parallel: Annotated[Integer, Meta(description="Trials at once.")] = 4
    per_pod: Annotated[
        Integer,
        Meta(
            description="Trials that may share a Pod, in which they run one after another, each as if it had the Pod to itself: for models that train in less time "
            "than a Pod takes to start. So many are chosen and started together; those that wait for their turn count as under way (`parallel`). "
            "For kinds of our own, and for a `container` with `agent: true`."
        ),
    ] = 1
    max_failed: Annotated[Integer, Meta(description="With more failed trials than this the step fails.")] = 0
    goal: Annotated[
        Number | UnsetType,
        Meta(description="The search is over once a trial has this value or a better one; the others are stopped."),
    ] = UNSET
    timeout: Annotated[
        Duration | UnsetType,
        Meta(
            description="The search is over this long after its start: what runs is stopped, the best so far is the result. The step's own `timeout` fails it."
        ),
    ] = UNSET


class WarmStart(Fields, frozen=True):
    """What another search has found, told to the algorithm before it chooses anything. It is looked up once, when the step starts."""

    from_: Annotated[
        str,
        Meta(
            max_length=256,
            description="`<run>.<step>`: a `tune` step of another run of the namespace, of several runs of this name the newest that has it. The run may be "
            "under way, or gone, as long as its records are kept. Its trials count that have succeeded, left every metric and fit the space.",
        ),
    ] = msgspec.field(name="from")
    optional: Annotated[
        bool, Meta(description="The search begins without it where there is none, or none of its trials fits.")
    ] = False


class Tune(Fields, frozen=True):
    """Searches for the best parameters of a step."""

    space: Annotated[
        dict[str, Dimension], Meta(min_length=1, max_length=64, description="The parameters and their values.")
    ]
    step: Annotated[
        dict[str, Json],
        Meta(
            description="The step that a trial runs: one kind (`train`, `container`, …) and any common field of a step. It has the tune step's "
            "inputs, and the trial's parameters as its `params`; for `train` they are also set on the estimator. `trial.params` and `trial.number` "
            "are names in its expressions."
        ),
    ]
    metric: Annotated[Metric | UnsetType, Meta(description="What is optimised.")] = UNSET
    metrics: Annotated[
        Annotated[list[Metric], Meta(min_length=2, max_length=8)] | UnsetType,
        Meta(
            description="Several numbers at once, instead of `metric`: the output `pareto` has every trial that no other beats in all of them."
        ),
    ] = UNSET
    fixed: Annotated[
        dict[str, Json], Meta(max_length=64, description="Parameters that are the same in every trial.")
    ] = {}
    enqueue: Annotated[
        list[dict[str, Json]],
        Meta(
            max_length=1000,
            description="Starting points: what the first trials try. What a point leaves out is chosen.",
        ),
    ] = []
    constraints: Annotated[
        list[str],
        Meta(
            max_length=32,
            description="Expressions over `trial.params` (and `params`) that must be true: what breaks one is never tried.",
        ),
    ] = []
    algorithm: Annotated[Algorithm, Meta(description="How parameters are chosen. Default: grid.")] = Algorithm(
        grid=Grid()
    )
    trials: Annotated[Trials, Meta(description="The budget.")] = Trials()
    warm_start: Annotated[
        WarmStart | UnsetType,
        Meta(description="Begin with what another search has found: for `tpe`, `gp`, `cmaes` and `nsga2`."),
    ] = UNSET
    report: Annotated[
        bool,
        Meta(
            description="The step leaves `study` too, all that is known of its trials (JSON), and a step `<name>-report` of the kind `study` follows, "
            "which makes a page and a table of it. That one costs a Pod of its own, and its failure fails nothing."
        ),
    ] = False
    pruner: Annotated[
        Pruner | UnsetType,
        Meta(
            description="Stops trials that do not look promising, by the values of the metric that they emit on the way, with a `step` each. "
            "Default: none is stopped."
        ),
    ] = UNSET

    @property
    def objectives(self) -> list[Metric]:
        """What is optimised, the first first."""
        return self.metrics if self.metrics is not UNSET else [] if self.metric is UNSET else [self.metric]


_LEARNING = ("tpe", "gp", "cmaes", "nsga2")
"""The algorithms that trials of another search tell anything."""
_MANY = ("grid", "random", "tpe", "gp", "qmc", "nsga2")
"""The algorithms that can have several metrics."""


def _check(body: Tune) -> list[tuple[str, str]]:
    is_grid = body.algorithm.grid is not UNSET
    return [
        *exactly_one(body, "metric", ("metric", "metrics")),
        *exactly_one(body.algorithm, "algorithm", Algorithm.__struct_fields__),
        *_budget(body),
        *_metrics(body),
        *space_problems(body.space, is_grid=is_grid),
        *((f"fixed.{name}", "is a parameter of the space too") for name in body.fixed if name in body.space),
        *(
            found
            for index, point in enumerate(body.enqueue)
            for found in point_problems(body.space, point, f"enqueue[{index}]")
        ),
        *_constraints(body),
        *_pruning(body),
        *_warm_start(body),
    ]


MOST_PER_POD = 100
"""Trials that may share a Pod: all of them are in one annotation of it."""


def _budget(body: Tune) -> Iterator[tuple[str, str]]:
    trials = body.trials
    counts = (("max", trials.max, 1), ("parallel", trials.parallel, 1), ("perPod", trials.per_pod, 1), ("maxFailed", trials.max_failed, 0))  # fmt: skip
    for field, value, least in counts:
        if isinstance(value, int) and value < least:
            yield f"trials.{field}", f"is at least {least}, not {value}"
    yield from _sharing(body)
    if body.trials.goal is not UNSET and body.metrics is not UNSET:
        yield "trials.goal", "belongs to a search with one `metric`"


def _sharing(body: Tune) -> Iterator[tuple[str, str]]:
    per_pod, parallel = body.trials.per_pod, body.trials.parallel
    if per_pod == 1:
        return
    if isinstance(per_pod, int) and per_pod > MOST_PER_POD:
        yield "trials.perPod", f"is at most {MOST_PER_POD}, not {per_pod}"
    if isinstance(per_pod, int) and isinstance(parallel, int) and per_pod > parallel:
        yield (
            "trials.perPod",
            f"is at most trials.parallel, which is {parallel}: trials that share a Pod count as under way",
        )
    container = body.step.get("container")
    if "steps" in body.step:
        yield "trials.perPod", "the steps of a group have a Pod each: leave it out where a trial is a group"
    elif isinstance(container, dict) and container.get("agent") is not True:
        yield (
            "trials.perPod",
            "needs the agent, which runs one trial after the other: set `agent: true` in tune.step.container, whose image has to carry it, or leave this out",
        )


def _metrics(body: Tune) -> Iterator[tuple[str, str]]:
    for index, metric in enumerate(body.objectives):
        path = "metric" if body.metrics is UNSET else f"metrics[{index}]"
        if OPEN in metric.name:
            yield f"{path}.name", "cannot be an expression: the status and the trials' table go by this name"
        if OPEN in metric.pattern:
            yield f"{path}.pattern", "cannot be an expression"
        if any(metric.name == other.name for other in body.objectives[:index]):
            yield f"{path}.name", f"'{metric.name}' is there twice"
        if metric.pattern and "steps" in body.step:
            yield f"{path}.pattern", "a group prints nothing itself: let it pass on an output of this name"
        try:
            groups = re.compile(metric.pattern).groups if metric.pattern else 1
        except re.error as error:
            yield f"{path}.pattern", f"is no regular expression: {error}"
        else:
            if groups != 1:
                yield f"{path}.pattern", f"has {groups} groups: put the number, and nothing else, in ( )"
    named = body.algorithm.settings
    if body.metrics is not UNSET and named and named[0] not in _MANY:
        yield f"algorithm.{named[0]}", f"has one metric; for several take one of: {', '.join(_MANY)}"


def _pruning(body: Tune) -> Iterator[tuple[str, str]]:
    if body.pruner is UNSET:
        return
    yield from pruner_problems(body.pruner)
    if body.metrics is not UNSET:
        yield "pruner", "belongs to a search with one `metric`"


def _warm_start(body: Tune) -> Iterator[tuple[str, str]]:
    if body.warm_start is UNSET:
        return
    run, _, step = body.warm_start.from_.rpartition(".")
    if OPEN not in body.warm_start.from_ and not (run and step):
        yield "warmStart.from", f"'{body.warm_start.from_}' is no search of another run: write <run>.<step>"
    name, settings = body.algorithm.settings or ("grid", None)
    if name not in _LEARNING:
        yield "warmStart", f"`{name}` does not learn from trials; take one of: {', '.join(_LEARNING)}"
    for field in ("x0", "sigma0", "use_separable_cma"):
        if isinstance(settings, CmaEs) and getattr(settings, field):
            yield f"algorithm.cmaes.{field}", "says where to begin, as `warmStart` does: leave one of them out"


def _constraints(body: Tune) -> Iterator[tuple[str, str]]:
    for index, text in enumerate(body.constraints):
        path = f"constraints[{index}]"
        try:
            parts = split(text)
        except ExpressionError:
            continue  # said where every expression is looked at
        if len(parts) != 1 or not isinstance(parts[0], Expression):
            yield path, f"is one whole expression: write ${{{{ {text} }}}}"
        elif unknown := sorted(parts[0].roots - {"trial", "params"}):
            yield path, f"'{parts[0].source}': only trial.params and params are known here, not '{unknown[0]}'"


_EXAMPLE = """\
name: tune
inputs: {train: {from: prep.train}}
tune:
  metric: {name: cv_accuracy, goal: maximize}
  algorithm: {tpe: {seed: 7, multivariate: true}}
  space:
    max_depth: {int: {min: 2, max: 12}}
    max_features: {choice: [sqrt, log2, null]}
  enqueue: [{max_depth: 5}]
  trials: {max: 20, parallel: 4}
  step:
    train: {estimator: sklearn.ensemble.RandomForestClassifier, cv: 3}
"""

KIND = Kind(
    name="tune",
    order=30,
    summary="search for the best parameters, a Pod per trial",
    body=Tune,
    has_pod=False,
    outputs={
        "trials": "file",
        "study": "file",
        "best": "json",
        "pareto": "json",
        "trial_count": "integer",
        "failed_count": "integer",
        "pruned_count": "integer",
        "warm_count": "integer",
    },
    optional_outputs=frozenset({"pareto", "pruned_count", "study", "warm_count"}),
    check=_check,
    example=_EXAMPLE,
)
