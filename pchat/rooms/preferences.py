"""Preferences: what a client keeps on the server for its user, so that his other clients find it.

Source: docs/spec/persistent-chat-server.md 4.11; docs/spec/xccos.md 3.11 and chapter 10.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pchat import ticks
from pchat.errors import CommandRefused
from pchat.store.preferences import Preference, ensure_preference, preference, set_preference
from pchat.xccos.codes import ResponseCode
from pchat.xccos.limits import DEFAULT_COMMAND_LIMITS, CommandLimits
from pchat.xccos.person_commands import NewPreference, PreferenceWanted
from pchat.xccos.person_writer import preference as preference_block

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from pchat.interfaces import IStore
    from pchat.rooms.session import ChatSession
    from pchat.xccos.parser import Command


class Preferences:
    """Answers ``getpref`` and ``setpref``; everybody has his own and sees no other.

    Args:
        store: Keeps them.
        clock: Server time.
        limits: How many a user may have.
    """

    def __init__(
        self, store: IStore, clock: IReactorTime, limits: CommandLimits = DEFAULT_COMMAND_LIMITS
    ) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits

    async def cmd_getpref(self, session: ChatSession, command: Command, wish: PreferenceWanted) -> None:
        """Tell a preference's version, and its content if the client has an older one."""
        user = session.user
        found: Preference | None = await self._store.read(preference, user.id, wish.label)
        if found is None and wish.create_default:
            found = await self._store.write(
                ensure_preference,
                user.id,
                wish.label,
                wish.known,
                self._limits.preference_labels,
                self._now(),
            )
            if found is None:
                raise CommandRefused(ResponseCode.ERROR_LIMIT_EXCEEDED, "no further preference")
        version = found.version if found else 0
        content = found.content if found and found.version > wish.known else None
        session.reply(command, ResponseCode.SUCCESS_OK, preference_block(wish.label, version, content))

    async def cmd_setpref(self, session: ChatSession, command: Command, wish: NewPreference) -> None:
        """Store a preference and tell its new version, once it is on disk."""
        version: int | None = await self._store.write(
            set_preference,
            session.user.id,
            wish.label,
            wish.known,
            wish.content,
            self._limits.preference_labels,
            self._now(),
        )
        if version is None:
            raise CommandRefused(ResponseCode.ERROR_LIMIT_EXCEEDED, "no further preference or version")
        session.reply(command, ResponseCode.SUCCESS_OK, preference_block(wish.label, version))

    def _now(self) -> int:
        return ticks.from_unix(self._clock.seconds())
