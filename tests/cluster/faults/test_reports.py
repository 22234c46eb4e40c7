"""What users of other engines reported, run here: each test names the reports that it comes from."""

from __future__ import annotations

import json

from ..conftest import Cluster
from .lines import Lines
from .operators import no_operator
from .steps import Making, once, run_of, wait_steps, workflow


def test_a_stale_version_of_a_workflow_runs_nothing_again(
    cluster: Cluster, operator: str, namespace: str, lines: Lines, make: Making
) -> None:
    """argo-workflows #13986, #16294: an old version of a workflow's status is taken for the present one, and steps that ended hours ago run
    again. Here the status is set back to how it was in the middle, the Pods are gone, and the operator is a new one."""
    names = ("first", "second", "plain", "last")
    steps = [
        make.light("first"),
        make.plain("plain", "say; echo x > $MLWF_OUT/o", outputs={"o": {}}, after=["first"]),
        make.light("second", "say; hold middle", after=["first"]),
        make.light("last", after=["second"], inputs={"o": {"from": "plain.o"}}),
    ]
    cluster.apply(namespace, workflow(*steps))
    lines.wait_held("middle")
    wait_steps(cluster, namespace, "Running", "second")
    middle = cluster.workflow(namespace, "w")["status"]
    lines.open("middle")
    before = cluster.wait_phase(namespace, "w", 60)["status"]
    assert before["phase"] == "Succeeded"
    with no_operator(cluster):
        cluster.kubectl("delete", "pods", "--all", "-n", namespace, "--grace-period=0", "--force")
        missing = {field: None for field in before if field not in middle}
        stale = json.dumps({"status": {**missing, **middle}})
        cluster.kubectl("patch", "mlwf", "w", "-n", namespace, "--subresource=status", "--type=merge", "-p", stale)
    status = cluster.wait_phase(namespace, "w", 60)["status"]
    assert run_of(status) == dict.fromkeys(names, ("Succeeded", 1, 0)), status
    assert [step.get("artifacts") for step in status["steps"]] == [step.get("artifacts") for step in before["steps"]]
    assert lines.counted() == once(*names)
    assert cluster.get("pods", namespace) == []


def test_a_chain_has_no_fixed_delay_between_its_steps(
    cluster: Cluster, operator: str, namespace: str, lines: Lines, make: Making
) -> None:
    """argo-workflows #12381, #9278, #13671: each hop takes up to ten seconds, because the controller looks again only then. Bare Pods of this
    node take two seconds a hop; no hop here may take longer, whichever way the step gets into its Pod."""
    names = [f"light{number}" for number in range(5)] + [f"plain{number}" for number in range(3)]
    steps = [
        make.of(name[:5], name, after=[before] if before else [])
        for before, name in zip(["", *names[:-1]], names, strict=True)
    ]
    cluster.apply(namespace, workflow(*steps))
    assert cluster.wait_phase(namespace, "w", 60)["status"]["phase"] == "Succeeded"
    assert lines.said == [f"{name} 0" for name in names]
    hops = [after - before for before, after in zip(lines.at, lines.at[1:], strict=False)]
    assert sorted(hops[:4])[2] < 2.0, hops
    assert max(hops) < 5.0, hops


def test_retries_are_made_as_often_as_was_asked(
    cluster: Cluster, operator: str, namespace: str, lines: Lines, make: Making
) -> None:
    """kubeflow/pipelines #9950: `set_retry` is compiled and then ignored. #13192: and why it failed is not said."""
    retry = {"limit": 2, "backoff": "1s"}
    steps = [
        make.light("light", "say; echo attempt $MLWF_ATTEMPT; exit 9", retry=retry),
        make.plain("plain", "say; echo attempt $MLWF_ATTEMPT; exit 9", retry=retry),
        make.light("once", "say; exit 9"),
    ]
    cluster.apply(namespace, workflow(*steps))
    status = cluster.wait_phase(namespace, "w", 60)["status"]
    assert run_of(status) == {
        "light": ("Failed", 3, 3), "plain": ("Failed", 3, 3), "once": ("Failed", 1, 1),
    }, status  # fmt: skip
    assert lines.counted() == {
        **{f"{name} {attempt}": 1 for name in ("light", "plain") for attempt in range(3)}, "once 0": 1,
    }  # fmt: skip
    for step in status["steps"][:2]:
        assert "exit code 9" in step["message"]
        assert "attempt 2" in step["message"]


def test_trials_that_fail_are_counted_and_end_the_search(
    cluster: Cluster, operator: str, namespace: str, lines: Lines, make: Making
) -> None:
    """katib #2452, #759: every trial's Pod ends in an error, none counts as failed, and the experiment goes on for ever."""
    step = make.light("x", "say; echo Let train error; exit 1")
    tune = {
        "metric": {"name": "result", "goal": "maximize"},
        "algorithm": {"grid": {}},
        "space": {"a": {"choice": [1, 2, 3, 4, 5]}},
        "trials": {"max": 5, "parallel": 1, "maxFailed": 1},
        "step": {"container": step["container"]},
    }
    cluster.apply(namespace, workflow({"name": "tune", "tune": tune}))
    status = cluster.wait_phase(namespace, "w", 60)["status"]
    assert status["phase"] == "Failed"
    assert status["steps"][0]["reason"] == "TrialsFailed", status
    assert "Let train error" in json.dumps(status), status
    assert len(lines.said) == 2  # more than `maxFailed`, and no more than that
    assert len(cluster.get("pods", namespace)) == 2
