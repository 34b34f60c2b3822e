"""A connection without a socket: records what is sent, lets a test answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field
from zope.interface import implementer

from pchat.interfaces import ISipConnection
from pchat.sip.message import Request, Response

if TYPE_CHECKING:
    from typing import Any

    from pchat.auth.signature import Association
    from pchat.directory.people import Principal


@implementer(ISipConnection)
@define(eq=False)
class FakeConnection:
    """An `ISipConnection` for tests.

    Args:
        user: Who is signed in on it, or None.
        peer: Address of the peer, as the log shows it.
        responses: What was answered, in order.
        unsigned: Those of them that were to be sent without a signature.
        requests: Requests of ours, in order.
        sent: Whole messages that came by `send`, in order.
        expected: Who waits for which response, by (Call-ID, CSeq number).
        closed: Why it was closed or aborted; None while it is open.
        holds: How often `hold` was called without `release`.
    """

    user: Principal | None = None
    peer: str = "192.0.2.7:49152"
    transport_name: str = "TLS"
    local_address: str = "192.0.2.1:5061"
    association: Association | None = None
    connected: bool = True
    quiet: bool = False
    last_received: float = 0.0
    closed: str | None = None
    holds: int = 0
    responses: list[Response] = field(factory=list)
    unsigned: list[Response] = field(factory=list)
    requests: list[Request] = field(factory=list)
    sent: list[bytes] = field(factory=list)
    expected: dict[tuple[str, int], Any] = field(factory=dict)

    def respond(self, request: Request, response: Response, *, signed: bool = True) -> None:
        """Record a response."""
        if self.connected and request.method != "ACK":
            self.responses.append(response)
            if not signed:
                self.unsigned.append(response)

    def start_request(self, request: Request, receiver: object | None) -> None:
        """Record a request and who waits for its response."""
        if self.connected:
            self.requests.append(request)
            if receiver is not None:
                self.expected[request.call_id, request.cseq.number] = receiver

    def send(self, data: bytes) -> None:
        """Record a whole message."""
        if self.connected:
            self.sent.append(data)

    def expect_response(self, call_id: str, cseq: int, method: str, receiver: object) -> None:
        """Record who waits for a response to what came by `send`."""
        self.expected[call_id, cseq] = receiver

    def hold(self) -> None:
        """Count."""
        self.holds += 1

    def release(self) -> None:
        """Count back."""
        self.holds -= 1

    def close(self, reason: str, within: float | None = None) -> None:
        """Note the reason; whatever is sent from now on is lost."""
        if self.closed is None:
            self.closed = reason
            self.connected = False

    def abort(self, reason: str) -> None:
        """Do as `close`."""
        self.close(reason)

    # -- for tests

    def answer(self, request: Request, status: int = 200) -> None:
        """Let the peer answer a request of ours.

        Args:
            request: One that was recorded.
            status: Its final status.
        """
        receiver = self.expected.pop((request.call_id, request.cseq.number))
        receiver.response_received(request.response(status), request.cseq.number)

    def take_requests(self) -> list[Request]:
        """Return the requests recorded since the last call, and forget them."""
        taken = self.requests[:]
        self.requests.clear()
        return taken
