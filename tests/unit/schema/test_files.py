"""The generated files are those of this checkout, and the command that writes them says when they are not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from mlworkflow.core.kinds import KINDS, Kind
from mlworkflow.core.parsing import parse_step
from mlworkflow.schema.crd import crd
from mlworkflow.schema.files import generated, stale, write
from mlworkflow.schema.reference import reference_page
from mlworkflow.schema.yaml_text import to_yaml

ROOT = Path(__file__).parents[3]
CRD = "crds/mlworkflows.mlworkflow.io.yaml"


def test_the_files_of_this_checkout_are_current() -> None:
    assert stale(ROOT) == [], "run `make crds`"


def test_writing_is_idempotent_and_names_what_it_wrote(tmp_path: Path) -> None:
    assert write(tmp_path) == list(generated())
    assert write(tmp_path) == []
    (tmp_path / CRD).write_text("old")
    assert write(tmp_path) == [CRD]


def test_the_chart_has_the_same_definition() -> None:
    files = generated()
    assert files[CRD] == files["charts/mlworkflow/files/crd-mlworkflows.yaml"]


def test_the_yaml_is_the_definition() -> None:
    assert yaml.safe_load(generated()[CRD]) == crd()


def test_the_definition_fits_the_annotation_of_kubectl_apply() -> None:
    assert len(generated()[CRD]) < 200_000, "kubectl apply keeps a copy in an annotation of at most 262144 bytes"


def test_long_text_is_folded_and_nothing_is_an_anchor() -> None:
    shared = {"a": "word " * 40 + "end"}
    text = to_yaml({"first": shared, "second": shared})
    assert "&id" not in text
    assert max(map(len, text.splitlines())) <= 120
    assert yaml.safe_load(text) == {"first": shared, "second": shared}


def test_check_exits_1_and_names_the_files(tmp_path: Path) -> None:
    write(tmp_path)
    command = [sys.executable, "-m", "mlworkflow.schema", "--check", "--root", str(tmp_path)]
    assert _run(command) == (0, "")
    (tmp_path / CRD).unlink()
    assert _run(command) == (1, f"{CRD} is not current: run `make crds`\n")


def _run(command: list[str]) -> tuple[int, str]:
    done = subprocess.run(
        command, env={"PYTHONPATH": str(ROOT / "operator")}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


def test_the_reference_has_the_kinds_in_their_order_and_no_dead_link() -> None:
    page = reference_page()
    headings = [line.lstrip("# ") for line in page.splitlines() if line.startswith("#")]
    places = [headings.index(f"Kind `{kind}`") for kind in KINDS]
    assert places == sorted(places)
    anchors = {
        "".join(c for c in heading.lower() if c.isalnum() or c in " -_").replace(" ", "-") for heading in headings
    }
    links = {part.partition(")")[0] for part in page.split("](#")[1:]}
    assert links <= anchors
    assert len(headings) == len(set(headings))


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if kind.example], ids=lambda kind: kind.name)
def test_an_example_parses(kind: Kind) -> None:
    steps = yaml.safe_load(kind.example)
    for index, step in enumerate(steps if isinstance(steps, list) else [steps]):
        assert parse_step(step, f"[{index}]").kind == kind
