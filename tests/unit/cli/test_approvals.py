"""Answers to approve steps: which wait, what fits, what is written."""

from __future__ import annotations

from typing import Any

import pytest
from mlworkflow.core.kinds.approve import Question
from mlworkflow.runs import approvals
from mlworkflow.runs.approvals import Ask, Waiting
from mlworkflow.runs.errors import RunsError, Usage
from mlworkflow.runs.run import Run

QUESTIONS = {
    "share": Question(type="number", description="of the traffic"),
    "tag": Question(default="v1"),
    "where": Question(default="eu", enum=["eu", "us"]),
    "extra": Question(type="json", default={}),
}
ASKED = Waiting("ship", 2, "waits for approval", QUESTIONS)


def values(*given: str, ask: Ask | None = None) -> Any:
    return approvals.answer(ASKED, "ann", approved=True, comment="", given=given, ask=ask)["inputs"]


@pytest.mark.parametrize(
    ("given", "inputs"),
    [
        (["share=1"], {"share": 1}),
        (["share=0.5", "tag=1.0"], {"share": 0.5, "tag": "1.0"}),
        (["share=1", 'tag="x"'], {"share": 1, "tag": "x"}),
        (["share=1", "where=us", "extra=[null, 1]"], {"share": 1, "where": "us", "extra": [None, 1]}),
    ],
)
def test_what_fits(given: list[str], inputs: dict[str, Any]) -> None:
    assert values(*given) == inputs


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], "asks for 'share' (of the traffic), of type number"),
        (["share=true"], "is not of type number"),
        (["share=1", "where=de"], "is none of 'eu', 'us'"),
        (["share=1", "extra=null"], "holds a null"),
        (["share=1", 'extra={"a": {"b": null}}'], "holds a null"),
        (["share=1", "other=1"], "does not ask for 'other'"),
        (["share"], "given as name=value"),
    ],
)
def test_what_does_not_fit_is_told(given: list[str], told: str) -> None:
    with pytest.raises(Usage, match=told.replace("(", r"\(").replace(")", r"\)")):
        values(*given)


def test_a_person_is_asked_until_the_answer_fits_and_only_for_what_is_missing() -> None:
    said = iter(["lots", "", "0.25"])
    names: list[str] = []

    def ask(name: str, question: Question) -> str:
        names.append(name)
        return next(said)

    assert values("tag=2", ask=ask) == {"share": 0.25, "tag": "2"}
    assert names == ["share"] * 3


def test_a_no_takes_no_inputs_and_says_of_which_attempt_it_is() -> None:
    answered = approvals.answer(ASKED, "ann", approved=False, comment="no", given=[])
    assert answered == {"approved": False, "by": "ann", "comment": "no", "inputs": {}, "attempt": 2}
    with pytest.raises(Usage, match="takes no inputs"):
        approvals.answer(ASKED, "ann", approved=False, comment="", given=["share=1"])
    with pytest.raises(Usage, match="cannot be written down"):
        approvals.answer(ASKED, "ann", approved=False, comment="x" * 5000, given=[])


APPROVE: dict[str, Any] = {"approve": {"message": "ok?"}}
SPEC = {
    "steps": [
        {"name": "plain", **APPROVE},
        {"name": "each", "forEach": {"items": [1]}, **APPROVE},
        {"name": "group", "forEach": {"items": [1]}, "steps": [{"name": "inner", **APPROVE}, {"name": "work"}]},
        {"name": "work", "container": {}},
    ],
    "onExit": {"always": [{"name": "end", **APPROVE}]},
}


@pytest.mark.parametrize(
    ("task", "waits"),
    [
        ("plain", True), ("each", False), ("each/0", True), ("group", False), ("group/0", False), ("group/0.inner", True),
        ("group~1/0.inner", True), ("group/0.work", False), ("work", False), ("end", True), ("gone", False), ("work/3", False),
    ],
)  # fmt: skip
def test_which_tasks_wait(task: str, waits: bool) -> None:
    def run(phase: str) -> Run:
        status = {"phase": "Running", "steps": [], "tasks": [{"name": task, "phase": phase, "attempts": 1}]}
        return Run("w", {"metadata": {"name": "w", "uid": "u"}, "spec": SPEC, "status": status})

    assert [one.task for one in approvals.waiting(run("Running"))] == ([task] if waits else [])
    assert approvals.waiting(run("Succeeded")) == []
    with pytest.raises(RunsError):
        approvals.find(run("Succeeded"), task)
