"""INVITE and everything within its dialog: how a client reaches the channel service.

Source: RFC 3261 sections 12 to 15; RFC 4028; docs/spec/sip-sign-in.md section 6; docs/spec/xccos.md
1.2 to 1.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pchat.errors import SipRefused
from pchat.frontend.addresses import Addresses
from pchat.sip.connection import SipConnection
from pchat.sip.dialog import Dialog, Dialogs
from pchat.sip.message import Request, Response
from pchat.sip.uri import SipUri

if TYPE_CHECKING:
    from pchat.directory.local import LocalDirectory
    from pchat.rooms.service import ChannelService

log = Logger()

#: What we understand; told to who asks or sends something else.
ALLOW = "REGISTER, SUBSCRIBE, SERVICE, INVITE, ACK, CANCEL, INFO, UPDATE, BYE, OPTIONS"
#: Dialogs of one connection: a lookup and a chat dialog, and as much again while a client reconnects.
DIALOGS_PER_CONNECTION = 16


class ChatDialogs:
    """Carries out INVITE, ACK, CANCEL, INFO, UPDATE and BYE.

    Args:
        addresses: What the chat service is called.
        directory: People and whether they may use the service.
        service: The channel service.
        dialogs: All INVITE dialogs.
        clock: Time in seconds.
    """

    def __init__(
        self,
        addresses: Addresses,
        directory: LocalDirectory,
        service: ChannelService,
        dialogs: Dialogs,
        clock: IReactorTime,
    ) -> None:
        self.stopping = False
        self._addresses = addresses
        self._directory = directory
        self._service = service
        self._dialogs = dialogs
        self._clock = clock

    def invite(self, connection: SipConnection, request: Request) -> Response:
        """Open a dialog with the chat service."""
        if request.to.tag:
            return self._reinvite(connection, request)
        user = connection.user
        if user is None:
            raise SipRefused(403, "Not signed in", close=True)
        if not self._addresses.is_chat_service(request.to.uri):
            SipUri.parse(request.uri)
            raise SipRefused(480, "Temporarily Unavailable", warning="This server carries chat rooms only")
        if not self._directory.enabled(user):
            # COMPAT(pidgin-sipe): 404 keeps group chat off without an error dialog.
            raise SipRefused(404, "Persistent chat is not enabled for this user", diagnostics=20010)
        if self.stopping:
            raise SipRefused(503, "Service Unavailable", diagnostics=20000, retry_after=10)
        if len(self._dialogs.of_connection(connection)) >= DIALOGS_PER_CONNECTION:
            raise SipRefused(403, "Too many dialogs", diagnostics=20009)
        dialog = self._dialogs.create(connection, user, request, self._clock.seconds())
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
        dialog = self._dialogs.find(connection, request)
        dialog.check_sequence(request)
        dialog.refresh(request, self._clock.seconds())
        return self._accept(request, dialog)

    def acknowledge(self, connection: SipConnection, request: Request) -> None:
        """Complete an INVITE; there is never an answer to an ACK."""
        if connection.server_transactions.acknowledge(request):
            return
        try:
            self._dialogs.find(connection, request).acknowledged = True
        except SipRefused:
            log.debug("{peer}: ACK without a dialog", peer=connection.peer)

    def cancel(self, connection: SipConnection, request: Request) -> Response:
        """An INVITE is always answered before its CANCEL can arrive, so there is nothing to cancel."""
        if connection.server_transactions.find_invite(request) is None:
            raise SipRefused(481, "Call/Transaction Does Not Exist")
        return request.response(200)

    def info(self, connection: SipConnection, request: Request) -> None:
        """A command or a post for the chat service; it answers by itself."""
        dialog = self._dialogs.find(connection, request)
        dialog.check_sequence(request)
        dialog.last_activity = self._clock.seconds()
        dialog.application.info_received(request)

    def update(self, connection: SipConnection, request: Request) -> Response:
        """Refresh the session timer."""
        dialog = self._dialogs.find(connection, request)
        dialog.check_sequence(request)
        dialog.refresh(request, self._clock.seconds())
        return request.response(200, headers=list(dialog.session_headers()))

    def bye(self, connection: SipConnection, request: Request) -> Response:
        """End a dialog; its user leaves the rooms he entered by it."""
        dialog = self._dialogs.find(connection, request)
        dialog.check_sequence(request)
        self._dialogs.end(dialog, "left")
        return request.response(200)


def _session_description(local_address: str) -> bytes:
    host = local_address.rsplit(":", 1)[0].strip("[]")
    family = "IP6" if ":" in host else "IP4"
    return (
        f"v=0\r\no=- 0 0 IN {family} {host}\r\ns=session\r\nc=IN {family} {host}\r\nt=0 0\r\n"
        "m=message 5060 sip null\r\na=accept-types:text/plain\r\n"
    ).encode()
