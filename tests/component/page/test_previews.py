"""What steps have left, looked at: by the bytes, whatever it is called."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from tests.component.page.conftest import Page

CODE = r"""
import json, os, pathlib
import pyarrow as pa, pyarrow.parquet as pq
out, rows = pathlib.Path(os.environ["MLWF_OUT"]), 1000
numbers = [float("nan"), *map(float, range(1, rows))]
words, some, deep = ["ab"[i % 2] for i in range(rows)], [None, *range(1, rows)], [[i] for i in range(rows)]
pq.write_table(pa.table({"n": numbers, "word": words, "some": some, "deep": deep}), out / "data", row_group_size=100)
(out / "scores").write_text("a;b\n" + "".join(f"{i};x\n" for i in range(300)))
(out / "facts").write_text(json.dumps({"big": [1, 2], "nan": float("nan")}))
(out / "picture").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
(out / "notes").write_text("\n".join(f"line {i}" for i in range(5000)))
(out / "blob").write_bytes(bytes(range(256)) * 4)
(out / "broken").write_bytes(b"PAR1 but no table")
(out / "tree" / "inner").mkdir(parents=True)
(out / "tree" / "inner" / "page.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
(out / "tree" / "link").symlink_to("inner/page.svg")
"""
FILES = ("data", "scores", "facts", "picture", "notes", "blob", "broken")


def container(*command: str) -> dict[str, Any]:
    return {"image": "none", "command": [*command]}


STEPS = [
    {"name": "leave", "container": container(sys.executable, "-c", CODE), "outputs": {**{name: {} for name in FILES}, "tree": {"type": "directory"}}},
    {"name": "each", "forEach": [1, 2], "container": container("sh", "-c", "echo {} > $MLWF_OUT/one"), "outputs": {"one": {}}},
    {"name": "all", "inputs": {"ones": {"from": "each.one"}}, "container": container("true")},
]  # fmt: skip
RESOURCE = {
    "apiVersion": "mlworkflow.io/v1alpha1",
    "kind": "MLWorkflow",
    "metadata": {"name": "shown"},
    "spec": {"steps": STEPS},
}


@pytest.fixture(scope="module")
def left(page: Page) -> dict[str, dict[str, Any]]:
    run = page.submit(json.dumps(RESOURCE))
    assert page.ended(run) == "Succeeded", page.get("run", run=run)["failures"]
    rows = page.get("run/artifacts", run=run)["rows"]
    return {row["name"]: {"digest": row["digest"], "type": row["type"], "name": row["name"]} for row in rows}


def test_a_table_in_pages_with_what_its_columns_hold(page: Page, left: dict[str, Any]) -> None:
    body = page.get("artifact", **left["data"], offset=150, limit=3)["body"]
    assert (body["kind"], body["format"], body["total"], body["lookedAt"]) == ("table", "parquet", 1000, 1000)
    assert body["rows"] == [[150.0, "a", 150, "[150]"], [151.0, "b", 151, "[151]"], [152.0, "a", 152, "[152]"]]
    stats = {column["name"]: column["stats"] for column in body["columns"]}
    assert (stats["n"]["nulls"], stats["n"]["min"], stats["n"]["max"], stats["n"]["mean"]) == (1, 1.0, 999.0, 500.0)
    assert sum(stats["n"]["histogram"]) == 999
    assert (stats["word"]["distinct"], sorted(stats["word"]["top"])) == (2, [["a", 500], ["b", 500]])
    assert stats["some"]["nulls"] == 1


def test_text_with_columns_is_a_table_too(page: Page, left: dict[str, Any]) -> None:
    body = page.get("artifact", **left["scores"], offset=298)["body"]
    assert (body["kind"], body["format"], body["rows"], body["total"]) == (
        "table",
        "csv",
        [[298, "x"], [299, "x"]],
        300,
    )


def test_json_text_images_and_what_is_none_of_them(page: Page, left: dict[str, Any]) -> None:
    assert page.get("artifact", **left["facts"])["body"] == {"kind": "json", "value": {"big": [1, 2], "nan": "NaN"}}
    notes = page.get("artifact", **left["notes"], offset=4990, limit=5)["body"]
    assert (notes["text"].splitlines(), notes["hasMore"]) == ([f"line {number}" for number in range(4990, 4995)], True)
    picture = page.get("artifact", **left["picture"])["body"]
    assert picture["mediaType"] == "image/png"
    said = page.fetch(picture["url"])
    assert (said.headers["content-type"], said.body[:4]) == ("image/png", b"\x89PNG")
    blob = page.get("artifact", **left["blob"])["body"]
    assert (blob["kind"], blob["head"][:6]) == ("binary", "000102")
    broken = page.get("artifact", **left["broken"])["body"]
    assert broken["kind"] == "binary"
    assert "cannot be read as parquet" in broken["why"]


def test_a_directory_is_a_list_and_its_files_are_previews(page: Page, left: dict[str, Any]) -> None:
    body = page.get("artifact", **left["tree"])["body"]
    assert [(entry["path"], entry["type"]) for entry in body["entries"]] == [
        ("inner", "directory"),
        ("inner/page.svg", "file"),
        ("link", "link"),
    ]
    assert page.get("artifact", **left["tree"], path="inner/page.svg")["body"]["kind"] == "html"  # it may hold scripts
    assert page.ask("artifact", **left["tree"], path="link").status == 404
    assert page.ask("artifact", **left["tree"], path="../x").status == 404
    saved = page.ask("artifact/download", **left["tree"])
    assert "tree.tar" in saved.headers["content-disposition"]


def test_a_collection_is_a_list_of_what_each_item_left(page: Page, left: dict[str, Any]) -> None:
    one = left["one"]
    assert one["type"] == "collection"
    body = page.get("artifact", **one)["body"]
    assert [(entry["path"], entry["type"]) for entry in body["entries"]] == [("0000", "file"), ("0001", "file")]
    assert page.get("artifact", **one, path="0001")["body"] == {"kind": "json", "value": {}}
    assert page.ask("artifact", **one, path="0007").status == 404


def test_what_nobody_has_is_not_there(page: Page) -> None:
    assert page.ask("artifact", digest=f"sha256:{'0' * 64}").status == 404
    assert page.ask("artifact/download", digest=f"sha256:{'0' * 64}").status == 404
