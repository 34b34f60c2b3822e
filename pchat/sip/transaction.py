"""Transactions of one connection: which request is being answered, and which response answers ours.

TLS and TCP lose nothing, so nothing is ever sent again here; what is left of the RFC's machines is to
know a request that comes twice, and to find who waits for a response.

Source: RFC 3261 sections 9.2 and 17; docs/spec/sip-sign-in.md section 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pchat.errors import SipRefused

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from pchat.sip.message import Request, Response

#: Estimate of a round trip, seconds. Source: RFC 3261 section 17.1.1.1.
T1: Final = 0.5
#: How long an ACK is waited for (timer H). Source: RFC 3261 section 17.2.1.
ACK_WAIT: Final = 64 * T1
#: Requests of one connection being worked on; a relaying proxy has many users on one connection.
MAX_IN_PROGRESS: Final = 8192
#: Refused INVITEs remembered per connection for their ACK; pidgin-sipe never sends it.
MAX_UNACKNOWLEDGED: Final = 1024

# Branch, Call-ID, CSeq number, method, credentials: credentials, because a challenged request comes
# again with everything else unchanged.
_Key = tuple[str | None, str, int, str, str | None, str | None]
_InviteKey = tuple[str, int, str | None]


class ServerTransactions:
    """The peer's requests that are not answered yet, and INVITEs that wait for their ACK.

    Args:
        clock: Tells the time.
        limit: How many requests may be in progress at once.

    Source: RFC 3261 section 17.2; docs/spec/sip-sign-in.md section 2 (no branch inside dialogs, no ACK
        after a refusal, a challenged request comes again unchanged but for its credentials).
    """

    def __init__(self, clock: IReactorTime, limit: int = MAX_IN_PROGRESS) -> None:
        self._clock = clock
        self._limit = limit
        self._pending: dict[_Key, Request] = {}
        # Hashes: the texts are the peer's, 12 kB of them at worst, and are kept without need of them.
        self._refused: dict[int, tuple[float, int]] = {}
        self._waiting_for_ack: set[int] = set()

    def __len__(self) -> int:
        return len(self._pending)

    def begin(self, request: Request) -> bool:
        """Take note of a request; an ACK begins nothing and is always True.

        Returns:
            False if the same request is in progress already, or an INVITE refused and not yet
            acknowledged: it is then to be ignored.

        Raises:
            SipRefused: 503, too many requests are in progress.
        """
        if request.method == "ACK":
            return True
        key = _request_key(request)
        if key in self._pending or (self._waiting_for_ack and hash(key) in self._waiting_for_ack):
            return False
        if len(self._pending) >= self._limit:
            raise SipRefused(503, "Too many requests in progress", retry_after=1)
        self._pending[key] = request
        return True

    def finish(self, request: Request, status: int) -> None:
        """Take note of a response that is sent; after a final one the request is no longer in progress.

        Args:
            request: The request that `begin` took; another one is no error.
            status: Status of the response; below 200 nothing changes.
        """
        if status < 200 or request.method == "ACK":
            return
        key = _request_key(request)
        known = self._pending.pop(key, None)
        if known is not None and request.method == "INVITE" and status >= 300:
            if len(self._refused) >= MAX_UNACKNOWLEDGED:
                self._forget(next(iter(self._refused)))
            invite = hash(_invite_key(request))
            self._forget(invite)
            self._refused[invite] = (self._clock.seconds() + ACK_WAIT, hash(key))
            self._waiting_for_ack.add(hash(key))

    def acknowledge(self, ack: Request) -> bool:
        """Take an ACK.

        Returns:
            True if it ends a refused INVITE, so nobody else needs it; False if it belongs to a dialog.

        Source: RFC 3261 section 17.1.1.3 (such an ACK has the INVITE's branch).
        """
        return self._forget(hash(_invite_key(ack)))

    def find_invite(self, cancel: Request) -> Request | None:
        """Return the INVITE in progress that a CANCEL means, or None.

        Source: RFC 3261 section 9.1.
        """
        wanted = _invite_key(cancel)
        for key, request in self._pending.items():
            if key[3] == "INVITE" and _invite_key(request) == wanted:
                return request
        return None

    def expire(self, now: float) -> None:
        """Forget the refused INVITEs whose ACK did not come in time.

        Args:
            now: The clock's time, seconds.
        """
        while self._refused:
            invite, (deadline, _) = next(iter(self._refused.items()))
            if deadline > now:
                return
            self._forget(invite)

    def _forget(self, invite: int) -> bool:
        found = self._refused.pop(invite, None)
        if found is None:
            return False
        self._waiting_for_ack.discard(found[1])
        return True


class ClientTransactions:
    """Who waits for which response; Call-ID and the whole CSeq decide, as clients see it too.

    There is no timer for each request: they are kept in the order of their start, and `expire` looks
    at the oldest only.

    Args:
        clock: Tells the time.
        timeout: Seconds until a request counts as unanswered (timer F: 64 * T1).

    Source: RFC 3261 section 17.1.2; docs/spec/sip-sign-in.md section 2.
    """

    def __init__(self, clock: IReactorTime, timeout: float = 64 * T1) -> None:
        self._seconds = clock.seconds
        self._timeout = timeout
        self._waiting: dict[tuple[str, tuple[int, str]], tuple[Any, float]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def start(self, call_id: str, cseq: int, method: str, receiver: Any) -> None:
        """Register who gets the final response to a request of ours.

        Args:
            call_id: Its Call-ID.
            cseq: Its CSeq number; unique for the Call-ID on this connection.
            method: Its method.
            receiver: A `pchat.interfaces.IResponseReceiver`. One that waited under the same key
                is told that its response is missing, since it could not be told apart any more.
        """
        # A plain pair equals the CSeq of the response, and is made in a fraction of its time.
        key = (call_id, (cseq, method))
        earlier = self._waiting.pop(key, None)
        self._waiting[key] = (receiver, self._seconds() + self._timeout)
        if earlier is not None:
            earlier[0].response_missing(cseq)

    def receive(self, response: Response) -> bool:
        """Give a response to who waits for it; provisional ones change nothing.

        Returns:
            False if nobody waits for it.
        """
        key = (response.call_id, response.cseq)
        if response.status < 200:
            return key in self._waiting
        found = self._waiting.pop(key, None)
        if found is None:
            return False
        found[0].response_received(response, response.cseq.number)
        return True

    def expire(self, now: float) -> None:
        """Tell the receivers whose response did not come in time.

        Args:
            now: The clock's time, seconds.
        """
        while self._waiting:
            key, (receiver, deadline) = next(iter(self._waiting.items()))
            if deadline > now:
                return
            del self._waiting[key]
            receiver.response_missing(key[1][0])

    def abandon(self) -> None:
        """Tell every receiver that no response will come: the connection is gone."""
        waiting, self._waiting = self._waiting, {}
        for key, (receiver, _) in waiting.items():
            receiver.response_missing(key[1][0])


def _branch(request: Request) -> str | None:
    vias = request.vias
    return vias[0].branch if vias else None


def _request_key(request: Request) -> _Key:
    headers = request.headers
    return (
        _branch(request),
        request.call_id,
        request.cseq.number,
        request.method,
        headers.get("Authorization"),
        headers.get("Proxy-Authorization"),
    )


def _invite_key(request: Request) -> _InviteKey:
    """The same for an INVITE, its CANCEL and its ACK."""
    return (request.call_id, request.cseq.number, _branch(request))
