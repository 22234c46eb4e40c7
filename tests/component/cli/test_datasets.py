"""`mlwf dataset`, and runs that take datasets and addresses."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.component.cli.conftest import Shell
from tests.component.scripted import http, scripted

Sh = Callable[..., dict[str, Any]]


def sha(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def shows(sh: Sh, **reference: Any) -> dict[str, Any]:
    """A step that passes its input on."""
    copy = sh("look", 'cp -R "$MLWF_IN/data" "$MLWF_OUT/copy"', outputs={"copy": {}})
    return {**copy, "inputs": {"data": {"from": reference}}}


def test_a_file_becomes_a_dataset_and_the_input_of_a_step(mlwf: Shell, sh: Sh) -> None:
    (mlwf.folder / "bikes.csv").write_bytes(b"one")
    assert mlwf("dataset", "add", "bikes", "bikes.csv") == f"bikes@{sha(b'one')}\n"
    file = mlwf.write("w", [shows(sh, dataset="bikes")])
    first = mlwf.json("run", file, "-q")
    (mlwf.folder / "bikes.csv").write_bytes(b"two")
    mlwf("dataset", "add", "bikes", "bikes.csv")
    second = mlwf.json("run", file, "-q")
    left = [run["status"]["steps"][-1]["artifacts"]["copy"]["digest"] for run in (first, second)]
    assert left == [sha(b"one"), sha(b"two")]
    named = [run["status"]["steps"][0]["outputs"]["digest"] for run in (first, second)]
    assert named == left
    pinned = mlwf.write("p", [shows(sh, dataset=f"bikes@{sha(b'one')}")])
    assert mlwf.json("run", pinned, "-q")["status"]["steps"][-1]["artifacts"]["copy"]["digest"] == sha(b"one")
    assert [version["digest"] for version in mlwf.json("dataset", "show", "bikes")] == [sha(b"two"), sha(b"one")]
    assert [one["name"] for one in mlwf.json("dataset", "list")] == ["bikes"]


def test_a_version_that_is_removed_is_forgotten_and_runs_keep_what_they_have(mlwf: Shell, sh: Sh) -> None:
    for content in (b"one", b"two"):
        (mlwf.folder / "x").write_bytes(content)
        mlwf("dataset", "add", "bikes", "x")
    file = mlwf.write("w", [shows(sh, dataset="bikes")])
    mlwf("run", file, "-q")
    assert "'bikes' has 2 versions: name one" in mlwf("dataset", "remove", "bikes", code=2)
    assert mlwf("dataset", "remove", f"bikes@{sha(b'two')}") == f"removed bikes@{sha(b'two')}\n"
    assert [version["digest"] for version in mlwf.json("dataset", "show", "bikes")] == [sha(b"one")]
    assert "has no version" in mlwf("dataset", "remove", f"bikes@{sha(b'two')}", code=1)
    mlwf("gc", "--grace", "0s")
    mlwf("download", "w", "look.copy", "copy")
    assert (mlwf.folder / "copy").read_bytes() == b"two"
    assert [one["digest"] for one in mlwf.json("dataset", "remove", "bikes")] == [sha(b"one")]
    assert "there is no dataset 'bikes'" in mlwf("dataset", "remove", "bikes", code=1)
    assert mlwf.json("dataset", "list") == []


def test_a_run_goes_on_with_what_it_began_with(mlwf: Shell, sh: Sh) -> None:
    (mlwf.folder / "x").write_bytes(b"one")
    mlwf("dataset", "add", "bikes", "x")
    broken = {**shows(sh, dataset="bikes"), "name": "look"}
    broken["container"] = {
        "command": ["sh", "-ec", f'test -e {mlwf.folder}/mended; cp "$MLWF_IN/data" "$MLWF_OUT/copy"']
    }
    file = mlwf.write("w", [broken])
    mlwf("run", file, "-q", code=1)
    (mlwf.folder / "x").write_bytes(b"two")
    mlwf("dataset", "add", "bikes", "x")
    (mlwf.folder / "mended").touch()
    run = mlwf.json("retry", "w", "-q")
    assert run["status"]["steps"][-1]["artifacts"]["copy"]["digest"] == sha(b"one")


def test_a_directory_and_the_output_of_a_run_have_the_same_digest(mlwf: Shell, sh: Sh) -> None:
    folder = mlwf.folder / "d"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/x").write_text("x")
    os.symlink("deep/x", folder / "link")
    added = mlwf.json("dataset", "add", "d", "d")
    assert added["type"] == "directory"
    mlwf("run", mlwf.write("w", [shows(sh, dataset="d")]), "-q")
    named = mlwf.json("dataset", "add", "copy", "w", "look.copy")
    assert (named["digest"], named["type"]) == (added["digest"], "directory")
    assert named["source"].startswith("w.1 look.copy (")


def test_what_an_address_has_is_fetched_by_who_adds_it(mlwf: Shell) -> None:
    with scripted(http(200, b"far", "Connection: close")) as (url, _):
        added = mlwf.json("dataset", "add", "far", f"{url}/x?sig=hush")
    assert (added["digest"], added["source"]) == (sha(b"far"), f"{url}/x")
    with scripted(http(404, b"", "Connection: close")) as (url, _):
        assert "404" in mlwf("dataset", "add", "far", f"{url}/x", code=1)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("show", "nope"), 1, "there is no dataset 'nope'"),
        (("add", "Bikes", "x"), 2, "'Bikes' is no name of a dataset"),
        (("add", "bikes", "nowhere"), 1, "nowhere: there is no such file or directory"),
        (("add", "bikes", "nowhere", "a.b"), 1, "there is no local run 'nowhere'"),
    ],
)
def test_mistakes_are_told(mlwf: Shell, words: tuple[str, ...], code: int, said: str) -> None:
    assert said in mlwf("dataset", *words, code=code)


def test_a_run_without_its_dataset_fails_and_says_which_there_are(mlwf: Shell, sh: Sh) -> None:
    (mlwf.folder / "x").write_bytes(b"one")
    mlwf("dataset", "add", "bikes", "x")
    run = mlwf.json("run", mlwf.write("w", [shows(sh, dataset="cars")]), "-q", code=1)
    assert (
        "spec.steps[0].inputs.data.from.dataset: there is no dataset 'cars' in the namespace local; there are: bikes"
        in run["status"]["message"]
    )


def test_an_address_is_fetched_once_for_all_who_name_it_and_pinned_never_again(mlwf: Shell, sh: Sh) -> None:
    data = os.urandom(1000)
    steps = [{**shows(sh, http="${{ params.url }}", sha256=sha(data)), "name": name} for name in ("a", "b")]
    with scripted(http(200, data, 'ETag: "7"', "Connection: close")) as (url, heads):
        file = mlwf.write("w", steps, params={"url": f"{url}/bikes.csv"})
        runs = [mlwf.json("run", file, "-q") for _ in range(2)]
        assert len(heads) == 1
    for run in runs:
        fetched, *others = run["status"]["steps"]
        assert fetched["outputs"]["etag"] == '"7"'
        assert [step["artifacts"]["copy"]["digest"] for step in others] == [sha(data)] * 2
    assert [run["status"]["steps"][0].get("cached", False) for run in runs] == [False, True]


def test_what_is_not_pinned_is_fetched_by_every_run_and_told_of(mlwf: Shell, sh: Sh) -> None:
    answers = [http(200, text, "Connection: close") for text in (b"one", b"two")]
    with scripted(*answers) as (url, _):
        file = mlwf.write("w", [shows(sh, http=f"{url}/x")])
        assert "spec.steps[0].inputs.data.from.http: is not pinned" in mlwf("lint", file)
        left = [mlwf.json("run", file, "-q")["status"]["steps"][-1]["artifacts"]["copy"]["digest"] for _ in range(2)]
    assert left == [sha(b"one"), sha(b"two")]


def test_the_statement_of_a_run_says_where_its_data_came_from(mlwf: Shell, sh: Sh) -> None:
    (mlwf.folder / "x").write_bytes(b"one")
    mlwf("dataset", "add", "bikes", "x")
    with scripted(http(200, b"far", "Connection: close")) as (url, _):
        look = shows(sh, dataset="bikes")
        look["inputs"]["more"] = {"from": {"http": f"{url}/y"}}
        mlwf("run", mlwf.write("w", [look]), "-q")
    mlwf("verify", "w")
    (kept,) = (mlwf.folder / ".mlworkflow/store/local/runs").glob("*/provenance.json")
    said = json.loads(base64.b64decode(json.loads(kept.read_bytes())["payload"]))
    materials = {
        one.get("uri"): one.get("digest") for one in said["predicate"]["buildDefinition"]["resolvedDependencies"]
    }
    assert materials["dataset:bikes"] == {"sha256": sha(b"one")[7:]}
    assert materials[f"{url}/y"] == {"sha256": sha(b"far")[7:]}
