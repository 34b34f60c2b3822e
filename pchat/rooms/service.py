"""The channel service: it runs the commands of every session and hears of every change of rights.

Source: docs/spec/xccos.md chapter 3; docs/spec/persistent-chat-server.md section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from pchat import ticks
from pchat.errors import CommandRefused, StoreError
from pchat.rooms.observers import IChangeObserver
from pchat.rooms.session import ChatSession
from pchat.xccos.blocks import ServerBlock
from pchat.xccos.codes import ResponseCode
from pchat.xccos.commands import Invitations, ServerInfo, read_command
from pchat.xccos.limits import XmlLimits
from pchat.xccos.writer import EnvelopeIds, invitation_cursor, server_info, user_reference

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from pchat.directory.people import Principal
    from pchat.fanout.feed import Feeds
    from pchat.rooms.access import Access
    from pchat.rooms.history import History
    from pchat.rooms.membership import Membership
    from pchat.rooms.notices import Notices
    from pchat.rooms.posting import Posting
    from pchat.rooms.room import Room
    from pchat.rooms.roster import Rosters
    from pchat.rooms.search import Search
    from pchat.rooms.settings import Settings
    from pchat.rooms.tree import NodeTree
    from pchat.sip.dialog import Dialog
    from pchat.xccos.parser import Command

log = Logger()


@frozen
class ServiceInfo:
    """What clients are told of the service.

    Args:
        domain: Domain of room URIs.
        pool_uri: Where requests for the channel service go.
        display_name: Friendly name of the pool.
        database_version: GUID that stays with the store.
        room_management_url: Tells the web page for managing rooms.
        source: Our host name, for diagnostics.
    """

    domain: str
    pool_uri: str
    display_name: str
    database_version: str
    room_management_url: Callable[[], str]
    source: str


@implementer(IChangeObserver)
class ChannelService:
    """Runs commands; one method ``cmd_NAME`` each.

    Args:
        info: What clients are told of the service.
        tree: The node tree.
        access: Who may what.
        settings: Limits.
        rosters: Who is in which room.
        membership, posting, history, search: The command families.
        notices: Tells people in rooms.
        feeds: Live messages.
        envelope_ids: Numbers of our envelopes.
        clock: Server time.
    """

    def __init__(
        self,
        info: ServiceInfo,
        tree: NodeTree,
        access: Access,
        settings: Settings,
        rosters: Rosters,
        membership: Membership,
        posting: Posting,
        history: History,
        search: Search,
        notices: Notices,
        feeds: Feeds,
        envelope_ids: EnvelopeIds,
        clock: IReactorTime,
        xml_limits: XmlLimits,
    ) -> None:
        self.info = info
        self.source = info.source
        self.posting = posting
        self.envelope_ids = envelope_ids
        self.xml_limits = xml_limits
        self.sessions: dict[ChatSession, None] = {}
        self._tree = tree
        self._access = access
        self._settings = settings
        self._rosters = rosters
        self._membership = membership
        self._history = history
        self._search = search
        self._notices = notices
        self._feeds = feeds
        self._clock = clock

    # -- sessions

    def open_session(self, dialog: Dialog) -> ChatSession:
        """Put a session at our end of a new dialog."""
        session = ChatSession(dialog, self)
        dialog.application = session
        self.sessions[session] = None
        return session

    def session_ended(self, session: ChatSession, reason: str) -> None:
        """A dialog is over: its user leaves the rooms he entered by it."""
        self.sessions.pop(session, None)
        self._membership.session_ended(session, reason)

    def run(self, session: ChatSession, command: Command) -> Deferred[None]:
        """Run a command and see that it is answered, whatever happens."""
        method: Callable[[ChatSession, Command, Any], Coroutine[Any, Any, None]] | None
        method = getattr(self, "cmd_" + command.name, None) if command.name.isidentifier() else None

        async def answered() -> None:
            if method is None:
                raise CommandRefused(ResponseCode.ERROR_MSG_NOT_SUPPORTED, command.name[:40])
            await method(session, command, read_command(command))

        def failed(failure: Failure) -> None:
            error = failure.value
            if isinstance(error, CommandRefused):
                self._log_refusal(session, command, error)
                code = error.code
            elif isinstance(error, StoreError):
                self._log_refusal(session, command, error)
                code = ResponseCode.ERROR_DATABASE_CONNECTION
            else:
                log.failure(
                    "{session}: {command} failed", failure, session=session.label, command=command.name
                )
                code = ResponseCode.ERROR_UNKNOWN_SERVER_ERROR
            session.reply(command, code)

        done = ensureDeferred(answered())
        done.addErrback(failed)
        return done

    @staticmethod
    def _log_refusal(session: ChatSession, command: Command, error: Exception) -> None:
        log.info(
            "{session}: {command}: {error}", session=session.label, command=command.name, error=str(error)
        )

    # -- commands

    async def cmd_requri(self, session: ChatSession, command: Command, _: object) -> None:
        """Tell which channel service the client shall use; asked on lookup and on chat dialogs."""
        session.reply(command, ResponseCode.SUCCESS_OK, user_reference(self.info.pool_uri))

    async def cmd_getserverinfo(self, session: ChatSession, command: Command, wish: ServerInfo) -> None:
        """Tell limits, time and names."""
        settings = self._settings
        block = ServerBlock(
            info_type=wish.info_type,
            server_time=ticks.to_iso(ticks.from_unix(self._clock.seconds())),
            search_limit=settings.search_limit,
            message_size_limit=settings.message_size_limit,
            story_size_limit=settings.story_size_limit,
            root_uri=self._tree.root_uri,
            db_version=self.info.database_version,
            display_name=self.info.display_name,
            room_management_url=self.info.room_management_url(),
        )
        session.reply(command, ResponseCode.SUCCESS_OK, server_info(block))

    async def cmd_getassociations(self, session: ChatSession, command: Command, wish: Any) -> None:
        """List rooms that are the user's own."""
        await self._search.associations(session, command, wish)

    async def cmd_chansrch(self, session: ChatSession, command: Command, wish: Any) -> None:
        """Find rooms."""
        await self._search.rooms(session, command, wish)

    async def cmd_join(self, session: ChatSession, command: Command, wish: Any) -> None:
        """Enter a room."""
        await self._membership.join(session, command, wish)

    async def cmd_bjoin(self, session: ChatSession, command: Command, wish: Any) -> None:
        """Enter several rooms."""
        await self._membership.bulk_join(session, command, wish)

    async def cmd_part(self, session: ChatSession, command: Command, wish: Any) -> None:
        """Leave a room."""
        await self._membership.part(session, command, wish)

    async def cmd_bccontext(self, session: ChatSession, command: Command, wish: Any) -> None:
        """Read the last messages of a room."""
        await self._history.context(session, command, wish)

    async def cmd_getinv(self, session: ChatSession, command: Command, wish: Invitations) -> None:
        """List invitations after a cursor; none are made yet, so the cursor stays where it is."""
        session.reply(command, ResponseCode.SUCCESS_OK, invitation_cursor(wish.since, self.info.domain))

    # -- IChangeObserver

    def room_changed(self, room: Room) -> None:
        """Show everybody in the room how it looks now."""
        roster = self._rosters.find(room.id)
        if roster is not None:
            self._notices.room_changed(roster)

    def rights_narrowed(self, rooms: Iterable[Room]) -> None:
        """Put out whoever may no longer be in these rooms."""
        for room in rooms:
            roster = self._rosters.find(room.id)
            if roster is None:
                continue
            for session in list(roster.sessions):
                if (
                    session in roster.sessions
                    and self._access.refusal_to_join(session.user, room) is not None
                ):
                    self._membership.kick(session, room)

    def room_disabled(self, room: Room) -> None:
        """Put everybody out."""
        self._membership.empty(room)

    def room_removed(self, room: Room) -> None:
        """Put everybody out of a room that no longer exists."""
        self._membership.empty(room)
        self._feeds.forget(room)

    def user_ended(self, principal: Principal, reason: str) -> None:
        """His connections are closed by the front end, and his sessions end with them."""

    def user_changed(self, principal: Principal) -> None:
        """Names are read anew with each use; nothing is kept."""

    def settings_changed(self) -> None:
        """Take a new participant update limit at once; the other limits are read with each use."""
        limit = self._settings.participant_update_limit
        self._rosters.limit = limit
        for roster in self._rosters:
            self._membership.catch_up(roster, roster.set_limit(limit))
