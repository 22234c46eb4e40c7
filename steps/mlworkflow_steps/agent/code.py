"""What a built-in kind runs: the bytes of this package, and the versions of Python and of the libraries that its results depend on.

The same on a laptop and in an image that have the same; the cache compares it. Libraries that few steps use are told apart, so that they count for
those alone: one that is there beside the others is no other code.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Iterator

LIBRARIES = (
    "joblib", "numpy", "pandas", "pandera", "pyarrow", "scikit_learn", "scipy", "skops", "threadpoolctl",
)  # fmt: skip
"""Distributions as their folders are called; what is not installed does not count."""
OPTIONAL = {"lightgbm": "lightgbm", "onnx": "onnx", "skl2onnx": "onnx", "xgboost": "xgboost", "xgboost_cpu": "xgboost"}
"""Those that count for a step whose spec has this word in it."""


def digest() -> str:
    """``sha256:<hex>``, and after it ``<word>=<version>`` of each optional library that is there: ``sha256:… lightgbm=lightgbm-4.6.0``."""
    found, installed = hashlib.sha256(), _versions()
    found.update(f"{sys.implementation.name} {sys.version_info[:2]} {platform.machine()}\n".encode())
    for library in LIBRARIES:
        if library in installed:
            found.update(f"{installed[library]}\n".encode())
    for path, data in _sources(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))):
        found.update(f"{path} {len(data)}\n".encode())
        found.update(data)
    others = [f"{word}={installed[library]}" for library, word in OPTIONAL.items() if library in installed]
    return " ".join([f"sha256:{found.hexdigest()}", *others])


def _versions() -> dict[str, str]:
    """``numpy-2.1.0`` and so on by library, read off the names of folders: far less work than what importlib.metadata does."""
    found = {}
    for folder in reversed(sys.path):  # what comes first is what is imported
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            library, dash, _ = name.lower().partition("-")
            if dash and name.endswith(".dist-info") and (library in LIBRARIES or library in OPTIONAL):
                found[library] = name.removesuffix(".dist-info").lower()
    return found


def _sources(package: str) -> Iterator[tuple[str, bytes]]:
    for folder, folders, files in os.walk(package):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(files):
            if name.endswith(".py"):
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    yield os.path.relpath(path, package), file.read()
