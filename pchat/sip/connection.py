"""The one Twisted module of this package: bytes in from a socket, bytes out, and the limits of both.

Source: RFC 3261 section 18; RFC 5626 section 4.4.1 (keep-alive); docs/spec/sip-sign-in.md sections 2 and 8.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from attrs import field, frozen
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime, ITCPTransport
from twisted.internet.protocol import Protocol as StreamProtocol
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from pchat.errors import FramingLost, PeerError, SipRefused
from pchat.interfaces import ISipConnection
from pchat.sip.message import Request, Response
from pchat.sip.stream import KeepAlive, Malformed, MessageStream, StreamLimits
from pchat.sip.transaction import ClientTransactions, ServerTransactions
from pchat.sip.turn import Turn

if TYPE_CHECKING:
    from pchat.auth.negotiation import Negotiation
    from pchat.auth.signature import Association
    from pchat.directory.people import Principal

log = Logger()

#: Body of a message before sign-in, bytes: REGISTER and OPTIONS have none, and strangers may be many.
STRANGER_BODY_BYTES = 16 * 1024
#: Answers that one reactor turn may produce for a connection, in `ConnectionLimits.unsent_bytes`.
TURN_FACTOR = 4
#: Seconds that a client gets for the rest of a handshake before requests are sent to it regardless.
QUIET_SECONDS = 10.0
#: Requests other than INFO that wait meanwhile; a front end sends a handful.
HELD_REQUESTS = 256


@frozen
class ConnectionLimits:
    """What one connection may cost.

    Args:
        sign_in_seconds: Time from accept to a signed-in user.
        idle_seconds: Silence after which the peer is probed by OPTIONS.
        unsent_bytes: Bytes that wait for a slow reader before he is dropped.
        response_seconds: Time a peer has to answer a request of ours (RFC 3261 timer F).
        stream: Bounds of what is received.
    """

    sign_in_seconds: float = 90.0
    idle_seconds: float = 900.0
    unsent_bytes: int = 4 * 1024 * 1024
    response_seconds: float = 32.0
    stream: StreamLimits = field(factory=StreamLimits)


class MessageSink(Protocol):
    """Where a connection leads what it received."""

    def connection_made(self, connection: SipConnection) -> None:
        """A peer connected."""

    def request_received(self, connection: SipConnection, request: Request) -> None:
        """Take a request that is well formed."""

    def probe(self, connection: SipConnection) -> None:
        """Ask a silent peer whether it is alive."""

    def connection_speaks(self, connection: SipConnection) -> None:
        """A connection that was quiet takes requests again."""

    def connection_ended(self, connection: SipConnection) -> None:
        """Nothing more will come from a connection: it is lost or being closed; called once."""


@implementer(ISipConnection, IPushProducer)
class SipConnection(StreamProtocol):
    """A peer's connection.

    Args:
        sink: Where they are led; it takes requests.
        negotiation: Who signs in here and how; it also checks signatures of responses.
        limits: What it may cost.
        turn: Gathers writes.
        clock: Time, in seconds.
        transport_name: ``TLS`` or ``TCP``.
    """

    # Twisted sets it before connectionMade; its type there knows no producers.
    transport: Any
    # The transactions' own method, which spares a call a delivery.
    expect_response: Callable[[str, int, str, object], None]

    # How a connection begins.
    peer = source = local_address = "?"
    user: Principal | None = None
    association: Association | None = None
    connected = 0
    probing = quiet = False
    _answered_bytes = _holds = 0
    _scheduled = _paused = _end_told = _lost = False
    _ending = ""
    _close_limit: IDelayedCall | None = None
    _quiet_limit: IDelayedCall | None = None

    def __init__(
        self,
        sink: MessageSink,
        negotiation: Negotiation,
        limits: ConnectionLimits,
        turn: Turn,
        clock: IReactorTime,
        transport_name: str,
    ) -> None:
        self.sink = sink
        self.negotiation = negotiation
        self.limits = limits
        self.transport_name = transport_name
        self.last_received = clock.seconds()
        self.server_transactions = ServerTransactions(clock)
        self._client_transactions = ClientTransactions(clock, limits.response_seconds)
        self.expect_response = self._client_transactions.start
        self._clock = clock
        self._turn = turn
        self._stream = MessageStream(limits.stream)
        self._stream.body_bytes = min(STRANGER_BODY_BYTES, limits.stream.body_bytes)
        self._outgoing: list[bytes] = []
        self._sign_in_limit = clock.callLater(limits.sign_in_seconds, self._sign_in_too_late)
        #: Told the peer's address when the socket is gone; whoever counts connections sets it.
        self.on_lost: Callable[[str], None] = lambda source: None
        self._held: list[tuple[Request, object | None]] = []

    # -- Twisted calls

    def connectionMade(self) -> None:
        """Learn both addresses and tell the sink."""
        self.connected = 1
        self.source, self.peer = address_texts(self.transport.getPeer())
        self.local_address = address_texts(self.transport.getHost())[1]
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
        self.transport.registerProducer(self, True)
        log.debug("{peer}: connected by {transport}", peer=self.peer, transport=self.transport_name)
        self.sink.connection_made(self)

    def dataReceived(self, data: bytes) -> None:
        """Lead every whole message to where it belongs."""
        if self._ending:
            return  # a peer that goes on sending while its connection is closed costs no memory
        self.last_received = self._clock.seconds()
        self.probing = False
        try:
            for item in self._stream.receive(data):
                if self._ending:
                    return
                if isinstance(item, Response):
                    self._response_received(item)
                elif isinstance(item, Request):
                    self.sink.request_received(self, item)
                elif isinstance(item, KeepAlive):
                    self.send(b"\r\n")
                else:
                    self._malformed(item)
        except FramingLost as error:
            log.warn("{peer}: closed, framing lost: {error}", peer=self.peer, error=str(error))
            self.close("framing lost")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell everybody who waits for this peer, once."""
        self._lost = True
        if not self._ending:
            self._end(reason.getErrorMessage())
        for limit in (self._sign_in_limit, self._close_limit, self._quiet_limit):
            if limit is not None and limit.active():
                limit.cancel()
        self._outgoing.clear()
        who = self.user.uri if self.user is not None else "nobody"
        log.info("{peer}: {user} disconnected: {reason}", peer=self.peer, user=who, reason=self._ending)
        self._tell_end()
        self.on_lost(self.source)

    def _end(self, reason: str) -> None:
        """From now on nothing is sent and nothing received is looked at."""
        self._ending = reason
        self.connected = 0
        self.negotiation.abandon()
        # In a moment, since whoever closes a connection may be in the middle of a room's roster.
        self._clock.callLater(0, self._tell_end)

    def _tell_end(self) -> None:
        if not self._end_told:
            self._end_told = True
            self.sink.connection_ended(self)
            self._client_transactions.abandon()

    def pauseProducing(self) -> None:
        """The socket takes no more for now: gather."""
        self._paused = True

    def resumeProducing(self) -> None:
        """The socket takes bytes again."""
        self._paused = False
        if self._outgoing:
            self.flush()

    def stopProducing(self) -> None:
        """The transport is closing."""
        self._outgoing.clear()

    # -- receiving

    def _response_received(self, response: Response) -> None:
        try:
            good = self.negotiation.check_response(response)
        except SipRefused:
            good = False  # its header fields were malformed
        if not good:
            log.warn("{peer}: closed, a response is not signed as it must be", peer=self.peer)
            self.close("bad signature on a response")
            return
        self._client_transactions.receive(response)

    def _malformed(self, item: Malformed) -> None:
        log.warn("{peer}: malformed message: {error}", peer=self.peer, error=str(item.error))
        if item.response is not None and not self._ending:
            # Signed if possible, since a client in a signed session drops what is not; that fails when
            # the very values that are signed are what is malformed.
            try:
                self._send_response(item.response)
            except PeerError:
                self._send_response(item.response, signed=False)
        if item.error.close:
            self.close("malformed message")

    def _sign_in_too_late(self) -> None:
        log.info("{peer}: closed, nobody signed in", peer=self.peer)
        self.close("nobody signed in")

    # -- ISipConnection

    def signed_in(self, user: Principal, association: Association | None) -> None:
        """From now on the connection belongs to a user, and what we send is signed."""
        self.user = user
        self.association = association
        self._stream.body_bytes = self.limits.stream.body_bytes
        if self._sign_in_limit.active():
            self._sign_in_limit.cancel()

    def respond(self, request: Request, response: Response, *, signed: bool = True) -> None:
        """Send the response to a request that came by this connection, signed in a signed session."""
        self.server_transactions.finish(request, response.status)
        if request.method != "ACK":
            self._send_response(response, signed=signed)

    def _send_response(self, response: Response, *, signed: bool = True) -> None:
        if signed and self.association is not None and response.status >= 200:
            response.headers.set("Authentication-Info", self.association.authentication_info(response))
        if response.body:
            # A peer's request of 500 bytes may have an answer of megabytes, and a segment holds a hundred.
            self._answered_bytes += len(response.body)
            if self._answered_bytes > TURN_FACTOR * self.limits.unsent_bytes:
                self.abort(f"asks for too much at once: {self._answered_bytes} bytes of answers")
                return
        self.send(response.to_bytes())

    def start_request(self, request: Request, receiver: object | None) -> None:
        """Sign and send a request of ours; give its final response to the receiver."""
        if self.quiet:
            self._held.append((request, receiver))
            if len(self._held) > HELD_REQUESTS:
                self.abort(f"slow reader: {len(self._held)} requests wait for its new keys")
            return
        if receiver is not None:
            self._client_transactions.start(request.call_id, request.cseq.number, request.method, receiver)
        if self.association is not None:
            request.headers.set("Authentication-Info", self.association.authentication_info(request))
        self.send(request.to_bytes())

    def send(self, data: bytes) -> None:
        """Gather a whole message; it leaves at the end of this reactor turn."""
        if self._ending:
            return
        self._outgoing.append(data)
        if not self._scheduled:
            self._scheduled = True
            self._turn.add(self)

    def flush(self) -> None:
        """Write what was gathered, or see that the reader is too slow."""
        self._scheduled = False
        if self._paused:
            waiting = sum(map(len, self._outgoing))
            if waiting > self.limits.unsent_bytes:
                self.abort(f"slow reader: {waiting} bytes wait for it")
            return
        outgoing, self._outgoing = self._outgoing, []
        self._answered_bytes = 0
        if outgoing:
            self.transport.write(outgoing[0] if len(outgoing) == 1 else b"".join(outgoing))

    def be_quiet(self) -> None:
        """Send no requests until `speak`, but not for long: the client is about to get new keys.

        What is signed by the old keys would reach it after it has the new ones, and look forged.
        """
        if not self.quiet and not self._ending:
            self.quiet = True
            self._quiet_limit = self._clock.callLater(QUIET_SECONDS, self.speak)

    def speak(self) -> None:
        """Send what was held while the connection was quiet."""
        if self._quiet_limit is not None and self._quiet_limit.active():
            self._quiet_limit.cancel()
        if not self.quiet or self._ending:
            return
        self.quiet = False
        held, self._held = self._held, []
        for request, receiver in held:
            self.start_request(request, receiver)
        self.sink.connection_speaks(self)

    def hold(self) -> None:
        """Stop reading from a peer whose requests pile up; `release` undoes it."""
        self._holds += 1
        if self._holds == 1 and not self._ending:
            self.transport.pauseProducing()

    def release(self) -> None:
        """Undo one `hold`."""
        self._holds -= 1
        if self._holds == 0 and not self._ending:
            self.transport.resumeProducing()

    def close(self, reason: str, within: float | None = None) -> None:
        """Send what is waiting, then close.

        Args:
            reason: For the log.
            within: Seconds until it is cut off; by default as long as an answer may take.
        """
        if self._ending:
            return
        self._paused = False
        self.flush()
        self._end(reason)
        self.transport.unregisterProducer()
        if self._holds:
            # A transport that does not read would not see the other side's end of stream.
            self.transport.resumeProducing()
        self.transport.loseConnection()
        # A peer that never reads its last bytes must not keep the descriptor.
        seconds = self.limits.response_seconds if within is None else within
        self._close_limit = self._clock.callLater(seconds, self._abort_if_still_open)

    def abort(self, reason: str) -> None:
        """Close at once."""
        if self._ending:
            return
        log.warn("{peer}: dropped: {reason}", peer=self.peer, reason=reason)
        self._outgoing.clear()
        self._end(reason)
        self.transport.abortConnection()

    def _abort_if_still_open(self) -> None:
        if not self._lost:
            self.transport.abortConnection()

    # -- time

    def sweep(self, now: float) -> None:
        """See what ran out: our requests' answers, and the peer's signs of life."""
        self.server_transactions.expire(now)
        if self._holds:
            return  # what the peer answered may lie there unread, because of us
        self._client_transactions.expire(now)
        silent = now - self.last_received
        if self.user is None or self._ending or silent < self.limits.idle_seconds:
            return
        if not self.probing:
            self.probing = True
            self.sink.probe(self)


def address_texts(address: object) -> tuple[str, str]:
    """Return the host and ``host:port`` of an address, IPv6 in brackets."""
    host = str(getattr(address, "host", "") or "local")
    port = getattr(address, "port", None)
    shown = f"[{host}]" if ":" in host else host
    return host, shown if port is None else f"{shown}:{port}"
