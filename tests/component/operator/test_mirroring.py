"""Another system is told of workflows that have ended, and nothing of a workflow waits for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlworkflow.engine.mlflow_server import Away
from mlworkflow.store._protocol import ArtifactStore

from tests.builders import a_workflow
from tests.component.kube.fake_api import until

from .cluster import given, operating, pod_of

BODY = {"image": "i", "command": ["c"], "agent": True}


class Receiver:
    """A duty that can be done when whom it tells is there."""

    def __init__(self) -> None:
        self.is_away = True
        self.asked = 0
        self.told: list[str] = []

    def __call__(self, store: ArtifactStore, resource: Mapping[str, Any]) -> None:
        self.asked += 1
        if self.is_away:
            raise Away("nobody answers")
        self.told.append(resource["status"]["phase"])


async def test_an_outage_holds_up_no_workflow_and_is_made_good(tmp_path: Path) -> None:
    api, receiver = given(a_workflow().having(ttl="50ms").kind("a", "container", BODY)), Receiver()
    async with operating(api, tmp_path, aside=[receiver]) as operator:
        await operator.work(pod_of(api, "a"))
        await until(lambda: not api.objects["mlworkflows"])  # it is deleted in its time
        await until(lambda: receiver.asked > 0)
        receiver.is_away = False
        await until(lambda: receiver.told == ["Succeeded"])


async def test_an_operator_that_comes_later_tells_what_is_owed(tmp_path: Path) -> None:
    api, receiver = given(a_workflow().kind("a", "container", BODY)), Receiver()
    async with operating(api, tmp_path, aside=[receiver]) as operator:
        await operator.work(pod_of(api, "a"))
        await until(lambda: receiver.asked > 0)
    receiver.is_away = False
    async with operating(api, tmp_path, aside=[receiver]):
        await until(lambda: receiver.told == ["Succeeded"])
