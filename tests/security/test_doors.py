"""The doors themselves: who is let through before anything is read."""

from __future__ import annotations

import os
from typing import Any

from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import ContextFactory
from twisted.trial.unittest import SynchronousTestCase

from pchat.admin.socket import actor_of
from pchat.listening import TlsFactory
from pchat.web.problems import Problem


class Doors(SynchronousTestCase):
    """Listeners and the administration socket."""

    def test_refused_connections_are_refused_under_tls_too(self) -> None:
        """Where the limit of connections says no, TLS does not keep the connection open."""

        class Full(Factory):
            def buildProtocol(self, addr: Any) -> Protocol | None:
                return None

        class Contexts(ContextFactory):
            isClient = False

            def getContext(self) -> SSL.Context:
                return SSL.Context(SSL.TLS_METHOD)

        factory = TlsFactory(Contexts(), False, Full())
        self.assertIsNone(factory.buildProtocol(IPv4Address("TCP", "192.0.2.66", 1)))

    def test_only_root_and_the_server_administer(self) -> None:
        """Another local user is refused, whatever the modes of the socket are."""
        for user in (1, 65534, 4242):
            if user != os.geteuid():
                with self.assertRaises(Problem) as caught:
                    actor_of(user)
                self.assertEqual(caught.exception.status, 403)
                self.flushLoggedErrors()
        self.assertTrue(actor_of(0).startswith("local:"))
