"""`pchat.web.site`: what a browser, or somebody who is none, may send."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from pchat.config import WebLimits
from pchat.web.site import BoundedSite, Folder

LIMITS = WebLimits(connections=2, body_bytes=1_024, request_seconds=30, idle_seconds=60)


class Echo(Resource):
    """Answers a body by itself, and counts; ``/own`` sets a policy of its own, ``/later`` waits."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.waiting: list[Request] = []

    def render_POST(self, request: Request) -> bytes:
        self.asked += 1
        return bytes(request.content.read() if request.content else b"")

    def render_GET(self, request: Request) -> bytes | int:
        self.asked += 1
        if request.path == b"/own":
            request.setHeader(b"Content-Security-Policy", b"default-src 'self'")
        if request.path == b"/later":
            self.waiting.append(request)
            return NOT_DONE_YET
        if request.path == b"/bug":
            raise RuntimeError("a secret detail")
        return b"hello"


class SiteCase(SynchronousTestCase):
    """A site in memory with small limits."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.echo = Echo()
        self.site = BoundedSite(self.echo, LIMITS, self.clock)

    def connect(self) -> tuple[Any, StringTransport]:
        channel: Any = self.site.buildProtocol(None)
        transport = StringTransport()
        channel.makeConnection(transport)
        return channel, transport

    def send(self, data: bytes, *, pieces: int = 0) -> bytes:
        channel, transport = self.connect()
        step = pieces or len(data)
        for start in range(0, len(data), step):
            channel.dataReceived(data[start : start + step])
        self.closed = transport.disconnecting or transport.disconnected
        channel.connectionLost(Failure(ConnectionError()))
        self.assertEqual([], self.clock.getDelayedCalls())
        answer: bytes = transport.value()
        return answer


def post(length: int) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % length + b"x" * length


def chunked(size: int, count: int) -> bytes:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + (b"%x\r\n" % size + b"x" * size + b"\r\n") * count + b"0\r\n\r\n"


class BodyTests(SiteCase):
    """Bodies, by Content-Length and in chunks."""

    def test_allowed(self) -> None:
        """A body of just the allowed size arrives, however it is cut."""
        for data in (post(1_024), chunked(256, 4)):
            for pieces in (0, 1, 100):
                answer = self.send(data, pieces=pieces)
                self.assertTrue(answer.startswith(b"HTTP/1.1 200"), answer[:40])
                self.assertEqual(1_024, answer.count(b"x" * 1_024) * 1_024)
                self.assertFalse(self.closed)

    def test_too_large(self) -> None:
        """A body one byte larger is answered 413 once, no resource sees it, and the connection ends."""
        for data in (post(1_025), chunked(205, 5), chunked(1_000_000, 1)):
            for pieces in (0, 1_000):
                answer = self.send(data, pieces=pieces)
                self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer[:40])
                self.assertEqual(1, answer.count(b"HTTP/1.1"))
                self.assertTrue(self.closed)
        self.assertEqual(0, self.echo.asked)

    def test_refused_before_read(self) -> None:
        """A body that says it is too large is refused by its head; nothing asks for it to be sent."""
        answer = self.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 99999999999999\r\n\r\n"
        )
        self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer[:40])
        self.assertNotIn(b"100 Continue", answer)

    def test_no_smuggling(self) -> None:
        """A request behind a refused one on the same connection is not executed."""
        self.send(post(2_000) + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        )
        for field in ("Content-Length: +1", "Transfer-Encoding: identity", "Host: b"):
            answer = self.send(f"POST / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n".encode() + post(1))
            self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), field)
            self.assertTrue(self.closed)
        self.assertEqual(0, self.echo.asked)

    def test_form_stays_unread(self) -> None:
        """A form is not taken apart before a page wants it."""
        answer = self.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data\r\nContent-Length: 3\r\n\r\nabc"
        )
        self.assertTrue(answer.endswith(b"abc"), answer)


class HeadTests(SiteCase):
    """Heads, good and too large."""

    def test_too_large(self) -> None:
        """A head with too many or too long headers is answered 400 once, and the connection ends."""
        many = b"".join(b"X-%d: 1\r\n" % number for number in range(70))
        for headers in (many, (b"X: " + b"x" * 9_000 + b"\r\n") * 2):
            answer = self.send(b"GET / HTTP/1.1\r\nHost: a\r\n" + headers + b"\r\n", pieces=10)
            self.assertTrue(answer.startswith(b"HTTP/1.1 400"), answer[:40])
            self.assertEqual(1, answer.count(b"HTTP/1.1"))
            self.assertTrue(self.closed)
        self.assertEqual(0, self.echo.asked)


class AnswerTests(SiteCase):
    """What every answer carries."""

    def test_hardened(self) -> None:
        """Answers, errors among them, forbid framing, sniffing, caching and foreign content."""
        for request in (b"GET /", b"GET /bug", b"DELETE /"):
            answer = self.send(request + b" HTTP/1.1\r\nHost: a\r\n\r\n")
            for header in (
                b"X-Content-Type-Options: nosniff",
                b"X-Frame-Options: DENY",
                b"Cache-Control: no-store",
                b"Content-Security-Policy: default-src 'none'",
                b"Referrer-Policy: no-referrer",
                b"Server: pchat\r\n",
            ):
                self.assertIn(header, answer, request)
            self.assertNotIn(b"Twisted", answer)
            self.assertNotIn(b"secret detail", answer)
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))

    def test_own_policy(self) -> None:
        """A page that needs scripts says so itself."""
        answer = self.send(b"GET /own HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertIn(b"Content-Security-Policy: default-src 'self'\r\n", answer)
        self.assertEqual(1, answer.count(b"Content-Security-Policy"))


class TimeTests(SiteCase):
    """Times and numbers of connections."""

    def test_slow_request(self) -> None:
        """A request that trickles in is ended after its time, however often a byte comes."""
        channel, transport = self.connect()
        for byte in b"GET / HTTP/1.1\r\nHost: a":
            channel.dataReceived(bytes([byte]))
            self.clock.advance(1)
        self.assertFalse(transport.disconnecting)
        self.clock.advance(30 - 22)
        self.assertTrue(transport.disconnecting)
        self.assertTrue(transport.value().startswith(b"HTTP/1.1 408 "))
        self.assertEqual(0, self.echo.asked)

    def test_idle(self) -> None:
        """A connection that sends nothing is closed."""
        _, transport = self.connect()
        self.clock.advance(59)
        self.assertFalse(transport.disconnecting)
        self.clock.advance(1)
        self.assertTrue(transport.disconnecting)

    def test_slow_answer(self) -> None:
        """The time is for the request: an answer may take longer."""
        channel, transport = self.connect()
        channel.dataReceived(b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n")
        self.clock.advance(300)
        self.assertFalse(transport.disconnecting)
        (request,) = self.echo.waiting
        request.finish()
        self.assertTrue(transport.value().startswith(b"HTTP/1.1 200"))

    def test_pipelined(self) -> None:
        """A second request that came early and stays incomplete has a time of its own."""
        channel, transport = self.connect()
        channel.dataReceived(b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n")
        channel.dataReceived(b"GET /")
        self.clock.advance(100)
        (request,) = self.echo.waiting
        request.finish()
        self.clock.advance(29)
        self.assertFalse(transport.disconnecting)
        self.clock.advance(1)
        self.assertTrue(transport.disconnecting)
        self.assertEqual(1, self.echo.asked)

    def test_pipelined_whole(self) -> None:
        """Two requests sent together are both answered, and no time-out stays behind."""
        get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        answer = self.send(get + get)
        self.assertEqual(2, answer.count(b"HTTP/1.1 200"))

    def test_connections(self) -> None:
        """More connections than allowed are dropped; when one ends there is room again."""
        first, _ = self.connect()
        self.connect()
        third, transport = self.connect()
        self.assertTrue(transport.disconnected)
        third.connectionLost(Failure(ConnectionError()))
        first.connectionLost(Failure(ConnectionError()))
        _, transport = self.connect()
        self.assertFalse(transport.disconnected)


class NotFoundTests(SynchronousTestCase):
    """Addresses where nothing is."""

    def test_plain(self) -> None:
        """They are answered in one short line of text, whatever the method, at every depth."""
        root = Folder()
        inner = Folder()
        root.putChild(b"inner", inner)
        site = BoundedSite(root, LIMITS, Clock())
        for method in (b"GET", b"POST", b"HEAD"):
            for path in (b"/", b"/nowhere", b"/<b>", b"/inner", b"/inner/", b"/inner/x/y"):
                channel: Any = site.buildProtocol(None)
                transport = StringTransport()
                channel.makeConnection(transport)
                channel.dataReceived(b"%s %s HTTP/1.1\r\nHost: a\r\n\r\n" % (method, path))
                channel.connectionLost(Failure(ConnectionError()))
                head, _, body = transport.value().partition(b"\r\n\r\n")
                self.assertTrue(head.startswith(b"HTTP/1.1 404 "), head)
                self.assertIn(b"Content-Type: text/plain; charset=utf-8", head)
                self.assertEqual(b"" if method == b"HEAD" else b"There is nothing at this address.\n", body)


class MethodTests(SiteCase):
    """Methods that a page does not have."""

    def test_refused(self) -> None:
        """They are refused as a problem that tells the others, and nothing is asked."""
        answer = self.send(b"DELETE /own HTTP/1.1\r\nHost: a\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 405 "), head)
        self.assertIn(b"\r\nAllow: GET, HEAD, POST\r\n", head)
        self.assertIn(b"\r\nContent-Type: application/problem+json\r\n", head)
        self.assertEqual("method-not-allowed", json.loads(body)["code"])
        self.assertEqual(0, self.echo.asked)

    def test_head(self) -> None:
        """HEAD is answered where a GET is, without content; not where there is only a POST."""
        answer = self.send(b"HEAD /own HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)
        self.assertTrue(answer.endswith(b"\r\n\r\n"), answer)

        class Form(Resource):
            isLeaf = True

            def render_POST(self, request: Request) -> bytes:
                return b"sent"

        self.site = BoundedSite(Form(), LIMITS, self.clock)
        answer = self.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 405 "), answer)
        self.assertIn(b"\r\nAllow: POST\r\n", answer)

    def test_long_lines(self) -> None:
        """An address or a header that is too long is refused, and the connection closed."""
        for line, status in (
            (b"GET /" + b"a" * 20_000, b"414"),
            (b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000, b"431"),
        ):
            answer = self.send(line)
            self.assertTrue(answer.startswith(b"HTTP/1.1 " + status), answer[:40])
            self.assertTrue(self.closed)
            self.assertIn(b"application/problem+json", answer)
