"""Steps that wait for a person: which they are, what they ask, and the answer. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET

from mlworkflow.core import paths
from mlworkflow.core.kinds.approve import Approve, Question, accepts
from mlworkflow.core.model import EXITS
from mlworkflow.core.spec_fields import Approval
from mlworkflow.core.state import Phase
from mlworkflow.runs.errors import RunsError, Usage
from mlworkflow.runs.params import parse_assignments, text_of
from mlworkflow.runs.run import Run

Ask = Callable[[str, Question], str | None]
"""Asks a person for an input; None where nobody can be asked."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A task that waits for a decision."""

    task: str
    attempt: int
    message: str
    questions: Mapping[str, Question]

    @property
    def needed(self) -> list[str]:
        """The inputs that have no default."""
        return [name for name, question in self.questions.items() if question.default is UNSET]


def waiting(run: Run) -> list[Waiting]:
    """Every task that waits for a decision."""
    found: list[Waiting] = []
    asking = set(_approvals((run.resource.get("spec") or {}).get("steps"))) | _approvals_at_exit(run)
    if not asking:
        return found
    for task in [*run.steps, *(run.status.get("tasks") or [])]:
        if task.get("phase") != Phase.RUNNING or paths.segments(task["name"])[-1].step not in asking:
            continue
        if (body := _question(run, task["name"])) is not None:
            attempt = max(0, int(task.get("attempts") or 0) - 1)
            found.append(Waiting(task["name"], attempt, str(task.get("message") or ""), body.inputs))
    return found


def find(run: Run, task: str) -> Waiting:
    """The one of them that is called this. Raises RunsError that names those that wait."""
    those = {each.task: each for each in waiting(run)}
    if task in those:
        return those[task]
    if run.phase.is_finished:
        raise RunsError(f"{run.id} is over: {run.phase}", "mlwf retry runs steps again")
    run.task(task)  # whether there is one
    kind = "waits for no approval now" if _question(run, task) is not None else "is no step that waits for approval"
    raise RunsError(f"{run.id}: '{task}' {kind}", f"those that wait: {', '.join(those) or 'none'}")


def answer(
    asked: Waiting, by: str, *, approved: bool, comment: str, given: Sequence[str], ask: Ask | None = None
) -> dict[str, Any]:
    """What `spec.approvals` gets. Raises Usage for inputs that are not what is asked for; `ask` is asked for those that are missing."""
    values = _values(asked, given, ask) if approved else {}
    if not approved and given:
        raise Usage("a step that is rejected takes no inputs", "leave out -p, or --reject")
    decision = {"approved": approved, "by": by, "comment": comment, "inputs": values, "attempt": asked.attempt}
    try:
        msgspec.convert(decision, Approval)
    except msgspec.ValidationError as error:
        raise Usage(f"this cannot be written down: {error}", "mlwf approve --help shows what can") from None
    return decision


def patch(run: Run, asked: Waiting, decision: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch of the spec that sets this decision, and nothing else; inputs of an earlier one go."""
    before = (run.resource["spec"].get("approvals") or {}).get(asked.task) or {}
    gone = {name: None for name in before.get("inputs") or {} if name not in decision["inputs"]}
    return {"approvals": {asked.task: {**decision, "inputs": {**gone, **decision["inputs"]}}}}


def _values(asked: Waiting, given: Sequence[str], ask: Ask | None) -> dict[str, Any]:
    values = parse_assignments(given)
    for name, value in values.items():
        if name not in asked.questions:
            known = ", ".join(asked.questions) or "nothing"
            raise Usage(f"-p {name}: '{asked.task}' does not ask for '{name}'", f"it asks for: {known}")
        if asked.questions[name].type == "string" and not isinstance(value, str):
            values[name] = text_of(given, name)
        if problem := _problem(asked.questions[name], values[name]):
            raise Usage(
                f"-p {name}: {values[name]!r} {problem}",
                f"'{asked.task}' asks for: {kind_of(asked.questions[name])}",
            )
    for name, question in asked.questions.items():
        if name in values or question.default is not UNSET:
            continue
        values[name] = _asked_for(asked, name, question, ask)
    return values


def _asked_for(asked: Waiting, name: str, question: Question, ask: Ask | None) -> Any:
    while ask and (text := ask(name, question)) is not None:
        value = parse_assignments([f"{name}={text}"])[name]
        value = text if question.type == "string" else value
        if not _problem(question, value):
            return value
    described = f" ({question.description})" if question.description else ""
    raise Usage(
        f"'{asked.task}' asks for '{name}'{described}, {_kind(question)}",
        f"give it with -p {name}=…; it needs: {', '.join(asked.needed)}",
    )


def kind_of(question: Question) -> str:
    """What an answer has to be, in words."""
    return f"one of {', '.join(map(str, question.enum))}" if question.enum else str(question.type)


def _problem(question: Question, value: Any) -> str:
    if _holds_null(value):
        return "holds a null, which cannot be written down"
    return accepts(question, value)


def _holds_null(value: Any) -> bool:
    """Whether a merge patch would take part of a value for a removal."""
    return value is None or (isinstance(value, dict) and any(map(_holds_null, value.values())))


def _kind(question: Question) -> str:
    return f"one of {', '.join(map(str, question.enum))}" if question.enum else f"of type {question.type}"


def _approvals(steps: Any) -> Iterator[str]:
    """The names of the steps that ask, also in groups: thousands of others are not looked for one by one."""
    for step in steps or []:
        if "approve" in step:
            yield str(step.get("name"))
        yield from _approvals(step.get("steps"))


def _approvals_at_exit(run: Run) -> set[str]:
    lists = (run.resource.get("spec") or {}).get("onExit") or {}
    return {name for when in EXITS for name in _approvals(lists.get(when))}


def _question(run: Run, task: str) -> Approve | None:
    """What an approve step asks; None for any other task, and for a fan of them as a whole."""
    segments = paths.segments(task)
    spec = run.resource.get("spec") or {}
    lists = [spec.get("steps"), *((spec.get("onExit") or {}).get(when) for when in EXITS)]
    steps = [step for those in lists for step in those or []]
    step: Mapping[str, Any] = {}
    for segment in segments:
        step = next((one for one in steps if one.get("name") == segment.step), {})
        steps = step.get("steps") or []
    if "approve" not in step or len(segments[-1].numbers) != ("forEach" in step):
        return None
    return msgspec.convert(step["approve"] or {}, Approve)
