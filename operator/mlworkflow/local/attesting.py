"""Statements of local runs: of the one that has just ended, and of those before it whose process did not live to make theirs."""

from __future__ import annotations

import logging
from importlib.metadata import version

import msgspec

from mlworkflow.core import status
from mlworkflow.core.errors import UsageError
from mlworkflow.core.state import Phase
from mlworkflow.local.home import NAMESPACE, Home, LocalRun
from mlworkflow.store.errors import StoreError
from mlworkflow.store.layout import provenance_key

_log = logging.getLogger(__name__)


def attest_all(home: Home, ended: LocalRun) -> None:
    """Sign what has no statement yet. What cannot be signed is told in the log, and fails no run."""
    from mlworkflow.attest.evidence import attest, is_attested
    from mlworkflow.attest.keys import SigningKey
    from mlworkflow.attest.statement import LOCAL, Builder

    builder = Builder(LOCAL, version("mlworkflow"))
    for run in home.runs():
        state = run.resource["status"]
        if not Phase(state.get("phase") or Phase.PENDING).is_finished or status.is_invalid(state):
            continue
        try:
            is_old = run.id != ended.id and home.store.stat(provenance_key(NAMESPACE, run.uid)) is not None
            if not is_old and not is_attested(home.store, run.resource):
                attest(home.store, run.resource, SigningKey.made(home.signing_key), builder)
        except (StoreError, OSError, UsageError, msgspec.DecodeError) as error:
            _log.warning("%s: no statement: %s", run.id, error)
