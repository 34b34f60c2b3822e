"""Who is told after rooms, rights or people were changed: the channel service, the front end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from zope.interface import Interface

if TYPE_CHECKING:
    from pchat.directory.people import Principal
    from pchat.rooms.room import Room


class IChangeObserver(Interface):
    """Somebody who acts when a change is committed and the memory shows it.

    The methods are called in the reactor's thread, within the turn of the commit, and return at once.
    Those that lost a right are told first, so that a room's new properties go only to who may see them.
    """

    def room_changed(room: Room) -> None:
        """A room's own or inherited properties changed, or its category."""

    def rights_narrowed(rooms: Iterable[Room]) -> None:
        """Somebody may have lost a right in these rooms; ask `pchat.rooms.access` who."""

    def room_disabled(room: Room) -> None:
        """A room was disabled: everybody leaves it at once (F-14)."""

    def room_removed(room: Room) -> None:
        """A room is gone for good; it is in the tree no longer."""

    def user_ended(principal: Principal, reason: str) -> None:
        """A user's sessions must end: ``disabled``, ``removed`` or ``policy``.

        He has lost every right in every room, and nobody else has lost any: `rights_narrowed` is not told.
        """

    def user_changed(principal: Principal) -> None:
        """What a user is told of himself changed: he was enabled, or his policy switched chat on or off."""

    def settings_changed() -> None:
        """A setting of the channel service changed."""
