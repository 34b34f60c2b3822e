"""A connection: what it takes from a peer, what it writes, and how it ends."""

from __future__ import annotations

from typing import Any

from attrs import define, evolve, field
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from pchat.auth.signature import Association
from pchat.errors import SipRefused
from pchat.interfaces import IResponseReceiver, ISipConnection
from pchat.sip.connection import (
    HELD_REQUESTS,
    QUIET_SECONDS,
    STRANGER_BODY_BYTES,
    ConnectionLimits,
    SipConnection,
)
from pchat.sip.factory import SipFactory
from pchat.sip.headers import Headers
from pchat.sip.message import Request, Response
from pchat.sip.stream import StreamLimits
from pchat.sip.turn import Turn
from pchat.testing.memory import MemoryTransport
from pchat.testing.store import counting_random
from tests.sip.fixtures import INFO, OK, REGISTER, receive_all
from tests.sip.test_dialog import principal

LIMITS = ConnectionLimits(
    sign_in_seconds=30,
    idle_seconds=600,
    unsent_bytes=1000,
    response_seconds=32,
    stream=StreamLimits(head_bytes=4096, body_bytes=100_000),
)


@define(eq=False)
class Sink:
    """Notes what a connection leads to it."""

    told: list[tuple[str, Any]] = field(factory=list)
    answer: bool = False

    def connection_made(self, connection: SipConnection) -> None:
        self.told.append(("made", connection.peer))

    def request_received(self, connection: SipConnection, request: Request) -> None:
        self.told.append((request.method, request))
        if self.answer:
            connection.respond(request, request.response(200))
        if request.method == "BYE":
            connection.close("enough")

    def connection_speaks(self, connection: SipConnection) -> None:
        self.told.append(("speaks", None))

    def probe(self, connection: SipConnection) -> None:
        self.told.append(("probe", None))

    def connection_ended(self, connection: SipConnection) -> None:
        self.told.append(("ended", connection.connected))

    def names(self) -> list[str]:
        """Take what was told since the last call."""
        taken, self.told[:] = [name for name, _ in self.told], []
        return taken


@define(eq=False)
class Negotiating:
    """Stands for a sign-in; the test decides what it says of responses."""

    good: bool | SipRefused = True
    abandoned: int = 0

    def check_response(self, response: Response) -> bool:
        if isinstance(self.good, SipRefused):
            raise self.good
        return self.good

    def abandon(self) -> None:
        self.abandoned += 1


@implementer(IResponseReceiver)
@define(eq=False)
class Receiver:
    """Waits for responses."""

    told: list[tuple[str, int]] = field(factory=list)

    def response_received(self, response: Response, cseq: int) -> None:
        self.told.append((str(response.status), cseq))

    def response_missing(self, cseq: int) -> None:
        self.told.append(("missing", cseq))


def association() -> Association:
    """Make keys."""
    return Association.ntlm(
        b"k" * 16,
        version=4,
        opaque="op",
        realm="SIP Communications Service",
        target_name="frontend.example.com",
        user=None,
        random=counting_random(),
    )


class Case(SynchronousTestCase):
    """A fresh connection."""

    limits = LIMITS

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.turn = Turn(self.clock)
        self.sink = Sink()
        self.negotiation = Negotiating()
        self.transport = MemoryTransport(
            IPv4Address("TCP", "192.0.2.1", 5061), IPv4Address("TCP", "192.0.2.7", 49152)
        )
        self.connection = self.make()
        self.connection.makeConnection(self.transport)
        self.sink.names()

    def make(self) -> SipConnection:
        """Make a connection that is not connected yet."""
        negotiation: Any = self.negotiation
        return SipConnection(self.sink, negotiation, self.limits, self.turn, self.clock, "TLS")

    def sign_in(self, keys: Association | None = None) -> None:
        """Sign somebody in."""
        self.connection.signed_in(principal(), keys)

    def written(self) -> bytes:
        """Take what was written by the end of this turn."""
        self.clock.advance(0)
        data: bytes = self.transport.value()
        self.transport.clear()
        return data

    def responses(self) -> list[Response]:
        """Take the responses that were written."""
        items, lost, _ = receive_all([self.written()])
        self.assertIsNone(lost)
        return [item for item in items if isinstance(item, Response)]

    def lose(self) -> None:
        """Let the network report the end."""
        self.connection.connectionLost(Failure(ConnectionDone()))


class Interfaces(Case):
    """What is plugged together fits."""

    def test_interfaces(self) -> None:
        """The connection offers what dialogs, the front end and transports call."""
        verifyObject(ISipConnection, self.connection)
        verifyObject(IPushProducer, self.connection)
        verifyObject(IResponseReceiver, Receiver())

    def test_addresses(self) -> None:
        """Peers are named by address and port, IPv6 in brackets; sockets without either have a name too."""
        for address, expected in (
            (IPv4Address("TCP", "192.0.2.7", 1), ("192.0.2.7", "192.0.2.7:1")),
            (IPv6Address("TCP", "2001:db8::7", 1), ("2001:db8::7", "[2001:db8::7]:1")),
            (UNIXAddress(b"/tmp/s"), ("local", "local")),
        ):
            connection = self.make()
            connection.makeConnection(StringTransport(None, address))
            self.assertEqual((connection.source, connection.peer), expected)


class Receiving(Case):
    """Bytes of the peer."""

    def test_requests(self) -> None:
        """Requests are led on in their order, however they were chopped."""
        data = REGISTER + INFO + REGISTER
        for index in range(len(data)):
            self.connection.dataReceived(data[index : index + 1])
        self.assertEqual(self.sink.names(), ["REGISTER", "INFO", "REGISTER"])

    def test_keep_alive(self) -> None:
        """A double line end is answered by a single one."""
        self.connection.dataReceived(b"\r\n\r\n")
        self.assertEqual(self.written(), b"\r\n")

    def test_framing_lost(self) -> None:
        """Requests before bytes that are no SIP are served; then the connection is closed."""
        self.sink.answer = True
        self.connection.dataReceived(REGISTER + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + REGISTER)
        self.assertEqual(self.sink.names(), ["REGISTER"])
        self.assertEqual([one.status for one in self.responses()], [200])
        self.assertTrue(self.transport.disconnecting)

    def test_malformed_request(self) -> None:
        """A malformed request is answered 400 and not led on; the next one is."""
        self.connection.dataReceived(REGISTER.replace(b"CSeq: 1 REGISTER", b"CSeq: one REGISTER") + REGISTER)
        self.assertEqual(self.written().count(b"SIP/2.0 400 "), 1)
        self.assertEqual(self.sink.names(), ["REGISTER"])
        self.assertFalse(self.transport.disconnecting)

    def test_malformed_in_a_signed_session(self) -> None:
        """There the answer is signed, unless the very values that are signed are malformed."""
        self.sign_in(association())
        self.connection.dataReceived(INFO.replace(b"Via: SIP/2.0/tls", b"Via: SIP 2.0 tls"))
        self.connection.dataReceived(INFO.replace(b"From: <", b"From: <<<"))
        self.connection.dataReceived(INFO.replace(b"CSeq: 2 INFO", b"CSeq: x INFO"))
        answers = self.written().split(b"SIP/2.0 400 ")[1:]
        self.assertEqual([b"Authentication-Info" in answer for answer in answers], [True, False, False])
        self.assertEqual(self.sink.names(), [])

    def test_malformed_ack(self) -> None:
        """An ACK is never answered, a malformed one neither."""
        self.connection.dataReceived(INFO.replace(b"INFO", b"ACK").replace(b"From: <", b"From: <<<"))
        self.assertEqual((self.written(), self.sink.names()), (b"", []))

    def test_doubtful_length(self) -> None:
        """A request whose end is in doubt is answered and the connection closed."""
        self.connection.dataReceived(INFO.replace(b"Content-Length: 9", b"Content-Length: -9"))
        self.assertEqual([one.status for one in self.responses()], [400])
        self.assertTrue(self.transport.disconnecting)

    def test_strangers_send_little(self) -> None:
        """Before sign-in a body is small; a user may send what the configuration allows."""
        big = INFO.replace(b"Content-Length: 9", b"Content-Length: %d" % (STRANGER_BODY_BYTES + 1))
        self.sign_in()
        self.connection.dataReceived(big)
        self.assertEqual(self.written(), b"")
        self.setUp()
        self.connection.dataReceived(big)
        self.assertEqual([one.status for one in self.responses()], [413])

    def test_nothing_after_the_end(self) -> None:
        """What comes behind the request that ended the connection is not executed, and costs no memory."""
        bye = INFO.replace(b"INFO", b"BYE")
        self.connection.dataReceived(bye + INFO)
        for _ in range(100):
            self.connection.dataReceived(INFO + b"\r\n\r\n" + b"x" * 1000)
        self.assertEqual(self.sink.names(), ["BYE"])
        self.assertLess(len(self.connection._stream._buffer), 2 * len(INFO))


class Responses(Case):
    """Answers to our requests."""

    def setUp(self) -> None:
        super().setUp()
        self.sign_in()
        self.receiver = Receiver()
        self.connection.expect_response("E476g323", 7, "INFO", self.receiver)

    def test_led_to_who_waits(self) -> None:
        """A response goes to who waits for it, once; another one is ignored."""
        self.connection.dataReceived(OK.replace(b"CSeq: 7", b"CSeq: 8") + OK + OK)
        self.assertEqual(self.receiver.told, [("200", 7)])
        self.assertFalse(self.transport.disconnecting)

    def test_provisional(self) -> None:
        """A provisional response changes nothing."""
        self.connection.dataReceived(OK.replace(b"200 OK", b"100 Trying") + OK)
        self.assertEqual(self.receiver.told, [("200", 7)])

    def test_refusals(self) -> None:
        """Refusals are led on as well."""
        self.connection.dataReceived(OK.replace(b"200 OK", b"487 Request Terminated"))
        self.assertEqual(self.receiver.told, [("487", 7)])

    def test_badly_signed(self) -> None:
        """A response that does not prove its sender ends the connection; nobody is told of it."""
        for verdict in (False, SipRefused(400, "Malformed From")):
            self.setUp()
            self.negotiation.good = verdict
            self.connection.dataReceived(OK)
            self.assertEqual(self.receiver.told, [])
            self.assertTrue(self.transport.disconnecting)

    def test_malformed(self) -> None:
        """A malformed response is dropped, and the request stays unanswered."""
        self.connection.dataReceived(OK.replace(b"CSeq: 7 INFO", b"CSeq: seven"))
        self.assertEqual((self.receiver.told, self.written()), ([], b""))
        self.assertFalse(self.transport.disconnecting)

    def test_missing(self) -> None:
        """Who waits too long is told so by the sweep."""
        self.clock.advance(31)
        self.connection.sweep(self.clock.seconds())
        self.assertEqual(self.receiver.told, [])
        self.clock.advance(1)
        self.connection.sweep(self.clock.seconds())
        self.assertEqual(self.receiver.told, [("missing", 7)])

    def test_connection_lost(self) -> None:
        """Who waits when the connection is lost is told so; after the sink, which ends the dialogs."""
        self.lose()
        self.assertEqual(self.receiver.told, [("missing", 7)])
        self.assertEqual((self.sink.names(), self.negotiation.abandoned), (["ended"], 1))

    def test_our_requests(self) -> None:
        """A request of ours is signed in a signed session and its answer goes to who asked."""
        self.sign_in(association())
        headers = [
            ("Via", "SIP/2.0/TLS 192.0.2.1:5061;branch=z9hG4bK1"),
            ("From", "<sip:chat@example.com>;tag=1"),
            ("To", "<sip:alice@example.com>"),
            ("Call-ID", "E476g323"),
            ("CSeq", "9 OPTIONS"),
        ]
        request = Request("OPTIONS", "sip:alice@example.com", Headers(headers))
        self.connection.start_request(request, self.receiver)
        self.assertIn(b"Authentication-Info: NTLM", self.written())
        self.connection.dataReceived(OK.replace(b"7 INFO", b"9 OPTIONS"))
        self.assertEqual(self.receiver.told, [("200", 9)])
        self.connection.start_request(Request("BENOTIFY", "sip:alice@example.com", Headers(headers)), None)
        self.assertIn(b"BENOTIFY", self.written())


class Writing(Case):
    """Bytes to the peer."""

    def test_one_write_a_turn(self) -> None:
        """What is sent in one turn leaves together, in order."""
        writes: list[bytes] = []
        self.transport.write = writes.append  # type: ignore[method-assign]  # counted
        for number in range(3):
            self.connection.send(b"%d " % number)
        self.assertEqual(writes, [])
        self.clock.advance(0)
        self.assertEqual(writes, [b"0 1 2 "])
        self.connection.send(b"3")
        self.clock.advance(0)
        self.assertEqual(writes, [b"0 1 2 ", b"3"])

    def test_paused(self) -> None:
        """While the socket takes nothing, bytes are gathered; then they leave in order."""
        self.connection.pauseProducing()
        for number in range(3):
            self.connection.send(b"%d" % number)
            self.assertEqual(self.written(), b"")
        self.connection.resumeProducing()
        self.assertEqual(self.written(), b"012")
        self.connection.resumeProducing()
        self.assertEqual(self.written(), b"")

    def test_slow_reader(self) -> None:
        """Who takes nothing while more and more waits for him is cut off at the limit, not before."""
        self.connection.pauseProducing()
        self.connection.send(b"x" * 1000)
        self.clock.advance(0)
        self.assertFalse(self.transport.aborted)
        self.connection.send(b"x")
        self.clock.advance(0)
        self.assertTrue(self.transport.aborted)
        self.connection.send(b"more")
        self.assertEqual(self.written(), b"")

    def test_much_at_once(self) -> None:
        """A peer who reads may be sent more than the limit in one turn."""
        self.connection.send(b"x" * 5000)
        self.assertEqual(len(self.written()), 5000)
        self.assertFalse(self.transport.aborted)

    @given(st.lists(st.sampled_from(["send", "pause", "resume", "turn"]), max_size=40))
    def test_any_order(self, steps: list[str]) -> None:
        """However pauses and turns fall, what was sent arrives whole and in order."""
        self.limits = evolve(LIMITS, unsent_bytes=10_000)
        self.setUp()
        sent, read = b"", b""
        for number, step in enumerate(steps):
            if step == "send":
                sent += b"<%d>" % number
                self.connection.send(b"<%d>" % number)
            elif step == "turn":
                self.clock.advance(0)
            else:
                (self.connection.pauseProducing if step == "pause" else self.connection.resumeProducing)()
            read += self.transport.value()
            self.transport.clear()
            self.assertTrue(sent.startswith(read))
        self.connection.resumeProducing()
        self.assertEqual(read + self.written(), sent)

    def test_responses_are_signed(self) -> None:
        """In a signed session final responses are signed unless they belong to a handshake."""
        self.sign_in(association())
        _, request = self.received(INFO)
        self.connection.respond(request, request.response(100))
        self.connection.respond(request, request.response(200))
        self.connection.respond(request, request.response(401), signed=False)
        _, ack = self.received(INFO.replace(b"INFO", b"ACK"))
        self.connection.respond(ack, ack.response(200))
        signed = [(one.status, "Authentication-Info" in one.headers) for one in self.responses()]
        self.assertEqual(signed, [(100, False), (200, True), (401, False)])

    def received(self, data: bytes) -> tuple[str, Any]:
        self.connection.dataReceived(data)
        return self.sink.told[-1]


class NewKeys(Case):
    """While a client is about to get new keys nothing signed by the old ones is sent to it."""

    def setUp(self) -> None:
        super().setUp()
        self.sign_in(association())
        self.connection.be_quiet()

    def notify(self, number: int) -> None:
        """Send the client something."""
        headers = Headers([("Call-ID", "n"), ("CSeq", f"{number} BENOTIFY"), ("From", "<sip:a@b>;tag=1")])
        headers.add("To", "<sip:alice@example.com>;tag=2")
        self.connection.start_request(Request("BENOTIFY", "sip:alice@example.com", headers), None)

    def test_requests_wait(self) -> None:
        """Requests leave in their order, signed by the new keys, and dialogs go on after them."""
        self.notify(1)
        self.notify(2)
        self.assertEqual(self.written(), b"")
        self.sign_in(association())
        self.connection.speak()
        written = self.written()
        self.assertLess(written.find(b"CSeq: 1 BENOTIFY"), written.find(b"CSeq: 2 BENOTIFY"))
        self.assertEqual(written.count(b"Authentication-Info: NTLM"), 2)
        self.assertEqual(self.sink.names(), ["speaks"])
        self.connection.speak()
        self.assertEqual(self.sink.names(), [])

    def test_not_for_long(self) -> None:
        """A client that never ends its handshake gets what waits all the same."""
        self.notify(1)
        self.clock.advance(QUIET_SECONDS - 1)
        self.assertEqual(self.written(), b"")
        self.clock.advance(1)
        self.assertIn(b"CSeq: 1 BENOTIFY", self.written())

    def test_not_too_much(self) -> None:
        """What waits is bounded: a client that lets too much wait is dropped."""
        for number in range(HELD_REQUESTS + 1):
            self.notify(number + 1)
        self.assertTrue(self.transport.aborted)

    def test_lost_meanwhile(self) -> None:
        """A connection lost while it was quiet leaves no timer behind."""
        self.notify(1)
        self.lose()
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Flow(Case):
    """Reading stops while a peer's requests pile up."""

    def test_hold_and_release(self) -> None:
        """Reading goes on when everybody who held it has released it."""
        self.connection.hold()
        self.connection.hold()
        self.assertEqual(self.transport.producerState, "paused")
        self.connection.release()
        self.assertEqual(self.transport.producerState, "paused")
        self.connection.release()
        self.assertEqual(self.transport.producerState, "producing")

    def test_closed_while_held(self) -> None:
        """A held connection that is closed reads again, to see that the peer goes."""
        self.connection.hold()
        self.connection.close("enough")
        self.assertEqual(self.transport.producerState, "producing")
        self.connection.release()
        self.connection.hold()
        self.assertEqual(self.transport.producerState, "producing")

    def test_no_impatience_while_held(self) -> None:
        """A peer whose bytes we do not read is not blamed for leaving us without an answer."""
        receiver = Receiver()
        self.sign_in()
        self.connection.expect_response("E476g323", 7, "INFO", receiver)
        self.connection.hold()
        self.clock.advance(700)
        self.connection.sweep(self.clock.seconds())
        self.assertEqual((receiver.told, self.sink.names()), ([], []))
        self.connection.release()
        self.connection.dataReceived(OK)
        self.connection.sweep(self.clock.seconds())
        self.assertEqual((receiver.told, self.sink.names()), ([("200", 7)], []))


class Ending(Case):
    """How a connection ends."""

    def test_sign_in_limit(self) -> None:
        """Who does not sign in in time is closed; who did is left alone."""
        self.clock.advance(29.9)
        self.assertFalse(self.transport.disconnecting)
        self.clock.advance(0.1)
        self.assertTrue(self.transport.disconnecting)

    def test_signed_in_in_time(self) -> None:
        """The time limit is over with sign-in, also if it is done twice."""
        self.sign_in()
        self.sign_in()
        self.clock.advance(100)
        self.assertFalse(self.transport.disconnecting)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_close_sends_what_waits(self) -> None:
        """The last answer leaves before the end, even if the socket was paused; nothing does after it."""
        self.connection.pauseProducing()
        self.connection.send(b"last words")
        self.connection.close("enough")
        self.connection.send(b"more")
        self.connection.close("again")
        self.assertEqual(self.written(), b"last words")
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(self.sink.told, [("ended", False)])
        self.lose()
        self.assertEqual(self.sink.names(), ["ended"])

    def test_close_that_never_finishes(self) -> None:
        """A peer that does not let the connection end is cut off after a while."""
        self.connection.close("enough")
        self.clock.advance(31.9)
        self.assertFalse(self.transport.aborted)
        self.clock.advance(0.1)
        self.assertTrue(self.transport.aborted)

    def test_told_when_nothing_follows(self) -> None:
        """Who was in rooms has left them when his connection is being closed, however long that takes."""
        receiver = Receiver()
        self.connection.expect_response("E476g323", 7, "INFO", receiver)
        self.connection.close("enough")
        self.assertFalse(self.connection.connected)
        self.assertEqual(self.sink.told, [])
        self.clock.advance(0)
        self.assertEqual((self.sink.names(), receiver.told), (["ended"], [("missing", 7)]))

    def test_hurry(self) -> None:
        """Whoever must go soon is cut off sooner."""
        self.connection.close("disabled", within=1.0)
        self.clock.advance(1.0)
        self.assertTrue(self.transport.aborted)

    def test_no_timer_is_left(self) -> None:
        """A connection that has ended leaves nothing behind in the reactor."""
        self.connection.close("enough")
        self.lose()
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertFalse(self.connection.connected)
        self.assertFalse(self.transport.aborted)

    def test_abort(self) -> None:
        """What waits is dropped with the connection, and the first reason is the one that counts."""
        self.connection.send(b"secret")
        self.connection.abort("slow reader")
        self.connection.abort("again")
        self.connection.close("again")
        self.assertEqual(self.written(), b"")
        self.assertTrue(self.transport.aborted)
        self.lose()
        self.clock.advance(0)
        self.assertEqual(self.sink.names(), ["ended"])

    def test_transport_ends(self) -> None:
        """When the transport wants no more, what was gathered is dropped."""
        self.connection.send(b"x")
        self.connection.stopProducing()
        self.assertEqual(self.written(), b"")

    def test_idle(self) -> None:
        """A silent user is probed once, and again only after he gave a sign of life."""
        self.sign_in()
        for wait, expected in ((599, []), (1, ["probe"]), (1000, [])):
            self.clock.advance(wait)
            self.connection.sweep(self.clock.seconds())
            self.assertEqual(self.sink.names(), expected)
        self.connection.dataReceived(b"\r\n\r\n")
        self.connection.sweep(self.clock.seconds())
        self.assertEqual(self.sink.names(), [])
        self.clock.advance(600)
        self.connection.sweep(self.clock.seconds())
        self.assertEqual(self.sink.names(), ["probe"])

    def test_strangers_are_not_probed(self) -> None:
        """Nobody is asked who has not signed in, or is being closed."""
        self.connection.sweep(self.clock.seconds() + 1000)
        self.sign_in()
        self.connection.close("enough")
        self.connection.sweep(self.clock.seconds() + 1000)
        self.assertEqual(self.sink.names(), [])


class Accepting(Case):
    """How many connections a listener takes."""

    def factory(self, connections: int, per_address: int) -> SipFactory:
        """Make a factory."""
        return SipFactory(lambda source: self.make(), connections, per_address)

    def address(self, host: str) -> IPv4Address:
        """Make a peer's address."""
        return IPv4Address("TCP", host, 1)

    def test_all_together(self) -> None:
        """Beyond the limit a connection is closed at once; when one ends there is room again."""
        factory = self.factory(2, 10)
        made = [factory.buildProtocol(self.address(f"192.0.2.{number}")) for number in range(3)]
        self.assertEqual([one is None for one in made], [False, False, True])
        factory.connection_ended("192.0.2.0")
        self.assertIsNotNone(factory.buildProtocol(self.address("192.0.2.9")))

    def test_one_address(self) -> None:
        """One address cannot take all the room."""
        factory = self.factory(100, 2)
        made = [factory.buildProtocol(self.address("192.0.2.1")) for _ in range(3)]
        self.assertEqual([one is None for one in made], [False, False, True])
        self.assertIsNotNone(factory.buildProtocol(self.address("192.0.2.2")))
        for _ in range(2):
            factory.connection_ended("192.0.2.1")
        factory.connection_ended("192.0.2.2")
        self.assertEqual((factory._count, factory._by_source), (0, {}))
