"""One endpoint of a user in its dialog with the channel service: its commands, its rooms, its answers.

Source: docs/spec/xccos.md 1.5 and chapter 10; docs/spec/sip-sign-in.md section 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from pchat.errors import SipRefused, StoreUnavailable
from pchat.rooms.command_queue import CommandQueue
from pchat.sip.dialog import Dialog, IDialogApplication, info_payload
from pchat.sip.message import Request, refusal
from pchat.xccos.parser import Command, Post, parse_envelope
from pchat.xccos.writer import notice, reply

if TYPE_CHECKING:
    from pchat.rooms.roster import Roster
    from pchat.rooms.service import ChannelService
    from pchat.xccos.codes import ResponseCode

log = Logger()

#: ``Ms-diagnostics`` of a post that cannot be taken now; clients send it again (docs/spec/xccos.md 1.5).
BUSY = 20000


@implementer(IDialogApplication)
class ChatSession:
    """What the channel service knows of one dialog.

    Args:
        dialog: The dialog; its user is whose rights count.
        service: Runs the commands.
    """

    __slots__ = (
        "arrivals",
        "dialog",
        "end_reason",
        "ended",
        "knows_topics",
        "legacy_masks",
        "put_out_of",
        "queue",
        "rosters",
        "service",
        "user",
    )

    def __init__(self, dialog: Dialog, service: ChannelService) -> None:
        self.dialog = dialog
        self.service = service
        self.user = dialog.user
        self.ended = False
        self.end_reason = ""
        #: Whether its client has used topic feeds; others are told nothing of them.
        self.knows_topics = False
        self.rosters: dict[int, Roster] = {}
        #: Newcomers that its client is still to hear of, each a rendered ``uib`` (`pchat.rooms.arrivals`).
        self.arrivals: list[str] = []
        #: Rooms that it was put out of, by GUID, and that its client may not know to have left: their URIs.
        self.put_out_of: dict[str, str] = {}
        self.queue = CommandQueue(dialog.connection.hold, dialog.connection.release)
        # COMPAT(pidgin-sipe): it knows an operator only by the exact mask of the older servers.
        self.legacy_masks = "sipe/" in (dialog.invite.headers.get("User-Agent") or "").lower()

    @property
    def label(self) -> str:
        """Who this is, for the log."""
        return f"{self.dialog.connection.peer} {self.user.uri}"

    # -- IDialogApplication

    def info_received(self, request: Request) -> None:
        """Parse before answering; then queue what was asked."""
        try:
            envelope = parse_envelope(request.body, self.service.xml_limits)
            posts = [item for item in envelope.items if isinstance(item, Post)]
            if posts and len(envelope.items) > 1:
                # The one answer to an INFO can tell the fate of one post only.
                raise SipRefused(400, "A grpchat must be alone in its envelope")
        except SipRefused as error:
            self._refuse(request, error)
            return
        if posts:
            self.queue.add(
                lambda: self._post(request, posts[0]),
                is_post=True,
                dropped=lambda: self._too_late(request),
                size=len(request.body),
            )
            return
        self.dialog.connection.respond(request, request.response(200))
        for item in envelope.items:
            if isinstance(item, Command):
                # Each of them keeps the whole document.
                self._enqueue(item, len(request.body))

    def dialog_ended(self, reason: str) -> None:
        """Leave all rooms."""
        self.ended = True
        self.end_reason = reason
        self.queue.close()
        self.service.session_ended(self, reason)

    # -- running

    def _enqueue(self, command: Command, size: int) -> None:
        self.queue.add(lambda: self._run(command), is_post=False, size=size)

    def _run(self, command: Command) -> Deferred[None]:
        if self.ended:
            return succeed(None)
        return self.service.run(self, command)

    def _post(self, request: Request, post: Post) -> Deferred[None]:
        if self.ended:
            self._too_late(request)
            return succeed(None)
        done: Deferred[None] = self.service.posting.post(self, request, post)
        done.addErrback(self._post_failed, request)
        return done

    def _too_late(self, request: Request) -> None:
        """Refuse a post whose dialog is gone: it is not kept, and its transaction must not wait for ever."""
        error = SipRefused(481, "Call/Transaction Does Not Exist")
        self.dialog.connection.respond(request, refusal(request, error, self.service.source))

    def _post_failed(self, failure: Failure, request: Request) -> None:
        error = failure.value
        if isinstance(error, SipRefused):
            self._refuse(request, error)
        elif failure.check(StoreUnavailable):
            self._refuse(request, SipRefused(503, "Chat service busy", diagnostics=BUSY, retry_after=2))
        else:
            log.failure("{session}: post failed", failure, session=self.label)
            self._refuse(request, SipRefused(500, "Server Internal Error"))

    def _refuse(self, request: Request, error: SipRefused) -> None:
        log.info("{session}: INFO refused: {error}", session=self.label, error=str(error))
        self.dialog.connection.respond(request, refusal(request, error, self.service.source))

    # -- sending

    def send(self, payload: bytes) -> None:
        """Send what `pchat.sip.dialog.info_payload` made."""
        if self.arrivals:
            self.tell_arrivals()
        self.dialog.send_info(payload)

    def tell_arrivals(self) -> None:
        """Send what was gathered about newcomers; before anything else, so that nobody speaks unannounced."""
        arrivals, self.arrivals = self.arrivals, []
        if arrivals:
            envelope_id = self.service.envelope_ids.next()
            self.dialog.send_info(info_payload(notice(envelope_id, "bjoin", "".join(arrivals))))

    def reply(self, command: Command, code: ResponseCode, data: str = "") -> None:
        """Answer a command by name."""
        if not self.ended:
            self.send(info_payload(reply(self.service.envelope_ids.next(), command, code, data)))


def acknowledge(session: ChatSession, request: Request) -> None:
    """Promise the author of a post that it is kept."""
    session.dialog.connection.respond(request, request.response(200))
