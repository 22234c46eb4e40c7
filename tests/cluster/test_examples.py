"""The other examples on a real cluster: any language, and a table of one's own served over HTTP."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from bike import make_bike

from .conftest import ROOT, Cluster


@contextlib.contextmanager
def served(folder: Path, host: str) -> Iterator[str]:
    """A web server for the files of a folder, on the address at which Pods reach this machine."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer((host, 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_steps_in_any_language(cluster: Cluster, operator: str, namespace: str) -> None:
    cluster.apply(namespace, (ROOT / "examples/any-language.yaml").read_text())
    status = cluster.wait_phase(namespace, "any-language", 120)["status"]
    assert status["phase"] == "Succeeded", status
    pods = cluster.get("pods", namespace)
    assert len(pods) == len([step for step in status["steps"] if step["phase"] == "Succeeded"])


def test_the_bike_example_on_a_table_served_over_http(
    cluster: Cluster, operator: str, namespace: str, tmp_path: Path
) -> None:
    from node.api import HOST_IP

    real = os.environ.get("MLWF_BIKE_TABLE")
    table = tmp_path / "bike.csv"
    if real:
        table.write_bytes(Path(real).read_bytes())
    else:
        make_bike().to_csv(table, index=False)
    workflow = yaml.safe_load((ROOT / "examples/bike.yaml").read_text())
    with served(tmp_path, HOST_IP) as address:
        workflow["spec"]["params"]["table"] = f"{address}/bike.csv"
        cluster.apply(namespace, workflow)
        status = cluster.wait_phase(namespace, "bike", 300)["status"]
    assert status["phase"] == "Succeeded", status
    rmse = {step["name"]: step["outputs"]["rmse"] for step in status["steps"] if "rmse" in step.get("outputs", {})}
    assert rmse["evaluate-random"] < rmse["evaluate-by-time"], "a random split flatters"
    if real:
        assert rmse["evaluate-random"] == pytest.approx(41.6, abs=4)
        assert rmse["evaluate-by-time"] == pytest.approx(68.6, abs=4)
