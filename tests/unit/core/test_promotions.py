"""Models by name in a workflow: as inputs, and as what a step makes of a model."""

from __future__ import annotations

from typing import Any

import pytest
from mlworkflow.core.actions import LookUp, Promote
from mlworkflow.core.errors import SpecError
from mlworkflow.core.observation import Result
from mlworkflow.core.origins import Origin
from mlworkflow.core.references import name_of
from mlworkflow.core.state import Phase

from tests.builders import WorkflowBuilder, a_workflow, artifact
from tests.unit.core.play import Play

SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
CHAMPION = {"model": "bikes@champion"}
REFERENCE = name_of(Origin(**CHAMPION))


def taking(reference: dict[str, Any] = CHAMPION, **fields: Any) -> WorkflowBuilder:
    return a_workflow().step("use", inputs={"m": {"from": reference, **fields}})


def retraining(body: dict[str, Any] | None = None) -> WorkflowBuilder:
    """A model that is judged beside the champion, and promoted if that succeeds."""
    compared = {"champion": {"from": CHAMPION, "optional": True}}
    return (
        a_workflow()
        .step("train", outputs="model")
        .step("judge", inputs={"model": "train.model", **compared})
        .kind("promote", "promote", body or {"model": "bikes"}, inputs={"model": "train.model"}, after=["judge"])
    )


def looked_up(play: Play, digest: str = "") -> Play:
    """The reference is answered, or there is none such."""
    (asked,) = play.asked(LookUp)
    found = {"parameters": {"digest": digest, "version": 1}, "outputs": {"data": artifact("old")}} if digest else {}
    play.results[asked.task, asked.attempt] = Result(0, fingerprint=asked.fingerprint, **found)
    return play


def to_the_end(play: Play, digest: str = "") -> Play:
    return looked_up(play.turn(), digest).turn().succeeds("train").turn().succeeds("judge").turn()


@pytest.mark.parametrize("version", ["champion", "3", f"sha256:{SHA}"])
def test_a_model_is_looked_up_once_and_without_a_pod(version: str) -> None:
    play = Play(taking({"model": f"bikes@{version}"})).turn()
    (asked,) = play.asked(LookUp)
    assert (play.started, asked.name, asked.version, asked.is_optional) == ([], "bikes", version, False)
    looked_up(play, f"sha256:{SHA}").turn()
    assert play.orders[0].inputs == {"m": artifact("old")}
    play.fails("use").turn()
    play.asks_again().turn()
    assert play.orders[0].inputs == {"m": artifact("old")}
    assert play.asked(LookUp) == []


def test_one_that_is_optional_may_not_exist_yet() -> None:
    play = looked_up(Play(taking(optional=True)).turn()).turn()
    assert play.orders[0].inputs == {}


def test_who_cannot_do_without_it_is_enough_for_it_to_have_to_exist() -> None:
    for first, second in ((True, False), (False, True)):
        builder = taking(optional=first).step("too", inputs={"m": {"from": CHAMPION, "optional": second}})
        (asked,) = Play(builder).turn().asked(LookUp)
        assert not asked.is_optional


def test_it_is_asked_for_when_what_it_comes_after_has_succeeded() -> None:
    play = looked_up(Play(retraining()).turn(), f"sha256:{SHA}").turn().succeeds("train").turn()
    assert play.asked(Promote) == []
    play.succeeds("judge").turn()
    (asked,) = play.asked(Promote)
    assert play.started == []
    assert (asked.task, asked.name, asked.alias, asked.inputs) == (
        "promote",
        "bikes",
        "champion",
        {"model": artifact("train.model")},
    )


def test_what_a_gate_has_rejected_is_not_promoted() -> None:
    play = looked_up(Play(retraining()).turn(), f"sha256:{SHA}").turn().succeeds("train").turn()
    play.fails("judge", "GateFailed", "accuracy is below that of the champion").turn()
    assert play.is_("promote", Phase.SKIPPED, "DependencyFailed")
    assert play.asked(Promote) == []


@pytest.mark.parametrize(
    ("body", "digest", "expected"),
    [
        ({}, f"sha256:{SHA}", f"sha256:{SHA}"),
        ({}, "", "none"),
        ({"expect": "any"}, f"sha256:{SHA}", "any"),
        ({"expect": "7"}, f"sha256:{SHA}", "7"),
        ({"alias": "challenger"}, f"sha256:{SHA}", ""),
        ({"model": "cars"}, f"sha256:{SHA}", ""),
    ],
)
def test_an_alias_has_to_mean_what_the_run_took_it_for(body: dict[str, Any], digest: str, expected: str) -> None:
    (asked,) = to_the_end(Play(retraining({"model": "bikes", **body})), digest).asked(Promote)
    assert asked.expect == expected


def test_it_waits_until_it_is_known_what_the_run_took_its_alias_for() -> None:
    steps = a_workflow().step("train", outputs="model").step("use", inputs={"m": {"from": CHAMPION, "optional": True}})
    play = Play(steps.kind("promote", "promote", {"model": "bikes"}, inputs={"model": "train.model"})).turn()
    asked = play.decision
    play.succeeds("train").turn()
    assert play.asked(Promote) == []
    play.decision = asked
    looked_up(play, f"sha256:{SHA}").turn()
    assert [one.expect for one in play.asked(Promote)] == [f"sha256:{SHA}"]


def test_expressions_say_what_is_promoted_and_why() -> None:
    body = {
        "model": "${{ params.name }}",
        "alias": "v${{ params.major }}",
        "message": "${{ params.major }}",
        "expect": "${{ 2 + 1 }}",
    }
    builder = retraining(body).having(params={"name": "cars", "major": 2})
    (asked,) = to_the_end(Play(builder)).asked(Promote)
    assert (asked.name, asked.alias, asked.message, asked.expect) == ("cars", "v2", "2", "3")
    assert asked.step.body == {"model": "cars", "alias": "v2", "message": "2", "expect": "3"}


def test_names_that_turn_out_to_be_none_fail_the_step_and_name_the_field() -> None:
    play = to_the_end(Play(retraining({"model": "bikes", "alias": "${{ params.a }}"}).param("a", "The Best"))).turn()
    assert play.is_("promote", Phase.FAILED, "ExpressionError")
    assert play.task("promote").message.startswith("promote.alias: 'The Best' is no alias")


def test_who_was_overtaken_is_not_tried_again_and_changes_nothing() -> None:
    builder = retraining().having(defaults={"retry": {"limit": 5}})
    play = to_the_end(Play(builder), f"sha256:{SHA}").fails("promote", "AliasMoved", "means version 4: bob").turn()
    assert play.is_("promote", Phase.FAILED, "AliasMoved")


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"promote": {"model": "Bikes"}}, "spec.steps[0].promote.model: 'Bikes' is no name of a model"),
        ({"promote": {"model": "bikes", "alias": "3"}}, "spec.steps[0].promote.alias: '3' is no alias"),
        ({"promote": {"model": "b", "expect": "champion"}}, "spec.steps[0].promote.expect: 'champion' is `any`, `none`"),
        ({"promote": {"model": "b"}, "inputs": {}}, "spec.steps[0].inputs.model: a promote step needs the input 'model'"),
        ({"model": {"name": "bikes"}}, "spec.steps[0].model.name: is NAME@ALIAS, NAME@3 or NAME@sha256:"),
    ],
)  # fmt: skip
def test_mistakes_name_the_field(step: dict[str, Any], words: str) -> None:
    given = {"name": "x", **({"inputs": {"model": {"from": "train.model"}}} if "promote" in step else {}), **step}
    with pytest.raises(SpecError) as error:
        a_workflow().raw(given).step("train", outputs="model").plan()
    assert str(error.value.problems[0]).startswith(words)


@pytest.mark.parametrize("text", ["bikes", "bikes@", "bikes@0", "bikes@Champion", "@champion", "bikes@sha256:12"])
def test_a_reference_says_which_version(text: str) -> None:
    with pytest.raises(SpecError) as error:
        taking({"model": text}).plan()
    (problem,) = error.value.problems
    assert str(problem).startswith("spec.steps[0].inputs.m.from.model: is NAME@ALIAS, NAME@3 or NAME@sha256:")


def test_a_trial_promotes_nothing() -> None:
    builder = a_workflow().step("train", outputs="model")
    builder = builder.tune("t", {"x": [1, 2]}, trial={"promote": {"model": "b"}}, inputs={"model": "train.model"})
    with pytest.raises(SpecError, match="a trial cannot be a promote step itself"):
        builder.plan()
