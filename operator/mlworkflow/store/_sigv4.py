"""AWS Signature Version 4 in a URL's query, with any headers signed: what the `minio` client does for `host` alone.
Pure.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote, urlsplit

UNSIGNED = "UNSIGNED-PAYLOAD"


def presign(
    method: str,
    url: str,
    *,
    access_key: str,
    secret_key: str,
    session_token: str | None,
    region: str,
    now: datetime,
    expires: int,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    payload: str = UNSIGNED,
) -> str:
    """A signed URL. `url` is absolute without a query, its path quoted; `now` is UTC; `headers` are signed, lower case.

    `payload` is the SHA-256 (hex) that the canonical request names: a store takes it from its own sources, so it
    must agree with `query`.
    """
    parts = urlsplit(url)
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    signed = {**headers, "host": parts.netloc}
    names = ";".join(sorted(signed))
    fields = {
        **query,
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{access_key}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(expires),
        "X-Amz-SignedHeaders": names,
    }
    if session_token:
        fields["X-Amz-Security-Token"] = session_token
    encoded = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in sorted(fields.items()))
    lines = [method, parts.path, encoded, *(f"{name}:{signed[name]}" for name in sorted(signed)), "", names, payload]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    key = f"AWS4{secret_key}".encode()
    for part in (stamp[:8], region, "s3", "aws4_request"):
        key = _hmac(key, part)
    signature = _hmac(key, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}").hex()
    return f"{url}?{encoded}&X-Amz-Signature={signature}"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
