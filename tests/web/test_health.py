"""`pchat.web.health`: what a load balancer is told."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from pchat.config import WebLimits
from pchat.web.health import CHECK_SECONDS, Check, health_resource
from pchat.web.site import BoundedSite


class HealthTests(SynchronousTestCase):
    """``/health/live`` and ``/health/ready``."""

    def setUp(self) -> None:
        self.clock = Clock()

    def get(self, path: bytes, checks: dict[str, Check]) -> tuple[Any, StringTransport]:
        root = Resource()
        root.putChild(b"health", health_resource(checks, self.clock))
        channel: Any = BoundedSite(root, WebLimits(), self.clock).buildProtocol(None)
        transport = StringTransport()
        channel.makeConnection(transport)
        channel.dataReceived(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path)
        return channel, transport

    def answer(self, transport: StringTransport) -> tuple[int, dict[str, Any]]:
        head, _, body = transport.value().partition(b"\r\n\r\n")
        self.assertIn(b"Content-Type: application/json", head)
        return int(head.split()[1]), json.loads(body)

    def test_live(self) -> None:
        """The process is live whatever its store does."""
        _, transport = self.get(b"/health/live", {"store": lambda: "gone"})
        self.assertEqual((200, {"status": "live"}), self.answer(transport))

    def test_ready(self) -> None:
        """A server is ready when every check says so."""
        _, transport = self.get(b"/health/ready", {"store": lambda: succeed(None), "sip": lambda: None})
        self.assertEqual(
            (200, {"status": "ready", "checks": {"store": "ok", "sip": "ok"}}), self.answer(transport)
        )

    def test_not_ready(self) -> None:
        """A failed check is named; why it failed is for the log, not for strangers."""
        checks: dict[str, Check] = {
            "store": lambda: succeed("disk is full"),
            "broken": lambda: fail(RuntimeError("internal path")),
            "sip": lambda: None,
        }
        _, transport = self.get(b"/health/ready", checks)
        status, told = self.answer(transport)
        self.assertEqual((503, "not ready"), (status, told["status"]))
        self.assertEqual({"store": "failed", "broken": "failed", "sip": "ok"}, told["checks"])
        self.assertNotIn(b"disk", transport.value())
        self.assertNotIn(b"internal", transport.value())

    def test_hanging(self) -> None:
        """A check that hangs is a failed one, before the load balancer loses patience."""
        never: Deferred[None] = Deferred()
        _, transport = self.get(b"/health/ready", {"store": lambda: never})
        self.assertEqual(b"", transport.value())
        self.clock.advance(CHECK_SECONDS)
        self.assertEqual(503, self.answer(transport)[0])

    def test_gone(self) -> None:
        """Who went away meanwhile costs nothing."""
        asked: Deferred[None] = Deferred()
        channel, transport = self.get(b"/health/ready", {"store": lambda: asked})
        channel.connectionLost(Failure(ConnectionError()))
        asked.callback(None)
        self.assertEqual(b"", transport.value())

    def test_unknown(self) -> None:
        """Nothing else is there."""
        _, transport = self.get(b"/health/", {})
        self.assertTrue(transport.value().startswith(b"HTTP/1.1 404"))
