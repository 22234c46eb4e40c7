"""`mlwf models`, and runs that take models by name and promote them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from mlworkflow.core.observation import Result

from tests.component.cli.conftest import Remote, Shell
from tests.component.cli.fake_cluster import FakeCluster

Sh = Callable[..., dict[str, Any]]
CHAMPION = {"from": {"model": "bikes@champion"}, "optional": True}


def training(mlwf: Shell, sh: Sh, gate: str = "true", **promote: Any) -> str:
    """A workflow whose model is its parameter `seed`, with what is the champion beside it where there is one."""
    train = sh("train", 'mkdir -p "$MLWF_OUT/model" "$MLWF_OUT/params"; echo "$MLWF_PARAM_SEED" | tee "$MLWF_OUT/model/x" > "$MLWF_OUT/params/score"',
               params={"seed": "${{ params.seed }}"}, outputs={"model": {}, "score": {"type": "number"}})  # fmt: skip
    judge = sh("judge", f'cat "$MLWF_IN/champion/x" > "$MLWF_OUT/old" || echo none > "$MLWF_OUT/old"; {gate}',
               inputs={"model": {"from": "train.model"}, "champion": CHAMPION}, outputs={"old": {}})  # fmt: skip
    names = {"model": "bikes", "message": "seed ${{ params.seed }}", **promote}
    step = {"name": "promote", "after": ["judge"], "inputs": {"model": {"from": "train.model"}}, "promote": names}
    return mlwf.write("w", [train, judge, step], params={"seed": 1})


def test_a_run_promotes_what_the_next_is_compared_with(mlwf: Shell, sh: Sh) -> None:
    file = training(mlwf, sh)
    assert mlwf("models", "list") == "no models yet: mlwf models promote NAME RUN STEP.OUTPUT\n"
    runs = [mlwf.json("run", file, "-q", "-p", f"seed={seed}") for seed in (1, 2)]
    for run in runs:
        (promoted,) = [step for step in run["status"]["steps"] if step["name"] == "promote"]
        assert "pod" not in promoted
    assert promoted["outputs"] == {"version": 2, "previous": 1, "digest": promoted["outputs"]["digest"]}
    mlwf("download", "w", "judge.old", "old")
    assert (mlwf.folder / "old").read_text() == "1\n"
    shown = mlwf.json("models", "show", "bikes")
    assert (shown["aliases"], [one["metrics"] for one in shown["versions"]]) == (
        {"champion": 2},
        [{"train.score": 1.0}, {"train.score": 2.0}],
    )
    assert [move["message"] for move in shown["moves"]] == ["seed 1", "seed 2"]
    assert "champion (2)" in mlwf("models", "list")
    text = mlwf("models", "show", "bikes")
    assert "1 -> 2" in text
    assert ["METRIC", "VERSION", "2", "VERSION", "1"] in [line.split() for line in text.splitlines()]
    assert ["train.score", "2", "1"] in [line.split() for line in text.splitlines()]
    assert f"w train ({runs[1]['metadata']['uid']})" in text
    mlwf("verify", "w")


def test_what_is_rejected_never_touches_the_champion(mlwf: Shell, sh: Sh) -> None:
    mlwf("run", training(mlwf, sh), "-q")
    run = mlwf.json("run", training(mlwf, sh, gate="exit 3"), "-q", "-p", "seed=2", code=1)
    assert [step["phase"] for step in run["status"]["steps"] if step["name"] == "promote"] == ["Skipped"]
    assert mlwf.json("models", "show", "bikes")["aliases"] == {"champion": 1}


def test_a_run_that_began_with_another_champion_is_told_who_was_quicker(mlwf: Shell, sh: Sh) -> None:
    wait = f"touch {mlwf.folder}/there; while ! test -e {mlwf.folder}/go; do sleep 0.05; done"
    slow = mlwf.start("run", training(mlwf, sh, gate=wait), "-q", "-p", "seed=1")
    while not (mlwf.folder / "there").exists():
        assert slow.poll() is None
    mlwf("run", training(mlwf, sh), "-q", "-p", "seed=2")
    (mlwf.folder / "go").touch()
    out, err = slow.communicate(timeout=120)
    assert slow.returncode == 1
    assert "AliasMoved: the alias 'champion' of 'bikes' means version 1" in out + err
    assert mlwf.json("models", "show", "bikes")["aliases"] == {"champion": 1}


def test_a_person_promotes_rolls_back_and_compares(mlwf: Shell, sh: Sh) -> None:
    file = training(mlwf, sh, alias="challenger")
    for seed in (1, 2):
        mlwf("run", file, "-q", "-p", f"seed={seed}")
    assert mlwf("models", "promote", "bikes", "w.1", "train.model", "-m", "by hand").startswith("bikes@champion is version 1 (sha256:")  # fmt: skip
    assert ", and was 1" in mlwf("models", "promote", "bikes", "challenger", "--expect", "1")
    assert "means version 2" in mlwf("models", "promote", "bikes", "@1", "--expect", "1", code=1)
    back = mlwf.json("models", "rollback", "bikes", "-m", "it was worse")
    assert (back["version"], back["previous"], back["rollback"], back["message"]) == (1, 2, True, "it was worse")
    assert "has meant nothing before version 1" in mlwf("models", "rollback", "bikes", code=1)
    found = mlwf.json("models", "compare", "bikes@champion", "bikes@challenger")
    assert (found["left"], found["right"]) == ("bikes@1", "bikes@2")
    assert found["differences"][0] == {"kind": "metric", "where": "train.score", "left": 1.0, "right": 2.0}
    assert {"kind": "param", "where": "seed", "left": 1, "right": 2} in found["differences"]
    mlwf("delete", "w.1")
    assert {"kind": "param", "where": "seed", "left": 1, "right": 2} in mlwf.json("models", "compare", "bikes@1", "bikes@2")["differences"]  # fmt: skip
    mlwf("delete", "w.1", "--purge")
    told = mlwf("models", "compare", "bikes@1", "bikes@2")
    assert "the run that left bikes@1 is not kept any more" in told
    assert "seed" not in told
    mlwf("gc", "--grace", "0s")
    assert mlwf("models", "promote", "bikes", "1").startswith("bikes@champion is version 1")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("show", "nope"), 1, "there is no model 'nope'"),
        (("promote", "bikes", "3"), 1, "there is no model 'bikes' in the namespace local; there are: none yet"),
        (("promote", "bikes", "nowhere", "train.model"), 1, "there is no local run 'nowhere'"),
        (("promote", "Bikes", "3"), 2, "not a name of a model"),
        (("promote", "bikes", "3", "--alias", "3"), 1, "$.alias"),
        (("compare", "bikes", "bikes@1"), 2, "'bikes' is no version of a model"),
        (("compare", "bikes@2", "bikes@1"), 1, "there is no model 'bikes'"),
    ],
)
def test_mistakes_are_told(mlwf: Shell, words: tuple[str, ...], code: int, said: str) -> None:
    assert said in mlwf("models", *words, code=code)


async def test_a_person_promotes_in_a_namespace_and_is_told_who_was_quicker(
    remote: Remote, cluster: FakeCluster
) -> None:
    for name in ("one", "two"):
        model = cluster.keep(name.encode())
        left = {"model": {"digest": model.digest, "size": model.size, "type": "file"}}
        steps = [{"name": "train", "phase": "Succeeded", "attempts": 1, "artifacts": left}]
        cluster.put(name, {"phase": "Succeeded", "steps": steps})
        cluster.record(name, "train", Result(0, outputs={"model": model}, parameters={"score": 0.5}))
        moved = await remote.json("models", "promote", "bikes", name, "train.model", "-m", name)
    me = moved["by"]
    assert (moved["version"], moved["previous"], moved["made"]["uid"]) == (2, 1, "uid-two")
    assert f"not 1: {me} moved it there: two" in await remote(
        "models", "promote", "bikes", "1", "--expect", "1", code=1
    )
    assert (await remote.json("models", "rollback", "bikes"))["version"] == 1
    (listed,) = await remote.json("models", "list")
    assert (listed, listed["aliases"]) == (await remote.json("models", "show", "bikes"), {"champion": 1})
    found = await remote.json("models", "compare", "bikes@champion", "bikes@2")
    assert found["differences"] == []
    cluster.refused = {"/v1/write/"}
    assert "dataset-writer" in await remote("models", "rollback", "bikes", code=1)


def test_a_run_is_reproduced_with_the_champion_that_it_knew_and_promotes_nothing(mlwf: Shell, sh: Sh) -> None:
    file = training(mlwf, sh)
    for seed in (1, 2, 3):
        mlwf("run", file, "-q", "-p", f"seed={seed}")
    before = mlwf.json("models", "show", "bikes")
    for run in ("w.1", "w.2"):  # there was no champion, and there was one
        verdict = mlwf.json("reproduce", run, "-q")
        assert (verdict["identical"], verdict["differences"]) == (True, [])
    assert mlwf.json("models", "show", "bikes") == before
    found = mlwf.json("lineage", "w.2/judge.old")
    assert {step["run"] for step in found["steps"] if step["task"] == "train"} == {"w.1", "w.2"}
