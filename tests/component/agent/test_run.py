"""`agent run` as a real process against a real gateway, on every kind of store."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from mlworkflow.core.observation import Result
from mlworkflow.core.values import ArtifactRef
from mlworkflow.gateway.runs import OutputSpec
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.layout import AttemptKey, cas_key

from tests.component.agent.conftest import Bench
from tests.component.fakes import a_task


def test_a_step_reads_its_inputs_and_leaves_its_outputs(
    make_bench: Callable[[ArtifactStore], Bench], store: ArtifactStore
) -> None:
    bench = make_bench(store)
    text, big = bench.put(b"hello"), bench.put(os.urandom(3 << 20))
    script = (
        'cp "$MLWF_IN/text" "$MLWF_OUT/copy" && mkdir -p "$MLWF_OUT/folder/empty" && cp "$MLWF_IN/big" "$MLWF_OUT/folder/"'
        '&& printf 0.5 > "$MLWF_OUT/params/accuracy" && echo done'
    )
    outputs = {
        "copy": OutputSpec("file"),
        "folder": OutputSpec(),
        "accuracy": OutputSpec("number"),
        "x": OutputSpec(optional=True),
    }
    task = bench.task(script, inputs={"text": text, "big": big}, outputs=outputs)
    code, result, out, _ = bench.run(task)
    assert (code, result.reason, result.message) == (0, "", "")
    assert result.outputs["copy"] == text
    assert result.outputs["folder"].type == "directory"
    assert result.parameters == {"accuracy": 0.5}
    assert out == "done\n"
    assert bench.get(result.logs) == b"done\n"
    assert 0 < result.started_at <= result.finished_at
    again = bench.task(
        'test -d "$MLWF_IN/folder/empty" && cp -r "$MLWF_IN/folder" "$MLWF_OUT/folder"',
        inputs={"folder": result.outputs["folder"]}, outputs={"folder": OutputSpec("directory")},
    )  # fmt: skip
    _, second, _, err = bench.run(again)
    assert second.outputs == {"folder": result.outputs["folder"]}, err


def test_the_user_gets_the_contract_s_environment_and_nothing_of_the_agent_s(bench: Bench) -> None:
    params = {"max-depth": 8, "name": 'quo"te\n{{🙂}}\\', "long": "x" * 40_000}
    task = bench.task("env -0; cat $MLWF_PARAMS >&2", params=params, inputs={"data": bench.put(b"hello")})
    code, _, out, _ = bench.run(task, KEPT="yes")
    pairs = dict(item.split("=", 1) for item in out.split("\0") if "=" in item and not item.startswith("{"))
    assert code == 0
    assert pairs["MLWF_PARAM_MAX_DEPTH"] == "8"
    assert pairs["MLWF_PARAM_NAME"] == params["name"]
    assert "MLWF_PARAM_LONG" not in pairs
    assert pairs["KEPT"] == "yes"
    assert not {"MLWF_TOKEN_FILE", "MLWF_GATEWAY"} & pairs.keys()
    assert {"MLWF_WORKFLOW": "digits", "MLWF_STEP": "train", "MLWF_ATTEMPT": "0"}.items() <= pairs.items()
    root = bench.folder / "root"
    assert pairs["MLWF_IN"] == str(root / "in")
    assert json.loads((root / "run/params.json").read_text()) == params
    assert json.loads((root / "run/task.json").read_text())["task"] == "train"
    assert json.loads(Path(pairs["MLWF_INPUTS"]).read_text()) == {
        "data": {"digest": f"sha256:{hashlib.sha256(b'hello').hexdigest()}", "size": 5, "type": "file"}
    }


def test_a_failure_is_committed_with_its_last_lines_and_is_the_exit_code(bench: Bench) -> None:
    code, result, _, err = bench.run(bench.task("seq 1 30; echo it broke >&2; exit 3", outputs={"model": OutputSpec()}))
    assert (code, result.exit_code, result.reason) == (3, 3, "Error")
    assert result.message.splitlines() == ["exit code 3", *map(str, range(22, 31)), "it broke"]
    assert bench.get(result.logs).endswith(b"30\nit broke\n")
    assert "Error: exit code 3" in err


def test_every_missing_output_is_named(bench: Bench) -> None:
    outputs = {"model": OutputSpec(), "plot": OutputSpec("file"), "accuracy": OutputSpec("number")}
    code, result, _, _ = bench.run(bench.task("true", outputs=outputs))
    assert (code, result.exit_code, result.reason) == (1, 0, "OutputMissing")
    assert result.message == "missing in $MLWF_OUT: params/accuracy, model, plot"


def test_a_command_that_does_not_exist(bench: Bench) -> None:
    task = a_task(command=["no-such-command", "x"], key=AttemptKey(bench.namespace, "u", "train", 0))
    code, result, _, _ = bench.run(task)
    assert (code, result.exit_code, result.reason, result.message) == (
        127,
        127,
        "Error",
        "command not found: no-such-command",
    )


def test_a_step_can_say_itself_why_it_failed(bench: Bench) -> None:
    script = """echo '{"reason": "GateFailed", "message": "accuracy 0.81 is below 0.9"}' > $MLWF_ROOT/run/failure.json; exit 1"""
    code, result, _, _ = bench.run(bench.task(script))
    assert (code, result.reason, result.message) == (1, "GateFailed", "accuracy 0.81 is below 0.9")


def test_a_signal_is_128_and_its_number(bench: Bench) -> None:
    code, result, _, _ = bench.run(bench.task("kill -KILL $$"))
    assert (code, result.exit_code, result.reason) == (137, 137, "Error")


def test_sigterm_goes_to_the_process_and_what_it_saved_is_kept(bench: Bench) -> None:
    ready = bench.folder / "ready"
    script = f"trap 'echo saved; exit 4' TERM; touch {ready}; while :; do sleep 0.05; done"
    key, process = bench.start(bench.task(script))
    while not ready.exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    result = bench.runs.results[key]
    assert (process.returncode, result.exit_code, result.reason) == (4, 4, "Terminated")
    assert bench.get(result.logs).endswith(b"saved\n")


def test_a_process_left_behind_does_not_keep_the_step_open(bench: Bench) -> None:
    started = time.monotonic()
    code, result, out, _ = bench.run(bench.task("sleep 30 & echo over"))
    assert (code, result.reason, out) == (0, "", "over\n")
    assert time.monotonic() - started < 10


def test_metrics_are_forwarded_and_the_last_values_kept(bench: Bench) -> None:
    lines = [
        '{"name": "loss", "value": 1.5, "step": 0}', "not json", '{"name": "loss", "value": NaN, "step": 1}',
        '{"name": "loss", "value": 0.5, "step": 2}', '{"name": "acc", "value": 1}',
    ]  # fmt: skip
    script = "\n".join(f"echo '{line}' >> $MLWF_METRICS" for line in lines)
    _, result, out, _ = bench.run(bench.task(script))
    assert result.metrics == {"loss": 0.5, "acc": 1.0}
    assert [(p.name, p.value, p.step) for p in bench.runs.points] == [
        ("loss", 1.5, 0.0), ("loss", None, 1.0), ("loss", 0.5, 2.0), ("acc", 1.0, None),
    ]  # fmt: skip
    assert "metrics line 2" in out


def test_a_pruned_trial_is_stopped(bench: Bench) -> None:
    bench.runs.stop = True
    script = """echo '{"name": "loss", "value": 1}' >> $MLWF_METRICS; exec sleep 30"""
    code, result, _, _ = bench.run(bench.task(script))
    assert (code, result.exit_code, result.reason) == (143, 143, "Stopped")


def test_an_operator_that_knows_nothing_is_told_all_values_again_and_which_of_them_were_answered(bench: Bench) -> None:
    script = (
        """for n in 1 2 3 4 5 6; do echo "{\\"name\\": \\"acc\\", \\"value\\": $n}" >> $MLWF_METRICS; sleep 0.7; done"""
    )
    _, process = bench.start(bench.task(script))
    taken = bench.runs.points
    while len(bench.runs.batches) < 2 or len(taken) < sum(len(batch.metrics) for batch in bench.runs.batches):
        time.sleep(0.01)
    bench.runs.points.clear()  # as another operator is, which has just started
    bench.runs.batches.clear()
    process.communicate(timeout=60)
    assert [point.value for point in bench.runs.points] == [1, 2, 3, 4, 5, 6]
    refused, whole, *_ = bench.runs.batches
    assert (refused.first, whole.first, whole.heard) == (refused.heard, 0, refused.heard)


def test_an_attempt_that_was_replaced_ends_quietly(bench: Bench) -> None:
    key, process = bench.start(bench.task("sleep 0.5"))
    while not (bench.folder / "root/run/task.json").exists():
        time.sleep(0.01)
    bench.runs.results[key] = Result(exit_code=0)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")


def test_an_input_with_other_bytes_than_its_digest_fails_the_step(bench: Bench) -> None:
    artifact = bench.put(b"right")
    bench.store.write_bytes(cas_key(bench.namespace, artifact.digest), b"wrong")
    code, result, _, _ = bench.run(bench.task("true", inputs={"data": artifact}))
    assert (code, result.reason) == (1, "InputInvalid")
    assert "input 'data'" in result.message


def test_an_input_that_is_gone_says_so(bench: Bench) -> None:
    artifact = ArtifactRef("sha256:" + "0" * 64, 3, "file")
    _, result, _, _ = bench.run(bench.task("true", inputs={"data": artifact}))
    assert (result.reason, result.message) == ("ArtifactMissing", "input 'data' is not in the store any more")


def test_a_result_that_is_too_big_is_a_failure_that_says_so(bench: Bench) -> None:
    script = "for i in $(seq 5); do head -c 1000000 /dev/zero | tr '\\0' x > $MLWF_OUT/params/p$i; done"
    code, result, _, _ = bench.run(bench.task(script))
    assert (code, result.reason) == (1, "OutputInvalid")
    assert result.message.endswith("has at most 4 MiB: make large values artifacts")


def test_a_link_to_the_token_is_not_an_output(bench: Bench) -> None:
    script = f"for at in model params/p; do ln -s {bench.token_file} $MLWF_OUT/$at; done"
    _, result, _, _ = bench.run(bench.task(script, outputs={"model": OutputSpec()}))
    assert result.reason == "OutputInvalid"
    assert result.outputs == {} == result.parameters
    assert "params/p" in result.message
    assert "model" in result.message


def test_output_is_bounded_and_its_ends_are_kept(bench: Bench) -> None:
    _, result, _, _ = bench.run(bench.task("echo first; yes 0123456789abcde | head -c 12000000; echo; echo last"))
    log = bench.get(result.logs)
    assert log.startswith(b"first\n")
    assert log.endswith(b"\nlast\n")
    assert b"bytes of output left out" in log
    assert 7 << 20 < len(log) < 9 << 20


def test_nothing_about_the_step_needs_more_than_its_four_folders(bench: Bench) -> None:
    bench.run(bench.task("echo kept > $MLWF_CHECKPOINT/epoch"))
    _, result, out, _ = bench.run(bench.task("cat $MLWF_CHECKPOINT/epoch"))
    assert (result.reason, out) == ("", "kept\n")
    assert sorted(p.name for p in (bench.folder / "root").iterdir()) == ["checkpoint", "in", "out", "run"]
