"""YAML as kubectl reads it, and where things are in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mlworkflow.runs.documents import BadFile, Document, read, workflows
from mlworkflow.runs.errors import Usage


def document(tmp_path: Path, text: str) -> Document:
    file = tmp_path / "w.yaml"
    file.write_text(text)
    [found] = read(str(file))
    return found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1.0e-3", 0.001),
        ("+12e03", 12000.0),
        (".5", 0.5),
        ("10", 10),
        ("1_000", 1000),
        ("0x1F", 31),
        ("0o17", 15),
        ("2024-01-01", "2024-01-01"),
        ("1:30", "1:30"),
        ("1.2.3", "1.2.3"),
        ("1e", "1e"),
        ("-", "-"),
        ("=", "="),
        ("yes", True),
        ("~", None),
        ("'1e-3'", "1e-3"),
    ],
)
def test_scalars_are_read_as_kubectl_reads_them(tmp_path: Path, text: str, value: Any) -> None:
    if text == "-":
        text = "'-'"
    found = document(tmp_path, f"a: {text}\n").resource["a"]
    assert found == value
    assert type(found) is type(value)


def test_keys_become_text(tmp_path: Path) -> None:
    assert document(tmp_path, "2: a\ntrue: b\n1.5: c\n").resource == {"2": "a", "true": "b", "1.5": "c"}


def test_anchors_and_merges(tmp_path: Path) -> None:
    found = document(tmp_path, "base: &base {a: 1, b: 2}\nmore:\n  <<: *base\n  b: 3\n")
    assert found.resource["more"] == {"a": 1, "b": 3}
    assert found.line("more.b") == 4
    assert found.line("more.a") == 1, "where it is written"
    assert found.duplicates == ()


LINES = """\
# a comment
spec:
  params:
    a.b: 1
    a: {b: 2}
  steps:
    - name: one
      container:
        image: x
    -
      name: two
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("spec", 2),
        ("spec.params.a.b", 4),
        ("spec.params.a", 5),
        ("spec.steps[0]", 7),
        ("spec.steps[0].container.image", 9),
        ("spec.steps[0].container.missing.deep", 8),
        ("spec.steps[1].name", 11),
        ("spec.steps[7].name", 6),
        ("metadata.name", 2),
        ("", 2),
    ],
)
def test_the_line_of_a_field_or_of_what_is_there_of_it(tmp_path: Path, path: str, line: int) -> None:
    assert document(tmp_path, LINES).line(path) == line


def test_a_key_that_is_there_twice_is_found(tmp_path: Path) -> None:
    assert document(tmp_path, "a: 1\nb:\n  c: 1\n  c: 2\n").duplicates == ((4, "the key 'c' is in line 3 too"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\nb: 2\n", r"w\.yaml:2: not YAML"),
        ("a: *nowhere\n", r"w\.yaml:1: not YAML.*undefined alias"),
        ("- a\n", "a workflow is a map"),
        ("a: .nan\n", "a: nan is not a JSON value"),
        ("a: {b: [!!binary aGk=]}\n", r"a\.b\[0\].*not a JSON value"),
        ("a: !!python/object:os.system {}\n", "could not determine a constructor"),
        ("a: &a [*a]\n", "alias within its own anchor"),
        ("a: \x01\n", "not YAML"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadFile, match=message):
        document(tmp_path, text)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_bytes(b"a: \xff\xfe\n")
    with pytest.raises(BadFile, match="not YAML"):
        read(str(tmp_path / "w.yaml"))


def test_other_objects_in_a_file_are_passed_over_and_empty_documents_too(tmp_path: Path) -> None:
    file = tmp_path / "w.yaml"
    file.write_text("---\n---\napiVersion: v1\nkind: Secret\n---\nkind: MLWorkflow\nmetadata: {name: w}\n---\n# end\n")
    assert [found.name for found in workflows(str(file))] == ["w"]
    file.write_text("apiVersion: v1\nkind: Secret\n")
    with pytest.raises(Usage, match="no MLWorkflow"):
        workflows(str(file))
