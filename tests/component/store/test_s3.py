"""What is particular to S3 stores: which errors are which, and what `check` refuses."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import pytest
from mlworkflow.store.credentials import ACCESS_KEY_FILE, SECRET_KEY_FILE, FileKeys, FixedKeys, find_keys
from mlworkflow.store.errors import KeysRefused, NotFound, StoreError, StoreFull, StoreRefused, StoreUnavailable
from mlworkflow.store.s3 import S3Settings, S3Store

from tests.component.scripted import http, scripted
from tests.component.servers import ACCESS_KEY, SECRET_KEY, free_port

LISTING = b"<ListBucketResult><Name>mlworkflow</Name><IsTruncated>false</IsTruncated></ListBucketResult>"


def store_at(endpoint: str, **changes: object) -> S3Store:
    keys = FixedKeys(ACCESS_KEY, SECRET_KEY)
    return S3Store(S3Settings(endpoint=endpoint, bucket="mlworkflow", **{"keys": keys, **changes}))  # type: ignore[arg-type]


def error(status: int, code: str) -> bytes:
    body = f"<Error><Code>{code}</Code><Message>words</Message></Error>".encode()
    return http(status, body, "Content-Type: application/xml", "Connection: close")


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (error(503, "SlowDown"), StoreUnavailable, "SlowDown: words"),
        (error(500, "InternalError"), StoreUnavailable, "InternalError"),
        (error(429, "TooManyRequests"), StoreUnavailable, "TooManyRequests"),
        (http(502, b"<html>", "Connection: close"), StoreUnavailable, "502"),
        (error(403, "RequestTimeTooSkewed"), StoreUnavailable, "do the clocks"),
        (error(404, "NoSuchKey"), NotFound, "NoSuchKey"),
        (error(404, "NoSuchBucket"), StoreRefused, "NoSuchBucket"),
        (error(403, "AccessDenied"), StoreRefused, "AccessDenied: words"),
        (error(403, "SignatureDoesNotMatch"), KeysRefused, "SignatureDoesNotMatch"),
        (error(403, "InvalidAccessKeyId"), KeysRefused, "InvalidAccessKeyId"),
        (error(507, "XMinioStorageFull"), StoreFull, "XMinioStorageFull: words"),
        (error(400, "XMinioAdminBucketQuotaExceeded"), StoreFull, "QuotaExceeded: words"),
        (http(200, b"half", length=100), StoreUnavailable, "ProtocolError"),
    ],
)
def test_reading_and_writing_say_what_went_wrong(answer: bytes, kind: type[StoreError], words: str) -> None:
    with scripted(answer, answer) as (url, _):
        with pytest.raises(kind, match=words):
            store_at(url).read_bytes("ml/x")
        if b"half" not in answer and kind is not NotFound:
            with pytest.raises(kind, match=words.partition(":")[0]):
                store_at(url).write_bytes("ml/x", b"data")


def test_a_store_that_is_not_there_is_unavailable_and_no_url_is_shown() -> None:
    store = store_at(f"http://127.0.0.1:{free_port()}")
    for call in (
        lambda: store.stat("a/b"),
        lambda: store.write_bytes("a/b", b""),
        store.check,
        lambda: list(store.list("a/")),
    ):
        with pytest.raises(StoreUnavailable) as caught:
            call()
        assert "Signature" not in str(caught.value)


def test_a_store_that_takes_any_bytes_is_refused() -> None:
    def take(head: str, _: bytes) -> bytes:
        if head.startswith("GET"):
            return http(200, LISTING, "Content-Type: application/xml", "Connection: close")
        return http(200, b"", "Connection: close")

    with scripted(*itertools.repeat(take, 20)) as (url, _), pytest.raises(StoreRefused, match="does not bind"):
        store_at(url).check()


@pytest.mark.parametrize("kind", ["minio", "seaweedfs"])
def test_wrong_keys_and_a_bucket_that_may_not_be_made(
    endpoints: Callable[[str], str], s3_stores: Callable[[str], S3Store], kind: str
) -> None:
    s3_stores(kind).check()
    for keys, words in (
        (FixedKeys(ACCESS_KEY, "wrong-secret"), "SignatureDoesNotMatch"),
        (FixedKeys("nobody", SECRET_KEY), "InvalidAccessKeyId"),
    ):
        store = store_at(endpoints(kind), keys=keys)
        for call in (
            store.check,
            lambda store=store: store.stat("ml/x"),
            lambda store=store: store.refresh("ml/x", 0.0),
            lambda store=store: store.write_bytes("ml/x", b""),
        ):
            with pytest.raises(KeysRefused, match=words):
                call()
    with pytest.raises(StoreRefused, match="may not be created"):
        S3Store(S3Settings(endpoint=endpoints(kind), bucket="not-made", keys=FixedKeys(ACCESS_KEY, SECRET_KEY))).check()


@pytest.mark.parametrize(
    ("kind", "hours"), [("minio", -1), ("minio", 1), ("seaweedfs", -1)]
)  # SeaweedFS takes tomorrow's
def test_a_clock_that_is_wrong_by_an_hour_is_something_that_passes(
    endpoints: Callable[[str], str], s3_stores: Callable[[str], S3Store], kind: str, hours: int
) -> None:
    s3_stores(kind).check()
    off = 0.0
    settings = S3Settings(endpoint=endpoints(kind), bucket="mlworkflow", keys=FixedKeys(ACCESS_KEY, SECRET_KEY))
    store = S3Store(settings, clock=lambda: time.time() + off)
    store.write_bytes("clock/cas/a", b"x")
    off = 3600.0 * hours
    with pytest.raises(StoreUnavailable):
        store.write_bytes("clock/cas/b", b"x")
    store.check()  # looks at the store's clock, and goes by it
    store.write_bytes("clock/cas/b", b"x")
    assert store.read_bytes("clock/cas/b") == b"x"
    assert urlopen(store.sign_get("clock/cas/b", 60)).read() == b"x"


def test_minio_s_weakness_is_known_and_said(s3_stores: Callable[[str], S3Store]) -> None:
    assert s3_stores("seaweedfs").weaknesses == ()
    assert "CVE-2026-41145" in s3_stores("minio").weaknesses[0]
    assert "its own namespace" in s3_stores("minio").weaknesses[0]


def test_no_key_is_ever_printed(s3_store: S3Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    s3_store.check()
    text = (
        caplog.text
        + repr(s3_store)
        + repr(S3Settings(endpoint="http://x", bucket="b", keys=FixedKeys("id-1", "secret-1")))
    )
    assert SECRET_KEY not in text
    assert "secret-1" not in text
    assert "X-Amz-Signature" not in caplog.text.replace("/mlworkflow/check/", "") or "urllib3" in caplog.text


@pytest.mark.parametrize("endpoint", ["", "minio:9000", "ftp://minio", "http://minio/path", "http://"])
def test_what_is_no_endpoint(endpoint: str) -> None:
    with pytest.raises(StoreRefused, match="not an endpoint"):
        store_at(endpoint)


def test_signing_a_get_asks_nobody_and_virtual_hosts_are_signed_for() -> None:
    store = store_at("https://s3.example.com", path_style=False, step_endpoint="https://s3.steps.example.com")
    assert store.sign_get("ml/cas/x", 60).startswith("https://mlworkflow.s3.steps.example.com/ml/cas/x?")


def test_keys_in_files_are_read_anew(tmp_path: Path) -> None:
    (tmp_path / ACCESS_KEY_FILE).write_text("id-1\n")
    (tmp_path / SECRET_KEY_FILE).write_text("s-1\n")
    keys = find_keys({}, tmp_path)
    assert (keys.retrieve().access_key, keys.retrieve().secret_key) == ("id-1", "s-1")
    (tmp_path / ACCESS_KEY_FILE).write_text("id-2\n")
    assert keys.retrieve().access_key == "id-2"
    assert isinstance(keys, FileKeys)
    assert find_keys({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}).retrieve().access_key == "a"
    with pytest.raises(StoreUnavailable, match="keys cannot be had"):
        store_at("http://127.0.0.1:1", keys=FileKeys(tmp_path / "none")).write_bytes("a/b", b"")
