"""INVITE dialogs: our side of a session that carries INFO in both directions.

Source: RFC 3261 section 12; RFC 4028; docs/spec/sip-sign-in.md sections 2, 6 and 8; docs/spec/xccos.md
1.3 to 1.5.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen
from zope.interface import Interface, implementer

from pchat.errors import SipRefused
from pchat.interfaces import IResponseReceiver, Random
from pchat.sip.headers import Address
from pchat.sip.message import Request, Response

if TYPE_CHECKING:
    from pchat.auth.signature import Association, RequestSigner
    from pchat.directory.people import Principal

#: A tag must be hard to guess, since whoever knows it addresses the dialog: 80 bits.
TAG_BYTES = 10
#: RFC 4028 section 4: no session timer below this.
MINIMUM_SESSION_SECONDS = 90
#: Offered session time; any traffic in the dialog counts as a refresh.
SESSION_SECONDS = 1800
#: A refresh may come this much too late before the session counts as gone.
SESSION_GRACE_SECONDS = 64


class IDialogApplication(Interface):
    """What lives at our end of a dialog; it is told everything the dialog learns."""

    def info_received(request: Request) -> None:
        """Take an INFO and see to its answer by ``dialog.connection.respond``."""

    def dialog_ended(reason: str) -> None:
        """The dialog is over: BYE, connection lost, or the peer no longer knows it; called once."""


@frozen
class InfoLimits:
    """How far we run ahead of a client in one dialog.

    Args:
        outstanding: INFOs sent and not yet answered.
        pending: INFOs waiting until an answer makes room; beyond this the client is too slow to keep.
        pending_bytes: Bytes of those: a few histories weigh as much as thousands of posts.
    """

    outstanding: int = 64
    pending: int = 2000
    pending_bytes: int = 4 * 1024 * 1024


def info_payload(body: bytes) -> bytes:
    """Render the part of an INFO that is the same for every receiver: content headers and body."""
    return b"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@implementer(IResponseReceiver)
@define(eq=False)
class Dialog:
    """A confirmed (or about to be confirmed) dialog in which we were invited.

    Args:
        connection: The `pchat.interfaces.ISipConnection` that it lives on.
        user: Who invited us, as authenticated when the dialog was created.
        invite: The request that created it.
        local_tag: Our tag, random.
        limits: Bounds of the traffic towards the client.
        session_seconds: Session timer in seconds, None when the client does not refresh.
    """

    connection: Any
    user: Principal
    invite: Request
    local_tag: str
    limits: InfoLimits
    session_seconds: int | None
    application: Any = None
    ended: bool = False
    acknowledged: bool = False
    last_activity: float = 0.0
    remote_cseq: int = field(init=False)
    local_cseq: int = 0
    outstanding: int = 0
    pending: deque[bytes] = field(factory=deque)
    pending_bytes: int = 0
    call_id: str = field(init=False)
    local_uri: str = field(init=False)
    remote_uri: str = field(init=False)
    remote_tag: str = field(init=False)
    _prefix: bytes = field(init=False)
    _infix: bytes = field(init=False)
    _signer: Any = None
    _signed_by: Association | None = None

    def __attrs_post_init__(self) -> None:
        invite = self.invite
        self.call_id = invite.call_id
        self.local_uri = invite.to.uri
        self.remote_uri = invite.from_.uri
        self.remote_tag = invite.from_.tag or ""
        self.remote_cseq = invite.cseq.number
        self._render_prefix(invite)

    def _render_prefix(self, invite: Request) -> None:
        contact = invite.headers.get("Contact")
        target = Address.parse(contact).uri if contact else self.remote_uri
        epid = invite.from_.params.get("epid")
        lines = [f"INFO {target} SIP/2.0"]
        # The route set is the Record-Route of the request, in its order (we are the UAS).
        lines += [f"Route: {value}" for value in invite.headers.get_all("Record-Route")]
        lines += [
            f"From: <{self.local_uri}>;tag={self.local_tag}",
            f"To: <{self.remote_uri}>;tag={self.remote_tag}" + (f";epid={epid}" if epid else ""),
            f"Call-ID: {self.call_id}",
            "Max-Forwards: 70",
            "CSeq: ",
        ]
        connection = self.connection
        sent_by = f"{connection.transport_name} {connection.local_address}"
        via = f"Via: SIP/2.0/{sent_by};branch=z9hG4bK{self.local_tag}."
        self._prefix = "\r\n".join(lines).encode()
        self._infix = (" INFO\r\n" + via).encode()

    # -- called by the application

    def send_info(self, payload: bytes) -> None:
        """Send an INFO, or keep it until the client has answered earlier ones.

        Args:
            payload: What `info_payload` made.
        """
        if self.ended:
            return
        if self.outstanding >= self.limits.outstanding or self.connection.quiet:
            too_many = len(self.pending) >= self.limits.pending
            if too_many or self.pending_bytes > self.limits.pending_bytes:
                self.connection.abort(f"slow reader: {len(self.pending)} messages wait for its answers")
                return
            self.pending.append(payload)
            self.pending_bytes += len(payload)
            return
        self._send(payload)

    def resume(self) -> None:
        """Send what waited for the connection to be no longer quiet, as far as the client answers."""
        while self.pending and self.outstanding < self.limits.outstanding and not self.ended:
            payload = self.pending.popleft()
            self.pending_bytes -= len(payload)
            self._send(payload)

    def _send(self, payload: bytes) -> None:
        # The hottest lines of the server: one call a delivery.
        self.local_cseq = number = self.local_cseq + 1
        self.outstanding += 1
        connection = self.connection
        connection.expect_response(self.call_id, number, "INFO", self)
        digits = b"%d" % number
        association = connection.association
        if association is None:
            head = self._prefix + digits + self._infix + digits + b"\r\n"
        else:
            signer = self._signer if association is self._signed_by else self._sign_with(association)
            head = self._prefix + digits + self._infix + digits + b"\r\n" + signer.header_line(number)
        connection.send(head + payload)

    def _sign_with(self, association: Association) -> RequestSigner:
        # After a new handshake everything is signed by the new association.
        self._signed_by = association
        self._signer = signer = association.request_signer(
            method="INFO",
            call_id=self.call_id,
            from_uri=self.local_uri,
            from_tag=self.local_tag,
            to_uri=self.remote_uri,
            to_tag=self.remote_tag,
        )
        return signer

    def end(self, reason: str) -> None:
        """Forget the dialog without telling the peer (pidgin-sipe does not survive a BYE)."""
        if self.ended:
            return
        self.ended = True
        self.pending.clear()
        if self.application is not None:
            self.application.dialog_ended(reason)

    # -- IResponseReceiver

    def response_received(self, response: Response, cseq: int) -> None:
        """Make room for the next INFO; a refusal means that the peer's side of the dialog is dead."""
        self.outstanding -= 1
        self.last_activity = self.connection.last_received
        if response.status >= 300:
            # COMPAT(pidgin-sipe): 487 is its way of saying "that dialog is dead on my side".
            self.end(f"INFO answered {response.status}")
            return
        if self.pending and not self.ended and not self.connection.quiet:
            payload = self.pending.popleft()
            self.pending_bytes -= len(payload)
            self._send(payload)

    def response_missing(self, cseq: int) -> None:
        """A client that does not answer has lost its dialog, and an ended connection has none."""
        if not self.ended:
            self.end("INFO not answered")
            self.connection.close("an INFO was not answered in time")

    # -- called by the dispatcher

    def check_sequence(self, request: Request) -> None:
        """Refuse a request that is older than one already seen.

        Raises:
            SipRefused: 500, as RFC 3261 section 12.2.2 demands.
        """
        number = request.cseq.number
        if request.method == "ACK":
            return
        if number <= self.remote_cseq:
            raise SipRefused(500, f"CSeq {number} is not above {self.remote_cseq}")
        self.remote_cseq = number

    def session_headers(self) -> Iterator[tuple[str, str]]:
        """Headers that tell the session timer in a 2xx to INVITE or UPDATE."""
        if self.session_seconds is not None:
            yield "Session-Expires", f"{self.session_seconds};refresher=uac"

    def refresh(self, request: Request, now: float) -> None:
        """Take a re-INVITE or UPDATE as a sign of life, and a new session time if it asks for one.

        Raises:
            SipRefused: 422, it asks for less than the minimum.

        Source: RFC 4028 section 9.
        """
        # COMPAT(pidgin-sipe): its UPDATE names no time; the agreed one stays.
        if "Session-Expires" in request.headers:
            self.session_seconds = session_seconds(request)
        self.last_activity = now

    def expired(self, now: float) -> bool:
        """Whether the client let its session timer run out (seconds of the reactor's clock)."""
        if self.session_seconds is None:
            return False
        return now - self.last_activity > self.session_seconds + SESSION_GRACE_SECONDS


def session_seconds(invite: Request) -> int | None:
    """Decide the session timer of an INVITE.

    Returns:
        Seconds, or None when the client cannot refresh: then only the connection tells that it is alive.

    Raises:
        SipRefused: 422, the client asks for less than the minimum.

    Source: RFC 4028 section 9; docs/spec/sip-sign-in.md section 8.
    """
    wish = _seconds(invite, "Session-Expires")
    if wish is not None:
        if wish < MINIMUM_SESSION_SECONDS:
            least = ("Min-SE", str(MINIMUM_SESSION_SECONDS))
            raise SipRefused(422, "Session Interval Too Small", headers=(least,))
        # A proxy on the way may want no less than its own minimum.
        return min(wish, max(SESSION_SECONDS, _seconds(invite, "Min-SE") or 0))
    supported = {
        tag.strip().lower() for value in invite.headers.get_all("Supported") for tag in value.split(",")
    }
    # COMPAT(pidgin-sipe): it refreshes when told to, though it never lists "timer".
    if "timer" in supported or "sipe/" in (invite.headers.get("User-Agent") or "").lower():
        return SESSION_SECONDS
    return None


def _seconds(request: Request, name: str) -> int | None:
    value = request.headers.get(name)
    if value is None:
        return None
    digits = value.split(";")[0].strip()
    if not digits.isascii() or not digits.isdigit() or len(digits) > 9:
        raise SipRefused(400, f"{name} is not a number of seconds")
    return int(digits)


class Dialogs:
    """All dialogs of this server, found by our own tag.

    Call-IDs and the clients' tags repeat across users (docs/spec/sip-sign-in.md section 2), so they
    only confirm what our random tag found.
    """

    def __init__(self, random: Random, limits: InfoLimits) -> None:
        self._random = random
        self._limits = limits
        self._by_tag: dict[str, Dialog] = {}
        self._by_connection: dict[Any, list[Dialog]] = {}

    def __len__(self) -> int:
        return len(self._by_tag)

    def __iter__(self) -> Iterator[Dialog]:
        return iter(list(self._by_tag.values()))

    def create(self, connection: Any, user: Principal, invite: Request, now: float) -> Dialog:
        """Make the dialog of an INVITE that will be accepted."""
        tag = self._random(TAG_BYTES).hex()
        dialog = Dialog(connection, user, invite, tag, self._limits, session_seconds(invite))
        dialog.last_activity = now
        self._by_tag[tag] = dialog
        self._by_connection.setdefault(connection, []).append(dialog)
        return dialog

    def of_connection(self, connection: Any) -> list[Dialog]:
        """All dialogs that live on a connection, oldest first."""
        return list(self._by_connection.get(connection, ()))

    def find(self, connection: Any, request: Request) -> Dialog:
        """Find the dialog of an in-dialog request.

        Raises:
            SipRefused: 481, no such dialog for this peer and identity.
        """
        dialog = self._by_tag.get(request.to.tag or "")
        if (
            dialog is None
            or dialog.ended
            or dialog.connection is not connection
            or dialog.call_id != request.call_id
            or dialog.remote_tag != (request.from_.tag or "")
            or dialog.user is not connection.user
        ):
            raise SipRefused(481, "Call/Transaction Does Not Exist")
        return dialog

    def end(self, dialog: Dialog, reason: str) -> None:
        """End a dialog and forget it."""
        self._by_tag.pop(dialog.local_tag, None)
        remaining = self._by_connection.get(dialog.connection)
        if remaining is not None and dialog in remaining:
            remaining.remove(dialog)
            if not remaining:
                del self._by_connection[dialog.connection]
        dialog.end(reason)

    def connection_lost(self, connection: Any, reason: str) -> None:
        """End every dialog of a connection that is gone."""
        for dialog in self.of_connection(connection):
            self.end(dialog, reason)

    def sweep(self, now: float, on_expired: Callable[[Dialog], None]) -> None:
        """Forget dialogs that ended by themselves, and report those whose session timer ran out."""
        for dialog in self:
            if dialog.ended:
                self.end(dialog, "ended")
            elif dialog.expired(now):
                on_expired(dialog)
