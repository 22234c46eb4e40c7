"""What differs between two runs: each difference once, and nothing else."""

from __future__ import annotations

from typing import Any

from mlworkflow.runs.comparing import Difference, Side, compare, plain, text
from mlworkflow.runs.reproducing import resource
from mlworkflow.runs.run import Run

D1, D2 = ("sha256:" + letter * 64 for letter in "ab")


def side(id_: str, records: dict[str, Any], phase: str = "Succeeded", **spec: Any) -> Side:
    spec = {
        "params": {"seed": 7, "deep": {"a": 1}},
        "steps": [{"name": "one", "train": {"estimator": "x"}}, {"name": "two"}],
        **spec,
    }
    about = {"apiVersion": "mlworkflow.io/v1alpha1", "kind": "MLWorkflow"}
    return Side(
        Run(id_, {**about, "metadata": {"name": "w", "uid": id_}, "spec": spec, "status": {"phase": phase}}), records
    )


def record(**fields: Any) -> dict[str, Any]:
    return {"inputs": {"x": D1}, "outputs": {"y": {"digest": D1, "size": 1, "type": "file"}}, "image": "i:1",
            "imageDigest": D1, "code": D1, "params": {"p": 1}, "metrics": {"m": 0.5}, "finishedAt": 1.0, **fields}  # fmt: skip


def test_runs_that_are_the_same_do_not_differ() -> None:
    left, right = (
        side("a", {"one": record()}),
        side("b", {"one": record(startedAt=99, finishedAt=100, logs={"digest": D2})}),
    )
    assert compare(left, right) == []
    assert plain(left, right, []) == {"left": "a", "right": "b", "same": True, "differences": []}
    assert text(left, right, []) == "a and b do not differ"


def test_each_difference_is_named_where_it_is() -> None:
    changed = record(inputs={"x": D2}, outputs={"y": {"digest": D2}}, imageDigest=D2, code=D2, params={"p": True}, metrics={"m": 0.6},
                     parameters={"n": 1})  # fmt: skip
    steps = [{"name": "new"}, {"name": "one", "train": {"estimator": "z"}, "timeout": "1h"}]
    left = side("a", {"one": record(), "two": record()})
    right = side(
        "b", {"one": changed}, "Failed", params={"seed": 8, "deep": {"a": 1, "b": 2}}, steps=steps, failFast=True
    )
    assert [(one.kind, one.where, one.left, one.right) for one in compare(left, right)] == [
        ("phase", "", "Succeeded", "Failed"),
        ("param", "deep.b", None, 2),
        ("param", "seed", 7, 8),
        ("spec", "failFast", None, True),
        ("spec", "steps.new", None, {}),
        ("spec", "steps.one.timeout", None, "1h"),
        ("spec", "steps.one.train.estimator", "x", "z"),
        ("spec", "steps.two", {}, None),
        ("step", "two", "Succeeded", None),
        ("param", "one.p", 1, True),
        ("input", "one.x", D1, D2),
        ("image", "one (digest)", D1, D2),
        ("code", "one", D1, D2),
        ("output", "one.y", D1, D2),
        ("output", "one.n", None, 1),
        ("metric", "one.m", 0.5, 0.6),
    ]
    assert text(left, right, [Difference("output", "one.y", D1, None)]).splitlines()[1].split() == [
        "output",
        "one.y",
        D1[:19],
        "-",
    ]


def test_a_result_of_the_cache_does_not_say_what_ran_and_that_is_no_difference() -> None:
    assert (
        compare(
            side("a", {"one": record()}),
            side("b", {"one": record(image="", imageDigest="", code="", cachedFrom="u/one/0")}),
        )
        == []
    )


def test_a_run_is_asked_for_again_cold_and_with_the_images_that_it_had() -> None:
    tune = {"name": "tune", "tune": {"step": {"container": {"image": "i:1"}}}, "cache": {"enabled": True}}
    group = {
        "name": "g",
        "forEach": {"range": 2},
        "steps": [{"name": "in", "image": "i:1", "container": {"command": ["c"]}}],
    }
    plain_ = {"name": "c", "container": {"image": "i:1@sha256:old"}, "onSuccess": [{"url": "https://x"}]}
    steps = [tune, group, plain_, {"name": "built", "train": {}}]
    ran = {name: {"image": "i:1", "imageDigest": D1} for name in ("tune/0", "g/1.in", "c")} | {
        "built": {"image": "", "imageDigest": D2}
    }
    run = side("a", {}, steps=steps, rerun={"id": "x"}, cancel=True, ttl="0s", defaults={"image": "d"})
    made = resource(run, "w-again", ran, pin=True)
    spec = made["spec"]
    pinned = f"i:1@{D1}"
    assert spec["steps"][0]["tune"]["step"]["container"]["image"] == pinned
    assert spec["steps"][1]["steps"][0]["image"] == pinned
    assert spec["steps"][2] == {"name": "c", "container": {"image": pinned}}
    assert spec["steps"][3] == {"name": "built", "train": {}}
    assert spec["defaults"] == {"image": "d", "cache": {"enabled": False}}
    assert (made["metadata"], "rerun" in spec, "cancel" in spec, "ttl" in spec) == (
        {"name": "w-again"},
        False,
        False,
        False,
    )
    assert "cache" not in spec["steps"][0]
    assert resource(run, "w", ran, pin=False)["spec"]["steps"][2]["container"]["image"] == "i:1@sha256:old"
