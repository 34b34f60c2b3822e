"""What follows for people in rooms when rooms, rights or settings were changed.

Source: docs/spec/persistent-chat-server.md F-6, F-14, P-10 to P-12; docs/spec/xccos.md chapter 10.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from zope.interface import implementer

from pchat.rooms.observers import ChangeObserver, IChangeObserver

if TYPE_CHECKING:
    from pchat.fanout.feed import Feeds
    from pchat.rooms.access import Access
    from pchat.rooms.membership import Membership
    from pchat.rooms.notices import Notices
    from pchat.rooms.room import Room
    from pchat.rooms.roster import Rosters
    from pchat.rooms.settings import Settings


@implementer(IChangeObserver)
class Consequences(ChangeObserver):
    """Puts out who may no longer be where he is, and tells the others.

    Args:
        access: Who may what.
        settings: Limits.
        rosters: Who is in which room.
        membership: Puts people out.
        notices: Tells people in rooms.
        feeds: Live messages.
    """

    def __init__(
        self,
        access: Access,
        settings: Settings,
        rosters: Rosters,
        membership: Membership,
        notices: Notices,
        feeds: Feeds,
    ) -> None:
        self._access = access
        self._settings = settings
        self._rosters = rosters
        self._membership = membership
        self._notices = notices
        self._feeds = feeds

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

    def rights_changed(self, rooms: Iterable[Room]) -> None:
        """Tell the people in these rooms whose rights are others than they were told (F-6)."""
        for room in rooms:
            roster = self._rosters.find(room.id)
            if roster is None:
                continue
            changed = [
                user for user in roster.users() if roster.set_mask(user.id, self._access.mask(user, room))
            ]
            if changed:
                self._notices.rights_changed(roster, changed)

    def room_disabled(self, room: Room) -> None:
        """Put everybody out."""
        self._membership.empty(room)

    def room_removed(self, room: Room) -> None:
        """Put everybody out of a room that no longer exists."""
        self._membership.empty(room)
        self._feeds.forget(room)

    def settings_changed(self) -> None:
        """Take a new participant update limit at once; the other limits are read with each use."""
        limit = self._settings.participant_update_limit
        self._rosters.limit = limit
        for roster in self._rosters:
            self._membership.catch_up(roster, roster.set_limit(limit))
