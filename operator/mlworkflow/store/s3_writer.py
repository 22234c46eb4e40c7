"""New small objects for an S3 store, written on the event loop: no thread, and a third of the processor's time, where steps commit by the hundred.

What goes well goes this way. Whatever does not (a refusal, a server that is away or slow) is done once more by the store itself, in a thread: it knows
retries, the store's words, and how they are told. That is safe however far the first try came, for an object is only written where there is none.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from types import TracebackType

import aiohttp
from yarl import URL

from mlworkflow.store.credentials import CloudKeys
from mlworkflow.store.s3 import NEW, S3Store

_TIMEOUT = aiohttp.ClientTimeout(total=10.0)
_CONNECTIONS = 32


class S3Writer:
    """Connections to the store, for as long as the context lasts."""

    def __init__(self, store: S3Store) -> None:
        self._store = store
        ca_file = store.settings.ca_file
        connector = aiohttp.TCPConnector(
            limit=_CONNECTIONS, ssl=ssl.create_default_context(cafile=ca_file) if ca_file else True
        )
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        )

    async def __aenter__(self) -> S3Writer:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def write_new(self, key: str, data: bytes) -> bool:
        """As the store's `write_bytes` with `if_absent`."""
        with suppress(aiohttp.ClientError, TimeoutError, OSError):
            url = URL(await self._url(key), encoded=True)
            async with self._session.put(url, data=data, headers=NEW, allow_redirects=False) as answer:
                await answer.read()
                if answer.status == 200:
                    return True
        return await asyncio.to_thread(self._store.write_bytes, key, data, if_absent=True)

    async def _url(self, key: str) -> str:
        if isinstance(self._store.settings.keys, CloudKeys):  # which asks the cloud now and then
            return await asyncio.to_thread(self._store.url_of_put, key, NEW)
        return self._store.url_of_put(key, NEW)
