"""The channel service: the sessions of everybody, and who runs which of their commands.

Source: docs/spec/xccos.md chapter 3; docs/spec/persistent-chat-server.md section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from pchat.endings import at_the_end
from pchat.errors import AdministrationRefused, CommandRefused, StoreError
from pchat.rooms.session import ChatSession
from pchat.xccos.codes import ResponseCode
from pchat.xccos.limits import XmlLimits
from pchat.xccos.reading import read_command
from pchat.xccos.writer import EnvelopeIds

if TYPE_CHECKING:
    from pchat.directory.people import Principal
    from pchat.rooms.command_turns import CommandTurns
    from pchat.rooms.membership import Membership
    from pchat.rooms.posting import Posting
    from pchat.sip.dialog import Dialog
    from pchat.xccos.parser import Command

log = Logger()

#: Runs one command: session, command, and what its reader made of its arguments.
Operation = Callable[[ChatSession, "Command", Any], Coroutine[Any, Any, None]]
_PREFIX = "cmd_"


class Sessions:
    """The chat sessions that are open on this server."""

    def __init__(self) -> None:
        self._all: dict[ChatSession, None] = {}
        self._by_user: dict[int, dict[ChatSession, None]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def add(self, session: ChatSession) -> None:
        """Take up a session."""
        self._all[session] = None
        self._by_user.setdefault(session.user.id, {})[session] = None

    def discard(self, session: ChatSession) -> None:
        """Forget a session that is over."""
        self._all.pop(session, None)
        mine = self._by_user.get(session.user.id)
        if mine is not None:
            mine.pop(session, None)
            if not mine:
                del self._by_user[session.user.id]

    def of(self, user: Principal) -> Sequence[ChatSession]:
        """Tell the sessions of a user, one an endpoint."""
        return list(self._by_user.get(user.id, ()))


class ChannelService:
    """Opens sessions, and runs each of their commands.

    Args:
        sessions: Where open sessions are kept.
        membership: Hears of sessions that end.
        posting: Takes posts.
        families: Objects whose methods ``cmd_NAME`` run the commands of that name.
        envelope_ids: Numbers of our envelopes.
        source: Our host name, for diagnostics.
        xml_limits: What an envelope may be.
        turns: Shares the server among users.
    """

    def __init__(
        self,
        sessions: Sessions,
        membership: Membership,
        posting: Posting,
        families: Iterable[object],
        envelope_ids: EnvelopeIds,
        source: str,
        xml_limits: XmlLimits,
        turns: CommandTurns,
    ) -> None:
        self.sessions = sessions
        self.posting = posting
        self.envelope_ids = envelope_ids
        self.source = source
        self.xml_limits = xml_limits
        self._membership = membership
        self._turns = turns
        self._operations: dict[str, Operation] = {
            name.removeprefix(_PREFIX): getattr(family, name)
            for family in families
            for name in dir(family)
            if name.startswith(_PREFIX)
        }

    def open_session(self, dialog: Dialog) -> ChatSession:
        """Put a session at our end of a new dialog."""
        session = ChatSession(dialog, self)
        dialog.application = session
        self.sessions.add(session)
        return session

    def session_ended(self, session: ChatSession, reason: str) -> None:
        """A dialog is over: its user leaves the rooms he entered by it."""
        self.sessions.discard(session)
        self._membership.session_ended(session, reason)

    def run(self, session: ChatSession, command: Command) -> Deferred[None]:
        """Run a command and see that it is answered, whatever happens."""
        operation = self._operations.get(command.name)

        async def answered() -> None:
            await self._turns.begin(session.user.id)
            with at_the_end(lambda: self._turns.end(session.user.id)):
                if session.ended:
                    return
                if operation is None:
                    raise CommandRefused(ResponseCode.ERROR_MSG_NOT_SUPPORTED, command.name[:40])
                await operation(session, command, read_command(command))

        def failed(failure: Failure) -> None:
            error = failure.value
            if isinstance(error, CommandRefused | AdministrationRefused):
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
