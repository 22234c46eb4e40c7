"""What is read off a Pod: a table of the shapes that real kubelets write."""

from __future__ import annotations

from typing import Any

import pytest
from mlworkflow.core.names import pod_name
from mlworkflow.core.observation import Seen
from mlworkflow.kube.podview import PodView, pod_view

OWNER = "uid-of-the-workflow"
NAME = pod_name("w", OWNER, "tune/3", 2)


def a_pod(status: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": NAME,
            "namespace": "ns",
            "uid": "uid-of-the-pod",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": {
                "mlworkflow.io/workflow-uid": OWNER,
                "mlworkflow.io/task": "tune/3",
                "mlworkflow.io/attempt": "2",
            },
            "ownerReferences": [{"name": "w", "uid": OWNER}],
            **metadata,
        },
        "spec": {
            key: [{"name": state["name"]} for state in status.get(f"{key[:-1]}Statuses", [])]
            for key in ("initContainers", "containers")
        },
        "status": status,
    }


def container(name: str, **state: Any) -> dict[str, Any]:
    return {"name": name, "state": state}


def terminated(code: int, reason: str = "Error", message: str = "") -> dict[str, Any]:
    return {"exitCode": code, "reason": reason, "message": message}


def view(status: dict[str, Any], **metadata: Any) -> PodView:
    found = pod_view(a_pod(status, **metadata))
    assert found is not None
    return found


UNSCHEDULED = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
PULLING = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}


@pytest.mark.parametrize(
    ("status", "seen", "reason", "exit_code"),
    [
        ({"phase": "Pending"}, Seen.WAITING, "", None),
        ({"phase": "Pending", "conditions": [UNSCHEDULED]}, Seen.WAITING, "Unschedulable", None),
        (
            {"phase": "Pending", "containerStatuses": [container("step", waiting={"reason": "ContainerCreating"})]},
            Seen.WAITING,
            "",
            None,
        ),
        (
            {"phase": "Pending", "containerStatuses": [container("step", waiting=PULLING)]},
            Seen.WAITING,
            "ImagePullBackOff",
            None,
        ),
        (
            {
                "phase": "Pending",
                "initContainerStatuses": [container("fetch", running={})],
                "containerStatuses": [container("step", waiting={"reason": "PodInitializing"})],
            },
            Seen.RUNNING,
            "",
            None,
        ),
        (
            {
                "phase": "Pending",
                "initContainerStatuses": [container("fetch", terminated=terminated(0, "Completed"))],
                "containerStatuses": [container("step", waiting=PULLING)],
            },
            Seen.WAITING,
            "ImagePullBackOff",
            None,
        ),
        ({"phase": "Running", "containerStatuses": [container("step", running={})]}, Seen.RUNNING, "", None),
        (
            {"phase": "Succeeded", "containerStatuses": [container("step", terminated=terminated(0, "Completed"))]},
            Seen.ENDED,
            "",
            0,
        ),
        ({"phase": "Failed", "containerStatuses": [container("step", terminated=terminated(3))]}, Seen.ENDED, "Error", 3),
        (
            {"phase": "Failed", "containerStatuses": [container("step", terminated=terminated(137, "OOMKilled"))]},
            Seen.ENDED,
            "OOMKilled",
            137,
        ),
        ({"phase": "Failed", "reason": "DeadlineExceeded", "message": "too long"}, Seen.ENDED, "DeadlineExceeded", None),
        (
            {"phase": "Failed", "initContainerStatuses": [container("fetch", terminated=terminated(75))]},
            Seen.ENDED,
            "Error",
            75,
        ),
    ],
    ids=[
        "pending", "unschedulable", "creating", "no image", "fetching", "no image after fetch", "running", "succeeded",
        "crashed", "out of memory", "deadline", "fetch failed",
    ],
)  # fmt: skip
def test_where_an_attempt_stands(status: dict[str, Any], seen: Seen, reason: str, exit_code: int | None) -> None:
    attempt = view(status).attempt
    assert (attempt.task, attempt.number, attempt.handle) == ("tune/3", 2, NAME)
    assert (attempt.seen, attempt.reason, attempt.exit_code, attempt.lost) == (seen, reason, exit_code, False)


FAILED = {"phase": "Failed", "containerStatuses": [container("step", terminated=terminated(143))]}


@pytest.mark.parametrize(
    ("status", "metadata"),
    [
        ({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}, {}),
        ({**FAILED, "conditions": [{"type": "DisruptionTarget", "status": "True"}]}, {}),
        (FAILED, {"deletionTimestamp": "2026-01-01T00:01:00Z"}),
    ],
    ids=["evicted", "disrupted", "deleted by somebody"],
)
def test_the_infrastructure_is_blamed_for_what_it_did(status: dict[str, Any], metadata: dict[str, Any]) -> None:
    assert view(status, **metadata).attempt.lost is True


def test_the_users_container_may_end_before_its_pod() -> None:
    pod = view(
        {
            "phase": "Running",
            "containerStatuses": [
                container("step", terminated=terminated(128, "StartError", "exec: not found\n")),
                container("publish", running={}),
            ],
        }
    )
    assert pod.attempt.seen is Seen.RUNNING
    assert pod.end is not None
    assert (pod.end.exit_code, pod.end.reason, pod.end.message) == (128, "StartError", "exec: not found")


def test_what_earlier_attempts_cost_is_read_off_a_pod() -> None:
    counted = IDENTITY | {"mlworkflow.io/failures": "2", "mlworkflow.io/losses": "1"}
    costs = [
        (found.attempt.failures, found.attempt.losses)
        for found in (view({}, annotations=counted), view({}, annotations=IDENTITY))
    ]
    assert costs == [(2, 1), (0, 0)]  # the latter was made by an operator that did not write it yet


IDENTITY = {"mlworkflow.io/workflow-uid": OWNER, "mlworkflow.io/task": "tune/3", "mlworkflow.io/attempt": "2"}


@pytest.mark.parametrize(
    "metadata",
    [
        {"annotations": {}},
        {"annotations": None},
        {"annotations": {"mlworkflow.io/workflow-uid": OWNER}},
        {"annotations": {**IDENTITY, "mlworkflow.io/attempt": "two"}},
        {"annotations": {**IDENTITY, "mlworkflow.io/attempt": "1"}},
        {"ownerReferences": []},
        {"ownerReferences": None},
        {"ownerReferences": [{"name": "w", "uid": "another"}]},
        {"name": "a-copy-of-it"},
    ],
    ids=[
        "no annotation", "no annotations", "no task", "no number", "another attempt", "no owner", "no owners", "another owner", "a copy",
    ],
)  # fmt: skip
def test_a_pod_that_only_looks_like_ours_is_not(metadata: dict[str, Any]) -> None:
    assert pod_view(a_pod({"phase": "Running"}, **metadata)) is None


def test_a_pod_may_have_other_owners_too() -> None:
    owners = [{"name": "x", "uid": "another"}, {"name": "w", "uid": OWNER}]
    assert view({"phase": "Running"}, ownerReferences=owners).workflow == OWNER


def test_a_pod_without_a_status_waits() -> None:
    pod = a_pod({})
    del pod["status"]
    found = pod_view(pod)
    assert found is not None
    assert (found.attempt.seen, found.attempt.reason, found.end) == (Seen.WAITING, "", None)


@pytest.mark.parametrize(
    ("name", "key"),
    [("fetch", "initContainerStatuses"), ("step", "containerStatuses"), ("publish", "containerStatuses")],
)
@pytest.mark.parametrize(
    "reason",
    ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError", "RunContainerError"],
)  # fmt: skip
def test_a_container_that_does_not_start_says_why(name: str, key: str, reason: str) -> None:
    status = {"phase": "Pending", key: [container(name, waiting={"reason": reason, "message": "said the kubelet"})]}
    attempt = view(status).attempt
    assert (attempt.seen, attempt.reason, attempt.message) == (Seen.WAITING, reason, "said the kubelet")


def test_why_it_is_not_scheduled_is_the_schedulers_word() -> None:
    attempt = view({"phase": "Pending", "conditions": [UNSCHEDULED]}).attempt
    assert attempt.message == "0/3 nodes"
    gated = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
    assert view({"phase": "Pending", "conditions": [gated]}).attempt.reason == "SchedulingGated"


@pytest.mark.parametrize(
    ("states", "reason", "message", "exit_code"),
    [
        ({"step": terminated(137, "OOMKilled")}, "OOMKilled", "exit code 137", 137),
        ({"step": terminated(128, "StartError", "exec: not found\n")}, "StartError", "exit code 128: exec: not found", 128),
        ({"step": terminated(128, "ContainerCannotRun", "no such file")}, "ContainerCannotRun", "exit code 128: no such file", 128),
        ({"step": terminated(3), "publish": terminated(75)}, "Error", "exit code 3", 3),
        ({"step": terminated(0, "Completed"), "publish": terminated(75)}, "Error", "publish: exit code 75", 75),
        ({"fetch": terminated(75, "Error", "no gateway")}, "Error", "fetch: exit code 75: no gateway", 75),
        ({"step": {"exitCode": 1}}, "Error", "exit code 1", 1),
        ({}, "Error", "", None),
    ],
    ids=["memory", "start", "run", "both", "publish", "fetch", "no reason", "nothing"],
)  # fmt: skip
def test_how_a_failed_pod_ended(states: dict[str, Any], reason: str, message: str, exit_code: int | None) -> None:
    status: dict[str, Any] = {"phase": "Failed", "initContainerStatuses": [], "containerStatuses": []}
    for name, ended in states.items():
        status["initContainerStatuses" if name == "fetch" else "containerStatuses"].append(
            container(name, terminated=ended)
        )
    attempt = view(status).attempt
    assert (attempt.seen, attempt.reason, attempt.message, attempt.exit_code) == (
        Seen.ENDED,
        reason,
        message,
        exit_code,
    )
    assert attempt.lost is False


@pytest.mark.parametrize(
    "reason",
    ["Evicted", "Preempting", "NodeLost", "NodeShutdown", "Terminated", "NodeAffinity", "UnexpectedAdmissionError"],
)
def test_the_infrastructures_reasons_are_kept_with_its_words(reason: str) -> None:
    attempt = view({**FAILED, "reason": reason, "message": "said the kubelet"}).attempt
    assert (attempt.lost, attempt.reason, attempt.message) == (True, reason, "said the kubelet")


def test_a_pod_that_is_being_deleted_runs_until_it_has_ended() -> None:
    running = {"phase": "Running", "containerStatuses": [container("step", running={})]}
    attempt = view(running, deletionTimestamp="2026-01-01T00:01:00Z").attempt
    assert (attempt.seen, attempt.leaving, attempt.lost) == (Seen.RUNNING, True, False)


def test_a_disruption_that_did_not_come_is_no_excuse() -> None:
    status = {**FAILED, "conditions": [{"type": "DisruptionTarget", "status": "False"}]}
    assert view(status).attempt.lost is False


def test_a_view_changes_only_when_something_of_interest_did() -> None:
    status = {
        "phase": "Running",
        "containerStatuses": [container("step", running={"startedAt": "2026-01-01T00:00:01Z"})],
    }
    noise = {**status, "podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]}
    assert view(status) == view(noise, resourceVersion="7", labels={"a": "b"})


# ── Containers of others ───────────────────────────────────────────────────────────────────────────────────────────────

DONE, CRASHED, RUNS = {"terminated": terminated(0, "Completed")}, {"terminated": terminated(3)}, {"running": {}}
CREATING, BROKEN = {"waiting": {"reason": "PodInitializing"}}, {"waiting": {**PULLING, "reason": "ErrImagePull"}}
LOOPING = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}}


def a_status(phase: str, init: dict[str, Any] | None = None, **containers: dict[str, Any]) -> dict[str, Any]:
    return {
        "phase": phase,
        "initContainerStatuses": [container(name, **state) for name, state in (init or {}).items()],
        "containerStatuses": [container(name, **state) for name, state in containers.items()],
    }


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (a_status("Running", step=DONE, proxy=RUNS), ("Ended", True, 0, "")),
        (a_status("Running", step=CRASHED, proxy=RUNS), ("Ended", True, 3, "Error")),
        (a_status("Running", step={"terminated": terminated(137, "OOMKilled")}, proxy=RUNS), ("Ended", True, 137, "OOMKilled")),
        (a_status("Running", step=DONE, proxy=BROKEN), ("Ended", True, 0, "")),
        (a_status("Running", {"fetch": DONE}, step=DONE, publish=RUNS, proxy=RUNS), ("Running", False, None, "")),
        (a_status("Running", {"fetch": DONE}, step=DONE, publish=DONE, proxy=RUNS), ("Ended", True, 0, "")),
        (a_status("Running", {"fetch": DONE}, step=DONE, publish={"terminated": terminated(75)}, proxy=RUNS), ("Ended", True, 75, "Error")),
        (a_status("Running", {"fetch": DONE}, step=RUNS, publish={"terminated": terminated(75)}, proxy=RUNS), ("Running", False, None, "")),
        (a_status("Running", {"proxy": RUNS}, step=DONE), ("Running", False, None, "")),
        (a_status("Pending", {"proxy": RUNS, "fetch": {"terminated": terminated(75)}}, step=CREATING, publish=CREATING), ("Running", False, None, "")),
        (a_status("Running", step=CRASHED), ("Running", False, None, "")),
        (a_status("Running", step=CRASHED, proxy=DONE), ("Running", False, None, "")),
        (a_status("Running", step=RUNS, proxy=DONE), ("Running", False, None, "")),
        (a_status("Running", step=RUNS, proxy=BROKEN), ("Running", False, None, "")),
        (a_status("Running", {"proxy": LOOPING}, step=RUNS), ("Running", False, None, "")),
        (a_status("Succeeded", step=DONE, proxy=DONE), ("Ended", False, 0, "")),
        (a_status("Failed", step=DONE, proxy=CRASHED), ("Ended", False, 0, "")),
        (a_status("Failed", {"fetch": DONE}, step=DONE, publish=DONE, proxy=CRASHED), ("Ended", False, 0, "")),
        (a_status("Failed", step=CRASHED, proxy={"terminated": terminated(137)}), ("Ended", False, 3, "Error")),
        (a_status("Failed", {"fetch": DONE, "setup": CRASHED}, step=CREATING), ("Ended", False, 3, "Error")),
        (a_status("Pending", {"setup": RUNS, "fetch": CREATING}, step=CREATING, publish=CREATING), ("Waiting", False, None, "")),
        (a_status("Pending", {"setup": DONE, "fetch": RUNS}, step=CREATING, publish=CREATING), ("Running", False, None, "")),
        (a_status("Pending", {"setup": BROKEN}, step=CREATING), ("Waiting", False, None, "ErrImagePull")),
        (a_status("Pending", {"proxy": LOOPING}, step=CREATING), ("Waiting", False, None, "CrashLoopBackOff")),
        (a_status("Pending", {"proxy": RUNS}, step=CREATING), ("Waiting", False, None, "")),
    ],
    ids=[
        "a sidecar outlives the step", "a crash", "a crash for want of memory", "a sidecar that never starts", "publish is at work", "publish has done its work",
        "publish failed", "publish is gone, the step goes on", "a native sidecar is the kubelet's to end", "after a failed fetch too",
        "the kubelet is about to say why", "and so it is with a sidecar that has ended", "a sidecar that ended first", "a sidecar without an image",
        "a native sidecar that crashes", "all is well", "a sidecar's crash is not the step's", "nor publish's", "the step's own word comes first",
        "an injected init container failed", "an injected init container runs", "and has ended", "an injected init container without an image",
        "a native sidecar that does not come up", "a native sidecar that is up",
    ],
)  # fmt: skip
def test_what_others_put_into_a_pod_changes_nothing(
    status: dict[str, Any], expected: tuple[str, bool, int | None, str]
) -> None:
    attempt = view(status).attempt
    assert (str(attempt.seen), attempt.lingering, attempt.exit_code, attempt.reason) == expected
    assert attempt.lost is False


def test_whose_container_failed_is_said() -> None:
    status = a_status("Failed", {"setup": {"terminated": terminated(1, "Error", "no route")}}, step=CREATING)
    assert view(status).attempt.message == "setup: exit code 1: no route"


def test_who_evicts_is_asked_even_where_a_sidecar_runs_on() -> None:
    status = a_status("Running", step={"terminated": terminated(143)}, proxy=RUNS)
    status["conditions"] = [{"type": "DisruptionTarget", "status": "True"}]
    attempt = view(status).attempt
    assert (attempt.seen, attempt.lingering, attempt.lost) == (Seen.ENDED, True, True)


# ── Time ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stamp", ["2026-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2999-01-01T00:00:00Z"])
def test_no_stamp_of_the_server_is_believed(stamp: str) -> None:
    pod = a_pod(a_status("Running", step={"running": {"startedAt": stamp}}), creationTimestamp=stamp)
    found = pod_view(pod, 1000.0)
    assert found is not None
    assert (found.attempt.created_at, found.attempt.running_since) == (1000.0, 1000.0)


def test_a_pod_keeps_the_times_at_which_it_was_first_seen_so() -> None:
    first = pod_view(a_pod({"phase": "Pending"}), 1000.0)
    second = pod_view(a_pod(a_status("Running", step=RUNS)), 1010.0, first)
    third = pod_view(a_pod(a_status("Running", step=DONE, proxy=RUNS)), 1020.0, second)
    assert first is not None
    assert second is not None
    assert third is not None
    assert [(each.attempt.created_at, each.attempt.running_since) for each in (first, second, third)] == [
        (1000.0, None),
        (1000.0, 1010.0),
        (1000.0, 1010.0),
    ]


def test_another_pod_of_the_same_name_has_times_of_its_own() -> None:
    known = pod_view(a_pod(a_status("Running", step=RUNS)), 1000.0)
    found = pod_view(a_pod({"phase": "Pending"}, uid="another"), 2000.0, known)
    assert found is not None
    assert (found.attempt.created_at, found.attempt.running_since) == (2000.0, None)


def test_only_the_steps_own_container_counts_as_running() -> None:
    found = pod_view(a_pod(a_status("Pending", {"proxy": RUNS, "fetch": RUNS}, step=CREATING)), 1000.0)
    assert found is not None
    assert (found.attempt.seen, found.attempt.running_since) == (Seen.RUNNING, None)


def test_an_image_that_is_pulled_after_the_inputs_were_fetched_is_waited_for_from_then_on() -> None:
    pending = a_status("Pending", {"fetch": CREATING}, step=CREATING, publish=CREATING)
    fetching = a_status("Pending", {"fetch": RUNS}, step=CREATING, publish=CREATING)
    pulling = a_status("Pending", {"fetch": DONE}, step=CREATING, publish=RUNS)
    seen = []
    known = None
    for now, status in ((100.0, pending), (110.0, pending), (120.0, fetching), (500.0, pulling), (510.0, pulling)):
        known = pod_view(a_pod(status), now, known)
        assert known is not None
        seen.append((str(known.attempt.seen), known.attempt.waiting_since, known.attempt.created_at))
    assert seen == [
        ("Waiting", 100.0, 100.0),
        ("Waiting", 100.0, 100.0),
        ("Running", None, 100.0),
        ("Waiting", 500.0, 100.0),
        ("Waiting", 500.0, 100.0),
    ]


def test_a_container_that_is_being_created_names_its_image() -> None:
    spec = {"containers": [{"name": "proxy", "image": "p:1"}, {"name": "step", "image": "model:7"}]}
    pod = {**a_pod(a_status("Pending", {"fetch": DONE}, step=CREATING, proxy=RUNS)), "spec": spec}
    found = pod_view(pod, 1.0)
    assert found is not None
    assert (found.attempt.seen, found.attempt.reason) == (Seen.WAITING, "")
    assert found.attempt.message == "its container is being created, from the image model:7"


# ── trials that share a Pod ────────────────────────────────────────────────────────────────────────────────────────

RIDERS = '[["tune/3",2,0,1,"f3"],["tune/4",0,0,0,"f4"],["tune/5",0]]'


def shared(status: dict[str, Any], listed: str = RIDERS, **metadata: Any) -> PodView:
    annotations = {**a_pod({})["metadata"]["annotations"], "mlworkflow.io/riders": listed}
    return view(status, annotations=annotations, **metadata)


def died(said: str, reason: str = "OOMKilled") -> dict[str, Any]:
    return {"phase": "Failed", "containerStatuses": [container("step", terminated=terminated(137, reason, said))]}


def test_trials_that_share_a_pod_stand_where_it_stands() -> None:
    found = shared({"phase": "Running", "containerStatuses": [container("step", running={})]})
    aboard = (("tune/3", 2), ("tune/4", 0), ("tune/5", 0))
    assert [(each.task, each.number) for each in found.attempts] == list(aboard)
    assert {(each.seen, each.handle, each.aboard) for each in found.attempts} == {(Seen.RUNNING, NAME, aboard)}
    assert [(each.losses, each.fingerprint) for each in found.attempts] == [(1, "f3"), (0, "f4"), (0, "")]


@pytest.mark.parametrize(
    ("said", "lost"),
    [
        ("", [False, True, True]),
        ("tune/3/2", [False, True, True]),
        ("tune/4/0", [False, False, True]),
        ("tune/5/0", [False, False, False]),
        ("what a step wrote there", [False, True, True]),
    ],
)
def test_the_end_of_a_pod_is_the_doing_of_the_one_that_ran(said: str, lost: list[bool]) -> None:
    found = shared(died(said)).attempts
    assert [each.lost for each in found] == lost
    assert {each.exit_code for each in found} == {137}
    own = [(each.reason, each.message) for each in found if not each.lost]
    words = "exit code 137: what a step wrote there" if "what" in said else "exit code 137"
    assert set(own) == {("OOMKilled", words)} or "what" in said
    late = [(each.reason, each.message) for each in found if each.lost]
    names = [f"{each.task}/{each.number}" for each in found]
    name = said if said in names else names[0]
    assert set(late) <= {("", f"its Pod ended before its turn: OOMKilled in {name}")}


def test_what_the_infrastructure_ends_is_lost_for_all() -> None:
    assert {each.lost for each in shared({"phase": "Failed", "reason": "Evicted"}).attempts} == {True}
    leaving = shared(died("tune/4/0"), deletionTimestamp="2026-01-01T00:00:00Z")
    assert {each.lost for each in leaving.attempts} == {True}


def test_an_annotation_that_cannot_be_read_names_nobody() -> None:
    found = shared(died("tune/3/2"), listed="what?")
    assert [(each.task, each.number) for each in found.attempts] == [("tune/3", 2)]
