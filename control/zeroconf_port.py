"""Tells the network, or this machine alone, that we are here: mDNS service records. The one file that knows zeroconf.

Owner: one task of a surface; everything is called on the event loop.
Units: ports as numbers.

zeroconf is LGPL-2.1 and used as a library. Where it is missing, or the system lets nobody multicast, others do not find
us by themselves and everything else works; the address is then typed in by hand.
"""

import logging
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from control.errors import NotAnnounced

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Service:
    """One record: the type, such as `_osc._udp`, and the port it is at."""

    kind: str
    port: int
    text: tuple[tuple[str, str], ...] = ()


class Announcer:
    """Publishes services under one name until closed."""

    def __init__(self) -> None:
        self._zeroconf: object = None

    async def open(self, name: str, services: Sequence[Service], addresses: Sequence[str]) -> None:
        """Publish `services` as `name` at `addresses`, and only on the interfaces that have them.

        The name is changed where another on the network has it. Raises NotAnnounced when nothing can be published.
        """
        try:
            from zeroconf import Error as ZeroconfError
            from zeroconf import IPVersion, ServiceInfo
            from zeroconf.asyncio import AsyncZeroconf
        except ImportError as error:
            raise NotAnnounced("we are not announced: the package zeroconf is not installed") from error
        host = socket.gethostname().split(".")[0] or "alchemy"
        try:
            zeroconf = AsyncZeroconf(interfaces=list(addresses), ip_version=IPVersion.V4Only)
        except OSError as error:
            raise NotAnnounced(f"we are not announced: {error}") from error
        self._zeroconf = zeroconf
        try:
            for service in services:
                kind = f"{service.kind}.local."
                info = ServiceInfo(
                    kind,
                    f"{name}.{kind}",
                    port=service.port,
                    parsed_addresses=list(addresses),
                    properties=dict(service.text),
                    server=f"{host}.local.",
                )
                await (await zeroconf.async_register_service(info, allow_name_change=True))
        except (ZeroconfError, OSError) as error:
            await self.close()
            raise NotAnnounced(f"we are not announced: {error or type(error).__name__}") from error

    async def close(self) -> None:
        """Take the records back."""
        from zeroconf.asyncio import AsyncZeroconf

        zeroconf, self._zeroconf = self._zeroconf, None
        if isinstance(zeroconf, AsyncZeroconf):
            try:
                await zeroconf.async_unregister_all_services()
            finally:
                await zeroconf.async_close()
