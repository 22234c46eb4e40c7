"""Time limits of processes: the engine is told when one starts, or it would not look again in time."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from mlworkflow.local.home import Home
from mlworkflow.local.runner import LocalRunner

from tests.builders import a_workflow


@pytest.mark.parametrize("limit", ["attemptTimeout", "timeout"])
async def test_a_process_that_runs_too_long_is_ended_in_time(tmp_path: Path, limit: str) -> None:
    step = a_workflow().step("a", ["sleep", "120"], terminationGracePeriodSeconds=1, **{limit: "1s"})
    began = time.monotonic()
    async with asyncio.timeout(60):
        run = await LocalRunner(Home(tmp_path), step.resource(), lambda _: None).execute()
    assert run.resource["status"]["steps"][0]["reason"] == "DeadlineExceeded"
    assert time.monotonic() - began < 30
