"""What the trials of a workflow have said of their metric on the way, where a pruner may stop them by it.

Nothing of it is the only copy: a trial that has ended has its values in its record, and one that runs sends them again when it hears that they are
not known here (any more). What it then says it has been answered before is not decided upon a second time. Callers: `engine`, `runs`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from mlworkflow.core import paths
from mlworkflow.core.nodes import Nodes
from mlworkflow.core.observation import AttemptId, Curve, Result, Values
from mlworkflow.core.study import deciding_metric
from mlworkflow.gateway.runs import Batch, Point

MOST = 10_000
"""Values of a trial that are kept; later ones are not looked at."""


class Curves:
    """Of one workflow, whose `nodes` an edit may change; `shown` is by the trial's attempt, and `tell` hears of each that changes."""

    def __init__(self, nodes: Callable[[], Nodes], tell: Callable[[AttemptId], None] = lambda trial: None) -> None:
        self._nodes = nodes
        self._tell = tell
        self._sent: dict[AttemptId, int] = {}  # points of any name, by the attempt that sent them
        self._overheard: dict[AttemptId, int] = {}  # numbers in its log
        self._posted: set[AttemptId] = set()  # trials that say their values themselves
        self.shown: dict[AttemptId, Curve] = {}

    def load(self, results: Mapping[AttemptId, Result]) -> None:
        """Take what records say."""
        for attempt, result in results.items():
            if result.curve and (trial := self.trial_of(attempt)) and len(result.curve) > len(self.of(trial).values):
                self._show(trial, Curve(result.curve, len(result.curve)))

    def of(self, trial: AttemptId) -> Curve:
        return self.shown.get(trial, _NONE)

    def trial_of(self, attempt: AttemptId) -> AttemptId | None:
        """The trial whose values an attempt may send, itself or part of it; None where nothing is stopped by them."""
        task = attempt[0]
        node = self._nodes().get(task)
        trial = node.whole_trial if node else None
        if trial is None or not trial.owner.body.get("pruner"):
            return None
        if trial.task == task:
            return attempt
        level = trial.task.count(".")
        return trial.task, paths.segments(task)[level].again

    def note(self, attempt: AttemptId, trial: AttemptId, batch: Batch) -> bool:
        """Take what an attempt sends, each point once; false where what it sent before is not known here."""
        sent = self._sent.get(attempt, 0)
        first = sent if batch.first is None else batch.first
        if first > sent:
            return False
        metric = deciding_metric(self._nodes()[trial[0]].owner.body)
        new = [
            (place, point) for place, point in enumerate(batch.metrics[sent - first :], sent) if point.name == metric
        ]
        if new:
            self._posted.add(trial)
        self._take(trial, new, batch.heard)
        self._sent[attempt] = max(sent, first + len(batch.metrics))
        return True

    def overhear(self, attempt: AttemptId, numbers: Sequence[float | None], first: int, heard: int) -> None:
        """Take what an attempt has printed, where its trial says nothing itself: `first` numbers were before these, the first `heard` of all are not
        to be judged.
        """
        trial = self.trial_of(attempt)
        if trial is None or trial in self._posted:
            return
        known = self._overheard.get(attempt, 0)
        new = [(place, Point("", value)) for place, value in enumerate(numbers, first) if place >= known]
        self._take(trial, new, heard)
        self._overheard[attempt] = max(known, first + len(numbers))

    def _take(self, trial: AttemptId, points: Iterable[tuple[int, Point]], heard: int) -> None:
        curve = self.of(trial)
        values, judged = list(curve.values), curve.judged
        steps = {step for step, _ in values}
        for place, point in points:
            step = _step(point, values[-1][0] if values else 0)
            if step is not None and step not in steps and len(values) < MOST:
                values.append((step, point.value))
                steps.add(step)
                if place < heard:
                    judged = len(values)
        self._show(trial, Curve(tuple(values), judged))

    def judged(self, trial: AttemptId, up_to: int) -> None:
        """It has been decided by the first `up_to` values of a trial whether it goes on."""
        curve = self.of(trial)
        self._show(trial, Curve(curve.values, max(curve.judged, up_to)))

    def replace(self, trial: AttemptId, values: Values) -> None:
        """A trial has ended, with these values in its record: what came after the one that ended it, in the same breath, is left out."""
        self._show(trial, Curve(values, len(values)))

    def _show(self, trial: AttemptId, curve: Curve) -> None:
        self.shown[trial] = curve
        self._tell(trial)

    def forget(self, attempts: Iterable[AttemptId]) -> None:
        """Drop the counts of attempts that send nothing any more."""
        for attempt in attempts:
            self._sent.pop(attempt, None)
            self._overheard.pop(attempt, None)


def _step(point: Point, before: int) -> int | None:
    """The step of a value: a whole number, or the next one where it names none."""
    if point.step is None:
        return before + 1
    return int(point.step) if point.step >= 0 and point.step % 1 == 0 else None


_NONE = Curve()
