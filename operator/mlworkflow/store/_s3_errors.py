"""What an S3 server, or the way to it, says when something goes wrong, as one of the store's errors.

A URL of ours may be signed, so no text that could hold one is passed on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from minio.error import InvalidResponseError, S3Error, ServerError
from urllib3.exceptions import HTTPError, MaxRetryError, SSLError

from mlworkflow.store.errors import KeysRefused, NotFound, StoreFull, StoreRefused, StoreUnavailable

_TRANSIENT = frozenset(
    {"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "Throttling", "XMinioServerNotInitialized"}
)
_FULL = frozenset(
    {
        "XMinioStorageFull",
        "XMinioStorageBackendFull",
        "XMinioAdminBucketQuotaExceeded",
        "QuotaExceeded",
        "InsufficientStorage",
    }
)
_KEYS = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidTokenId"})
_UNTIMELY = frozenset({"RequestTimeTooSkewed", "RequestExpired", "ExpiredToken"})
_UNTIMELY_WORDS = ("not valid yet", "has expired")
"""A refusal for the time of day passes once the clocks agree: theirs, or ours."""
_MISSING = frozenset({"NoSuchKey", "NotFound", "ResourceNotFound", "NoSuchUpload"})


@contextlib.contextmanager
def translated(endpoint: str) -> Iterator[None]:
    """The errors of the `minio` client and of its connections as ours."""
    try:
        yield
    except S3Error as error:
        words = f"{error.code}: {error.message}"
        if error.code in _MISSING:
            raise NotFound(words) from None
        if error.code in _FULL or error.response.status == 507:
            raise StoreFull(words) from None
        if error.code in _TRANSIENT or error.response.status >= 500 or error.response.status == 429:
            raise StoreUnavailable(words) from None
        if error.code in _UNTIMELY or any(text in words for text in _UNTIMELY_WORDS):
            raise StoreUnavailable(f"{words} (do the clocks of the operator and the store agree?)") from None
        raise (KeysRefused if error.code in _KEYS else StoreRefused)(words) from None
    except (ServerError, InvalidResponseError) as error:
        status = error.status_code if isinstance(error, ServerError) else error._code
        kind = StoreUnavailable if status >= 500 or status == 429 else StoreRefused
        raise kind(f"the store answered {status} without saying why") from None
    except (ValueError, SyntaxError) as error:
        raise StoreUnavailable(f"{endpoint} does not speak S3: {type(error).__name__}") from None
    except (HTTPError, OSError) as error:
        reason = error.reason if isinstance(error, MaxRetryError) else error
        if isinstance(reason, SSLError):
            raise StoreUnavailable(f"{endpoint}: {reason}") from None  # a certificate can be put right
        raise StoreUnavailable(f"{endpoint} cannot be reached: {type(reason).__name__}") from None
