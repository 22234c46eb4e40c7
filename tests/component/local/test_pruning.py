"""A trial that does not look promising hears it while it runs, and its processes end; its log is kept."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

from mlworkflow.local.home import NAMESPACE, Home
from mlworkflow.local.runner import LocalRunner
from mlworkflow.store.layout import AttemptKey, cas_key
from mlworkflow.store.records import load_run, read_log

from tests.builders import a_workflow

SCRIPT = """
trap 'date +%s.%N > "$AT/ended-$MLWF_PARAM_X"; exit 1' TERM
echo "trial with $MLWF_PARAM_X"
step=0
while [ $step -lt 3000 ]; do
  step=$((step + 1))
  echo "{\\"name\\": \\"acc\\", \\"value\\": $MLWF_PARAM_X, \\"step\\": $step}" >> "$MLWF_METRICS"
  [ $MLWF_PARAM_X = 0.9 ] && [ $step -gt 10 ] && exit 0
  sleep 0.2
done
"""
BOUND = 2.0
"""Seconds in which what a pruned trial holds is free."""


async def test_a_trial_that_only_prints_its_metric_is_pruned_too(tmp_path: Path) -> None:
    script = 'n=0; while [ $n -lt 3000 ]; do n=$((n + 1)); echo "acc: $MLWF_PARAM_X"; [ $MLWF_PARAM_X = 0.9 ] && [ $n -gt 3 ] && exit 0; sleep 0.2; done'
    trial = {"container": {"command": ["sh", "-c", script]}}
    (step,) = (
        a_workflow().tune("t", {"x": [0.1, 0.9]}, trials={"max": 2, "parallel": 2}, trial=trial, trial_outputs="").steps
    )
    body = {
        **step["tune"],
        "metric": {"name": "acc", "pattern": "^acc: (.*)$"},
        "pruner": {"threshold": {"lower": 0.5}},
    }
    async with asyncio.timeout(120):
        run = await LocalRunner(
            Home(tmp_path), a_workflow().raw({**step, "tune": body}).resource(), lambda _: None
        ).execute()
    (ended,) = run.resource["status"]["steps"]
    assert (ended["phase"], ended["outputs"]["best"]["params"], ended["outputs"]["pruned_count"]) == (
        "Succeeded",
        {"x": 0.9},
        1,
    )


async def test_a_pruned_trial_is_told_to_stop_and_frees_what_it_holds_at_once(tmp_path: Path) -> None:
    trial = {"container": {"command": ["sh", "-c", SCRIPT]}, "env": [{"name": "AT", "value": str(tmp_path)}]}
    (step,) = (
        a_workflow()
        .tune("t", {"x": [0.1, 0.9, 0.2, 0.3]}, trials={"max": 4, "parallel": 2}, trial=trial, trial_outputs="")
        .steps
    )
    builder = a_workflow().raw({**step, "tune": {**step["tune"], "pruner": {"threshold": {"lower": 0.5}}}})
    async with asyncio.timeout(120):
        run = await LocalRunner(Home(tmp_path / "home"), builder.resource(), lambda _: None).execute()
    (ended,) = run.resource["status"]["steps"]
    assert ended["phase"] == "Succeeded", ended
    assert ended["outputs"]["best"]["params"] == {"x": 0.9}
    assert (ended["outputs"]["pruned_count"], ended["outputs"]["failed_count"]) == (3, 0)
    home = Home(tmp_path / "home")
    records = load_run(home.store, NAMESPACE, run.uid).records
    delays = []
    for task, x in (("t/0", 0.1), ("t/2", 0.2), ("t/3", 0.3)):
        key = AttemptKey(NAMESPACE, run.uid, task, 0)
        assert (records[key].reason, records[key].curve) == ("Pruned", ((1, x),))
        delays.append(float((tmp_path / f"ended-{x}").read_text()) - records[key].finished_at)
        log = read_log(home.store, key)
        assert log
        assert b"".join(home.store.read(cas_key(NAMESPACE, log.digest))).startswith(f"trial with {x}\n".encode())
    assert len(records[AttemptKey(NAMESPACE, run.uid, "t/1", 0)].curve) == 11
    assert min(delays, default=math.inf) < BOUND  # of three: others may keep this machine busy


async def test_a_training_that_gets_nowhere_is_pruned_by_what_it_scores_on_the_way(tmp_path: Path) -> None:
    """The first trial gets better by next to nothing, again and again, and would go on for a long time; the second stops by itself."""
    table = tmp_path / "table.csv"
    table.write_text("a,y\n" + "".join(f"{number},{number * number}\n" for number in range(100)))
    train = {
        "estimator": "sklearn.ensemble.HistGradientBoostingRegressor",
        "earlyStopping": {"rounds": 1_000_000, "patience": 3},
    }
    search = {
        "metric": {"name": "validation_rmse", "goal": "minimize"},
        "algorithm": {"grid": {}},
        "space": {"learning_rate": {"choice": [0.000001, 0.5]}},
        "trials": {"max": 2, "parallel": 1},
        "pruner": {"threshold": {"upper": 1500.0}},
        "step": {"train": train},
    }
    builder = (
        a_workflow()
        .raw({"name": "p", "prep": {"source": {"path": str(table)}, "target": "y"}})
        .raw({"name": "t", "inputs": {"train": {"from": "p.train"}}, "tune": search})
    )
    async with asyncio.timeout(240):
        run = await LocalRunner(Home(tmp_path / "home"), builder.resource(), lambda _: None).execute()
    ended = run.resource["status"]["steps"][-1]
    assert ended["phase"] == "Succeeded", ended
    assert ended["outputs"]["best"]["params"] == {"learning_rate": 0.5}
    assert (ended["outputs"]["pruned_count"], ended["outputs"]["failed_count"]) == (1, 0)
    record = load_run(Home(tmp_path / "home").store, NAMESPACE, run.uid).records[AttemptKey(NAMESPACE, run.uid, "t/0", 0)]  # fmt: skip
    assert record.reason == "Pruned"
    assert [step for step, _ in record.curve][:1] == [10]
