"""The pure part of webhooks: what is owed, what is said, the signature, the schedule."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
from typing import Any

import pytest
from mlworkflow.core import status
from mlworkflow.core.errors import SpecError
from mlworkflow.core.model import Workflow
from mlworkflow.core.state import Phase, Run, Task
from mlworkflow.engine import webhooks
from mlworkflow.engine.addresses import is_too_near
from mlworkflow.engine.webhooks import Owed, Trouble

from tests.builders import WorkflowBuilder, a_workflow, artifact

HOOK = {"url": "https://hooks.example.com/a", "headers": {"Authorization": "Bearer hush"}}
ENDED = Task(
    phase=Phase.SUCCEEDED,
    attempt=1,
    started_at=1_700_000_000.0,
    finished_at=1_700_000_007.5,
    parameters={"accuracy": 0.9, "labels": ["ä", "b"]},
    artifacts={"model": artifact("model", 7)},
)


def a_pair() -> WorkflowBuilder:
    return a_workflow().step("a", onSuccess=HOOK, onFailure={"url": "http://f"}).step("b", onFailure=HOOK).step("c")


def an_event(**fields: Any) -> Owed:
    workflow = a_pair().parsed()
    task = Task(**{**{field: getattr(ENDED, field) for field in Task.__struct_fields__}, **fields})
    (event,) = webhooks.owed(workflow, Run(tasks={"a": task}))
    return event


# ── what is owed ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        ({}, []),
        ({"a": Task(phase=Phase.RUNNING, attempt=0)}, []),
        ({"a": ENDED}, [("a", "step.succeeded", "https://hooks.example.com/a")]),
        ({"a": Task(phase=Phase.FAILED, attempt=0)}, [("a", "step.failed", "http://f")]),
        ({"a": Task(phase=Phase.SUCCEEDED, attempt=0, webhook="Delivered")}, []),
        ({"a": Task(phase=Phase.FAILED, attempt=0, webhook="GivenUp: answered 404")}, []),
        ({"a": Task(phase=Phase.SKIPPED)}, []),
        ({"a": Task(phase=Phase.CANCELLED, attempt=0)}, []),
        ({"b": Task(phase=Phase.SUCCEEDED, attempt=0)}, []),
        ({"c": Task(phase=Phase.FAILED, attempt=0)}, []),
        ({"a": ENDED, "b": Task(phase=Phase.FAILED, attempt=2)}, [("a", "step.succeeded", "https://hooks.example.com/a"), ("b", "step.failed", "https://hooks.example.com/a")]),
    ],
)  # fmt: skip
def test_what_is_owed_follows_from_the_state_and_from_what_is_written_of_it(
    tasks: dict[str, Task], expected: list[tuple[str, str, str]]
) -> None:
    builder = a_pair()
    plan = builder.plan()
    workflow = plan.workflow
    run = Run(Phase.RUNNING, started_at=1.0, tasks=tasks)
    assert [(event.step, event.type, event.webhook.url) for event in webhooks.owed(workflow, run)] == expected
    written = status.written(plan, run, {}, 2.0)
    assert webhooks.is_owed({**builder.resource(), "status": written}) is bool(expected)
    again = status.read(written, plan.nodes)
    assert [event.id for event in webhooks.owed(workflow, again)] == [
        event.id for event in webhooks.owed(workflow, run)
    ], "a restart knows the same"


@pytest.mark.parametrize("resource", [{}, {"spec": {}}, {"spec": {"steps": [{}]}, "status": {}}, {"status": None}])
def test_a_resource_without_steps_owes_nothing(resource: dict[str, Any]) -> None:
    assert webhooks.is_owed(resource) is False


def test_the_id_tells_ends_apart_and_nothing_else() -> None:
    first = an_event()
    assert first.id == an_event(message="other words").id
    others = {an_event(attempt=2).id, an_event(phase=Phase.FAILED).id}
    assert len(others | {first.id}) == 3


# ── what is said ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_body_says_how_the_step_ended() -> None:
    event = an_event(reason="", message="")
    assert webhooks.body(event) == webhooks.body(event)
    assert json.loads(webhooks.body(event)) == {
        "type": "step.succeeded",
        "workflow": {"name": "w", "namespace": "default", "uid": "uid-1"},
        "step": "a",
        "task": "a",
        "attempt": 1,
        "phase": "Succeeded",
        "reason": "",
        "message": "",
        "outputs": {"accuracy": 0.9, "labels": ["ä", "b"]},
        "outputsOmitted": [],
        "artifacts": {"model": {"digest": "sha256:model", "size": 7, "type": "file"}},
        "startedAt": "2023-11-14T22:13:20.000Z",
        "finishedAt": "2023-11-14T22:13:27.500Z",
    }


def test_outputs_that_do_not_fit_are_named() -> None:
    said = json.loads(webhooks.body(an_event(parameters={"a": "x" * 10_000, "b": "y" * 10_000, "c": 1})))
    assert (list(said["outputs"]), said["outputsOmitted"]) == (["a", "c"], ["b"])


def test_the_signature_is_that_of_the_specification() -> None:
    """Written anew from its text: HMAC-SHA256 over `id.timestamp.body`, base64, under the name of its version."""
    key = webhooks.namespace_key(b"master", "ml")
    assert key == hmac.new(b"master", b"ml", hashlib.sha256).digest()
    event, said = an_event(), b'{"type":"step.succeeded"}'
    sent = webhooks.headers(event, said, key, 1_700_000_000.9)
    content = sent["webhook-id"] + "." + sent["webhook-timestamp"] + "." + said.decode()
    expected = base64.b64encode(hmac.new(key, content.encode(), hashlib.sha256).digest()).decode()
    assert sent["webhook-timestamp"] == "1700000000"
    assert sent["webhook-signature"] == f"v1,{expected}"
    assert sent["Authorization"] == "Bearer hush"
    assert sent["Content-Type"] == "application/json"


def test_the_specifications_own_example() -> None:
    """The vector that the specification's libraries are tested with."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    found = webhooks.signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_namespaces_have_keys_of_their_own() -> None:
    assert webhooks.namespace_key(b"master", "a") != webhooks.namespace_key(b"master", "b")


# ── when it is said again ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("code", [200, 201, 202, 204])
def test_any_2xx_is_a_thank_you(code: int) -> None:
    assert webhooks.judge(code) is None


@pytest.mark.parametrize(
    ("code", "may_pass"),
    [(301, False), (302, False), (307, False), (400, False), (401, False), (404, False), (410, False), (429, True), (500, True), (502, True), (503, True)],
)  # fmt: skip
def test_what_an_answer_means(code: int, may_pass: bool) -> None:
    trouble = webhooks.judge(code)
    assert trouble is not None
    assert (trouble.may_pass, str(code) in trouble.reason) == (may_pass, True)


@pytest.mark.parametrize(("header", "after"), [("", 0.0), ("120", 120.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0)])
def test_the_receiver_may_ask_for_time(header: str, after: float) -> None:
    trouble = webhooks.judge(503, header)
    assert trouble is not None
    assert trouble.after == after


def test_tries_thin_out_and_end_after_a_quarter_of_an_hour() -> None:
    trouble, elapsed, waits = Trouble("answered 503", may_pass=True), 0.0, []
    while (delay := webhooks.wait(trouble, len(waits) + 1, elapsed, webhooks.PATIENCE, 1.0)) is not None:
        waits.append(delay)
        elapsed += delay
    assert waits[:7] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0]
    assert max(waits) == 60.0
    assert 780.0 < elapsed <= 900.0


def test_what_is_final_is_not_tried_again_and_what_is_asked_for_is_granted() -> None:
    assert webhooks.wait(Trouble("answered 404", may_pass=False), 1, 0.0, 900.0, 1.0) is None
    assert webhooks.wait(Trouble("answered 429", may_pass=True, after=100.0), 1, 0.0, 900.0, 0.0) == 100.0
    assert webhooks.wait(Trouble("answered 429", may_pass=True, after=901.0), 1, 0.0, 900.0, 0.0) is None
    assert webhooks.wait(Trouble("no answer", may_pass=True), 1, 0.0, 900.0, 0.0) == 0.5


# ── where to ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("address", "near"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("169.254.169.254", True),
        ("fe80::1", True),
        ("fe80::1%eth0", True),
        ("0.0.0.0", True),
        ("::", True),
        ("224.0.0.1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:169.254.169.254", True),
        ("64:ff9b::a9fe:a9fe", True),
        ("2002:7f00:1::", True),
        ("10.0.0.1", False),
        ("192.168.1.1", False),
        ("93.184.216.34", False),
        ("::ffff:93.184.216.34", False),
        ("2606:2800:220:1:248:1893:25c8:1946", False),
    ],
)
def test_what_is_this_machine_or_its_link(address: str, near: bool) -> None:
    assert is_too_near(ipaddress.ip_address(address)) is near


# ── what may be written ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("hook", "words"),
    [
        ({"url": "ftp://x"}, "onSuccess.url"),
        ({"url": "hooks.example.com"}, "onSuccess.url"),
        ({"url": "https://x/${{ params.a }}"}, "onSuccess.url"),
        ({"url": "https://x/ y"}, "onSuccess.url"),
        ({}, "url"),
        ({"url": "https://x", "method": "GET"}, "method"),
        ({"url": "https://x", "headers": {"A": "a\r\nB: b"}}, "onSuccess.headers"),
        ({"url": "https://x", "headers": {"A b": "a"}}, "onSuccess.headers"),
        ({"url": "https://x", "headers": {"Webhook-Id": "a"}}, "onSuccess.headers.Webhook-Id: is set by the sender"),
        ({"url": "https://x", "headers": {"host": "a"}}, "onSuccess.headers.host: is set by the sender"),
        ({"url": "https://x", "headers": {"A": "${{ params.a }}"}}, "onSuccess.headers.A: an expression"),
    ],
)
def test_mistakes_are_named(hook: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words.replace(".", r"\.")):
        a_workflow().step("a", onSuccess=hook).parsed()


def test_a_trial_has_none_of_its_own() -> None:
    trial = {"container": {"image": "i", "command": ["c"]}, "onFailure": HOOK}
    with pytest.raises(SpecError, match=r"tune\.step\.onFailure: belongs to a step of the workflow itself"):
        a_workflow().tune("t", {"x": [1]}, trial=trial).parsed()


def test_a_step_of_a_group_has_none_of_its_own() -> None:
    with pytest.raises(SpecError, match=r"steps\[0\]\.onFailure: belongs to a step of the workflow itself"):
        a_workflow().group("g", a_workflow().step("a", onFailure=HOOK)).parsed()


def test_a_step_for_the_end_has_webhooks_too() -> None:
    ending = {"name": "x", "container": {"image": "i", "command": ["c"]}, "onSuccess": HOOK}
    builder = a_workflow().step("a").having(onExit={"always": [ending]})
    run = Run(tasks={"x": ENDED})
    assert [event.step for event in webhooks.owed(builder.parsed(), run)] == ["x"]
    written = status.written(builder.plan(), run, {}, 2.0)
    assert webhooks.is_owed({**builder.resource(), "status": written})


def test_a_step_carries_its_webhooks() -> None:
    workflow: Workflow = a_pair().parsed()
    hook = workflow.steps["a"].on_success
    assert hook is not None
    assert (hook.url, hook.headers) == (HOOK["url"], HOOK["headers"])
    assert workflow.steps["c"].on_success is None
