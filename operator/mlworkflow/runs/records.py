"""The records of a run by which its results stand: of each task the last attempt, where it succeeded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mlworkflow.attest.evidence import of_bytes
from mlworkflow.attest.statement import Evidence, counted
from mlworkflow.core.observation import AttemptId
from mlworkflow.runs.run import Run, Runs


async def standing(runs: Runs, run: Run) -> dict[str, Mapping[str, Any]]:
    """task → record as it is in the store. Raises RunsError."""
    evidence: dict[AttemptId, Evidence] = {}
    raw: dict[AttemptId, Mapping[str, Any]] = {}
    for attempt in await runs.attempts(run):
        if (data := await runs.raw_record(run, *attempt)) is not None:
            evidence[attempt], raw[attempt] = of_bytes(data), json.loads(data)
    return {attempt[0]: raw[attempt] for attempt, _ in counted(run.status, evidence)}
