"""Leads every request to where it belongs: method by method, after the connection's sign-in was checked.

Source: RFC 3261 section 8.2; docs/spec/sip-sign-in.md sections 3 to 6; docs/spec/xccos.md 1.2 to 1.5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger

from pchat.auth.verdicts import Admitted, Challenged, Verdict
from pchat.directory.people import PrincipalState
from pchat.errors import OurError, SipRefused, StoreUnavailable
from pchat.frontend.chat_dialogs import ALLOW
from pchat.interfaces import Random
from pchat.sip.connection import SipConnection
from pchat.sip.message import Request, Response, refusal

if TYPE_CHECKING:
    from pchat.directory.local import LocalDirectory
    from pchat.frontend.chat_dialogs import ChatDialogs
    from pchat.frontend.connections import Connections
    from pchat.frontend.front_end import FrontEnd
    from pchat.sip.dialog import Dialogs

log = Logger()

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


class UserAgent:
    """The server's side of every connection in client mode.

    Args:
        source: Our host name, as diagnostics show it.
        directory: People.
        front_end: Registrations, subscriptions and presence.
        connections: All connections.
        chat_dialogs: INVITE and what follows it.
        dialogs: All INVITE dialogs.
        random: Unpredictable bytes.
    """

    def __init__(
        self,
        source: str,
        directory: LocalDirectory,
        front_end: FrontEnd,
        connections: Connections,
        chat_dialogs: ChatDialogs,
        dialogs: Dialogs,
        random: Random,
    ) -> None:
        self.connections = connections
        self.stopping = False
        self._source = source
        self._directory = directory
        self._front_end = front_end
        self._chat_dialogs = chat_dialogs
        self._dialogs = dialogs
        self._random = random

    # -- MessageSink

    def connection_made(self, connection: SipConnection) -> None:
        """Count a connection."""
        self.connections.made(connection)

    def connection_ended(self, connection: SipConnection) -> None:
        """End all that lived on a connection that is lost or being closed."""
        self.connections.ended(connection, "connection lost")

    def connection_speaks(self, connection: SipConnection) -> None:
        """Send the dialogs' messages that waited for a client's new keys."""
        for dialog in self._dialogs.of_connection(connection):
            dialog.resume()

    def probe(self, connection: SipConnection) -> None:
        """Ask a silent peer whether it is alive."""
        self.connections.probe(connection)

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
        response = refusal(request, error, self._source)
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
            if connection.negotiation.renewing:
                connection.be_quiet()
            self._turn_away(connection, request, verdict)
            return None
        user = self._directory.by_id(verdict.account.principal_id)
        if user is None or user.state is not PrincipalState.ACTIVE:
            # Disabled or removed while the store was asked for his password.
            raise SipRefused(403, "Account disabled", close=True)
        if connection.user is None:
            connection.signed_in(user, verdict.association)
            self.connections.signed_in(connection, user)
            log.info("{peer}: {user} signed in", peer=connection.peer, user=user.uri)
        elif connection.user is not user:
            raise SipRefused(403, "This connection belongs to another user", close=True)
        else:
            connection.signed_in(user, verdict.association)
        response: Response = self._front_end.registrar.register(connection, request, user)
        connection.respond(request, response)
        connection.speak()
        return None

    # -- the other methods

    def sip_OPTIONS(self, connection: SipConnection, request: Request) -> Response:
        """Tell what we can: also a peer's probe whether we are alive."""
        if request.to.tag and connection.user is not None:
            self._dialogs.find(connection, request)
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
        """Open or refresh a dialog with the chat service."""
        return self._chat_dialogs.invite(connection, request)

    def sip_ACK(self, connection: SipConnection, request: Request) -> None:
        """Complete an INVITE; there is never an answer to an ACK."""
        self._chat_dialogs.acknowledge(connection, request)

    def sip_CANCEL(self, connection: SipConnection, request: Request) -> Response:
        """Cancel an INVITE."""
        return self._chat_dialogs.cancel(connection, request)

    def sip_INFO(self, connection: SipConnection, request: Request) -> None:
        """A command or a post for the chat service; it answers by itself."""
        self._chat_dialogs.info(connection, request)

    def sip_UPDATE(self, connection: SipConnection, request: Request) -> Response:
        """Refresh the session timer."""
        return self._chat_dialogs.update(connection, request)

    def sip_BYE(self, connection: SipConnection, request: Request) -> Response:
        """End a dialog."""
        return self._chat_dialogs.bye(connection, request)
