"""A folder whose disk is full is a full store."""

from __future__ import annotations

import errno
import os

import pytest
from mlworkflow.store.directory import _translated
from mlworkflow.store.errors import StoreFull, StoreUnavailable


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, StoreFull), (errno.EDQUOT, StoreFull), (errno.EIO, StoreUnavailable)],
)
def test_what_the_system_says_of_a_disk(number: int, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=os.strerror(number)) as caught, _translated("cas/ab"):
        raise OSError(number, os.strerror(number))
    assert type(caught.value) is kind
