"""`mlwf init`, `explain` and `schema`: a project that runs at once, and words for every field of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from mlworkflow.cli.init import MODELINE, STARTERS

from tests.component.cli.conftest import Shell


@pytest.mark.parametrize("template", STARTERS)
def test_a_project_is_whole_and_sound(mlwf: Shell, template: str) -> None:
    said = mlwf("init", template, "My Project")
    assert "run it: cd 'My Project' && mlwf run workflow.yaml" in said
    project = mlwf.folder / "My Project"
    assert {"workflow.yaml", "README.md", ".gitignore", "mlworkflow.schema.json"} <= {
        path.name for path in project.iterdir()
    }
    text = (project / "workflow.yaml").read_text()
    assert text.startswith(MODELINE)
    assert "examples/" not in text
    resource = yaml.safe_load(text)
    assert resource["metadata"]["name"] == "my-project"
    jsonschema.validate(resource, json.loads((project / "mlworkflow.schema.json").read_text()))
    assert mlwf.json("lint", "My Project/workflow.yaml") == []
    assert "mlwf run workflow.yaml" in (project / "README.md").read_text()


def test_where_one_is_already_one_need_not_go(mlwf: Shell) -> None:
    assert mlwf("init", "classification", ".").endswith("run it: mlwf run workflow.yaml\n")


@pytest.mark.parametrize(("template", "last"), [("classification", "promote"), ("regression", "predict")])
def test_a_project_runs_at_once(mlwf: Shell, template: str, last: str) -> None:
    mlwf("init", template)
    project = Shell(mlwf.folder / template)
    status: dict[str, Any] = project.json("run", "workflow.yaml", "-q")["status"]
    assert [step["phase"] for step in status["steps"]] == ["Succeeded"] * len(status["steps"])
    assert status["steps"][-1]["name"] == last
    assert (project.folder / ".mlworkflow").is_dir()


def test_nothing_is_overwritten(mlwf: Shell) -> None:
    (mlwf.folder / "here").mkdir()
    (mlwf.folder / "here/README.md").write_text("mine")
    assert "here has README.md already: nothing was written" in mlwf("init", "text", "here", code=1)
    assert [path.name for path in (mlwf.folder / "here").iterdir()] == ["README.md"]
    assert (mlwf.folder / "here/README.md").read_text() == "mine"


def test_the_templates_are_listed_and_a_wrong_one_is_told_with_them(mlwf: Shell) -> None:
    assert [line.split()[0] for line in mlwf("init").splitlines()] == list(STARTERS)
    assert [one["name"] for one in mlwf.json("init")] == list(STARTERS)
    assert "there are: classification, " in mlwf("init", "churn", code=2)


def test_explain_and_schema(mlwf: Shell, tmp_path: Path) -> None:
    page = mlwf("explain", "steps.tune.algorithm")
    assert "FIELD    spec.steps.tune.algorithm <object>" in page
    assert "tpe: {seed: 7, multivariate: true}" in page, "as the kind's example has it"
    assert "fee" not in page
    told = mlwf.json("explain", "retry.limit")
    assert (told["type"], told["default"], told["bounds"]) == ("whole number", "2", ["at least 0", "at most 100"])
    assert "raise `resources.limits.memory`" in mlwf("explain", "OOMKilled")
    assert mlwf.json("explain", "oomkilled")[0]["name"] == "OOMKilled"
    assert "spec.steps.train" in mlwf("explain", "steps.trian", code=1)
    assert "OOMKilled" in mlwf("explain", "OOMKiled", code=1)
    assert "tune <object>" in mlwf("explain", "--kinds")
    jsonschema.Draft202012Validator.check_schema(json.loads(mlwf("schema")))
