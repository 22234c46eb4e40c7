"""What a built-in kind runs, as a digest: the bytes of this package, and the versions of Python and of the libraries that its results depend on.

The same on a laptop and in an image that have the same; the cache compares it.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Iterator

LIBRARIES = (
    "joblib", "lightgbm", "numpy", "onnx", "pandas", "pandera", "pyarrow", "scikit_learn", "scipy", "skl2onnx", "skops", "threadpoolctl", "xgboost", "xgboost_cpu",
)  # fmt: skip
"""Distributions as their folders are called; what is not installed does not count."""


def digest() -> str:
    """``sha256:<hex>``."""
    found = hashlib.sha256()
    found.update(f"{sys.implementation.name} {sys.version_info[:2]} {platform.machine()}\n".encode())
    for version in sorted(_versions()):
        found.update(f"{version}\n".encode())
    for path, data in _sources(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))):
        found.update(f"{path} {len(data)}\n".encode())
        found.update(data)
    return f"sha256:{found.hexdigest()}"


def _versions() -> set[str]:
    """``numpy-2.1.0`` and so on, read off the names of folders: far less work than what importlib.metadata does."""
    found = {}
    for folder in reversed(sys.path):  # what comes first is what is imported
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            library, dash, _ = name.partition("-")
            if dash and name.endswith(".dist-info") and library.lower() in LIBRARIES:
                found[library.lower()] = name.removesuffix(".dist-info").lower()
    return set(found.values())


def _sources(package: str) -> Iterator[tuple[str, bytes]]:
    for folder, folders, files in os.walk(package):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(files):
            if name.endswith(".py"):
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    yield os.path.relpath(path, package), file.read()
