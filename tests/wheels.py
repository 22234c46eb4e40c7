"""Packages of the tests: `shout` 1.0, which needs `voice`, and `voice` 2.1."""

from __future__ import annotations

import zipfile
from pathlib import Path

_CODE = {
    ("voice", "2.1", ""): "def raised(text): return text.upper()\n",
    ("shout", "1.0", "Requires-Dist: voice>=2\n"): "import voice\ndef aloud(text): return voice.raised(text) + '!'\n",
}


def make_wheels(folder: Path) -> None:
    """Both as wheels in a folder, as pip's `--find-links` takes them."""
    folder.mkdir(parents=True)
    for (name, version, needs), code in _CODE.items():
        _wheel(folder, name, version, code, needs)


def make_index(folder: Path) -> None:
    """Both as an index, as pip's `--index-url` takes it once a web server lists the folders of `folder`."""
    for (name, version, needs), code in _CODE.items():
        (folder / name).mkdir(parents=True)
        _wheel(folder / name, name, version, code, needs)


def _wheel(folder: Path, name: str, version: str, code: str, needs: str) -> None:
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
