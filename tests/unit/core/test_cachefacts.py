"""What a result follows from: what makes a difference, what makes none, and what is not known."""

from __future__ import annotations

from typing import Any

import pytest
from mlworkflow.core.cachefacts import Identity, difference, digest_of, facts_of
from mlworkflow.core.state import Phase, Task

from tests.builders import WorkflowBuilder, a_workflow, artifact, order_of

A, B = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
CACHE = {"enabled": True}
TRAIN = {"estimator": "sklearn.svm.SVC", "seed": 7}


def facts(builder: WorkflowBuilder, identity: Identity | None = None, content: str = "x", task: str = "s") -> Any:
    left = Task(Phase.SUCCEEDED, artifacts={"o": artifact(content)}, parameters={"n": 3})
    return facts_of(order_of(builder, task, {"before": left}), identity or Identity(A))


def a_step(**fields: Any) -> WorkflowBuilder:
    fields = {"inputs": {"i": "before.o"}, "outputs": "o", "cache": CACHE, **fields}
    return a_workflow().step("before", outputs="o n:number").step("s", **fields)


@pytest.mark.parametrize(
    "other",
    [
        a_step(retry={"limit": 3}, resources={"requests": {"cpu": 2}}, timeout="1h", labels={"team": "x"}),
        a_step(when="${{ true }}", after=["before"], allowFailure=True, nodeSelector={"gpu": "yes"}),
        a_step().meta(uid="uid-2", name="another"),
        a_step(cache={"enabled": True, "maxAge": "7h"}),
    ],
    ids=["how it runs", "when and where", "another workflow", "age"],
)
def test_what_makes_no_difference(other: WorkflowBuilder) -> None:
    assert digest_of(facts(other)) == digest_of(facts(a_step()))


@pytest.mark.parametrize(
    ("other", "field"),
    [
        (a_step(command=["other"]), "container.command"),
        (a_step(params={"p": 1}), "params.p"),
        (a_step(params={"p": "${{ steps.before.outputs.n }}"}), "params.p"),
        (a_step(env=[{"name": "E", "value": "v"}]), "env.E"),
        (a_step(outputs="o p:number"), "outputs.p"),
        (a_step(outputs="o?"), "outputs.o"),
        (a_step(cache={**CACHE, "salt": "2"}), "salt"),
    ],
)
def test_what_makes_a_difference_is_named(other: WorkflowBuilder, field: str) -> None:
    assert [line.partition(": ")[0] for line in difference(facts(a_step()), facts(other))] == [field]
    assert digest_of(facts(other)) != digest_of(facts(a_step()))


def test_the_content_of_an_input_makes_a_difference_and_its_place_makes_none() -> None:
    assert difference(facts(a_step()), facts(a_step(), content="y")) == ["inputs.i: file sha256:x → file sha256:y"]
    moved = (
        a_workflow().step("before", outputs="o n:number").step("s", inputs={"i": "before.o"}, outputs="o", cache=CACHE)
    )
    assert facts(moved) == facts(a_step())


def test_the_digest_of_the_image_counts_and_not_its_name() -> None:
    renamed = a_workflow().step("before", outputs="o n:number").kind(
        "s", "container", {"image": "mirror/image:2", "command": ["run"]}, inputs={"i": "before.o"}, outputs="o", cache=CACHE
    )  # fmt: skip
    assert digest_of(facts(renamed)) == digest_of(facts(a_step()))
    assert difference(facts(a_step()), facts(a_step(), Identity(B))) == [f"image: {A} → {B}"]


def test_of_a_built_in_kind_the_code_counts_wherever_it_comes_from() -> None:
    builder = a_workflow().step("before", outputs="o n:number").kind("s", "train", TRAIN, inputs={"train": "before.o"})
    on_a_laptop, in_a_cluster = facts(builder, Identity(code=B)), facts(builder, Identity(A, B))
    assert digest_of(on_a_laptop) == digest_of(in_a_cluster)
    assert difference(on_a_laptop, facts(builder, Identity(code=A))) == [f"code: {B} → {A}"]
    open_to_others = facts(builder, Identity(A, B, is_open=True))
    assert difference(on_a_laptop, open_to_others) == [f"image: nothing → {A}"]


def test_an_optional_library_counts_for_the_steps_that_name_it() -> None:
    def of(estimator: str, *libraries: str) -> Any:
        body = {"estimator": estimator}
        builder = a_workflow().step("before", outputs="o").kind("s", "train", body, inputs={"train": "before.o"})
        return facts(builder, Identity(code=" ".join([A, *libraries])))

    forest, boosted = "sklearn.ensemble.RandomForestClassifier", "lightgbm.LGBMClassifier"
    assert of(forest, "lightgbm=lightgbm-4.6.0", "onnx=onnx-1.17") == of(forest)
    assert of(boosted, "lightgbm=lightgbm-4.6.0", "onnx=onnx-1.17") == of(boosted, "lightgbm=lightgbm-4.6.0")
    assert difference(of(boosted, "lightgbm=lightgbm-4.6.0"), of(boosted, "lightgbm=lightgbm-4.7.0"))


def test_what_is_not_known_is_said() -> None:
    assert facts(a_step(), Identity(unknown="no registry answers")) == "no registry answers"
    assert isinstance(facts(a_step(cache={**CACHE, "salt": "1"}), Identity(unknown="no registry answers")), str)
    prep = {"source": {"url": "http://x/t.csv"}, "target": "t"}
    said = facts(a_workflow().kind("s", "prep", prep), Identity(code=A))
    assert said == "prep.source.url stands for what is not known before the step runs; cache.salt can vouch for it"
    volumes = [{"name": "data", "hostPath": {"path": "/data"}}]
    assert "volumes" in facts(a_step(volumes=volumes))
    assert "podTemplate" in facts(a_step(podTemplate={"spec": {"hostNetwork": True}}))


def test_a_salt_vouches_for_what_is_not_known() -> None:
    local = Identity(unknown="a command has no digest", may_vouch=True)
    assert facts(a_step(), local) == "a command has no digest"
    vouched = facts(a_step(cache={**CACHE, "salt": "1"}), local)
    assert difference(vouched, facts(a_step(cache={**CACHE, "salt": "2"}), local)) == ["salt: 1 → 2"]
    prep = {"source": {"url": "http://x/t.csv"}, "target": "t"}
    assert (
        facts(a_workflow().kind("s", "prep", prep, cache={"salt": "november"}), Identity(code=A))["salt"] == "november"
    )


def test_long_values_are_cut_where_a_difference_is_told() -> None:
    (line,) = difference({"params": {"p": "a" * 500}}, {"params": {"p": "b"}})
    assert len(line) < 120
    assert line.endswith("… → b")
