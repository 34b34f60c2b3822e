"""The endpoint with which ``pchatctl test-message`` tries the service."""

from __future__ import annotations

import socket

from twisted.trial.unittest import SynchronousTestCase

from pchat.client.endpoint import Endpoint, Place


class Promptness(SynchronousTestCase):
    """What it measures is the server's time."""

    def test_sends_at_once(self) -> None:
        """The kernel does not hold back a request until an earlier answer was acknowledged (RFC 896)."""
        connections: list[socket.socket] = []
        connect = socket.create_connection

        def remember(address: tuple[str, int], timeout: float) -> socket.socket:
            connections.append(connect(address, timeout=timeout))
            return connections[-1]

        self.patch(socket, "create_connection", remember)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            place = Place("127.0.0.1", listener.getsockname()[1], None, "localhost")
            with Endpoint(place, "alice@example.com", seconds=10.0):
                self.assertTrue(connections[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
