"""What a step can and cannot do with the URLs it is given, against real servers: each test is an attack or its honest twin."""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
import zlib
from collections.abc import Mapping
from urllib.parse import urlsplit

import pytest
import urllib3
from mlworkflow.store._protocol import SignedPut
from mlworkflow.store.layout import cas_key
from mlworkflow.store.s3 import S3Store

GOOD = b"good bytes" * 100
EVIL = b"evil bytes" * 100
DIGEST = "sha256:" + hashlib.sha256(GOOD).hexdigest()


@pytest.fixture
def namespace() -> str:
    return f"ns-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def key(namespace: str) -> str:
    return cas_key(namespace, DIGEST)


def put(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    return urllib3.request("PUT", url, body=body, headers=dict(headers), retries=False).status


def crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def streaming(data: bytes) -> tuple[dict[str, str], bytes]:
    """An upload in the aws-chunked form, whose checksum comes last and is the sender's choice."""
    headers = {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": str(len(data)),
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    return headers, b"%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n" % (len(data), data, crc32(data).encode())


def signed_for(store: S3Store, key: str) -> SignedPut:
    return store.sign_put(key, DIGEST, len(GOOD), 60)


def test_the_right_bytes_are_stored_and_read(s3_store: S3Store, key: str) -> None:
    signed = signed_for(s3_store, key)
    assert put(signed.url, GOOD, signed.headers) == 200
    assert urllib3.request("GET", s3_store.sign_get(key, 60)).data == GOOD


@pytest.mark.parametrize("body", [EVIL, EVIL * 2, GOOD[:-1], b""], ids=["same size", "longer", "shorter", "empty"])
def test_other_bytes_are_refused_and_spoil_nothing(s3_store: S3Store, key: str, body: bytes) -> None:
    s3_store.write_bytes(key, GOOD)
    signed = signed_for(s3_store, key)
    assert put(signed.url, body, signed.headers) in (400, 403)
    assert s3_store.read_bytes(key) == GOOD


@pytest.mark.parametrize(
    "headers",
    [
        {
            "x-amz-checksum-crc32": crc32(EVIL),
            "x-amz-sdk-checksum-algorithm": "CRC32",
            "x-amz-checksum-algorithm": "CRC32",
        },
        {"x-amz-checksum-crc32": crc32(EVIL)},
        {"x-amz-content-sha256": hashlib.sha256(EVIL).hexdigest()},
        {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"},
        {"content-md5": base64.b64encode(hashlib.md5(EVIL).digest()).decode()},
    ],
    ids=["another algorithm", "a second checksum", "another hash", "no hash", "md5"],
)
def test_no_header_makes_the_store_take_other_bytes(s3_store: S3Store, key: str, headers: dict[str, str]) -> None:
    signed = signed_for(s3_store, key)
    assert put(signed.url, EVIL, {**signed.headers, **headers}) in (400, 403)
    assert s3_store.stat(key) is None


def test_no_copy_of_another_object_can_be_had(s3_store: S3Store, key: str) -> None:
    s3_store.write_bytes("other/runs/uid/step/0.json", b"another tenant's")
    signed = signed_for(s3_store, key)
    for body in (GOOD, b""):
        headers = {**signed.headers, "x-amz-copy-source": "/mlworkflow/other/runs/uid/step/0.json"}
        assert put(signed.url, body, headers) in (400, 403)
    assert s3_store.stat(key) is None


def test_a_url_is_for_its_own_key_and_method(s3_store: S3Store, namespace: str, key: str) -> None:
    signed = signed_for(s3_store, key)
    elsewhere = signed.url.replace(namespace, "other")
    assert put(elsewhere, GOOD, signed.headers) == 403
    assert put(s3_store.sign_get(key, 60), GOOD, {}) == 403
    assert urllib3.request("GET", signed.url, headers=signed.headers).status == 403
    assert urllib3.request("DELETE", signed.url, headers=signed.headers).status == 403


def test_a_url_that_is_over_is_over(s3_store: S3Store, key: str) -> None:
    s3_store.write_bytes(key, GOOD)
    read, signed = s3_store.sign_get(key, 1), s3_store.sign_put(key, DIGEST, len(GOOD), 1)
    assert urllib3.request("GET", read).status == 200
    time.sleep(2.1)
    assert urllib3.request("GET", read).status == 403
    assert put(signed.url, GOOD, signed.headers) == 403
    longer = "X-Amz-Expires=604800"
    for url in (read.replace("X-Amz-Expires=1&", f"{longer}&"), f"{read}&{longer}", read.replace("?", f"?{longer}&")):
        assert url != read
        assert urllib3.request("GET", url).status in (400, 403)


@pytest.mark.parametrize("method", ["HEAD", "POST", "DELETE", "PUT", "PATCH"])
def test_a_url_to_read_is_for_nothing_else(s3_store: S3Store, key: str, method: str) -> None:
    s3_store.write_bytes(key, GOOD)
    assert urllib3.request(method, s3_store.sign_get(key, 60), body=b"", retries=False).status in (400, 403, 405)
    assert s3_store.read_bytes(key) == GOOD


@pytest.mark.parametrize(
    "query",
    ["acl", "tagging", "versions", "uploads", "policy", "list-type=2", "versionId=null", "response-content-type=text/html",
     "partNumber=1&uploadId=x"],
)  # fmt: skip
def test_a_url_cannot_be_given_another_query(s3_store: S3Store, key: str, query: str) -> None:
    s3_store.write_bytes(key, GOOD)
    signed = signed_for(s3_store, key)
    for url in (f"{s3_store.sign_get(key, 60)}&{query}", s3_store.sign_get(key, 60).replace("?", f"?{query}&")):
        assert urllib3.request("GET", url, retries=False).status in (400, 403)
    tags = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
    assert put(f"{signed.url}&{query}", GOOD, signed.headers) >= 400
    assert put(f"{signed.url}&{query}", tags, signed.headers) >= 400
    assert s3_store.read_bytes(key) == GOOD


def test_nothing_can_be_listed(s3_store: S3Store, namespace: str, key: str) -> None:
    """Neither without a key, nor with one's own URL led to the bucket."""
    s3_store.write_bytes(key, GOOD)
    own = urlsplit(s3_store.sign_get(key, 60))
    bucket = f"{own.scheme}://{own.netloc}/mlworkflow"
    for url in (
        bucket, f"{bucket}/", f"{bucket}?list-type=2&prefix={namespace}/", f"{bucket}/?{own.query}", f"{bucket}?{own.query}&list-type=2",
        f"{bucket}/{namespace}/?{own.query}", f"{bucket}/{namespace}/cas/?{own.query}", f"{own.scheme}://{own.netloc}/",
        f"{own.scheme}://{own.netloc}/?{own.query}",
    ):  # fmt: skip
        answer = urllib3.request("GET", url, retries=False, redirect=False)
        assert answer.status in (400, 403, 404), url
        assert key.encode() not in answer.data or b"<Contents>" not in answer.data


def test_a_forged_signature_reaches_no_further_than_the_artifacts_of_its_namespace(
    s3_store: S3Store, namespace: str, key: str
) -> None:
    """On MinIO it does pass (CVE-2026-41145), but the key id that a step sees can do no more than the step itself."""
    signed = signed_for(s3_store, key)
    url, _, signature = signed.url.rpartition("=")
    forged = f"{url}={'0' * len(signature)}"
    headers, body = streaming(EVIL)
    here = put(forged, body, headers)
    assert (here == 200) == bool(s3_store.weaknesses)
    assert put(forged.replace(namespace, "other"), body, headers) == 403
    assert put(forged.replace(f"{namespace}/cas/", f"{namespace}/runs/"), body, headers) == 403


def test_the_operators_own_key_id_is_not_shown_where_knowing_it_is_enough(s3_store: S3Store, key: str) -> None:
    if s3_store.weaknesses:
        assert "mlworkflowtestkey" not in signed_for(s3_store, key).url
        assert "mlworkflowtestkey" not in s3_store.sign_get(key, 60)
