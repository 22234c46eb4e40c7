"""Small pure parts: what a file is by its beginning, series, Pods, YAML."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from mlworkflow.runs.documents import parsed
from mlworkflow.ui.pods import event_of, pod_of
from mlworkflow.ui.previews.sniffing import kind_of
from mlworkflow.ui.series import metrics_of
from mlworkflow.ui.yaml_text import workflow_yaml


@pytest.mark.parametrize(
    ("head", "name", "kind"),
    [
        (b"PAR1\x00\x01", "train", "parquet"),
        (b"ARROW1\x00\x00", "", "arrow"),
        (b"a,b\n1,2\n3,4\n", "trials", "csv"),
        (b"a;b\n1;2\n3;4\n", "", "csv"),
        (b"One line, with a comma\nand another\n", "notes", "text"),
        (b"just words\n", "scores.csv", "csv"),
        (b'\xef\xbb\xbf {"a": 1}', "facts", "json"),
        (b"<!DOCTYPE html><p>", "report", "html"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x"><script/></svg>', "", "svg"),
        (b"\x89PNG\r\n\x1a\n\x00", "", "image"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8", "", "image"),
        ("größer als ü"[:-1].encode() + b"\xc3", "", "text"),  # cut within a letter
        (b"\x80\x04\x95\x00\x00", "model", "binary"),
        (b"", "", "text"),
    ],
)
def test_what_a_file_is(head: bytes, name: str, kind: str) -> None:
    assert kind_of(head, name) == kind


def test_long_series_are_thinned_and_keep_their_end() -> None:
    points: list[dict[str, Any]] = [{"name": "loss", "value": float(step)} for step in range(10_001)]
    (series,) = metrics_of([*points, {"name": "loss", "value": float("nan"), "step": 7}], 0, is_final=True).series
    assert series.total == 10_002
    assert len(series.points) <= 2000
    assert series.points[-1] == (7, None)
    (later,) = metrics_of([{"name": "loss", "value": 1}], 0, is_final=False, before={"loss": 40}).series
    assert (later.points, later.total) == ([(40, 1.0)], 41)


def test_a_pod_tells_its_containers_in_the_order_in_which_they_run() -> None:
    pod = {
        "metadata": {"name": "p"},
        "spec": {"nodeName": "n1", "initContainers": [{"name": "fetch", "image": "agent"}], "containers": [{"name": "main", "image": "user"}]},
        "status": {
            "phase": "Running",
            "initContainerStatuses": [{"name": "fetch", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}],
            "containerStatuses": [{"name": "main", "restartCount": 2, "state": {"waiting": {"reason": "ImagePullBackOff"}}}],
        },
    }  # fmt: skip
    found = pod_of(pod, [])
    told = [(each.name, each.state, each.reason, each.exit_code, each.restarts) for each in found.containers]
    assert told == [("fetch", "terminated", "Completed", 0, 0), ("main", "waiting", "ImagePullBackOff", None, 2)]


def test_events_of_both_kinds_are_read() -> None:
    old = {
        "metadata": {},
        "reason": "Pulled",
        "count": 3,
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:05Z",
    }
    new = {"metadata": {}, "reason": "Pulled", "eventTime": "2026-01-01T00:00:00.000000Z", "reportingComponent": "kubelet", "series": {"count": 3, "lastObservedTime": "2026-01-01T00:00:05Z"}}  # fmt: skip
    told = [(each.count, each.first, each.last) for each in map(event_of, (old, new))]
    assert told == [(3, 1767225600000, 1767225605000)] * 2


def test_the_text_of_a_workflow_is_the_workflow() -> None:
    spec = {
        "params": {"code": "a = 1\nb = 2\n"},
        "steps": [{"name": "a", "container": {"image": "x", "command": ["true"]}}],
    }
    metadata = {"name": "w", "uid": "u", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}
    resource = {
        "apiVersion": "v",
        "kind": "k",
        "metadata": metadata,
        "spec": {**spec, "cancel": True, "rerun": {"id": "x"}},
        "status": {},
    }
    text = workflow_yaml(resource)
    assert yaml.safe_load(text) == {"apiVersion": "v", "kind": "k", "metadata": {"name": "w"}, "spec": spec}
    assert "code: |" in text
    assert parsed(text, "x")[0].resource["spec"] == spec
