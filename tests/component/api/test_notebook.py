"""The example's notebook in a real kernel, whose event loop is running: what its cells show is what a reader sees."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[3] / "examples/notebook.ipynb"


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Its code cells, executed."""
    folder = tmp_path_factory.mktemp("notebook")
    environ = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("RUNTIME", "DATA", "CONFIG")}
    environ |= {"IPYTHONDIR": str(folder / "ipython"), "MLWF_HOME": str(folder / "home"), "MLWF_LOCAL": "1"}
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=280, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute(env={**os.environ, **environ})
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def cell(cells: list[Any], text: str) -> list[Any]:
    """What the first cell with a text shows."""
    return next(list(each.outputs) for each in cells if text in each.source)


def test_a_step_is_its_function_outside_of_a_workflow(cells: list[Any]) -> None:
    (shown,) = cell(cells, "flowers().head")
    assert "petal ratio" in shown.data["text/html"]


def test_the_workflow_is_a_picture(cells: list[Any]) -> None:
    (shown,) = cell(cells, 'with mlwf.Workflow("flowers"')
    picture = shown.data["image/svg+xml"]
    assert picture.count("<rect") == 4
    assert picture.count("<path marker") == 4
    assert ">flowers</text>" in picture


def test_the_run_is_one_table_that_was_kept_up_to_date(cells: list[Any]) -> None:
    live, result = cell(cells, "wf.run()")
    assert live.output_type == "display_data"
    for shown in (live, result):
        assert "<b>flowers.1</b>" in shown.data["text/html"]
        assert "4/4" in shown.data["text/html"]
        assert "Running" not in shown.data["text/html"]


def test_what_came_out(cells: list[Any]) -> None:
    assert "params.max_depth" in cell(cells, "run.trials()")[0].data["text/html"]
    assert float(cell(cells, 'outputs["accuracy"]')[0].data["text/plain"]) >= 0.85
    assert "sepal ratio" in cell(cells, ".dataframe().head")[0].data["text/html"]
    assert "predicted" in cell(cells, "model.predict")[0].data["text/html"]


def test_the_failure_is_escaped_and_says_why(cells: list[Any]) -> None:
    live, said = cell(cells, "too-strict")
    assert "&lt;no&gt; such table" in live.data["text/html"]
    assert said.text == "look | Error | exit code 3\n<no> such table\n"
