"""What a store can answer instead of what was asked for.

StoreError
├── NotFound              there is no such object
├── StoreUnavailable      not now: connection, 5xx, 429; the same call may work later
│   └── StoreFull         not until somebody makes room: the disk, the bucket or its quota is full
├── StoreRefused          never: access denied, no such bucket; carries the store's own words
│   └── KeysRefused       not with these keys: they are wrong, or are being replaced just now
└── InvalidKey            a namespace, uid, task or digest that cannot be part of a key; nothing was asked
"""

from __future__ import annotations


class StoreError(Exception):
    """Anything a store call can fail with; the message never holds a credential or a signed URL."""


class NotFound(StoreError):
    """There is no object under this key."""


class StoreUnavailable(StoreError):
    """The store could not answer now; the same call may work later."""


class StoreFull(StoreUnavailable):
    """There is no room; the same call works once somebody has made some."""


class StoreRefused(StoreError):
    """The store said no, in its own words; asking again will not help."""


class KeysRefused(StoreRefused):
    """The store does not take our own keys: nothing works until they are right, and then everything does."""


class InvalidKey(StoreError):
    """A text that must not become part of a key."""
