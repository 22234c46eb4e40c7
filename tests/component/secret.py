"""A Secret with the keys of a store, as the kubelet mounts it."""

from __future__ import annotations

from pathlib import Path

from mlworkflow.store.credentials import ACCESS_KEY_FILE, SECRET_KEY_FILE


class Secret:
    """Its files are links by way of `..data`, which is replaced at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._version = 0

    def put(self, access_key: str, secret_key: str) -> None:
        """Another version, instead of the one before."""
        self._version += 1
        made = self.folder / f"..{self._version}"
        made.mkdir()
        for name, text in ((ACCESS_KEY_FILE, access_key), (SECRET_KEY_FILE, secret_key)):
            (made / name).write_text(text)
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(Path("..data", name))
        link = self.folder / "..data_tmp"
        link.symlink_to(made.name)
        link.rename(self.folder / "..data")
        for name in (ACCESS_KEY_FILE, SECRET_KEY_FILE):
            (self.folder / f"..{self._version - 1}" / name).unlink(missing_ok=True)
