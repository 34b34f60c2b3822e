"""All connections of clients: whose they are, whether they live, and what ends with them.

Source: docs/spec/sip-sign-in.md sections 2, 3 and 8; docs/operating.md ("Accounts").
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from pchat.frontend.addresses import Addresses
from pchat.interfaces import IResponseReceiver, Random
from pchat.rooms.observers import ChangeObserver, IChangeObserver
from pchat.sip.connection import SipConnection
from pchat.sip.dialog import Dialog, Dialogs
from pchat.sip.headers import Headers
from pchat.sip.message import Request, Response

if TYPE_CHECKING:
    from pchat.directory.people import Principal
    from pchat.frontend.front_end import FrontEnd
    from pchat.frontend.registrar import Registration

log = Logger()

#: Seconds that a client whose rights ended has to close its side; his sessions end before that.
END_SECONDS = 1.0


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
class Connections(ChangeObserver):
    """The open connections, and who is signed in on which.

    Args:
        addresses: What the chat service is called; probes come from it.
        front_end: Registrations, subscriptions and presence.
        dialogs: All INVITE dialogs.
        clock: Time in seconds.
        random: Unpredictable bytes.
    """

    def __init__(
        self,
        addresses: Addresses,
        front_end: FrontEnd,
        dialogs: Dialogs,
        clock: IReactorTime,
        random: Random,
    ) -> None:
        self._addresses = addresses
        self._front_end = front_end
        self._dialogs = dialogs
        self._clock = clock
        self._random = random
        self._open: dict[SipConnection, None] = {}
        self._by_user: dict[int, dict[SipConnection, None]] = {}
        front_end.registrar.endpoint_gone.append(self._endpoint_gone)

    def __iter__(self) -> Iterator[SipConnection]:
        return iter(list(self._open))

    def __len__(self) -> int:
        return len(self._open)

    @property
    def signed_in_users(self) -> int:
        """Users with at least one signed-in connection."""
        return len(self._by_user)

    # -- the life of a connection

    def made(self, connection: SipConnection) -> None:
        """Count a connection."""
        self._open[connection] = None

    def signed_in(self, connection: SipConnection, user: Principal) -> None:
        """Learn whose a connection is."""
        self._by_user.setdefault(user.id, {})[connection] = None

    def ended(self, connection: SipConnection, reason: str) -> None:
        """End all that lives on a connection: nothing will be received from it any more.

        Args:
            connection: One that is lost or being closed; a second call changes nothing.
            reason: Why its users leave their rooms, as compliance events tell it.
        """
        self._open.pop(connection, None)
        if connection.user is not None:
            mine = self._by_user.get(connection.user.id, {})
            mine.pop(connection, None)
            if not mine:
                self._by_user.pop(connection.user.id, None)
        self._dialogs.connection_lost(connection, reason)
        self._front_end.connection_lost(connection)

    def close_all(self, reason: str) -> None:
        """Close every connection; the server stops."""
        for connection in self:
            connection.close(reason)

    def _endpoint_gone(self, registration: Registration) -> None:
        # Later in this turn, since the answer to a sign-out has yet to leave.
        if registration.connection is not None:
            self._clock.callLater(0, self._sign_out, registration.connection)

    def _sign_out(self, connection: SipConnection) -> None:
        """Close a connection whose registration ended; who signed out is signed in no longer."""
        if connection.connected and self._front_end.registrar.find(connection) is None:
            self.ended(connection, "left")
            connection.close("no longer registered")

    # -- time

    def sweep(self) -> None:
        """See what ran out of time; called every few seconds."""
        now = self._clock.seconds()
        for connection in self:
            connection.sweep(now)
        self._dialogs.sweep(now, self._session_expired)

    @staticmethod
    def _session_expired(dialog: Dialog) -> None:
        # COMPAT(pidgin-sipe): after a BYE it never invites again; a closed connection it survives.
        log.info("{peer}: session timer ran out", peer=dialog.connection.peer)
        dialog.connection.close("session timer ran out")

    def probe(self, connection: SipConnection) -> None:
        """Ask a silent peer whether it is alive."""
        user = connection.user
        if user is None:
            return
        call_id = f"{self._random(8).hex()}@{self._addresses.source}"
        via = f"SIP/2.0/{connection.transport_name} {connection.local_address};branch=z9hG4bK{call_id[:16]}"
        headers = Headers(
            [
                ("Via", via),
                ("From", f"<{self._addresses.pool_uri}>;tag={self._random(5).hex()}"),
                ("To", f"<{user.uri}>"),
                ("Call-ID", call_id),
                ("CSeq", "1 OPTIONS"),
                ("Max-Forwards", "70"),
            ]
        )
        connection.start_request(Request("OPTIONS", user.uri, headers), _Probe(connection))

    # -- IChangeObserver

    def user_ended(self, principal: Principal, reason: str) -> None:
        """End the sessions of a user who may no longer be here, and close his connections."""
        for connection in list(self._by_user.get(principal.id, ())):
            log.info(
                "{peer}: {user} is signed out: {reason}",
                peer=connection.peer,
                user=principal.uri,
                reason=reason,
            )
            self.ended(connection, "kicked")
            connection.close(reason, within=END_SECONDS)
        self._front_end.user_ended(principal, reason)

    def user_changed(self, principal: Principal) -> None:
        """Tell his clients whether chat is on for him now, and his watchers his name."""
        self._front_end.policy_changed([principal])
        self._front_end.user_changed(principal)

    def settings_changed(self) -> None:
        """Tell all clients where rooms are managed now."""
        self._front_end.policy_changed()
