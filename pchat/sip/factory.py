"""Makes the connections of one listener, no more than the limits allow."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from pchat.auth.throttle import network_of
from pchat.sip.connection import SipConnection, address_texts

log = Logger()


class SipFactory(Factory):
    """Makes connections for one listener, no more than the limits allow.

    Args:
        make: Builds a `SipConnection` for a source address.
        connections: All connections of the listener at one time.
        connections_per_address: Those of one source address, or of one /64 network of IPv6.
    """

    noisy = False

    def __init__(
        self, make: Callable[[str], SipConnection], connections: int, connections_per_address: int
    ) -> None:
        self._make = make
        self._limit = connections
        self._limit_per_address = connections_per_address
        self._by_source: dict[str, int] = {}
        self._count = 0

    def buildProtocol(self, addr: IAddress | None) -> SipConnection | None:
        """Accept a connection, or close it at once (overload is shed here, where clients survive it)."""
        source = address_texts(addr)[0]
        network = network_of(source)
        if self._count >= self._limit or self._by_source.get(network, 0) >= self._limit_per_address:
            log.warn("{source}: connection refused, too many are open", source=source)
            return None
        self._count += 1
        self._by_source[network] = self._by_source.get(network, 0) + 1
        connection = self._make(source)
        connection.factory = self
        connection.on_lost = self.connection_ended
        return connection

    def connection_ended(self, source: str) -> None:
        """Count a connection that is gone."""
        self._count -= 1
        network = network_of(source)
        left = self._by_source.get(network, 1) - 1
        if left:
            self._by_source[network] = left
        else:
            self._by_source.pop(network, None)
