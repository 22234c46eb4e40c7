"""`agent fetch` and `agent publish`, as they stand around a container that knows nothing of us."""

from __future__ import annotations

import hashlib
import json
import os
import time

from mlworkflow.core.values import ArtifactRef
from mlworkflow.gateway.runs import Ended, OutputSpec
from mlworkflow.store.layout import AttemptKey

from tests.component.agent.conftest import Bench
from tests.component.fakes import a_task


def test_fetch_prepares_for_any_user_and_commits_nothing(bench: Bench) -> None:
    key, process = bench.start(bench.task("", inputs={"data": bench.put(b"hello")}, params={"n": 3}), "fetch")
    assert process.communicate(timeout=20) == ("", "")
    root = bench.folder / "root"
    assert process.returncode == 0
    assert key not in bench.runs.results
    assert (root / "in/data").read_bytes() == b"hello"
    assert (root / "run/params.json").read_text() == '{"n": 3}'
    (facts,) = json.loads((root / "run/inputs.json").read_text()).values()
    assert facts == {"digest": f"sha256:{hashlib.sha256(b'hello').hexdigest()}", "size": 5, "type": "file"}
    modes = {name: (root / name).stat().st_mode & 0o777 for name in ("out", "out/params", "checkpoint", "run")}
    assert set(modes.values()) == {0o777}
    assert (root / "in/data").stat().st_mode & 0o444 == 0o444


def test_fetch_that_fails_commits_why(bench: Bench) -> None:
    code, result, _, _ = bench.run(
        bench.task("", inputs={"data": ArtifactRef("sha256:" + "0" * 64, 1, "file")}), "fetch"
    )
    assert (code, result.exit_code, result.reason) == (1, 1, "ArtifactMissing")


def publish(bench: Bench, ended: Ended, outputs: dict[str, OutputSpec]) -> tuple[AttemptKey, int]:
    key, process = bench.start(a_task(outputs=outputs, key=AttemptKey(bench.namespace, "uid", "copy", 0)), "publish")
    time.sleep(0.2)
    assert key not in bench.runs.results
    bench.runs.ended[key] = ended
    _, err = process.communicate(timeout=20)
    assert key in bench.runs.results, err
    return key, process.returncode


def test_publish_waits_and_publishes_what_was_left(bench: Bench) -> None:
    (bench.folder / "root/out/params").mkdir(parents=True)
    (bench.folder / "root/run").mkdir()
    (bench.folder / "root/out/copy").write_bytes(b"data")
    (bench.folder / "root/out/params/n").write_text("3")
    (bench.folder / "root/run/metrics.jsonl").write_text('{"name": "loss", "value": 2}\n')
    key, code = publish(bench, Ended(0, "Completed"), {"copy": OutputSpec(), "n": OutputSpec("integer")})
    result = bench.runs.results[key]
    assert (code, result.reason, result.parameters, result.metrics) == (0, "", {"n": 3}, {"loss": 2.0})
    assert bench.get(result.outputs["copy"]) == b"data"
    assert [point.value for point in bench.runs.points] == [2.0]


def test_publish_commits_the_failure_of_the_container(bench: Bench) -> None:
    key, code = publish(bench, Ended(137, "OOMKilled"), {"copy": OutputSpec()})
    assert (code, bench.runs.results[key].exit_code, bench.runs.results[key].reason) == (0, 137, "OOMKilled")


def test_publish_reads_nothing_through_a_user_s_link(bench: Bench) -> None:
    """The token is mounted into this container, and the user's container could have left a link to it."""
    out = bench.folder / "root/out"
    (out / "real").mkdir(parents=True)
    for name in ("model", "plot"):
        (out / name).symlink_to(bench.token_file if name == "model" else "/")
    (out / "params").symlink_to(bench.folder)
    (out / "real/link").symlink_to("../../../token")
    os.mkfifo(out / "pipe")
    outputs = {name: OutputSpec(optional=True) for name in ("model", "plot", "real", "pipe")}
    key, _ = publish(bench, Ended(0), {**outputs, "token": OutputSpec("string", optional=True)})
    result = bench.runs.results[key]
    assert (result.reason, result.outputs, result.parameters) == ("OutputInvalid", {}, {})
