"""Garbage collection of a local home: runs that are still listed are roots; of one that was deleted nothing is left to keep."""

from __future__ import annotations

import fcntl

from mlworkflow.local.home import NAMESPACE, Home
from mlworkflow.store.garbage import Known, Report, Retention, collect
from mlworkflow.store.presence import LEAST_GRACE


class Busy(Exception):
    """Another process collects garbage here."""


def collect_home(home: Home, retention: Retention, *, dry_run: bool) -> Report:
    """Collect, or say what is there to be collected. While a run is under way, what is new stays in any case. Raises Busy, StoreError."""
    if not home.root.is_dir():
        return Report(NAMESPACE, dry_run, 0, 0, 0, 0, 0, [])
    with (home.root / "gc.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy from None
        runs = home.runs()
        under_way = {run.uid for run in runs if home.is_under_way(run)}
        grace = max(retention.grace, LEAST_GRACE) if under_way else retention.grace
        known = Known({run.uid for run in runs}, under_way)
        return collect(home.store, NAMESPACE, known, Retention(retention.runs, retention.cache, grace), dry_run=dry_run)
