"""One SUBSCRIBE dialog: who is told, under which identifiers, until when.

Source: RFC 6665 section 4; docs/spec/sip-sign-in.md section 5; docs/spec/presence.md section 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from pchat.errors import SipRefused
from pchat.interfaces import IResponseReceiver, Random
from pchat.sip.headers import Headers
from pchat.sip.message import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from pchat.directory.people import Principal

#: A tag must be hard to guess, since whoever knows it addresses the dialog: 80 bits.
TAG_BYTES = 10


@frozen
class Notification:
    """What a subscriber is told.

    Args:
        content_type: Content-Type with its parameters.
        body: The document.
        extensions: What goes into Require.
    """

    content_type: str
    body: bytes
    extensions: tuple[str, ...] = ()


def _option(request: Request, name: str) -> bool:
    """Tell whether a client supports, or demands, an extension."""
    return any(
        name in (value.strip().lower() for value in line.split(","))
        for header in ("Supported", "Require", "Proxy-Require")
        for line in request.headers.get_all(header)
    )


@implementer(IResponseReceiver)
@define(eq=False)
class Subscription:
    """A subscription dialog.

    Args:
        connection: The `pchat.interfaces.ISipConnection` that it lives on.
        user: Who subscribed.
        request: The SUBSCRIBE that created it.
        local_tag: Our tag, random.
        clock: Time in seconds.
        random: Makes branches.
        lost: Called when the client says that it knows the dialog no longer.
    """

    connection: Any
    user: Principal
    request: Request
    local_tag: str
    clock: IReactorTime
    random: Random
    lost: Callable[[Subscription], None]
    expires_at: float = 0.0
    remote_target: str = ""
    remote_cseq: int = -1
    local_cseq: int = 0
    piggyback: bool = False
    state: Any = None
    _method: str = field(default="NOTIFY", init=False)
    _headers: list[tuple[str, str]] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        request = self.request
        self._method = "BENOTIFY" if _option(request, "ms-benotify") else "NOTIFY"
        self.piggyback = _option(request, "ms-piggyback-first-notify")
        to = request.headers.get("To", "")
        self._headers = [("Route", value) for value in request.headers.get_all("Record-Route")]
        self._headers += [
            ("From", to if request.to.tag else f"{to};tag={self.local_tag}"),
            ("To", request.headers.get("From", "")),
            ("Call-ID", request.call_id),
            ("Max-Forwards", "70"),
        ]
        self.refreshed(request)

    @property
    def event(self) -> str:
        """The Event header, as the client wrote it."""
        return self.request.headers.get("Event", "")

    @property
    def remaining(self) -> int:
        """Whole seconds that are left."""
        return max(0, round(self.expires_at - self.clock.seconds()))

    def owns(self, request: Request) -> bool:
        """Whether a request with our tag is part of this dialog."""
        return request.call_id == self.request.call_id and request.from_.tag == self.request.from_.tag

    def refreshed(self, request: Request) -> None:
        """Take over what a SUBSCRIBE inside the dialog may change.

        Raises:
            SipRefused: 500, it is older than one that came before.

        Source: RFC 3261 section 12.2.2.
        """
        if request.cseq.number <= self.remote_cseq:
            raise SipRefused(500, "CSeq is not higher than before")
        self.remote_cseq = request.cseq.number
        contacts = request.contacts
        if contacts:
            self.remote_target = contacts[0].uri
        elif not self.remote_target:
            self.remote_target = request.from_.uri

    def next_cseq(self) -> int:
        """Count a notification."""
        self.local_cseq += 1
        return self.local_cseq

    def notify(self, notification: Notification) -> None:
        """Send what is new to the subscriber; after the connection is gone, nothing."""
        if not self.connection.connected:
            return
        number = self.next_cseq()
        connection = self.connection
        via = f"SIP/2.0/{connection.transport_name} {connection.local_address}"
        headers = Headers([("Via", f"{via};branch=z9hG4bK{self.random(12).hex()}"), *self._headers])
        headers.add("CSeq", f"{number} {self._method}")
        for extension in notification.extensions:
            headers.add("Require", extension)
        headers.add("Event", self.event)
        headers.add("subscription-state", f"active;expires={self.remaining}")
        headers.add("Content-Type", notification.content_type)
        request = Request(self._method, self.remote_target, headers, body=notification.body)
        # Nobody answers a BENOTIFY; that is what it is for.
        connection.start_request(request, None if self._method == "BENOTIFY" else self)

    def response_received(self, response: Response, cseq: int) -> None:
        """Learn what became of a NOTIFY; a client that has forgotten the dialog gets no more."""
        if response.status in (404, 410, 481, 489, 501, 604):
            self.lost(self)

    def response_missing(self, cseq: int) -> None:
        """Nobody answers: end the dialog."""
        self.lost(self)
