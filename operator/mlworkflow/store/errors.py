"""What a store can answer instead of what was asked for.

StoreError
├── NotFound              there is no such object
├── StoreUnavailable      not now: connection, 5xx, 429; the same call may work later
├── StoreRefused          never: access denied, no such bucket, bad signature; carries the store's own words
└── InvalidKey            a namespace, uid, task or digest that cannot be part of a key; nothing was asked
"""

from __future__ import annotations


class StoreError(Exception):
    """Anything a store call can fail with; the message never holds a credential or a signed URL."""


class NotFound(StoreError):
    """There is no object under this key."""


class StoreUnavailable(StoreError):
    """The store could not answer now; the same call may work later."""


class StoreRefused(StoreError):
    """The store said no, in its own words; asking again will not help."""


class InvalidKey(StoreError):
    """A text that must not become part of a key."""
