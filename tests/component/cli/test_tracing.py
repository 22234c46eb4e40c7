"""`lineage`, `diff`, `export` and `reproduce` on runs of this machine and through the gateway."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml
from mlworkflow.core.observation import Result
from mlworkflow.store.layout import AttemptKey
from mlworkflow.store.records import Record

from tests.builders import write_record
from tests.component.cli.conftest import Remote, Shell
from tests.component.cli.fake_cluster import NAMESPACE
from tests.component.cli.test_cluster_runs import STEPS, status

Step = Callable[..., dict[str, Any]]


def chain(mlwf: Shell, sh: Step, name: str = "w", **spec: Any) -> str:
    steps = [
        sh("make", 'echo "$MLWF_PARAM_SEED" > "$MLWF_OUT/x"', outputs={"x": {}}, params={"seed": "${{ params.seed }}"}),
        sh("use", 'mkdir "$MLWF_OUT/d"; cat "$MLWF_IN/x" > "$MLWF_OUT/d/same"; cat "$EXTRA" > "$MLWF_OUT/d/zz"',
           inputs={"x": {"from": "make.x"}}, outputs={"d": {}}, env=[{"name": "EXTRA", "value": str(mlwf.folder / "extra")}]),
    ]  # fmt: skip
    (mlwf.folder / "extra").write_text("one\n")
    return mlwf.write(name, steps, params={"seed": 7}, **spec)


def test_lineage_of_local_runs_back_and_forth_also_of_one_that_is_gone(mlwf: Shell, sh: Step) -> None:
    file = chain(mlwf, sh)
    mlwf("run", file, "-q")
    digests = {one["name"]: one["digest"] for one in mlwf.json("artifacts", "w")}
    mlwf("delete", "w")
    told = mlwf("lineage", "w.1/use.d", "--svg", "w.svg")
    assert told.startswith(f"{digests['d'][:19]} use.d (directory, ")
    assert "└── x: " in told
    assert "made by w.1 make (container)" in told
    assert "params: seed=7" in told
    ElementTree.parse(mlwf.folder / "w.svg")
    found = mlwf.json("lineage", digests["x"].removeprefix("sha256:")[:12])
    assert found["digest"] == digests["x"]
    assert [(arrow["kind"], arrow["name"]) for arrow in found["arrows"]] == [
        ("made", "x"),
        ("used", "x"),
        ("made", "d"),
    ]
    assert {step["run"] for step in found["steps"]} == {"w.1"}
    assert mlwf("lineage", "w/make.x", "-o", "dot").startswith("digraph")
    assert "no record knows sha256:ffff" in mlwf("lineage", "ffff", code=1)
    assert "there is no local run 'nope'" in mlwf("lineage", "nope/make.x", code=1)


def test_diff_names_what_differs_and_nothing_else(mlwf: Shell, sh: Step) -> None:
    file = chain(mlwf, sh)
    for seed in ("7", "8", "8"):
        mlwf("run", file, "-q", "-p", f"seed={seed}")
    found = mlwf.json("diff", "w.1", "w.2")
    assert not found["same"]
    assert [(one["kind"], one["where"]) for one in found["differences"]] == [
        ("param", "seed"), ("param", "make.seed"), ("input", "use.x"), ("output", "make.x"), ("output", "use.d")]  # fmt: skip
    assert mlwf("diff", "w.2", "w.3") == "w.2 and w.3 do not differ\n"
    assert mlwf("diff", "w.1", "w.2").splitlines()[0].split() == ["WHAT", "WHERE", "w.1", "w.2"]


def test_a_run_that_is_reproduced_is_the_same_bit_by_bit(mlwf: Shell, sh: Step) -> None:
    mlwf("run", chain(mlwf, sh), "-q", "-p", "seed=9")
    mlwf("delete", "w")
    found = mlwf.json("reproduce", "w.1")
    assert (found["identical"], found["run"], found["again"], found["compared"], found["differences"]) == (
        True,
        "w.1",
        "w.2",
        2,
        [],
    )
    assert mlwf("reproduce", "w.1", "-q") == "w.1 was reproduced as w.3: 2 outputs, each of them the same bit by bit\n"


def test_a_recipe_is_run_elsewhere_to_the_same_artifacts(mlwf: Shell, sh: Step, tmp_path: Path) -> None:
    mlwf("run", chain(mlwf, sh), "-q", "-p", "seed=9")
    recipe = mlwf.folder / "recipe.yaml"
    recipe.write_text(mlwf("export", "w"))
    kept = yaml.safe_load(recipe.read_text())
    assert (kept.keys(), kept["metadata"]) == ({"apiVersion", "kind", "metadata", "spec"}, {"name": "w"})
    elsewhere = Shell(tmp_path / "elsewhere", mlwf.environ)
    elsewhere.folder.mkdir()
    elsewhere("run", str(recipe), "-q")
    found = [
        {step["name"]: step["artifacts"] for step in shell.json("get", "w")["status"]["steps"]}
        for shell in (mlwf, elsewhere)
    ]
    assert found[0] == found[1]
    assert elsewhere("export", "w") == recipe.read_text()


def test_the_first_difference_is_named_down_to_the_file(mlwf: Shell, sh: Step) -> None:
    mlwf("run", chain(mlwf, sh), "-q")
    (mlwf.folder / "extra").write_text("two\n")
    found = mlwf.json("reproduce", "w", code=1)
    (difference,) = found["differences"]
    assert (difference["kind"], difference["where"]) == ("output", "use.d")
    assert difference["left"] != difference["right"]
    assert found["file"] == "zz (its content or mode)"
    out, _ = mlwf.both("reproduce", "w.1", "-q", code=1)
    assert out.splitlines()[0] == "w.1 was not reproduced by w.3: of 2 outputs 1 differ"
    assert "the first file that differs: zz" in out
    (mlwf.folder / "extra").unlink()
    broken = mlwf.json("reproduce", "w.1", code=1)
    assert [(one["kind"], one["where"]) for one in broken["differences"]] == [("phase", "of the run"), ("step", "use")]


async def test_lineage_and_diff_of_a_cluster_come_through_the_gateway(remote: Remote) -> None:
    here = remote.cluster
    data, model = here.keep(b"data"), here.keep(b"model")
    for name, seed in (("v", 1), ("w", 2)):
        here.put(name, status("Succeeded"), steps=STEPS, params={"seed": seed})
        record = Record(exit_code=0, workflow=name, step="train", task="train", attempt=0, kind="train", image="i", image_digest=f"sha256:{'f' * 64}",
                        inputs={"train": data.digest}, outputs={"model": model}, params={"seed": seed})  # fmt: skip
        write_record(here.store, AttemptKey(NAMESPACE, f"uid-{name}", "train", 0), record)
    found = await remote.json("lineage", data.digest[:20])
    assert [artifact["outside"] for artifact in found["artifacts"]] == [True, False]
    assert {step["run"] for step in found["steps"]} == {"v", "w"}
    assert "(from outside)" in await remote("lineage", "v/train.model")
    differences = (await remote.json("diff", "v", "w"))["differences"]
    assert [(one["where"], one["left"], one["right"]) for one in differences] == [("seed", 1, 2), ("train.seed", 1, 2)]
    here.remove("v")
    assert (await remote.json("lineage", data.digest[:20]))["steps"] == found["steps"]


async def test_a_workflow_is_reproduced_in_its_cluster(remote: Remote) -> None:
    here = remote.cluster
    model = here.keep(b"model")
    ended = status("Succeeded", attempts=1)
    here.put("w", ended, steps=STEPS)
    here.record("w", "train", Result(exit_code=0, outputs={"model": model}))
    process = remote.shell.start("reproduce", "w", "-o", "json", "-q")
    await asyncio.wait_for(here.watched.wait(), 60)
    (again,) = [name for name in here.workflows if name != "w"]
    assert again.startswith("w-again-")
    assert here.workflows[again]["spec"]["defaults"]["cache"] == {"enabled": False}
    here.record(again, "train", Result(exit_code=0, outputs={"model": here.keep(b"other")}))
    here.put(again, ended)
    out, err = await asyncio.to_thread(process.communicate, timeout=60)
    assert process.returncode == 1, err
    found = json.loads(out)
    assert [(one["where"], one["left"]) for one in found["differences"]] == [("train.model", model.digest)]


async def test_one_whose_image_cannot_be_had_by_its_digest_is_stopped_and_told(remote: Remote) -> None:
    here = remote.cluster
    here.put("w", status("Succeeded"), steps=STEPS)
    process = remote.shell.start("reproduce", "w", "-q")
    await asyncio.wait_for(here.watched.wait(), 60)
    (again,) = [name for name in here.workflows if name != "w"]
    here.put(again, status("Running", reason="ImagePullBackOff", message="no such image"))
    _, err = await asyncio.to_thread(process.communicate, timeout=60)
    assert "train: ImagePullBackOff: no such image" in err
    assert "mlwf reproduce --no-pin" in err
    assert here.workflows[again]["spec"]["cancel"] is True
