"""``python -m mlworkflow.engine.sampling``: the process that asks Optuna for the parameters of trials, and which of them go on. Questions and answers are lines of JSON.

Every answer follows from its question alone: the study is built from the history, and the sampler is new for every trial, seeded by the
algorithm's seed and the trial's number. What a sampler keeps between trials it notes in the study or the trial; both travel with the history.
The last studies are kept, so that a question costs what is new in it; a study that is built anew gives the same answer.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import pickle
import re
import sys
import warnings
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import optuna
from msgspec import UNSET
from optuna import samplers
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import nsgaii
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from mlworkflow.core.errors import UserError
from mlworkflow.core.kinds._space import Dimension, holds, in_order, is_active, is_same
from mlworkflow.core.kinds.tune import Tune
from mlworkflow.core.study import is_allowed, points_of
from mlworkflow.engine.judging import NAME, Judgings, begin_brackets, pruner_of
from mlworkflow.engine.told import Impossible, Told, number_of
from mlworkflow.store.records import Chosen, Known

TRIES = 1000
"""Draws for one trial until its parameters keep every constraint."""
GUIDED = 20
"""Of these, the draws that the algorithm makes: what it knows of is within the constraints, so that it is drawn to what is beyond. Then chance does."""
KEPT = 4
"""Studies that are kept."""
_NEEDS = {"gp": "torch", "cmaes": "cmaes", "qmc": "scipy"}
_PICKLED = {
    ("cmaes._cma", "CMA"), ("cmaes._cmawm", "CMAwM"), ("cmaes._sepcma", "SepCMA"), ("numpy", "dtype"), ("numpy", "ndarray"),
    ("numpy._core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "scalar"),
}  # fmt: skip
"""What the state of CMA-ES is made of, and nothing that could do anything."""


_TENTH = 10
"""Trials of which the best tenth is one."""
_AS_NOTED = {"NSGAIISampler:generation": 0}
"""What is noted with the trials of another search: to a genetic one they are the first generation."""


class Question(msgspec.Struct):
    """A study, its history, and how many trials follow; with `asked`, which of these (trial → how many of its values have been judged) go on, in the
    study that is called `about`. Or a regular expression and the text that it is looked for in.
    """

    study: Tune | None = None
    names: dict[str, Any] = {}
    told: list[Told] = []
    prior: list[Known] = []
    count: int = 0
    pattern: str = ""
    text: str = ""
    all: bool = False
    asked: dict[int, int] = {}
    about: str = ""


class Search:
    """A study of Optuna's that knows the trials in `told`, and before them those of another search in `prior`."""

    def __init__(self, tune: Tune, names: Mapping[str, Any], prior: Sequence[Known] = ()) -> None:
        self._tune, self._names = tune, names
        self._order = in_order(tune.space)
        self._distributions = {name: _distribution(tune.space[name]) for name in self._order}
        self._study = optuna.create_study(directions=[metric.goal for metric in tune.objectives], study_name=NAME)
        self._drawn_in_vain = False
        self.told: list[Told] = []
        for known in prior:
            self._add(Told(known.params, known.values, finished=True, noted=_AS_NOTED))
        self._prior = self._study.get_trials(deepcopy=False)

    def is_before(self, told: list[Told]) -> bool:
        """Whether a history goes on from what this study knows."""
        return not self._drawn_in_vain and len(self.told) <= len(told) and all(map(Told.becomes, self.told, told))

    def tell(self, told: list[Told]) -> None:
        """Tell it of every trial so far."""
        storage, study_id = self._study._storage, self._study._study_id
        for number, trial in enumerate(told):
            if number >= len(self.told):
                self._add(trial)
                for key, value in trial.study.items():
                    storage.set_study_system_attr(study_id, key, value)
            elif trial.finished and not self.told[number].finished:
                trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, len(self._prior) + number)
                if not storage.get_trial(trial_id).state.is_finished():
                    for step, value in trial.curve:
                        storage.set_trial_intermediate_value(trial_id, step, number_of(value))
                    storage.set_trial_state_values(trial_id, trial.state, trial.final)
        self.told = told
        self._study.pruner = pruner_of(self._tune, told)
        begin_brackets(self._study)

    def _add(self, trial: Told) -> None:
        """One trial; of one that does not fit the space (any more) its place alone."""
        _check_pickles(trial.noted)
        space = self._tune.space
        params = {name: value for name, value in trial.params.items() if name in space}
        if all(holds(space[name], value) for name, value in params.items()):
            added = create_trial(
                state=trial.state,
                values=trial.final,
                intermediate_values={step: number_of(value) for step, value in trial.curve},
                params={name: _inner(space[name], value) for name, value in params.items()},
                distributions={name: self._distributions[name] for name in params},
                system_attrs=trial.noted,
            )
        else:
            added = create_trial(state=TrialState.FAIL)
        self._study.add_trial(added)

    def choose(self) -> Chosen | None:
        """The parameters of the next trial, which counts as running from now on; None where the study has to be built anew for that."""
        if self._drawn_in_vain:
            return None
        storage, study_id, number = self._study._storage, self._study._study_id, len(self.told)
        before = storage.get_study_system_attrs(study_id)
        points = self._tune.enqueue
        for again in range(TRIES):
            self._study.sampler = _sampler(self._tune, number, again, self._prior)
            if number < len(points):
                space = self._tune.space
                self._study.enqueue_trial({name: _inner(space[name], value) for name, value in points[number].items()})
            trial = self._study.ask()
            params = self._draw(trial)
            if is_allowed(self._tune, params, self._names):
                noted = storage.get_trial(trial._trial_id).system_attrs
                after = storage.get_study_system_attrs(study_id)
                changed = {key: value for key, value in after.items() if before.get(key) != value}
                chosen = Chosen(dict(sorted({**self._tune.fixed, **params}.items())), noted, changed)
                self.told = [*self.told, Told(chosen.params, noted=noted, study=changed)]
                return chosen
            self._drawn_in_vain = True
            self._study.tell(trial, state=TrialState.FAIL)
        start = f"tune.enqueue[{number}]: " if number < len(points) else ""
        raise Impossible(f"{start}tune.constraints: none of {TRIES} draws keeps them all")

    def _draw(self, trial: Trial) -> dict[str, Any]:
        params: dict[str, Any] = {}
        for name in self._order:
            dimension, of = self._tune.space[name], self._distributions[name]
            if not is_active(dimension, params):
                continue
            if isinstance(of, CategoricalDistribution):
                params[name] = _outer(dimension, trial.suggest_categorical(name, of.choices))
            elif isinstance(of, IntDistribution):
                params[name] = _outer(dimension, trial.suggest_int(name, of.low, of.high, step=of.step, log=of.log))
            elif isinstance(of, FloatDistribution):
                params[name] = trial.suggest_float(name, of.low, of.high, log=of.log)
        return params


def _distribution(dimension: Dimension) -> BaseDistribution:
    """Choices go by their place in the list, and so do the values of a float with a step: Optuna need not know what they are."""
    if dimension.choice is not UNSET:
        return CategoricalDistribution(range(len(dimension.choice)))
    if dimension.int is not UNSET:
        span = dimension.int
        return IntDistribution(span.min, span.max - (span.max - span.min) % span.step, log=span.log, step=span.step)
    assert dimension.float is not UNSET
    if dimension.float.step is not UNSET:
        return IntDistribution(0, len(points_of(dimension)) - 1)
    return FloatDistribution(dimension.float.min, dimension.float.max, log=dimension.float.log)


def _inner(dimension: Dimension, value: Any) -> Any:
    """A value as Optuna knows it."""
    if dimension.int is not UNSET:
        return int(value)
    if dimension.choice is UNSET and (dimension.float is UNSET or dimension.float.step is UNSET):
        return float(value)
    return next(place for place, known in enumerate(points_of(dimension)) if is_same(known, value))


def _outer(dimension: Dimension, value: Any) -> Any:
    """A value of Optuna's as the trial has it."""
    return value if dimension.int is not UNSET else points_of(dimension)[value]


def _sampler(tune: Tune, number: int, again: int, prior: Sequence[FrozenTrial] = ()) -> samplers.BaseSampler:
    """The sampler of one draw for one trial; `prior` are the trials of another search."""
    named = tune.algorithm.settings
    assert named
    name, settings = named
    field = f"tune.algorithm.{name}"
    own = int.from_bytes(hashlib.sha256(f"{settings.seed}:{number}:{again}".encode()).digest()[:4])
    if again >= GUIDED:
        return samplers.RandomSampler(seed=own)
    if (needed := _NEEDS.get(name)) and importlib.util.find_spec(needed) is None:
        extra = " (the extra `gp` of mlworkflow)" if name == "gp" else ""
        raise Impossible(
            f"{field} needs the package '{needed}'{extra}, which is not installed with the operator, or on this machine"
        )
    given = {key: value for key, value in msgspec.structs.asdict(settings).items() if value is not UNSET}
    seed = int(given.pop("seed"))
    try:
        match name:
            case "random":
                return samplers.RandomSampler(seed=own)
            case "tpe":
                return samplers.TPESampler(seed=own, **given)
            case "gp":
                return samplers.GPSampler(seed=own, **given)
            case "cmaes":
                if "x0" in given:
                    given["x0"] = {key: _inner(tune.space[key], value) for key, value in given["x0"].items()}
                return samplers.CmaEsSampler(seed=own, **given, **_where_to_begin(tune, prior))
            case "qmc":  # one sequence, whose points are counted: the seed is that of the whole
                independent = samplers.RandomSampler(seed=own)
                return samplers.QMCSampler(seed=seed, independent_sampler=independent, **given)
            case _:
                operators = {key: getattr(nsgaii, given[key])() for key in ("crossover", "mutation") if key in given}
                return samplers.NSGAIISampler(seed=own, **(given | operators))
    except (KeyError, StopIteration, TypeError, ValueError) as error:
        raise Impossible(f"{field}: {error}") from None


def _where_to_begin(tune: Tune, prior: Sequence[FrozenTrial]) -> dict[str, Any]:
    """CMA-ES begins with the distribution of the best tenth of a search; where that is no trial, at the best one."""
    if len(prior) >= _TENTH:
        return {"source_trials": list(prior)}
    sign = 1 if tune.objectives[0].goal == "maximize" else -1
    best = max(prior, key=lambda trial: sign * trial.values[0], default=None)
    return {} if best is None else {"x0": best.params}


def _check_pickles(noted: Mapping[str, Any]) -> None:
    """CMA-ES keeps its state as a pickle. It comes from the store, so that it is looked through before Optuna loads it."""
    parts = sorted((int(key.rpartition(":")[2]), value) for key, value in noted.items() if ":optimizer:" in key)
    if parts:
        _Plain(io.BytesIO(bytes.fromhex("".join(part for _, part in parts)))).load()


class _Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _PICKLED:
            raise Impossible(f"the noted state of a trial holds {module}.{name}, which it cannot")
        return super().find_class(module, name)


class Searches:
    """The last studies, so that each is told only what is new."""

    def __init__(self) -> None:
        self._kept: list[tuple[bytes, Search]] = []

    def choose(self, question: Question) -> list[Chosen]:
        """The parameters of as many trials as are asked for; each knows that those before it run. Raises Impossible."""
        assert question.study
        told = question.told
        chosen: list[Chosen] = []
        while len(chosen) < question.count:
            search = self._search(question, told)
            search.tell(told)
            while len(chosen) < question.count and (one := search.choose()):
                chosen.append(one)
            told = search.told
        return chosen

    def _search(self, question: Question, told: list[Told]) -> Search:
        assert question.study
        key = msgspec.json.encode([question.study, question.names, question.prior], order="sorted")
        same = [search for known, search in self._kept if known == key and search.is_before(told)]
        search = max(same, key=lambda search: len(search.told), default=None) or Search(
            question.study, question.names, question.prior
        )
        self._kept = [(known, other) for known, other in self._kept if other is not search and known != key][1 - KEPT :]
        self._kept.append((key, search))
        return search


def answers(lines: Iterator[bytes]) -> Iterator[bytes]:
    """An answer to each question."""
    searches, judgings = Searches(), Judgings()
    for line in lines:
        question = msgspec.json.decode(line, type=Question)
        try:
            if question.all:
                reply: dict[str, Any] = {"every": every_match(question.pattern, question.text)}
            elif question.pattern:
                reply = {"found": last_match(question.pattern, question.text)}
            elif question.study and question.asked:
                reply = {"pruned": judgings.judge(question.about, question.study, question.told, question.asked)}
            else:
                reply = {"chosen": searches.choose(question)}
        except UserError as error:
            reply = {"error": str(error)}
        except Exception as error:  # Optuna's own words; the process goes on
            reply = {"error": f"Optuna: {type(error).__name__}: {error}"}
        yield msgspec.json.encode(reply, enc_hook=_plain_number) + b"\n"


def last_match(pattern: str, text: str) -> str | None:
    """The group of the last match."""
    last = deque(re.finditer(pattern, text, re.MULTILINE), maxlen=1)
    return last[0][1] if last else None


def every_match(pattern: str, text: str) -> list[str]:
    """The group of each match; of one that the group has no part in nothing."""
    return [match[1] or "" for match in re.finditer(pattern, text, re.MULTILINE)]


def _plain_number(value: Any) -> Any:
    return value.item()  # of numpy


def main() -> None:
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    output, sys.stdout = sys.stdout, sys.stderr  # nothing but answers goes where answers go
    output.buffer.write(b"ready\n")
    output.flush()
    for answer in answers(sys.stdin.buffer):
        output.buffer.write(answer)
        output.flush()


if __name__ == "__main__":
    main()
