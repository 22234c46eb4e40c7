"""Named datasets of a namespace: artifacts that have a name, in versions. The newest is the one that was added last.

A version is one object, named by the digest of its artifact; adding it again makes it the newest. What is added stays, with its artifact, until it
is removed: garbage collection keeps whatever these objects name.
"""

from __future__ import annotations

import msgspec

from mlworkflow.core.values import ArtifactRef
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.errors import NotFound
from mlworkflow.store.layout import cas_key, dataset_key, dataset_prefix, datasets_prefix
from mlworkflow.store.presence import renewed

SHOWN = 5
"""Versions that a message lists."""


class Version(msgspec.Struct, frozen=True):
    """One version: its artifact, when it was added (seconds since the epoch, the store's time), and where it came from."""

    name: str
    digest: str
    size: int
    type: str
    added: float
    source: str = ""

    @property
    def artifact(self) -> ArtifactRef:
        return ArtifactRef(self.digest, self.size, self.type)


class NoDataset(Exception):
    """There is no such dataset or version; the message says which there are."""


def add(store: ArtifactStore, namespace: str, name: str, artifact: ArtifactRef, source: str) -> Version:
    """Make an artifact that is in the store the newest version of a dataset. Raises NoDataset where it is not there, `StoreError`."""
    key = dataset_key(namespace, name, artifact.digest)
    if renewed(store, cas_key(namespace, artifact.digest)) != artifact.size:
        raise NoDataset(f"{artifact.digest} with {artifact.size} bytes is not in the store")
    last = versions(store, namespace, name)
    added = max([store.now(), *(version.added + 0.001 for version in last)])
    version = Version(name, artifact.digest, artifact.size, artifact.type, round(added, 3), source)
    store.write_bytes(key, msgspec.json.encode(version))
    return version


def versions(store: ArtifactStore, namespace: str, name: str) -> list[Version]:
    """All versions of a dataset, the newest first; none where there is no such dataset. Raises `StoreError`."""
    found = []
    for key in store.list(dataset_prefix(namespace, name)):
        try:
            found.append(msgspec.json.decode(store.read_bytes(key), type=Version))
        except (NotFound, msgspec.DecodeError):  # removed meanwhile, or not ours
            continue
    return sorted(found, key=lambda version: version.added, reverse=True)


def remove(store: ArtifactStore, namespace: str, name: str, digest: str) -> Version:
    """Forget a version, and with it that its artifact is kept for that; what it was. Raises NoDataset where there is none such, `StoreError`."""
    version = _version(store, namespace, name, digest)
    store.delete(dataset_key(namespace, name, version.digest))
    return version


def newest(store: ArtifactStore, namespace: str) -> list[Version]:
    """The newest version of every dataset, by name. Raises `StoreError`."""
    names = sorted(store.folders(datasets_prefix(namespace)))
    return [found[0] for name in names if (found := versions(store, namespace, name))]


def find(store: ArtifactStore, namespace: str, name: str, digest: str = "") -> Version:
    """The version with a digest, or the newest; its artifact is in the store, and stays for now. Raises NoDataset, `StoreError`."""
    version = _version(store, namespace, name, digest)
    if renewed(store, cas_key(namespace, version.digest)) != version.size:
        raise NoDataset(f"the dataset '{name}': {version.digest} is not in the store any more; add it again")
    return version


def _version(store: ArtifactStore, namespace: str, name: str, digest: str) -> Version:
    found = versions(store, namespace, name)
    if not found:
        known = ", ".join(sorted(store.folders(datasets_prefix(namespace)))) or "none yet: mlwf dataset add"
        raise NoDataset(f"there is no dataset '{name}' in the namespace {namespace}; there are: {known}")
    version = next((version for version in found if digest in ("", version.digest)), None)
    if version is None:
        shown = ", ".join(version.digest for version in found[:SHOWN])
        more = f" and {len(found) - SHOWN} older ones" if len(found) > SHOWN else ""
        raise NoDataset(f"the dataset '{name}' has no version {digest}; it has, the newest first: {shown}{more}")
    return version
