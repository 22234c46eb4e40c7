"""What runs, what waits and why, of many runs at once: one line for each task that could go on by itself. Pure.

A step that waits for other steps of its workflow has no line: it is their turn. What waits comes first, the longest first.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from mlworkflow.core import graph, paths
from mlworkflow.core.duration import human
from mlworkflow.core.errors import SpecError
from mlworkflow.core.model import Workflow
from mlworkflow.core.state import Phase
from mlworkflow.core.status import moment
from mlworkflow.runs.approvals import waiting
from mlworkflow.runs.run import PodNow, Run


class Why(StrEnum):
    """What something waits for; `NOTHING`: it runs."""

    NOTHING = ""
    APPROVAL = "approval"
    BACKOFF = "backoff"
    LOCK = "lock"
    OPERATOR = "operator"
    POD = "pod"
    QUOTA = "quota"
    ROOM = "parallelism"
    SAME_WORK = "same work"
    STORE = "store"
    SUSPENDED = "suspended"


_BY_WORDS = (
    (re.compile(r"waits for room"), Why.ROOM),
    (re.compile(r"waits for the lock|waits for lock"), Why.LOCK),
    (re.compile(r"does the same work"), Why.SAME_WORK),
    (re.compile(r"^waiting to create Pods"), Why.QUOTA),
    (re.compile(r"^waiting for the (object )?store|^waiting for the gateway"), Why.STORE),
)


@dataclass(frozen=True, slots=True)
class Line:
    """`task` is empty where it is the whole workflow that waits. `seconds` since it began to run, or to wait where that is known; `cpu` in cores, `memory` in bytes."""

    namespace: str
    run: str
    task: str
    why: Why
    message: str
    seconds: float | None = None
    pod: str = ""
    node: str = ""
    cpu: float | None = None
    memory: float | None = None

    def plain(self) -> dict[str, Any]:
        return {**asdict(self), "why": str(self.why), "state": "Waiting" if self.why else "Running"}


def lines(runs: Sequence[Run], pods: Mapping[str, PodNow], now: float, flags: str = "") -> list[Line]:
    """Of all runs that have not ended. `pods` by name of the Pod."""
    found = [line for run in runs if not run.phase.is_finished for line in _of_run(run, pods, now, flags)]
    return sorted(found, key=lambda line: (not line.why, -(line.seconds or 0.0), line.namespace, line.run))


def _of_run(run: Run, pods: Mapping[str, PodNow], now: float, flags: str) -> Iterator[Line]:
    approvals = {one.task: one for one in waiting(run)}
    yield from _of_workflow(run, now, flags)
    yield from _held_back(run)
    for task in _leaves(run):
        name, phase = task["name"], task.get("phase") or Phase.PENDING
        if name in approvals:
            needed = "".join(f" -p {one}=…" for one in approvals[name].needed)
            words = f"mlwf approve {run.id} {name}{needed}{flags}"
            yield Line(run.namespace, run.id, name, Why.APPROVAL, words, _since(task, now))
        elif phase == Phase.RUNNING:
            yield _running(run, task, pods.get(task.get("pod", "")), now)
        elif phase == Phase.PENDING and (then := moment(task.get("retryAt") or "")) is not None:
            failed = ": ".join(str(task[key]).partition("\n")[0] for key in ("reason", "message") if task.get(key))
            words = f"attempt {int(task.get('attempts') or 0) + 1} in {human(max(0.0, then - now))}{f', after {failed}' if failed else ''}"
            yield Line(run.namespace, run.id, name, Why.BACKOFF, words, None)


def _of_workflow(run: Run, now: float, flags: str) -> Iterator[Line]:
    """What the workflow as a whole waits for, as its status says: one cause after the other."""
    message, begun = str(run.status.get("message") or "").partition("\n")[0], _since(run.status, now)
    if run.phase is Phase.SUSPENDED:
        yield Line(run.namespace, run.id, "", Why.SUSPENDED, f"mlwf resume {run.id}{flags}", begun)
    elif run.phase is Phase.PENDING and not run.steps:
        created = moment(run.resource["metadata"].get("creationTimestamp") or "")
        waited = None if created is None else max(0.0, now - created)
        words = message or "nobody has looked at it yet: mlwf doctor"
        yield Line(run.namespace, run.id, "", Why.OPERATOR, words, waited)
    else:
        for cause in re.split(r"; (?=step ')", message):
            if why := next((why for pattern, why in _BY_WORDS if pattern.search(cause)), None):
                yield Line(run.namespace, run.id, _named(cause), why, cause)


def _named(message: str) -> str:
    """The step that a message begins with: ``step 'train' waits for …``."""
    found = re.match(r"step '([^']+)'", message)
    return found[1] if found else ""


def _running(run: Run, task: Mapping[str, Any], pod: PodNow | None, now: float) -> Line:
    message, why = str(task.get("message") or "").partition("\n")[0], Why.NOTHING
    if pod and pod.waits:
        message, why = pod.waits, Why.POD
    elif message.startswith("waiting for the "):
        why = Why.STORE
    known = (pod.name, pod.node, pod.cpu, pod.memory) if pod else (str(task.get("pod") or ""), "", None, None)
    if pod and not task.get("startedAt"):  # another's turn: what the Pod uses is its use
        known = (pod.name, pod.node, None, None)
    return Line(run.namespace, run.id, task["name"], why, message, _since(task, now), *known)


def _leaves(run: Run) -> Iterator[Mapping[str, Any]]:
    """Every task that runs something itself, or will; those of a step at any depth."""
    for task in run.known.values():
        if not run.is_composed(task["name"]) and _is_of_now(run, task["name"]):
            yield task


def _is_of_now(run: Run, name: str) -> bool:
    """Not a task of an earlier try of its group."""
    above = paths.parent(name)
    return above is None or not Phase(run.known.get(above, {}).get("phase") or Phase.PENDING).is_finished


def _since(status: Mapping[str, Any], now: float) -> float | None:
    started = moment(status.get("startedAt") or "")
    return None if started is None else max(0.0, now - started)


def _held_back(run: Run) -> Iterator[Line]:
    """What its own `parallelism` keeps from starting: one line for all of it, at the first. The status does not say it, because the user has asked for it."""
    limit = (run.resource.get("spec") or {}).get("parallelism")
    leaves = list(_leaves(run))
    running = [task for task in leaves if task.get("phase") == Phase.RUNNING and task.get("pod")]
    if run.phase is not Phase.RUNNING or limit is None or len(running) < limit:
        return
    needs = _needs(run)
    ready = [task["name"] for task in leaves if _is_ready(run, task, needs)]
    if ready:
        others = f" (and {len(ready) - 1} more tasks wait)" if len(ready) > 1 else ""
        words = f"as many Pods run as its parallelism says: {limit}{others}"
        yield Line(run.namespace, run.id, ready[0], Why.ROOM, words)


def _is_ready(run: Run, task: Mapping[str, Any], needs: Mapping[str, Collection[str]]) -> bool:
    """Whether a task waits for no other: an item or a trial of what runs, or a step whose turn it is."""
    if (task.get("phase") or Phase.PENDING) != Phase.PENDING or task.get("retryAt"):
        return False
    if above := paths.parent(task["name"]):
        return str(run.known.get(above, {}).get("phase")) == Phase.RUNNING
    before = (run.known.get(name, {}).get("phase") or Phase.PENDING for name in needs.get(task["name"], ()))
    return all(Phase(phase).is_finished for phase in before)


def _needs(run: Run) -> Mapping[str, Collection[str]]:
    """Of each step those that it waits for; nothing where this release cannot read the spec."""
    try:
        return graph.build(Workflow.parse(run.resource)).main.needs
    except SpecError:
        return {}
