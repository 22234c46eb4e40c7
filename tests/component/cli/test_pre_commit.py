"""The hook of `.pre-commit-hooks.yaml`, by pre-commit itself: with the program that is here, instead of one that it would install."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.component.cli.conftest import ROOT

GOOD = """\
apiVersion: mlworkflow.io/v1alpha1
kind: MLWorkflow
metadata: {name: good}
spec: {steps: [{name: a, container: {command: ["true"]}}]}
"""
CONFIG = """\
repos:
  - repo: %s
    rev: v1
    hooks: [{id: mlwf-lint, language: system, additional_dependencies: []}]
"""


def run(folder: Path, *command: str, code: int = 0) -> str:
    environ = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder.parent),
        "PRE_COMMIT_HOME": str(folder.parent / "cache"),
        "LANG": "C.UTF-8",
        **{f"GIT_{who}_{what}": "ada@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=180)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_commit_with_a_mistake_is_stopped_and_one_without_goes_through(tmp_path: Path) -> None:
    hooks, project = tmp_path / "hooks", tmp_path / "project"
    for folder in (hooks, project):
        folder.mkdir()
        run(folder, "git", "init", "-q", "-b", "main")
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", hooks)
    run(hooks, "git", "add", ".")
    run(hooks, "git", "commit", "-q", "-m", "hooks")
    run(hooks, "git", "tag", "v1")
    (project / ".pre-commit-config.yaml").write_text(CONFIG % hooks)
    (project / "values.yaml").write_text("neither: a workflow\n")
    (project / "workflow.yaml").write_text(GOOD.replace("container:", "after: [nobody], container:"))
    run(project, "pre-commit", "install")
    run(project, "git", "add", ".")
    said = run(project, "git", "commit", "-m", "first", code=1)
    assert "workflow.yaml:4: spec.steps[0].after" in said
    assert "values.yaml" not in said
    (project / "workflow.yaml").write_text(GOOD)
    run(project, "git", "add", ".")
    assert "Passed" in run(project, "git", "commit", "-m", "first")
