"""Whether an artifact is there, said in a way that holds: what is told to be there is not taken for garbage until it is referred to.

A step that hears "it is there already" uploads nothing and names the artifact in its record, some time later. Until then nothing
refers to it, so its age starts anew when this is said: garbage is what nothing refers to *and* is older than `LEAST_GRACE` at least.
"""

from __future__ import annotations

from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.errors import StoreRefused

LEAST_GRACE = 12 * 3600.0
"""Seconds that an artifact is kept at least that nothing refers to."""
RENEWED_AFTER = LEAST_GRACE / 2


def is_present(store: ArtifactStore, key: str, size: int) -> bool:
    """Whether an object of this size is there, and stays for a while. Where a store can refresh none, it has to be written again."""
    try:
        return store.refresh(key, store.now() - RENEWED_AFTER) == size
    except StoreRefused:
        store.stat(key)  # raises where the store refuses everything
        return False


def renewed(store: ArtifactStore, key: str) -> int | None:
    """The size of an object that is about to be referred to; None if there is none."""
    try:
        return store.refresh(key, store.now() - RENEWED_AFTER)
    except StoreRefused:
        return store.stat(key)
