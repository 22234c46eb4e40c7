"""What a shell is offered, as bash asks for it; and the scripts and pages that make it ask."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.component.cli.conftest import MAIN, Remote, Shell
from tests.component.cli.test_cluster_runs import STEPS, status

Step = Callable[..., dict[str, Any]]


def offered(shell: Shell, line: str) -> list[str]:
    """What is offered for the last word of a line."""
    words = line.split(" ")
    asks = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_MLWF_COMPLETE": "complete_bash"}
    return Shell(shell.folder, {**shell.environ, **asks})().split()


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A folder with two runs of one workflow."""
    shell = Shell(tmp_path_factory.mktemp("runs"))
    leave = 'echo x > "$MLWF_OUT/x"; echo y > "$MLWF_OUT/model"'
    step = {"name": "make", "container": {"command": ["sh", "-c", leave]}, "outputs": {"x": {}, "model": {}}}
    file = shell.write("squares", [step], params={"depth": 3, "trees": 10})
    for _ in range(2):
        shell("run", file, "-q")
    shell("dataset", "add", "numbers", file)
    shell("models", "promote", "square", "squares.1", "make.model")
    return shell


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("mlwf get sq", ["squares", "squares.1", "squares.2"]),
        ("mlwf get zz", []),
        ("mlwf logs squares ", ["make"]),
        ("mlwf download squares.1 make.", ["make.logs", "make.model", "make.x"]),
        ("mlwf run squares.yaml -p ", ["depth=", "trees="]),
        ("mlwf retry squares -p d", ["depth="]),
        ("mlwf retry squares --step ", ["make"]),
        ("mlwf delete squares.1 squ", ["squares", "squares.1", "squares.2"]),
        ("mlwf get --home nowhere ", []),
        ("mlwf init cl", ["classification"]),
        ("mlwf dow", ["download"]),
        ("mlwf models show s", ["square"]),
        ("mlwf models compare ", ["square@champion"]),
        ("mlwf dataset list ", []),
        ("mlwf dataset show n", ["numbers"]),
    ],
)
def test_what_is_offered_of_this_machine(ran: Shell, line: str, words: list[str]) -> None:
    assert offered(ran, line) == words


async def test_what_is_offered_of_a_cluster(remote: Remote) -> None:
    remote.cluster.put("digits", status("Running"), steps=STEPS)
    assert await asyncio.to_thread(offered, remote.shell, "mlwf get d") == ["digits"]
    assert await asyncio.to_thread(offered, remote.shell, "mlwf logs digits ") == ["train"]
    remote.cluster.refused.add("mlworkflows")
    assert await asyncio.to_thread(offered, remote.shell, "mlwf get d") == []


def test_it_is_there_at_once_because_nothing_heavy_is_imported(ran: Shell) -> None:
    asks = {"COMP_WORDS": "mlwf get sq", "COMP_CWORD": "2", "_MLWF_COMPLETE": "complete_bash"}
    listed = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))"
    environ = {"PATH": "", "HOME": str(ran.folder), "PYTHONPATH": ":".join(sys.path), **asks}
    done = subprocess.run(
        [sys.executable, "-c", f"{listed}\n{MAIN}"],
        cwd=ran.folder,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["squares", "squares.1", "squares.2"]
    heavy = {"aiohttp", "asyncio", "msgspec", "rich", "yaml", "mlworkflow.core.model", "mlworkflow.local.home"}
    assert heavy & set(done.stderr.split()) == set()


@pytest.mark.parametrize(
    ("shell", "mark"), [("bash", "complete -o"), ("zsh", "#compdef mlwf"), ("fish", "complete --command mlwf")]
)
def test_a_script_for_a_shell(mlwf: Shell, shell: str, mark: str) -> None:
    script = mlwf("completion", shell)
    assert mark in script
    assert f"complete_{shell}" in script


def test_pages_for_man(mlwf: Shell, tmp_path: Path) -> None:
    assert "man -l pages/mlwf.1" in mlwf("man", "pages")
    assert {"mlwf.1", "mlwf-run.1", "mlwf-models-promote.1"} <= {path.name for path in (tmp_path / "pages").iterdir()}
