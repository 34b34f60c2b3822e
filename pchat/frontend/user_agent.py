"""Leads every request to where it belongs: method by method, after the connection's sign-in was checked.

Source: RFC 3261 section 8.2; docs/spec/sip-sign-in.md sections 3 to 6; docs/spec/xccos.md 1.2 to 1.5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from pchat.auth.negotiation import Admitted, Challenged, Verdict
from pchat.directory.people import PrincipalState
from pchat.errors import OurError, SipRefused, StoreUnavailable
from pchat.interfaces import IResponseReceiver, Random
from pchat.rooms.observers import IChangeObserver
from pchat.sip.connection import SipConnection
from pchat.sip.dialog import Dialog, Dialogs
from pchat.sip.headers import Headers
from pchat.sip.message import Request, Response, refusal
from pchat.sip.uri import SipUri, address_key

if TYPE_CHECKING:
    from pchat.directory.local import LocalDirectory
    from pchat.directory.people import Principal
    from pchat.frontend.front_end import FrontEnd
    from pchat.rooms.room import Room
    from pchat.rooms.service import ChannelService

log = Logger()

ALLOW = "REGISTER, SUBSCRIBE, SERVICE, INVITE, ACK, CANCEL, INFO, UPDATE, BYE, OPTIONS"
#: Methods that SIP knows and we have no use for; anything else is 501.
KNOWN_METHODS = frozenset({"MESSAGE", "NOTIFY", "BENOTIFY", "PUBLISH", "REFER", "PRACK"})
#: What may stand in Require and Proxy-Require; pidgin-sipe demands some of these and survives no 420.
EXTENSIONS = frozenset(
    {
        "adhoclist",
        "categorylist",
        "eventlist",
        "ms-benotify",
        "ms-piggyback-first-notify",
        "ms-sender",
        "timer",
    }
)
#: Dialogs of one connection: a lookup and a chat dialog, and as much again while a client reconnects.
DIALOGS_PER_CONNECTION = 16


@frozen
class Addresses:
    """What the chat service is called.

    Args:
        domain: SIP domain of the users.
        pool_uri: URI of this server's channel service.
        lookup_uri: URI that clients ask for it.
        source: Our host name, for ``source=`` in diagnostics.
    """

    domain: str
    pool_uri: str
    lookup_uri: str
    source: str

    def is_chat_service(self, uri: str) -> bool:
        """Whether an INVITE to this URI is for us."""
        return address_key(uri) in {address_key(self.pool_uri), address_key(self.lookup_uri)}


@implementer(IResponseReceiver)
class _Probe:
    """Waits for the answer to an OPTIONS that asks whether the peer is alive."""

    def __init__(self, connection: SipConnection) -> None:
        self._connection = connection

    def response_received(self, response: Response, cseq: int) -> None:
        """Any answer is a sign of life; the connection noted when it came."""

    def response_missing(self, cseq: int) -> None:
        """Nobody is there any more."""
        self._connection.close("no answer to a liveness probe")


@implementer(IChangeObserver)
class UserAgent:
    """The server's side of every connection in client mode.

    Args:
        addresses: What the chat service is called.
        directory: People and whether they may use the service.
        front_end: Registrations, subscriptions and presence.
        service: The channel service.
        dialogs: All INVITE dialogs.
        clock: Time in seconds.
        random: Unpredictable bytes.
    """

    def __init__(
        self,
        addresses: Addresses,
        directory: LocalDirectory,
        front_end: FrontEnd,
        service: ChannelService,
        dialogs: Dialogs,
        clock: IReactorTime,
        random: Random,
    ) -> None:
        self.addresses = addresses
        self.dialogs = dialogs
        self.stopping = False
        self._directory = directory
        self._front_end = front_end
        self._service = service
        self._clock = clock
        self._random = random
        self._connections: dict[SipConnection, None] = {}
        self._by_user: dict[int, dict[SipConnection, None]] = {}
        self._probes = 0

    # -- connections

    def connection_made(self, connection: SipConnection) -> None:
        """Count a connection."""
        self._connections[connection] = None

    def connection_lost(self, connection: SipConnection, reason: str) -> None:
        """End all that lived on a connection."""
        self._connections.pop(connection, None)
        if connection.user is not None:
            mine = self._by_user.get(connection.user.id, {})
            mine.pop(connection, None)
            if not mine:
                self._by_user.pop(connection.user.id, None)
        self.dialogs.connection_lost(connection, "connection lost")
        self._front_end.connection_lost(connection)
        if connection.factory is not None:
            connection.factory.connection_ended(connection.source)

    def connections(self) -> Iterator[SipConnection]:
        """All open connections."""
        return iter(list(self._connections))

    @property
    def signed_in_users(self) -> int:
        """Users with at least one signed-in connection."""
        return len(self._by_user)

    def end_user(self, user: Principal, reason: str) -> None:
        """Close every connection of a user."""
        for connection in list(self._by_user.get(user.id, ())):
            log.info(
                "{peer}: {user} is signed out: {reason}", peer=connection.peer, user=user.uri, reason=reason
            )
            connection.close(reason)

    # -- IChangeObserver

    def user_ended(self, principal: Principal, reason: str) -> None:
        """Close the connections of a user who may no longer be here."""
        self._front_end.user_ended(principal, reason)
        self.end_user(principal, reason)

    def user_changed(self, principal: Principal) -> None:
        """Tell his clients whether chat is on for him now, and his watchers his name."""
        self._front_end.policy_changed([principal])
        self._front_end.user_changed(principal)

    def settings_changed(self) -> None:
        """Tell all clients where rooms are managed now."""
        self._front_end.policy_changed()

    def room_changed(self, room: Room) -> None:
        """Nothing the front end tells depends on rooms."""

    def rights_narrowed(self, rooms: Iterable[Room]) -> None:
        """Nothing the front end tells depends on rooms."""

    def room_disabled(self, room: Room) -> None:
        """Nothing the front end tells depends on rooms."""

    def room_removed(self, room: Room) -> None:
        """Nothing the front end tells depends on rooms."""

    # -- time

    def close_all(self, reason: str) -> None:
        """Close every connection; the server stops."""
        for connection in self.connections():
            connection.close(reason)

    def sweep(self) -> None:
        """See what ran out of time; called every few seconds."""
        now = self._clock.seconds()
        for connection in self.connections():
            connection.sweep(now)
        self.dialogs.sweep(now, self._session_expired)

    def _session_expired(self, dialog: Dialog) -> None:
        # COMPAT(pidgin-sipe): after a BYE it never invites again; a closed connection it survives.
        log.info("{peer}: session timer ran out", peer=dialog.connection.peer)
        dialog.connection.close("session timer ran out")

    def probe(self, connection: SipConnection) -> None:
        """Ask a silent peer whether it is alive."""
        user = connection.user
        if user is None:
            return
        self._probes += 1
        call_id = f"{self._random(8).hex()}@{self.addresses.source}"
        via = f"SIP/2.0/{connection.transport_name} {connection.local_address};branch=z9hG4bK{call_id[:16]}"
        headers = Headers(
            [
                ("Via", via),
                ("From", f"<{self.addresses.pool_uri}>;tag={self._random(5).hex()}"),
                ("To", f"<{user.uri}>"),
                ("Call-ID", call_id),
                ("CSeq", "1 OPTIONS"),
                ("Max-Forwards", "70"),
            ]
        )
        connection.start_request(Request("OPTIONS", user.uri, headers), _Probe(connection))

    # -- requests

    def request_received(self, connection: SipConnection, request: Request) -> None:
        """Answer a request, or have it answered by whom it is for."""
        try:
            if not connection.server_transactions.begin(request):
                return
            if request.method == "REGISTER":
                self._run(connection, request, ensureDeferred(self._register(connection, request)))
            elif self._admit(connection, request):
                self._check_extensions(request)
                self._dispatch(connection, request)
        except SipRefused as error:
            self._refuse(connection, request, error)
        except Exception:
            log.failure("{peer}: {method} failed", peer=connection.peer, method=request.method)
            self._refuse(connection, request, SipRefused(500, "Server Internal Error"))

    def _dispatch(self, connection: SipConnection, request: Request) -> None:
        method: Callable[[SipConnection, Request], Deferred[Response] | Response | None] | None
        method = getattr(self, "sip_" + request.method, None)
        if method is None:
            if request.method in KNOWN_METHODS:
                connection.respond(request, request.response(405, headers=[("Allow", ALLOW)]))
                return
            raise SipRefused(501, "Not Implemented")
        answer = method(connection, request)
        if isinstance(answer, Deferred):
            self._run(connection, request, answer)
        elif answer is not None:
            connection.respond(request, answer)

    def _run(self, connection: SipConnection, request: Request, answer: Deferred[Response | None]) -> None:
        def refused(failure: Any) -> None:
            if failure.check(SipRefused):
                self._refuse(connection, request, failure.value)
            elif failure.check(StoreUnavailable):
                self._refuse(connection, request, SipRefused(503, "Service Unavailable", retry_after=5))
            else:
                log.failure("{peer}: {method} failed", failure, peer=connection.peer, method=request.method)
                self._refuse(connection, request, SipRefused(500, "Server Internal Error"))

        def done(response: Response | None) -> None:
            if response is not None:
                connection.respond(request, response)

        answer.addCallback(done)
        answer.addErrback(refused)

    def _refuse(self, connection: SipConnection, request: Request, error: SipRefused) -> None:
        log.info(
            "{peer}: {method} refused: {error}", peer=connection.peer, method=request.method, error=str(error)
        )
        response = refusal(request, error, self.addresses.source)
        if not request.to.tag:
            response.headers.set("To", f"{request.headers.get('To')};tag={self._random(5).hex()}")
        connection.respond(request, response)
        if error.close:
            connection.close(error.reason)

    def _admit(self, connection: SipConnection, request: Request) -> bool:
        if connection.user is None and request.method == "OPTIONS":
            return True
        verdict = connection.negotiation.check(request)
        if isinstance(verdict, Admitted):
            return True
        self._turn_away(connection, request, verdict)
        return False

    def _turn_away(self, connection: SipConnection, request: Request, verdict: Verdict) -> None:
        if isinstance(verdict, Challenged):
            connection.respond(request, verdict.response, signed=False)
            return
        if isinstance(verdict, Admitted):
            raise OurError("an admitted request is not turned away")
        log.warn(
            "{peer}: {method} turned away: {reason}",
            peer=connection.peer,
            method=request.method,
            reason=verdict.reason,
        )
        if verdict.response is not None:
            connection.respond(request, verdict.response, signed=verdict.sign)
        if verdict.close:
            connection.close(verdict.reason)

    @staticmethod
    def _check_extensions(request: Request) -> None:
        if request.method in {"ACK", "CANCEL"}:
            return
        for name in ("Require", "Proxy-Require"):
            for value in request.headers.get_all(name):
                for tag in value.split(","):
                    if tag.strip().lower() not in EXTENSIONS:
                        unknown = tag.strip()[:40]
                        raise SipRefused(420, f"Bad Extension {unknown}", headers=(("Unsupported", unknown),))

    # -- REGISTER

    async def _register(self, connection: SipConnection, request: Request) -> Response | None:
        if self.stopping:
            raise SipRefused(503, "Service Unavailable", diagnostics=20000, retry_after=10)
        verdict = await connection.negotiation.register(request)
        if not connection.connected:
            return None
        if not isinstance(verdict, Admitted):
            self._turn_away(connection, request, verdict)
            return None
        user = self._directory.by_id(verdict.account.principal_id)
        if user is None or user.state is not PrincipalState.ACTIVE:
            # Disabled or removed while the store was asked for his password.
            raise SipRefused(403, "Account disabled", close=True)
        if connection.user is None:
            connection.signed_in(user, verdict.association)
            self._by_user.setdefault(user.id, {})[connection] = None
            log.info("{peer}: {user} signed in", peer=connection.peer, user=user.uri)
        elif connection.user is not user:
            raise SipRefused(403, "This connection belongs to another user", close=True)
        else:
            connection.signed_in(user, verdict.association)
        response: Response = self._front_end.registrar.register(connection, request, user)
        return response

    # -- the other methods

    def sip_OPTIONS(self, connection: SipConnection, request: Request) -> Response:
        """Tell what we can: also a peer's probe whether we are alive."""
        if request.to.tag and connection.user is not None:
            self.dialogs.find(connection, request)
        return request.response(
            200,
            headers=[("Allow", ALLOW), ("Accept", "application/sdp, text/plain"), ("Supported", "timer")],
            to_tag=self._random(5).hex(),
        )

    def sip_SUBSCRIBE(self, connection: SipConnection, request: Request) -> Deferred[Response]:
        """Subscriptions are the front end's."""
        return self._front_end.subscriptions.subscribe(connection, request)

    def sip_SERVICE(self, connection: SipConnection, request: Request) -> Deferred[Response]:
        """Presence categories and containers."""
        answer: Deferred[Response] = self._front_end.presence.service(connection, request)
        return answer

    def sip_INVITE(self, connection: SipConnection, request: Request) -> Response:
        """Open a dialog with the chat service."""
        if request.to.tag:
            return self._reinvite(connection, request)
        user = connection.user
        if user is None:
            raise SipRefused(403, "Not signed in", close=True)
        if not self.addresses.is_chat_service(request.to.uri):
            SipUri.parse(request.uri)
            raise SipRefused(480, "Temporarily Unavailable", warning="This server carries chat rooms only")
        if not self._directory.enabled(user):
            # COMPAT(pidgin-sipe): 404 keeps group chat off without an error dialog.
            raise SipRefused(404, "Persistent chat is not enabled for this user", diagnostics=20010)
        if self.stopping:
            raise SipRefused(503, "Service Unavailable", diagnostics=20000, retry_after=10)
        if len(self.dialogs.of_connection(connection)) >= DIALOGS_PER_CONNECTION:
            raise SipRefused(403, "Too many dialogs", diagnostics=20009)
        dialog = self.dialogs.create(connection, user, request, self._clock.seconds())
        self._service.open_session(dialog)
        return self._accept(request, dialog)

    def _accept(self, request: Request, dialog: Dialog) -> Response:
        headers = [("Contact", f"<{dialog.local_uri}>"), ("Allow", ALLOW), ("Supported", "timer")]
        headers += [("Record-Route", value) for value in request.headers.get_all("Record-Route")]
        headers += dialog.session_headers()
        if request.content_type == "application/sdp" and request.body:
            return request.response(
                200,
                to_tag=dialog.local_tag,
                headers=headers,
                content_type="application/sdp",
                body=_session_description(dialog.connection.local_address),
            )
        return request.response(200, to_tag=dialog.local_tag, headers=headers)

    def _reinvite(self, connection: SipConnection, request: Request) -> Response:
        dialog = self.dialogs.find(connection, request)
        dialog.check_sequence(request)
        dialog.refresh(request, self._clock.seconds())
        return self._accept(request, dialog)

    def sip_ACK(self, connection: SipConnection, request: Request) -> None:
        """Complete an INVITE; there is never an answer to an ACK."""
        if connection.server_transactions.acknowledge(request):
            return
        try:
            self.dialogs.find(connection, request).acknowledged = True
        except SipRefused:
            log.debug("{peer}: ACK without a dialog", peer=connection.peer)

    def sip_CANCEL(self, connection: SipConnection, request: Request) -> Response:
        """An INVITE is always answered before its CANCEL can arrive, so there is nothing to cancel."""
        if connection.server_transactions.find_invite(request) is None:
            raise SipRefused(481, "Call/Transaction Does Not Exist")
        return request.response(200)

    def sip_INFO(self, connection: SipConnection, request: Request) -> None:
        """A command or a post for the chat service; it answers by itself."""
        dialog = self.dialogs.find(connection, request)
        dialog.check_sequence(request)
        dialog.last_activity = self._clock.seconds()
        dialog.application.info_received(request)

    def sip_UPDATE(self, connection: SipConnection, request: Request) -> Response:
        """Refresh the session timer."""
        dialog = self.dialogs.find(connection, request)
        dialog.check_sequence(request)
        dialog.refresh(request, self._clock.seconds())
        return request.response(200, headers=list(dialog.session_headers()))

    def sip_BYE(self, connection: SipConnection, request: Request) -> Response:
        """End a dialog; its user leaves the rooms he entered by it."""
        dialog = self.dialogs.find(connection, request)
        dialog.check_sequence(request)
        self.dialogs.end(dialog, "left")
        return request.response(200)


def _session_description(local_address: str) -> bytes:
    host = local_address.rsplit(":", 1)[0].strip("[]")
    family = "IP6" if ":" in host else "IP4"
    return (
        f"v=0\r\no=- 0 0 IN {family} {host}\r\ns=session\r\nc=IN {family} {host}\r\nt=0 0\r\n"
        "m=message 5060 sip null\r\na=accept-types:text/plain\r\n"
    ).encode()
