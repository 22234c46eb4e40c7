"""Workflows of a cluster, against an API server that is not one, and the real gateway behind its proxy."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from mlworkflow.attest.evidence import attest
from mlworkflow.attest.keys import SigningKey
from mlworkflow.attest.statement import OPERATOR, Builder
from mlworkflow.core.names import pod_name
from mlworkflow.core.observation import Result
from mlworkflow.store.layout import signature_key

from tests.component.cli.conftest import Remote, Shell
from tests.component.cli.fake_cluster import NAMESPACE, FakeCluster

STEPS: list[dict[str, Any]] = [{"name": "train", "container": {"image": "x", "command": ["run"]}}]


def status(phase: str, step: str | None = None, **fields: Any) -> dict[str, Any]:
    ran = {"name": "train", "phase": step or phase, "attempts": 1, "startedAt": "2026-11-25T12:00:00Z", **fields}
    return {"phase": phase, "progress": "1/1", "startedAt": "2026-11-25T12:00:00Z", "steps": [ran]}


@pytest.fixture
def mlwf(remote: Remote) -> Remote:
    return remote


async def test_submit_list_get_stop_suspend_resume_delete(mlwf: Remote) -> None:
    file = mlwf.shell.write("w", STEPS, params={"a": 1})
    assert await mlwf("submit", file, "-p", "a=2") == "w submitted to the namespace ml; watch it: mlwf watch w\n"
    workflow = mlwf.cluster.workflows["w"]
    assert workflow["spec"]["params"] == {"a": 2}
    assert "there is a workflow 'w' in the namespace ml already" in await mlwf("submit", file, code=1)
    assert [run["id"] for run in await mlwf.json("list")] == ["w"]
    assert (await mlwf("list", "-A")).splitlines()[1].split()[:3] == ["ml", "w", "Pending"]
    got = await mlwf.json("get", "w")
    assert (got["id"], got["kind"]) == ("w", "MLWorkflow")
    assert "managedFields" not in got["metadata"]
    for command, field, value in (("suspend", "suspend", True), ("resume", "suspend", False), ("stop", "cancel", True)):
        assert (await mlwf(command, "w")).startswith("w ")
        assert mlwf.cluster.workflows["w"]["spec"][field] is value
    mlwf.cluster.put("w", status("Cancelled"))
    assert await mlwf("stop", "w") == "w is over already: Cancelled\n"
    assert await mlwf("delete", "w") == "w deleted\n"
    assert mlwf.cluster.workflows == {}
    assert "there is no workflow 'w' in the namespace ml" in await mlwf("get", "w", code=1)


async def test_a_workflow_that_cannot_run_is_not_submitted(mlwf: Remote) -> None:
    file = mlwf.shell.write("w", [{**STEPS[0], "after": ["nobody"]}])
    assert "nothing was started: 1 problem" in await mlwf("submit", file, code=1)
    assert mlwf.cluster.calls == []


@pytest.mark.parametrize(("phase", "code"), [("Succeeded", 0), ("Failed", 1)])
async def test_submit_and_wait_follows_it_to_its_end(mlwf: Remote, phase: str, code: int) -> None:
    process = mlwf.shell.start("submit", mlwf.shell.write("w", STEPS), "--wait")
    await asyncio.wait_for(mlwf.cluster.watched.wait(), 30)
    mlwf.cluster.put("w", status("Running"))
    mlwf.cluster.put("w", status(phase, outputs={"accuracy": 0.9}))
    out, err = await asyncio.to_thread(process.communicate, timeout=30)
    assert (process.returncode, err) == (code, "")
    assert f"train {phase}" in out
    assert f"w {phase.lower()} in" in out


async def test_watching_ends_when_the_workflow_is_deleted(mlwf: Remote) -> None:
    mlwf.cluster.put("w", status("Running"))
    process = mlwf.shell.start("watch", "w")
    await asyncio.wait_for(mlwf.cluster.watched.wait(), 30)
    mlwf.cluster.remove("w")
    _, err = await asyncio.to_thread(process.communicate, timeout=30)
    assert process.returncode == 1
    assert "w was deleted" in err


async def test_artifacts_come_through_the_gateway(mlwf: Remote, tmp_path: Path) -> None:
    model = mlwf.cluster.keep(b"m" * 3_000_000)
    report = mlwf.cluster.keep(b"<h1>bad</h1>")
    mlwf.cluster.put("w", status("Failed", reason="GateFailed", message="accuracy 0.8 is below 0.9"), steps=STEPS)
    mlwf.cluster.record(
        "w", "train", Result(exit_code=1, reason="GateFailed", outputs={"report": report, "model": model})
    )
    listed = await mlwf.json("artifacts", "w")
    assert [(one["task"], one["name"], one["size"]) for one in listed] == [
        ("train", "model", 3_000_000),
        ("train", "report", 12),
    ]
    assert "verified" in await mlwf("download", "w", "train.model", str(tmp_path / "m"))
    assert (tmp_path / "m").read_bytes() == b"m" * 3_000_000
    proxied = [call for call in mlwf.cluster.calls if "/proxy/" in call]
    prefix = "GET /api/v1/namespaces/operators/services/mlworkflow-gateway:http/proxy/v1/read/ml/"
    assert all(call.startswith(prefix) for call in proxied)
    mlwf.cluster.store.delete(f"ml/cas/sha256/{model.digest[7:9]}/{model.digest[9:]}")
    assert "the store does not have it any more" in await mlwf("download", "w", "train.model", "-", code=1)


@pytest.mark.parametrize(
    ("services", "refused", "words", "told"),
    [
        ([], set(), [], "namespaces/mlworkflow-system/services/mlworkflow-gateway:http/"),
        ([], {"/services"}, ["--operator-namespace", "ops"], ""),
        (
            [("a", "one-gateway"), ("b", "two-gateway")],
            set(),
            ["--operator-namespace", "b"],
            "namespaces/b/services/two-gateway:http/",
        ),
        ([("a", "one-gateway"), ("b", "two-gateway")], set(), [], "more than one operator: in a, b"),
        ([("a", "x-gateway")], {"/token"}, [], "you may not read artifacts of the namespace ml"),
    ],
)
async def test_the_gateway_is_found(
    mlwf: Remote, services: list[tuple[str, str]], refused: set[str], words: list[str], told: str
) -> None:
    cluster = mlwf.cluster
    cluster.services, cluster.refused = services, refused
    artifact = cluster.keep(b"x")
    cluster.put(
        "w",
        status("Succeeded", artifacts={"model": {"digest": artifact.digest, "size": 1, "type": "file"}}),
        steps=STEPS,
    )
    out, err = await asyncio.to_thread(_any_end, mlwf.shell, "download", "w", "train.model", "-", *words)
    assert told in "\n".join([out, err, *cluster.calls])
    assert "Traceback" not in err


async def test_a_gateway_that_speaks_tls_is_asked_so(mlwf: Remote) -> None:
    cluster = mlwf.cluster
    cluster.port = "https"
    artifact = cluster.keep(b"x")
    outputs = {"model": {"digest": artifact.digest, "size": 1, "type": "file"}}
    cluster.put("w", status("Succeeded", artifacts=outputs), steps=STEPS)
    assert await mlwf("download", "w", "train.model", "-") == "x"
    assert [call for call in cluster.calls if "/services/https:mlworkflow-gateway:https/proxy/v1/read/ml/" in call]


async def test_logs_of_what_runs_come_from_the_pod_and_later_from_the_record(mlwf: Remote) -> None:
    cluster = mlwf.cluster
    pod = pod_name("w", "uid-w", "train", 0)
    cluster.put("w", status("Running"), steps=STEPS)
    cluster.logs[pod] = [b"early\n", b"late\n"]
    assert await mlwf("logs", "w", "train") == "early\nlate\n"
    assert await mlwf("logs", "w", "train", "-f") == "early\nlate\n"
    del cluster.logs[pod]
    cluster.put("w", status("Succeeded"))
    assert "is gone, and it left no log" in await mlwf("logs", "w", "train", code=1)
    cluster.record("w", "train", Result(exit_code=0, logs=cluster.keep(b"kept\n")))
    assert await mlwf("logs", "w") == "==> train <==\nkept\n"


async def test_the_clusters_refusals_are_told_in_a_line(mlwf: Remote) -> None:
    mlwf.cluster.refused = {"mlworkflows"}
    assert "not allowed: you cannot get" in await mlwf("list", code=1)
    mlwf.cluster.refused = set()
    assert "no context 'nope'" in await mlwf("list", "--context", "nope", code=2)
    config = mlwf.shell.folder / "kubeconfig"
    config.write_text(config.read_text().replace("http://127.0.0.1", "http://127.0.0.1:1/"))
    assert "no answer from" in await mlwf("list", code=1)
    config.write_text("nonsense")
    assert "is not a kubeconfig" in await mlwf("list", code=2)


async def test_a_run_of_this_machine_is_hinted_at(mlwf: Remote) -> None:
    file = mlwf.shell.write("here", [{"name": "one", "container": {"command": ["true"]}}])
    assert "here.1 succeeded" in await mlwf("run", file, "-q")
    assert "add --local" in await mlwf("get", "here", code=1)
    assert (await mlwf.json("get", "here", "--local"))["id"] == "here.1"


async def test_a_file_for_another_namespace(mlwf: Remote) -> None:
    file = mlwf.shell.folder / mlwf.shell.write("w", STEPS)
    file.write_text(file.read_text().replace('"name": "w"', '"name": "w", "namespace": "other"'))
    assert "the file says namespace other, and -n says ml" in await mlwf("submit", str(file), "-n", "ml", code=2)


ASKING = [
    {"name": "fit", "container": {"image": "x", "command": ["run"]}},
    {"name": "ship", "forEach": {"items": ["eu", "us"]},
     "approve": {"inputs": {"share": {"type": "number"}, "note": {"default": ""}}}},
]  # fmt: skip


def asking(phase: str = "Running") -> dict[str, Any]:
    tasks = [{"name": f"ship/{number}", "phase": phase, "attempts": attempts, "message": "waits for approval: Ship?"}
             for number, attempts in ((0, 3), (1, 1))]  # fmt: skip
    steps = [{"name": "fit", "phase": "Succeeded", "attempts": 1}, {"name": "ship", "phase": phase, "attempts": 1}]
    return {"phase": phase, "progress": "1/2", "steps": steps, "tasks": tasks}


async def test_a_decision_is_written_in_the_name_that_the_server_knows(mlwf: Remote) -> None:
    cluster = mlwf.cluster
    earlier = {"approved": True, "by": "ann", "comment": "", "inputs": {"share": 1, "note": "old"}, "attempt": 1}
    others = {"ship/1": {"approved": True, "by": "bob", "comment": "", "inputs": {"share": 2}, "attempt": 0}}
    cluster.put("w", asking(), steps=ASKING, params={"x": 1}, approvals={"ship/0": earlier, **others})
    assert "mlwf approve w ship/0 -p share=…" in await mlwf("get", "w")
    assert (
        await mlwf("approve", "w", "ship/0", "-p", "share=0.5", "-m", "fine")
        == "w: ship/0 approved by system:serviceaccount:ml:ci\n"
    )
    decision = {"approved": True, "by": cluster.user, "comment": "fine", "inputs": {"share": 0.5}, "attempt": 2}
    spec = cluster.workflows["w"]["spec"]
    assert spec == {"steps": ASKING, "params": {"x": 1}, "approvals": {"ship/0": decision, **others}}, (
        "nothing else has changed"
    )


async def test_decisions_that_cannot_be(mlwf: Remote) -> None:
    cluster = mlwf.cluster
    cluster.put("w", asking(), steps=ASKING)
    words = ("approve", "w", "ship/0", "-p", "share=1")
    assert "those that wait: ship/0, ship/1" in await mlwf("approve", "w", "ship", code=1)
    cluster.policy = "somebody else"
    told = await mlwf(*words, code=1)
    assert "denied request: spec.approvals: must be your own name, 'somebody else'" in told
    assert "kubectl auth whoami" in told
    cluster.user = ""
    assert "from Kubernetes 1.28 on" in await mlwf(*words, code=1)
    assert "approvals" not in cluster.workflows["w"]["spec"]
    cluster.put("w", asking("Failed"))
    assert "w is over: Failed" in await mlwf(*words, code=1)


async def test_a_retry_is_one_patch_and_can_be_followed(mlwf: Remote) -> None:
    cluster = mlwf.cluster
    steps = [*STEPS, {"name": "late", "after": ["train"], "container": {"image": "x", "command": ["run"]}}]
    cluster.put("w", status("Cancelled"), steps=steps, cancel=True, params={"x": 1}, suspend=False)
    assert "it has: train, late" in await mlwf("retry", "w", "--step", "nope", code=1)
    assert "cancel" in cluster.workflows["w"]["spec"]
    process = mlwf.shell.start("retry", "w", "--step", "train", "-p", "x=2", "--wait")
    while "rerun" not in cluster.workflows["w"]["spec"]:
        assert process.poll() is None
        await asyncio.sleep(0.05)
    spec = cluster.workflows["w"]["spec"]
    request = spec["rerun"]["id"]
    assert spec == {"steps": steps, "cancel": False, "suspend": False, "params": {"x": 2},
                    "rerun": {"id": request, "steps": ["train"]}}  # fmt: skip
    assert len([call for call in cluster.calls if call.startswith("PATCH")]) == 1
    await asyncio.sleep(0.5)
    assert process.poll() is None, "that it was over before is not the end"
    cluster.put("w", {**status("Running"), "rerun": request})
    cluster.put("w", {**status("Succeeded"), "rerun": request})
    out, err = await asyncio.to_thread(process.communicate, timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "w succeeded in" in out
    assert "nothing has changed" in await mlwf("retry", "w")
    assert (await mlwf("retry", "w", "--step", "late")) == "w goes on; watch it: mlwf watch w\n"
    assert cluster.workflows["w"]["spec"]["rerun"]["steps"] == ["late"]
    assert cluster.workflows["w"]["spec"]["rerun"]["id"] != request


async def test_a_retry_with_a_file_takes_what_the_file_says_and_keeps_what_people_said(mlwf: Remote) -> None:
    approvals = {"ship": {"approved": True, "by": "ann"}}
    mlwf.cluster.put("w", status("Failed"), steps=STEPS, timeout="1h", approvals=approvals, suspend=True)
    edited = [{**STEPS[0], "container": {"image": "y", "command": ["run"]}}]
    assert "w goes on" in await mlwf("retry", "w", "-f", mlwf.shell.write("w", edited, parallelism=2))
    spec = mlwf.cluster.workflows["w"]["spec"]
    assert spec.pop("rerun")["steps"] == []
    assert spec == {"steps": edited, "parallelism": 2, "approvals": approvals, "suspend": True}


def _any_end(shell: Shell, *words: str) -> tuple[str, str]:
    out, err = shell.start(*words).communicate(timeout=60)
    return out, err


async def test_what_the_operator_is_about_to_remove(mlwf: Remote) -> None:
    kept = mlwf.cluster.keep(b"kept")
    mlwf.cluster.keep(b"garbage")
    mlwf.cluster.put("w", status("Succeeded"), steps=STEPS)
    mlwf.cluster.record("w", "train", Result(exit_code=0, outputs={"model": kept}))
    report = await mlwf.json("gc", "--dry-run")
    assert (report["namespace"], report["objects"], report["bytes"], report["keptObjects"]) == ("ml", 1, 7, 1)
    assert "1 artifacts (7 B) and 0 records would be removed; 1 artifacts (4 B) stay" in await mlwf("gc", "--dry-run")
    assert "the operator collects garbage by itself" in await mlwf("gc", code=2)


async def test_a_workflow_is_verified_through_the_gateway(mlwf: Remote, tmp_path: Path) -> None:
    cluster, key = mlwf.cluster, SigningKey.made(tmp_path / "key")
    model = cluster.keep(b"the model")
    left = {"model": {"digest": model.digest, "size": model.size, "type": "file"}}
    cluster.put("w", status("Succeeded", artifacts=left) | {"finishedAt": "2026-11-25T12:01:00Z"})
    cluster.record("w", "train", Result(exit_code=0, outputs={"model": model}))
    assert "the operator signs nothing" in await mlwf("verify", "w", code=1)
    cluster.keys = key.public.pem
    assert "w has no signed statement" in await mlwf("verify", "w", code=1)
    attest(cluster.store, cluster.workflows["w"], key, Builder(OPERATOR, "1"))
    found = await mlwf.json("verify", "w")
    assert (found["verified"], found["key"], found["records"], found["artifacts"]) == (True, key.public.id, 1, 1)
    assert await mlwf("public-key") == key.public.pem
    assert "there is no signature of train.model" in await mlwf(
        "download", "w", "train.model", "--signature", "s", code=1
    )
    cluster.store.write_bytes(signature_key(NAMESPACE, "uid-w", "train", 0, "model"), b"signed")
    await mlwf("download", "w", "train.model", "--signature", "s")
    assert (tmp_path / "s").read_bytes() == b"signed"
    cluster.store.write_bytes(f"{NAMESPACE}/cas/sha256/{model.digest[7:9]}/{model.digest[9:]}", b"another")
    (said,) = (await mlwf.json("verify", "w", code=1))["problems"]
    assert said.startswith("artifact train.model has other bytes in the store: ")
    cluster.put("w", status("Running"))
    assert "w is Running: a run is signed when it has ended" in await mlwf("verify", "w", code=1)


async def test_a_person_adds_to_the_datasets_of_a_namespace(mlwf: Remote, cluster: FakeCluster, tmp_path: Path) -> None:
    data = os.urandom(5 << 20)
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    (tmp_path / "bikes.bin").write_bytes(data)
    added = await mlwf.json("dataset", "add", "bikes", "bikes.bin")
    assert added["digest"] == digest
    assert cluster.store.read_bytes(f"{NAMESPACE}/cas/sha256/{digest[7:9]}/{digest[9:]}") == data
    assert await mlwf.json("dataset", "list") == [added]
    assert await mlwf.json("dataset", "show", "bikes") == [added]
    assert "there are: bikes" in await mlwf("dataset", "show", "cars", code=1)
    left = cluster.keep(b"left by a step")
    left_by = {"phase": "Succeeded", "steps": [{"name": "prep", "phase": "Succeeded", "attempts": 1,
              "artifacts": {"train": {"digest": left.digest, "size": left.size, "type": "file"}}}]}  # fmt: skip
    cluster.put("digits", left_by)
    named = await mlwf.json("dataset", "add", "train", "digits", "prep.train")
    assert (named["digest"], named["source"]) == (left.digest, "digits prep.train (uid-digits)")
    assert await mlwf.json("dataset", "remove", f"bikes@{digest}") == [added]
    assert await mlwf.json("dataset", "list") == [named]


async def test_who_may_not_add_is_told_what_is_needed(mlwf: Remote, cluster: FakeCluster, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    cluster.refused = {"/v1/write/"}
    said = await mlwf("dataset", "add", "bikes", "x", code=1)
    assert "not allowed" in said
    assert "dataset-writer" in said
