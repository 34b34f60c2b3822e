"""The administration interface, reached by somebody who must not get more out of it than he may."""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from tests.web.test_api import LIMITS, WebCase

#: What a TCP transport keeps before it asks its producer to pause.
BUFFER = 65_536
DESCRIPTION = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: a\r\n\r\n"


class UnreadTransport(StringTransport):
    """A transport whose peer takes nothing: it asks to pause as TCP does, as often as TCP does."""

    aborted = False

    def write(self, data: bytes) -> None:
        """Keep bytes."""
        super().write(data)
        producer: Any = self.producer
        if len(self.value()) > BUFFER and producer is not None:
            producer.pauseProducing()

    def take(self) -> int:
        """Let the peer take all; return how many answers it took."""
        answers: int = self.value().count(b"HTTP/1.1 200 OK")
        self.clear()
        producer: Any = self.producer
        producer.resumeProducing()
        return answers

    def abortConnection(self) -> None:
        """Close at once."""
        self.aborted = True


class UnreadAnswers(WebCase):
    """A client without a token asks for what is large and reads nothing."""

    def setUp(self) -> None:
        super().setUp()
        self.channel: Any = self.site.buildProtocol(None)
        self.transport = UnreadTransport()
        self.channel.makeConnection(self.transport)
        self.addCleanup(lambda: self.channel.connectionLost(Failure(ConnectionError())))

    def test_one_segment_of_many_requests(self) -> None:
        """Answers are made as they are taken; hundreds of requests that came at once wait for that."""
        self.channel.dataReceived(DESCRIPTION * 300)
        self.assertLess(len(self.transport.value()), 8 * BUFFER)
        taken = sum(self.transport.take() for _ in range(300))
        self.assertEqual((300, b""), (taken, self.transport.value()))
        self.assertEqual("producing", self.transport.producerState)

    def test_request_after_request(self) -> None:
        """Nothing more is read from who takes nothing; in the end he is put out."""
        while self.transport.producerState == "producing":
            self.channel.dataReceived(DESCRIPTION)
            self.assertLess(len(self.transport.value()), 8 * BUFFER)
        self.clock.advance(LIMITS.idle_seconds)
        self.assertTrue(self.transport.disconnecting)
        self.clock.advance(15)
        self.assertTrue(self.transport.aborted)
