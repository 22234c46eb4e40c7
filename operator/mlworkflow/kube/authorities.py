"""The certificate authorities that steps trust beside those of their image: of the gateway and of the store, as PEM.

Public, so a Pod has them in its environment: no object beside it is needed in its namespace. Files are read again for every Pod.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from mlworkflow.core.errors import UsageError

LARGEST = 32 * 1024
_MARK = "-----BEGIN CERTIFICATE-----"


class Authorities:
    """The bundles in some files, together. Raises UsageError for one that steps cannot be given."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        self._known = self._read()

    def __call__(self) -> str:
        """What the files say now; what they said before, while one cannot be read."""
        with contextlib.suppress(UsageError):
            self._known = self._read()
        return self._known

    def _read(self) -> str:
        texts = []
        for file in self._files:
            try:
                text = file.read_text()
            except (OSError, UnicodeError) as error:
                raise UsageError(f"{file} cannot be read: {type(error).__name__}") from None
            if _MARK not in text:
                raise UsageError(f"{file} holds no certificate in PEM ({_MARK})")
            texts.append(text.strip() + "\n")
        together = "".join(dict.fromkeys(texts))
        if len(together) > LARGEST:
            raise UsageError(
                f"the certificate authorities have more than {LARGEST >> 10} KiB: give the one that signed, not all that a system knows"
            )
        return together
