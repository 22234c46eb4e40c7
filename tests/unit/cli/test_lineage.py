"""Lineage from records alone: who made the bytes that somebody used, past groups, fan-outs and the cache, and who used them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from mlworkflow.runs.errors import RunsError
from mlworkflow.runs.lineage.book import Act, Book
from mlworkflow.runs.lineage.dot import dot
from mlworkflow.runs.lineage.graph import Graph, lineage
from mlworkflow.runs.lineage.svg import svg
from mlworkflow.runs.lineage.tree import text


def digest(name: str) -> str:
    return "sha256:" + (name.encode().hex() + "0" * 64)[:64]


def act(
    task: str, at: float, inputs: dict[str, str] | None = None, outputs: dict[str, str] | None = None, uid: str = "u1",
    attempt: int = 0, **fields: Any,
) -> Act:  # fmt: skip
    """An act from `at` to half a second later; values of inputs and outputs are names of digests."""
    left = {name: {"digest": digest(one), "size": 3, "type": "file"} for name, one in (outputs or {}).items()}
    record = {"kind": "container", "inputs": {name: digest(one) for name, one in (inputs or {}).items()}, "outputs": left,
              "startedAt": at, "finishedAt": at + 0.5, "exitCode": 0, **fields}  # fmt: skip
    return Act(uid, {"u1": "w.1", "u2": "w.2"}[uid], task, attempt, record)


CHAIN = [
    act("prep", 1, {"raw": "raw"}, {"train": "a"}, params={"seed": 7}),
    act("train", 2, {"train": "a"}, {"model": "m"}, code="sha256:c0de"),
    act("evaluate", 3, {"model": "m", "train": "a"}, {"report": "r"}),
]


def ways(graph: Graph) -> set[tuple[str, str, str]]:
    short = {digest(name): name for name in ("raw", "a", "m", "r", "z", "all", "p0", "p1")}
    return {
        (short.get(arrow.source, arrow.source), short.get(arrow.target, arrow.target), arrow.kind)
        for arrow in graph.arrows
    }


def test_back_to_what_came_from_outside_and_forward_to_every_user() -> None:
    graph = lineage(Book.of(CHAIN), digest("m"))
    assert ways(graph) == {
        ("raw", "u1/prep/0", "used"), ("u1/prep/0", "a", "made"), ("a", "u1/train/0", "used"), ("u1/train/0", "m", "made"),
        ("m", "u1/evaluate/0", "used"), ("u1/evaluate/0", "r", "made"),
    }  # fmt: skip
    assert graph.outside == {digest("raw")}
    plain = graph.plain()
    assert [(one["task"], one.get("params"), one.get("code")) for one in plain["steps"]] == [
        ("train", None, "sha256:c0de"), ("prep", {"seed": 7}, None), ("evaluate", None, None)]  # fmt: skip
    assert {one["digest"]: one["name"] for one in plain["artifacts"]}[digest("a")] == "prep.train"


def test_the_same_bytes_that_were_made_twice_are_those_of_the_user_s_own_run_and_before_it() -> None:
    other = [act("prep", 0.1, {"raw": "raw"}, {"train": "a"}, uid="u2")]
    copies = act("copy", 5, {"train": "a"}, {"train": "a"})  # leaves the bytes that it was given
    book = Book.of([*other, *CHAIN, copies])
    assert lineage(book, digest("m")).makers[digest("a"), "u1/train/0"] == "u1/prep/0"
    assert lineage(book, digest("a"), copies).makers == {
        (digest("a"), ""): "u1/copy/0",
        (digest("a"), "u1/copy/0"): "u1/prep/0",
    }
    assert "made by w.1 prep (container)" in text(lineage(book, digest("a"), copies))


def test_an_input_that_names_its_step_has_it_from_there_whoever_else_left_the_same() -> None:
    trial = act("tune/2", 1.6, {"train": "a"}, {"model": "m"})
    told = act("evaluate", 3, {"model": "m"}, {"report": "r"}, sources={"model": ["nobody.model", "train.model"]})
    inner = act("g/1.use", 4, {"model": "m"}, {"z": "z"}, sources={"model": ["train.model"]})
    book = Book.of([*CHAIN[:2], trial, told, inner])
    assert lineage(book, digest("r")).makers[digest("m"), "u1/evaluate/0"] == "u1/train/0"
    assert lineage(book, digest("z")).makers[digest("m"), "u1/g/1.use/0"] == "u1/train/0"


def test_a_cached_result_leads_to_the_run_that_made_it() -> None:
    cached = act("train", 9, {"train": "a"}, {"model": "m"}, uid="u2", cachedFrom="u1/train/0")
    graph = lineage(Book.of([*CHAIN, cached]), digest("m"), cached)
    assert ("u1/train/0", "u2/train/0", "cached") in ways(graph)
    assert ("u1/prep/0", "a", "made") in ways(graph)
    assert "made by w.2 train (container), cached\n│   └── whose result is that of w.1 train (container)" in text(graph)


def test_what_a_group_passes_on_is_of_the_step_in_it_and_a_collection_of_all_its_items() -> None:
    inside = [act("g.inner", 1, {"raw": "raw"}, {"z": "z"}), act("g", 1.6, None, {"zz": "z"}, kind="steps")]
    items = [act(f"s/{n}", 2 + n, {"z": "z"}, {"part": f"p{n}"}) for n in range(2)]
    fan = act("s", 6, None, {"part": "all"})
    use = act("use", 7, {"parts": "all"}, {"r": "r"})
    book = Book.of([*inside, *items, fan, use])
    back = ways(lineage(book, digest("r")))
    assert {("u1/s/0/0", "u1/s/0", "part"), ("u1/s/1/0", "u1/s/0", "part"), ("z", "u1/s/1/0", "used"),
            ("u1/g.inner/0", "z", "made"), ("raw", "u1/g.inner/0", "used")} <= back  # fmt: skip
    group = next(one for one in inside if one.task == "g")
    assert ("u1/g.inner/0", "u1/g/0", "part") in ways(lineage(book, digest("z"), group))
    assert ("u1/use/0", "r", "made") in ways(lineage(book, digest("p0"))), "an item goes where its collection goes"


def test_a_digest_may_be_cut_short_where_that_is_one() -> None:
    book = Book.of([*CHAIN, act("log", 4, None, {}, logs={"digest": digest("log"), "size": 1})])
    assert book.find(digest("raw")[:14]) == digest("raw")
    assert book.find(digest("m").removeprefix("sha256:")) == digest("m")
    assert book.find(digest("log")) == digest("log")
    graph = lineage(book, digest("log"))
    assert "made by w.1 log (container)" in text(graph)
    for wrong, said in (("xyz", "is no digest"), ("sha256:ffff", "no record knows"), ("ab", "is no digest")):
        with pytest.raises(RunsError, match=said):
            book.find(wrong)
    twins = Book.of([act("a", 1, None, {"x": "twin-1", "y": "twin-2"})])
    with pytest.raises(RunsError, match="begins 2 digests"):
        twins.find(digest("twin-")[:14])


def test_an_output_by_its_name_is_that_of_the_last_success() -> None:
    again = act("train", 8, {"train": "a"}, {"model": "z"}, attempt=1)
    failed = act("train", 9, {"train": "a"}, {"model": "p0"}, attempt=2, exitCode=1)
    book = Book.of([*CHAIN, again, failed])
    assert book.output("u1", "w.1", "train", "model") == (digest("z"), again)
    with pytest.raises(RunsError, match="train left no 'nope'"):
        book.output("u1", "w.1", "train", "nope")
    with pytest.raises(RunsError, match="no result of 'nope' is kept"):
        book.output("u1", "w.1", "nope", "model")


def test_the_picture_has_everything_from_left_to_right_and_nothing_on_top_of_another() -> None:
    graph = lineage(Book.of(CHAIN), digest("m"))
    root = ElementTree.fromstring(svg(graph))
    space = "{http://www.w3.org/2000/svg}"
    boxes = {group.find(f"{space}title").text: group.find(f"{space}rect").attrib for group in root.iter(f"{space}g")}  # type: ignore[union-attr]
    assert boxes.keys() == {*graph.artifacts, *graph.acts}
    for arrow in graph.arrows:
        assert float(boxes[arrow.source]["x"]) + float(boxes[arrow.source]["width"]) < float(boxes[arrow.target]["x"])
    columns: dict[str, list[tuple[float, float]]] = {}
    for box in boxes.values():
        columns.setdefault(box["x"], []).append((float(box["y"]), float(box["y"]) + float(box["height"])))
    for spans in columns.values():
        assert all(before[1] <= after[0] for before, after in pairwise(sorted(spans)))


def test_what_runs_in_circles_is_drawn_too() -> None:
    graph = lineage(Book.of([act("prep", 1, None, {"x": "a"}), act("copy", 2, {"x": "a"}, {"y": "a"})]), digest("a"))
    ElementTree.fromstring(svg(graph))
    assert "…above" in text(graph) or "copy" in text(graph)


def test_dot_names_each_node_and_arrow_once() -> None:
    graph = lineage(Book.of([act('odd"name', 1, None, {"x": "a"})]), digest("a"))
    assert dot(graph).splitlines()[0] == "digraph lineage {"
    assert r"odd\"name" in dot(graph)
    assert dot(graph).count("->") == len(graph.arrows)
