"""Which trials go on, by Optuna's pruners: a study that knows what its trials have said on the way. Part of the process `engine.sampling`.

Each value is told in its order, and the pruner is asked after each: so the answer does not depend on how many arrive together. What a pruner keeps of a
trial (the rungs of successive halving that it has passed) follows from its values and that it went on; a study that is built anew finds it again.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import optuna
from msgspec import UNSET
from optuna import pruners
from optuna.trial import TrialState, create_trial

from mlworkflow.core.kinds._pruning import Wrapped
from mlworkflow.core.kinds.tune import Tune
from mlworkflow.engine.told import Impossible, Told, number_of

NAME = "study"
"""Every study's: Hyperband draws a trial's bracket by it."""
KEPT = 4
"""Studies that are kept."""
_PRUNERS: Mapping[str, type[pruners.BasePruner]] = {
    "median": pruners.MedianPruner,
    "percentile": pruners.PercentilePruner,
    "asha": pruners.SuccessiveHalvingPruner,
    "hyperband": pruners.HyperbandPruner,
    "threshold": pruners.ThresholdPruner,
    "wilcoxon": pruners.WilcoxonPruner,
    "patient": pruners.PatientPruner,
}


def pruner_of(tune: Tune, told: Sequence[Told]) -> pruners.BasePruner:
    """Optuna's pruner of a study with this history. Raises Impossible."""
    return pruners.NopPruner() if tune.pruner is UNSET else _pruner(tune.pruner, "tune.pruner", longest(told))


def longest(told: Sequence[Told]) -> int | None:
    """The last step of the trials that have succeeded: until there is one, a resource that is `auto` is not known, and nothing is stopped by it."""
    steps = [
        max(step for step, _ in trial.curve) for trial in told if trial.state is TrialState.COMPLETE and trial.curve
    ]
    return max(steps, default=None)


def _pruner(wanted: Wrapped, path: str, last: int | None) -> pruners.BasePruner:
    assert wanted.named
    name, settings = wanted.named
    field = f"{path}.{name}"
    if name == "wilcoxon" and importlib.util.find_spec("scipy") is None:
        raise Impossible(
            f"{field} needs the package 'scipy', which is not installed with the operator, or on this machine"
        )
    given: dict[str, Any] = {
        key: value for key, value in msgspec.structs.asdict(settings).items() if value is not UNSET
    }
    if name == "patient":
        wrapped = given.get("wrapped_pruner")
        given["wrapped_pruner"] = _pruner(wrapped, f"{field}.wrapped_pruner", last) if wrapped else None
    if last is not None:  # as Optuna estimates it, but once for all trials: those before it was known count too
        if name == "asha" and given.get("min_resource", "auto") == "auto":
            given["min_resource"] = max(last // 100, 1)
        if name == "hyperband" and given.get("max_resource", "auto") == "auto":
            given["max_resource"] = last + 1
    try:
        return _PRUNERS[name](**given)
    except (TypeError, ValueError) as error:
        raise Impossible(f"{field}: {error}") from None


def begin_brackets(study: optuna.Study) -> None:
    """Let Hyperband know its brackets as soon as it can: samplers ask for them too."""
    if isinstance(study.pruner, pruners.HyperbandPruner):
        study.pruner._try_initialization(study)


class Judging:
    """A study of Optuna's that knows the values of the trials in `told`."""

    def __init__(self, tune: Tune, told: Sequence[Told]) -> None:
        (metric,) = tune.objectives
        self._study = optuna.create_study(direction=metric.goal, pruner=pruner_of(tune, told), study_name=NAME)
        self._is_open = longest(told) is None
        self._has_memory = tune.pruner is not UNSET and _has_memory(tune.pruner)
        self.told: list[Told] = []

    def is_before(self, told: list[Told], asked: Mapping[int, int]) -> bool:
        """Whether a history goes on from what this study knows, and nothing is asked that it has answered: that answer got lost."""
        if any(number < len(self.told) and judged < len(self.told[number].curve) for number, judged in asked.items()):
            return False
        is_known = self._is_open == (longest(told) is None)
        return is_known and len(self.told) <= len(told) and all(map(Told.becomes, self.told, told))

    def judge(self, told: list[Told], asked: Mapping[int, int]) -> dict[int, int]:
        """Hear the history so far; with which of its values each of the trials in `asked` ends that does not go on."""
        known, self.told = self.told, list(told)
        pruned: dict[int, int] = {}
        for number, trial in enumerate(told):
            if number >= len(known):
                self._study.add_trial(create_trial(state=TrialState.RUNNING))
            before = known[number] if number < len(known) else Told()
            if not before.finished:
                ended = self._hear(number, trial, len(before.curve), asked.get(number))
                if ended is not None:
                    pruned[number] = ended
                    self.told[number] = msgspec.structs.replace(trial, curve=trial.curve[: ended + 1])
        return pruned

    def _hear(self, number: int, trial: Told, known: int, judged: int | None) -> int | None:
        """What a trial has said since; the place of the value that it ends with, if it does not go on."""
        storage = self._study._storage
        trial_id = storage.get_trial_id_from_study_id_trial_number(self._study._study_id, number)
        for place, (step, value) in enumerate(trial.curve[known:], known):
            storage.set_trial_intermediate_value(trial_id, step, number_of(value))
            if judged is not None and place >= judged:
                if self._does_end(trial_id):
                    return place
            elif self._has_memory:
                self._pass(trial_id, is_last=trial.pruned and place == len(trial.curve) - 1)
        if trial.finished:
            storage.set_trial_state_values(trial_id, trial.state, trial.final)
        return None

    def _pass(self, trial_id: int, *, is_last: bool) -> None:
        """Have the pruner note what it notes. A trial that went on was as good as it had to be, at every rung that it had come to."""
        storage, noted = self._study._storage, -1
        while self._does_end(trial_id) and not is_last and noted < len(storage.get_trial(trial_id).system_attrs):
            noted = len(storage.get_trial(trial_id).system_attrs)

    def _does_end(self, trial_id: int) -> bool:
        return bool(self._study.pruner.prune(self._study, self._study._storage.get_trial(trial_id)))


def _has_memory(pruner: Wrapped) -> bool:
    """Whether a pruner notes something when it is asked, so that it has to be asked about every value."""
    wrapped = getattr(pruner, "patient", UNSET)
    if wrapped is not UNSET:
        return wrapped.wrapped_pruner is not UNSET and _has_memory(wrapped.wrapped_pruner)
    return pruner.named is not None and pruner.named[0] in ("asha", "hyperband")


class Judgings:
    """The last studies, so that each is told only what is new."""

    def __init__(self) -> None:
        self._kept: dict[bytes, Judging] = {}

    def judge(self, about: str, tune: Tune, told: list[Told], asked: Mapping[int, int]) -> dict[int, int]:
        """Which trials do not go on, and with which of their values they end. Raises Impossible."""
        key = msgspec.json.encode([about, tune], order="sorted")
        judging = self._kept.pop(key, None)
        if judging is None or not judging.is_before(told, asked):
            judging = Judging(tune, told)
        self._kept[key] = judging
        while len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
        return judging.judge(told, asked)
