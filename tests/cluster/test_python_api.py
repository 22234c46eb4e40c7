"""A workflow written in Python, submitted to a real cluster, waited for, and looked at: the calls of a notebook."""

from __future__ import annotations

from pathlib import Path

import mlworkflow as mlwf
import pandas as pd
import pytest

from .conftest import Cluster


@mlwf.step
def make(rows: int) -> pd.DataFrame:
    print(f"{rows} rows")
    return pd.DataFrame({"x": range(rows), "y": [2 * x for x in range(rows)]})


def test_submit_wait_and_look(cluster: Cluster, operator: str, namespace: str) -> None:
    with mlwf.Workflow("from-python", params={"rows": 10}) as wf:
        made = make(rows=wf.params.rows)
        mlwf.container(
            name="lines", image="busybox:1.36",
            command=["sh", "-c", 'mkdir -p "$MLWF_OUT/params" && wc -c < "$MLWF_IN/table" > "$MLWF_OUT/params/bytes"'],
            inputs={"table": made.result}, outputs={"bytes": "integer"},
        )  # fmt: skip
    run = wf.submit({"rows": 20}, namespace=namespace, kubeconfig=cluster.kubeconfig).wait(timeout=240)
    assert run.id == "from-python"
    table = run.artifact("make.result")
    assert list(table.dataframe()["y"]) == [2 * x for x in range(20)]
    assert run.steps["lines"].outputs == {"bytes": table.size}
    assert run.logs("make") == "20 rows\n"
    assert run.metrics().query("name == 'bytes'")["value"].tolist() == [table.size]
    again = mlwf.run("from-python", namespace=namespace, kubeconfig=cluster.kubeconfig)
    assert again.uid == run.uid
    assert "from-python" in again._repr_mimebundle_()["text/html"]


def test_a_failure_is_an_error(cluster: Cluster, operator: str, namespace: str, tmp_path: Path) -> None:
    with mlwf.Workflow("failing") as wf:
        mlwf.container(name="fail", image="busybox:1.36", command=["sh", "-c", "echo why; exit 3"])
    run = mlwf.load(_written(wf, tmp_path)).submit(namespace=namespace, kubeconfig=cluster.kubeconfig)
    with pytest.raises(mlwf.RunFailed, match=r"failing failed: fail \(Error\): exit code 3\nwhy"):
        run.wait(timeout=240)
    with pytest.raises(mlwf.RunsError, match=r"there is a workflow 'failing' .* already"):
        wf.submit(namespace=namespace, kubeconfig=cluster.kubeconfig)


def _written(workflow: mlwf.Workflow, folder: Path) -> Path:
    workflow.to_yaml(folder / "w.yaml")
    return folder / "w.yaml"
