"""Which addresses the operator calls for somebody else: those that a URL or a name in a workflow leads to, and not itself or its node.

Loopback and link-local addresses (a cloud's metadata service) are refused, whatever name leads there, unless the installation names the host.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

LOOKUPS = 4
"""Names that are looked up at once."""
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class TargetRefused(Exception):
    """The operator does not call this address."""


class Guard:
    """`allowed` may be reached at whatever address; None allows all. `setting` is what names them, for the message."""

    def __init__(self, allowed: frozenset[str] | None, setting: str) -> None:
        self._allowed = allowed
        self._setting = setting

    def check(self, host: str, address: str) -> None:
        """Raises TargetRefused where `host` leads to an `address` that is not to be called; a name is no address yet."""
        if self._allowed is None or host.lower() in self._allowed:
            return
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return
        if is_too_near(found):
            raise TargetRefused(f"the host is a loopback or link-local address, which {self._setting} does not name")

    def session(self, limit: int, **settings: Any) -> aiohttp.ClientSession:
        """A client, without a memory, that connects only where `check` has seen the address. A host that is an address itself is the caller's
        to check. `settings` are further ones of aiohttp's.
        """
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=_Resolver(self.check), use_dns_cache=False, limit=limit),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "mlworkflow"},
            **settings,
        )


class _Resolver(AbstractResolver):
    """Looks names up, and shows every address to `check` before it is connected to.

    In threads of its own: a name server that does not answer holds a thread for longer than whoever asked has patience, and the others are needed.
    """

    def __init__(self, check: Callable[[str, str], None]) -> None:
        self._check = check
        self._threads = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="lookup")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        look = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look)
        for *_, address in found:
            self._check(host, str(address[0]))
        numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=str(address[0]), port=port, family=kind, proto=proto, flags=numeric)
            for kind, _, proto, _, address in found
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def is_too_near(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is this machine or its link, also where it is written as another sort of address."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return is_too_near(address.ipv4_mapped)
        if address in NAT64:
            return is_too_near(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address.sixtofour:
            return is_too_near(address.sixtofour)
    return address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast
