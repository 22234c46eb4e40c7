"""`python: {file: …}`: what stands in the file is what is linted, run and submitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from mlworkflow.core.signature import LONGEST
from mlworkflow.runs.code_files import with_code
from mlworkflow.runs.documents import BadFile, workflows
from mlworkflow.runs.lint import lint

CODE = "def main(rows: int):\n    print(f'${{{rows}}} {{rows}}')\n    return {'total': rows}\n"
STEP: dict[str, Any] = {"name": "one", "params": {"rows": 3}, "python": {"file": "code/one.py"}}


def written(folder: Path, spec: dict[str, Any]) -> str:
    head = {"apiVersion": "mlworkflow.io/v1alpha1", "kind": "MLWorkflow", "metadata": {"name": "w"}}
    (folder / "code").mkdir(exist_ok=True)
    (folder / "code/one.py").write_text(CODE)
    (folder / "w.yaml").write_text(yaml.safe_dump({**head, "spec": spec}))
    return str(folder / "w.yaml")


def test_the_text_is_put_beside_the_files_name_wherever_a_step_stands(tmp_path: Path) -> None:
    named = {"python": {"file": "code/one.py"}}
    spec = {
        "steps": [
            STEP,
            {"name": "group", "steps": [{**STEP, "name": "inner"}]},
            {
                "name": "search",
                "tune": {"metric": {"name": "total"}, "space": {"rows": {"choice": [1]}}, "step": named},
            },
        ],
        "onExit": {"always": [{**STEP, "name": "end"}]},
    }
    (document,) = map(with_code, workflows(written(tmp_path, spec)))
    body, found = {"file": "code/one.py", "source": CODE}, document.resource["spec"]
    assert found["steps"][0]["python"] == body
    assert found["steps"][1]["steps"][0]["python"] == body
    assert found["steps"][2]["tune"]["step"]["python"] == body
    assert found["onExit"]["always"][0]["python"] == body
    assert lint(document) == []


def test_so_is_that_of_a_prep_steps_code(tmp_path: Path) -> None:
    prep = {"source": {"sklearn": "iris"}, "target": "target", "code": {"file": "code/one.py"}}
    entry = {"columns": ["sepal*"], "use": "Twice"}
    file = written(tmp_path, {"steps": [{"name": "prep", "prep": {**prep, "features": [entry]}}]})
    (document,) = map(with_code, workflows(file))
    assert document.resource["spec"]["steps"][0]["prep"]["code"] == {"file": "code/one.py", "source": CODE}
    assert [str(finding).rpartition(": spec")[2] for finding in lint(document)] == [
        ".steps[0].prep.features[0].use: the code has no class 'Twice'; it has: none"
    ]


def test_what_is_wrong_in_the_file_is_told_with_its_name_and_line(tmp_path: Path) -> None:
    file = written(tmp_path, {"steps": [STEP]})
    (tmp_path / "code/one.py").write_text("def main(rows: int):\n    return (\n")
    (document,) = map(with_code, workflows(file))
    assert [str(finding) for finding in lint(document)] == [
        f"{file}:11: spec.steps[0].python.file: code/one.py: line 2: '(' was never closed"
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("code/two.py", "No such file or directory"),
        ("../w.py", "is not in the folder of the workflow's file, nor below it"),
        ("/etc/hostname", "is not in the folder of the workflow's file, nor below it"),
        ("long.py", f"has more than {LONGEST} characters: keep it in a git repository (`git`) or in an image"),
    ],
)
def test_a_file_that_cannot_be_taken(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "long.py").write_text("#" * (LONGEST + 1))
    file = written(tmp_path, {"steps": [{**STEP, "python": {"file": name}}]})
    with pytest.raises(BadFile) as error:
        list(map(with_code, workflows(file)))
    assert str(error.value) == f"{file}:11: spec.steps[0].python.file: '{name}': {said}"
