"""The `git` step against real repositories: on disk, and behind git's own HTTP server on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from repositories import PASSWORD, USER, Repository, git, make_repository, served_repository

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return make_repository(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def server(repository: Repository) -> Iterator[str]:
    with served_repository(repository, "127.0.0.1") as address:
        yield address


Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the kind as its agent would: the reason and message of its failure, empty where it succeeded."""

    def run(url: str, commit: str, secret: str = "", **environ: str) -> str:
        (tmp_path / "run").mkdir(exist_ok=True)
        spec = {"url": url, "commit": commit, **({"secret": secret} if secret else {})}
        (tmp_path / "run/task.json").write_text(json.dumps({"workflow": {"name": "w"}, "step": "s", "spec": spec}))
        done = subprocess.run(
            [sys.executable, "-m", "mlworkflow_steps", "git"],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "steps"), "MLWF_TASK": str(tmp_path / "run/task.json"), **environ},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        if done.returncode == 0:
            return ""
        said = json.loads((tmp_path / "run/failure.json").read_text())
        return f"{said['reason']}: {said['message']}"

    return run


def test_a_commit_on_disk_as_it_was(run: Run, repository: Repository, tmp_path: Path) -> None:
    assert run(repository.url, repository.second) == ""
    code = tmp_path / "out/code"
    assert (code / "shared/words.py").read_text() == "WORD = 'hey'\n"
    assert (os.access(code / "run.sh", os.X_OK), os.access(code / "shared/words.py", os.X_OK)) == (True, False)
    assert os.readlink(code / "link") == "shared/words.py"
    assert not (code / ".git").exists()
    assert (tmp_path / "out/params/files").read_text() == "5"


def test_a_commit_of_a_server_that_no_branch_names_any_more(run: Run, repository: Repository, server: str, tmp_path: Path) -> None:  # fmt: skip
    git(repository.folder, "config", "uploadpack.allowAnySHA1InWant", "true")
    assert run(f"{server}/ours/.git", repository.first) == ""
    assert (tmp_path / "out/code/shared/words.py").read_text() == "WORD = 'ho'\n"


def test_a_private_repository_takes_a_secret(run: Run, repository: Repository, server: str, tmp_path: Path) -> None:
    url = f"{server}/private/ours/.git"
    assert run(url, repository.second).startswith(
        f"InputInvalid: url: {url} wants a user and a password, or other ones"
    )


def test_a_private_repository_opens_to_its_secret(run: Run, repository: Repository, server: str) -> None:
    url, given = f"{server}/private/ours/.git", {"MLWF_GIT_USERNAME": USER, "MLWF_GIT_PASSWORD": PASSWORD}
    assert run(url, repository.second, "ours", **given) == ""


@pytest.mark.parametrize(
    ("url", "commit", "said"),
    [
        ("{url}", "0" * 40, "InputInvalid: commit: "),
        ("{url}-not", "{second}", "InputInvalid: url: there is no git repository at "),
        ("{server}/nothing", "{second}", "InputInvalid: url: there is no git repository at "),
        ("http://127.0.0.1:9/x", "{second}", "GitUnreachable: url: http://127.0.0.1:9/x: "),
        ("ssh://example.org/x", "{second}", "SpecInvalid: git.url: begins with https://"),
        ("{url}", "main", "SpecInvalid: git.commit: 'main' is no commit"),
    ],
)
def test_what_cannot_be_fetched(run: Run, repository: Repository, server: str, url: str, commit: str, said: str) -> None:  # fmt: skip
    names = {"url": repository.url, "server": server, "second": repository.second}
    assert run(url.format(**names), commit.format(**names)).startswith(said)


def test_a_step_runs_a_file_of_a_commit(repository: Repository, tmp_path: Path) -> None:
    code = {"url": repository.url, "commit": "${{ params.commit }}", "path": "steps/clean.py"}
    steps = [{"name": name, "params": {"n": n}, "python": {"git": code}} for name, n in (("one", 1), ("two", 2))]
    head = {"apiVersion": "mlworkflow.io/v1alpha1", "kind": "MLWorkflow", "metadata": {"name": "w"}}
    (tmp_path / "w.yaml").write_text(
        json.dumps({**head, "spec": {"params": {"commit": repository.second}, "steps": steps}})
    )
    env = {**os.environ, "MLWF_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [Path(sys.executable).parent / "mlwf", "run", "w.yaml", "-o", "json"], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = {step["name"]: step.get("outputs") for step in json.loads(done.stdout)["status"]["steps"]}
    (fetched,) = [name for name in found if name.startswith("git-")]
    assert found == {fetched: {"files": 5}, "one": {"said": "hey!"}, "two": {"said": "heyhey!"}}
