"""Runs that have ended in MLflow, which is a real server here, seen through its own client."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlworkflow as mlwf
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from mlworkflow.engine.mirroring import mirroring, note, noted
from mlworkflow.engine.mlflow_server import Server
from mlworkflow.local.home import Home

from tests.component.cli.conftest import Shell


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its URL."""
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    stores = [
        "--backend-store-uri",
        f"sqlite:///{folder}/runs.db",
        "--artifacts-destination",
        str(folder / "artifacts"),
    ]
    environ = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *command, *stores], env=environ, stdout=log, stderr=log, start_new_session=True, cwd=folder
        )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 240
        while not answers(url):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.2)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def client_of(server: str) -> Any:
    """MLflow's own, which tells its makers nothing of these tests."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    from mlflow import MlflowClient

    return MlflowClient(server)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, server: str) -> Path:
    """Where a run has been: a search that promoted its model."""
    home = tmp_path_factory.mktemp("home")
    with mlwf.Workflow("irises", params={"seed": 7, "deep": {"er": "<é>"}}) as wf:
        prep = mlwf.prep(source={"sklearn": "iris"}, target="target", split={"test": 0.3})
        train = mlwf.train(
            train=prep.train,
            estimator="sklearn.tree.DecisionTreeClassifier",
            params={"max_depth": 2},
            cv=3,
            seed=wf.params.seed,
        )
        mlwf.promote(inputs={"model": train.model}, model="irises")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", server)
        wf.run(home=home).wait(timeout=240)
        wait_until_let_go(home, "irises")
    return home


def wait_until_let_go(home: Path, name: str) -> None:
    """A run has ended before its process has: what it tells comes after."""
    deadline = time.monotonic() + 120
    kept = Home(home)
    while (found := kept.run(name)) is None or kept.is_under_way(found):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def runs_of(server: str, experiment: str) -> dict[str, Any]:
    """Run by what it is called."""
    client = client_of(server)
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    runs = client.search_runs([found.experiment_id])
    assert len({run.info.run_name for run in runs}) == len(runs)
    return {run.info.run_name: run for run in runs}


def test_a_workflow_and_its_training_are_runs(server: str, home: Path) -> None:
    ran = mlwf.run("irises", home=home)
    runs = runs_of(server, "local/irises")
    assert runs.keys() == {"irises", "irises.train"}
    whole, train = runs["irises"], runs["irises.train"]
    assert (whole.info.status, train.info.status) == ("FINISHED", "FINISHED")
    assert whole.data.params == {"seed": "7", "deep.er": "<é>"}
    assert whole.data.metrics["train.cv_accuracy"] == ran.outputs["train"]["cv_accuracy"]
    assert train.data.params == {
        "estimator": "sklearn.tree.DecisionTreeClassifier", "max_depth": "2", "cv": "3", "seed": "7",
    }  # fmt: skip
    assert train.data.metrics["cv_accuracy"] == ran.outputs["train"]["cv_accuracy"]
    assert train.data.tags["mlflow.parentRunId"] == whole.info.run_id
    assert train.data.tags["mlworkflow.io/uid"] == ran.uid
    assert train.data.tags["mlworkflow.io/outputs.model"] == ran.artifact("train.model").digest
    assert train.data.tags["mlworkflow.io/inputs.train"] == ran.artifact("prep.train").digest
    assert 0 < train.info.start_time <= train.info.end_time <= whole.info.end_time


def test_values_have_their_steps(server: str, home: Path) -> None:
    ran = mlwf.run("irises", home=home)
    train = runs_of(server, "local/irises")["irises.train"]
    folds = client_of(server).get_metric_history(train.info.run_id, "fold_accuracy")
    assert [(each.step, each.value) for each in sorted(folds, key=lambda each: each.step)] == list(enumerate(ran.outputs["train"]["fold_accuracy"]))  # fmt: skip


def test_a_promoted_model_is_a_version_with_its_alias_and_its_files(server: str, home: Path, tmp_path: Path) -> None:
    model = mlwf.model("irises@champion", home=home)
    client = client_of(server)
    version = client.get_model_version_by_alias("local.irises", "champion")
    assert (version.version, version.tags["mlworkflow.io/digest"]) == ("1", model.facts.digest)
    train = runs_of(server, "local/irises")["irises.train"]
    assert version.run_id == train.info.run_id
    fetched = Path(client.download_artifacts(train.info.run_id, "model", str(tmp_path)))
    assert contents(fetched) == contents(model.path())


def test_a_promoted_model_is_loaded_by_mlflow_itself(server: str, home: Path) -> None:
    client_of(server)
    import mlflow

    rows = mlwf.run("irises", home=home).artifact("prep.test").dataframe()
    mlflow.set_tracking_uri(server)
    loaded = mlflow.pyfunc.load_model("models:/local.irises@champion")
    ours = mlwf.model("irises@champion", home=home)
    assert loaded.metadata.metadata["task"] == "classification"
    assert loaded.predict(rows).tolist() == ours.load().predict(rows).tolist()
    on_disk = mlflow.pyfunc.load_model(str(ours.path()))
    assert on_disk.predict(rows).tolist() == loaded.predict(rows).tolist()


def contents(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_what_is_told_again_is_there_once(server: str, home: Path) -> None:
    kept = Home(home)
    found = kept.run("irises")
    assert found is not None
    assert noted(kept.store, found.resource) == found.resource["status"]["finishedAt"]
    before = runs_of(server, "local/irises")
    note(kept.store, found.resource, "")  # as if it had been killed before it could note that
    mirroring(Server.of(server))(kept.store, found.resource)
    after = runs_of(server, "local/irises")
    assert {name: run.to_dictionary() for name, run in after.items()} == {name: run.to_dictionary() for name, run in before.items()}  # fmt: skip
    folds = client_of(server).get_metric_history(after["irises.train"].info.run_id, "fold_accuracy")
    assert len(folds) == 3
    assert len(client_of(server).search_model_versions("name = 'local.irises'")) == 1


def failing(shell: Shell) -> str:
    return shell.write("w", [{"name": "a", "container": {"command": ["sh", "-c", "exit 3"]}}])


def test_an_outage_costs_nothing_and_is_made_good_after_the_next_run(server: str, tmp_path: Path) -> None:
    with socket.socket() as nobody:  # bound and not listening: refused
        nobody.bind(("127.0.0.1", 0))
        away = Shell(tmp_path, {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{nobody.getsockname()[1]}"})
        away("run", failing(away), "-q", code=1)
    back = Shell(tmp_path, {"MLFLOW_TRACKING_URI": server, "MLFLOW_EXPERIMENT_NAME": "made good"})
    file = back.write("v", [{"name": "a", "container": {"command": ["sh", "-c", "true"]}}])
    back("run", file, "-q")
    runs = runs_of(server, "made good")
    assert {name: run.info.status for name, run in runs.items()} == {"w": "FAILED", "v": "FINISHED"}
    assert runs["w"].data.tags["mlworkflow.io/message"].startswith("step 'a' failed")


async def test_what_logs_in_is_told_to_nobody(tmp_path: Path) -> None:
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        return web.json_response({"error_code": "BAD", "message": "no"}, status=400)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    refusing = TestServer(app)
    await refusing.start_server(shutdown_timeout=0)
    try:
        url = str(refusing.make_url("/way?key=in-the-query")).replace("http://", "http://ada:in-the-url@")
        shell = Shell(tmp_path, {"MLFLOW_TRACKING_URI": url, "MLFLOW_TRACKING_TOKEN": "the-token", "MLWF_DEBUG": "1"})
        _, said = await asyncio.to_thread(shell.both, "run", failing(shell), "-q", code=1)
    finally:
        await refusing.close()
    assert seen == ["Bearer the-token"], "what is refused is not tried again"
    assert "not told to MLflow" in said
    assert "answered 400 BAD: no" in said
    for secret in ("in-the-url", "in-the-query", "the-token", "/way"):
        assert secret not in said


@pytest.mark.parametrize("uri", ["databricks", "sqlite:///x.db", "file:./mlruns", "./mlruns", ""])
def test_what_is_no_server_is_left_alone(uri: str) -> None:
    assert Server.find({"MLFLOW_TRACKING_URI": uri}) is None


def test_keys_come_from_where_they_are_said(tmp_path: Path) -> None:
    def header(server: Server) -> Any:
        return server._authorization().get("Authorization")

    (tmp_path / "username").write_text("ada\n")
    (tmp_path / "password").write_text("secret\n")
    assert header(Server.of("http://h", keys=tmp_path)) == "Basic YWRhOnNlY3JldA=="
    (tmp_path / "token").write_text("t")
    assert header(Server.of("http://h", keys=tmp_path)) == "Bearer t"
    assert header(Server.of("http://ada:secret@h:5000/way/")) == "Basic YWRhOnNlY3JldA=="
    assert Server.of("http://ada:secret@h:5000/way/").url == "http://h:5000/way"
    assert "secret" not in repr(Server.of("http://ada:secret@h"))
    assert header(Server.of("http://h")) is None
