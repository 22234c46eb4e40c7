"""Spans of plays: which there are, whose they are, and that an operator that takes over makes the same."""

from __future__ import annotations

import logging

import pytest
from mlworkflow.core import tracing
from mlworkflow.core.pods import MAIN, PodSettings, step_pod
from mlworkflow.engine.spans import Span, ended
from mlworkflow.engine.telling import Turned
from mlworkflow.engine.trace_sender import is_wanted

from tests.builders import WorkflowBuilder, a_workflow, order_of
from tests.unit.core.play import Play

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


class Traced(Play):
    """A play whose every turn is looked through for spans."""

    def __init__(self, workflow: WorkflowBuilder) -> None:
        super().__init__(workflow)
        self.spans: list[Span] = []

    def turn(self, after: float = 0.0) -> Traced:
        before = self.run
        super().turn(after)
        self.spans += ended(Turned.between(self.plan, before, self.run), {}, self.now, has_pods=True)
        return self

    def span(self, name: str) -> Span:
        (found,) = (span for span in self.spans if span.name == name)
        return found


def test_a_step_is_a_span_of_its_workflow_from_its_start_to_its_end() -> None:
    play = Traced(a_workflow("w").step("a").step("b", after=["a"]))
    play.turn()
    play.runs("a").turn(5.0)
    play.succeeds("a")
    play.turn(10.0)
    span = play.span("a")
    assert (span.trace, span.parent) == (tracing.trace_id("uid-1"), tracing.root_id("uid-1"))
    assert span.id == tracing.span_id("uid-1", "a", 0)
    assert span.ended >= span.started == 1000.0
    assert span.attributes["k8s.pod.name"] == play.task("a").handle
    assert span.attributes["cicd.pipeline.task.run.id"] == "uid-1/a/0"
    assert [each.name for each in play.spans] == ["a"], "what has not ended is no span yet"


def test_an_operator_that_takes_over_makes_the_same_spans() -> None:
    def played(restarting: bool) -> list[Span]:
        play = Traced(a_workflow("w").step("a").step("b", after=["a"]))
        play.turn()
        play.succeeds("a")
        play.turn(10.0)
        if restarting:
            play.restarts()
        play.succeeds("b")
        play.turn(10.0)
        return play.spans

    assert played(restarting=True) == played(restarting=False)
    assert [span.name for span in played(restarting=True)] == ["a", "b", "RUN w"]


def test_a_workflow_that_runs_out_of_time_says_so_by_its_result() -> None:
    play = Traced(a_workflow("w").having(timeout="1m").step("a"))
    play.turn()
    play.runs("a").turn()
    play.turn(61.0)
    assert play.span("a").attributes["cicd.pipeline.task.run.result"] == "timeout"
    assert play.span("a").attributes["error.type"] == "DeadlineExceeded"
    root = play.span("RUN w")
    assert (root.attributes["cicd.pipeline.result"], root.parent) == ("timeout", "")
    assert "longer than its timeout" in root.error


def test_a_pod_is_told_which_span_it_is_unless_it_has_been_told_another() -> None:
    settings = PodSettings(gateway="g", steps_image="s", agent_image="a", is_traced=True)

    def told(workflow: WorkflowBuilder) -> list[str]:
        pod = step_pod(order_of(workflow, "a"), settings)
        (main,) = (each for each in pod["spec"]["containers"] if each["name"] == MAIN)
        return [each["value"] for each in main["env"] if each["name"] == "TRACEPARENT"]

    assert told(a_workflow("w").step("a")) == [tracing.traceparent("uid-1", "a", 0)]
    assert told(a_workflow("w").step("a", env=[{"name": "TRACEPARENT", "value": "theirs"}])) == ["theirs"]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/v1/traces"}, True),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "true"}, False),
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_opentelemetrys_own_variables_say_whether_there_are_traces(environ: dict[str, str], expected: bool) -> None:
    assert is_wanted(environ) is expected


def test_who_wants_traces_and_has_not_the_extra_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("mlworkflow.engine.trace_sender.find_spec", lambda name: None)
    caplog.set_level(logging.WARNING)
    assert not is_wanted(ENDPOINT)
    assert "pip install 'mlworkflow[otel]'" in caplog.text
