"""New objects written on the event loop: as the store writes them, and by the store itself where something is in the way."""

from __future__ import annotations

import ssl
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from mlworkflow.store.credentials import CloudKeys
from mlworkflow.store.errors import StoreUnavailable
from mlworkflow.store.s3 import S3Settings, S3Store
from mlworkflow.store.s3_writer import S3Writer

from tests.component.certificates import Authority
from tests.component.proxy import Fault, Link, answered, cut_after, passed, proxied, read_request, refused


class Counting(S3Store):
    """`calls` are those that it had to make itself."""

    def __init__(self, settings: S3Settings) -> None:
        super().__init__(settings)
        self.calls = 0

    def write_bytes(self, key: str, data: bytes, *, if_absent: bool = False) -> bool:
        self.calls += 1
        return super().write_bytes(key, data, if_absent=if_absent)


@pytest.fixture
def key() -> str:
    return f"ns-{uuid.uuid4().hex[:12]}/runs/uid/step/0.json"


async def test_it_is_written_once(s3_store: S3Store, key: str) -> None:
    store = Counting(s3_store.settings)
    async with S3Writer(store) as writer:
        assert await writer.write_new(key, b"one")
        assert store.calls == 0
        assert not await writer.write_new(key, b"two")
    assert s3_store.read_bytes(key) == b"one"


async def test_keys_of_a_cloud_do_as_well(s3_store: S3Store, key: str) -> None:
    store = Counting(replace(s3_store.settings, keys=CloudKeys(lambda: s3_store.settings.keys)))
    async with S3Writer(store) as writer:
        assert await writer.write_new(key, b"one")
    assert (s3_store.read_bytes(key), store.calls) == (b"one", 0)


@pytest.mark.parametrize(
    "fault", [refused, cut_after(100), answered(503, b""), answered(307, b"")], ids=["reset", "cut", "503", "redirect"]
)
async def test_what_goes_wrong_is_done_again_by_the_store(s3_store: S3Store, key: str, fault: Fault) -> None:
    with proxied(s3_store.settings.endpoint) as proxy:
        store = Counting(replace(s3_store.settings, endpoint=proxy.url))
        proxy.fault = lambda link: passed(link) if store.calls else fault(link)
        async with S3Writer(store) as writer:
            assert await writer.write_new(key, b"one")
    assert (s3_store.read_bytes(key), store.calls) == (b"one", 1)


async def test_what_was_written_and_not_heard_of_stays_as_it_is(s3_store: S3Store, key: str) -> None:
    def unheard(link: Link) -> bool:
        if proxy.seen > 1:
            return True
        read_request(link.client)
        s3_store.write_bytes(key, b"one")
        return refused(link)

    with proxied(s3_store.settings.endpoint) as proxy:
        proxy.fault = unheard
        async with S3Writer(Counting(replace(s3_store.settings, endpoint=proxy.url))) as writer:
            assert not await writer.write_new(key, b"one")
    assert s3_store.read_bytes(key) == b"one"


async def test_a_store_that_is_away_is_told_of_in_the_store_s_words(s3_store: S3Store, key: str) -> None:
    with proxied(s3_store.settings.endpoint) as proxy:
        proxy.fault = refused
        async with S3Writer(S3Store(replace(s3_store.settings, endpoint=proxy.url))) as writer:
            with pytest.raises(StoreUnavailable, match="cannot be reached") as caught:
                await writer.write_new(key, b"one")
    assert "Signature" not in str(caught.value)
    assert s3_store.stat(key) is None


@pytest.mark.parametrize(("name", "is_trusted"), [("ours", True), ("another's", False)])
async def test_an_authority_of_one_s_own_is_trusted_and_no_other(
    s3_store: S3Store, key: str, tmp_path: Path, name: str, is_trusted: bool
) -> None:
    authorities = {"ours": Authority("ours"), "another's": Authority("another's")}
    authorities["ours"].issue(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    (tmp_path / "ca.pem").write_text(authorities[name].pem)
    with proxied(s3_store.settings.endpoint, context) as proxy:
        store = Counting(replace(s3_store.settings, endpoint=proxy.url, ca_file=str(tmp_path / "ca.pem")))
        async with S3Writer(store) as writer:
            if is_trusted:
                assert await writer.write_new(key, b"one")
                assert store.calls == 0
            else:
                with pytest.raises(StoreUnavailable, match=r"[Cc]ertificate"):
                    await writer.write_new(key, b"one")
    assert s3_store.stat(key) == (3 if is_trusted else None)
