"""The project's own rules, checked by the tools that know them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("mypy",),
        ("lint-imports",),
        ("python", "-m", "mlworkflow.schema", "--check"),
        ("python", "-m", "mlworkflow.cli.manual", "--check"),
    ],
    ids=["lint", "format", "types", "layers", "generated-files", "generated-pages"],
)
def test_the_tools_find_nothing(command: tuple[str, ...]) -> None:
    done = subprocess.run([BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_operator_folder_is_no_package() -> None:
    """A package of that name would hide Python's own `operator` module."""
    assert not (ROOT / "operator/__init__.py").exists()


def test_the_readme_names_only_targets_that_exist() -> None:
    known = set(
        re.findall(
            r"^([a-z-]+):",
            "".join((ROOT / name).read_text() for name in ("Makefile", "tests/node/node.mk", "web/web.mk")),
            re.MULTILINE,
        )
    )
    named = set(re.findall(r"`?make ([a-z-]+)", (ROOT / "README.md").read_text()))
    assert {"demo", "test"} <= named
    assert named <= known


def test_links_between_documents_lead_somewhere() -> None:
    for document in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"
