"""Who is told after rooms, rights, people or messages were changed: the channel service, the front end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from zope.interface import Interface, implementer

if TYPE_CHECKING:
    from pchat.directory.people import Principal
    from pchat.rooms.room import Room
    from pchat.store.messages import StoredMessage


class IChangeObserver(Interface):
    """Somebody who acts when a change is committed and the memory shows it.

    The methods are called in the reactor's thread, within the turn of the commit, and return at once.
    Those that lost a right are told first, so that a room's new properties go only to who may see them.
    """

    def room_changed(room: Room) -> None:
        """A room's own or inherited properties changed, or its category."""

    def rights_narrowed(rooms: Iterable[Room]) -> None:
        """Somebody may have lost a right in these rooms; ask `pchat.rooms.access` who."""

    def rights_changed(rooms: Iterable[Room]) -> None:
        """Somebody's rights in these rooms may be others than before; told after `rights_narrowed`."""

    def room_disabled(room: Room) -> None:
        """A room was disabled: everybody leaves it at once (F-14)."""

    def room_removed(room: Room) -> None:
        """A room is gone for good; it is in the tree no longer."""

    def invited(room: Room, invitations: Mapping[int, int]) -> None:
        """People were invited to a room: the number of each one's invitation, by principal."""

    def messages_removed(room: Room, chat_ids: Sequence[int]) -> None:
        """Messages of a room are gone for good."""

    def messages_replaced(room: Room, messages: Sequence[StoredMessage]) -> None:
        """Messages of a room have another text now."""

    def user_ended(principal: Principal, reason: str) -> None:
        """A user's sessions must end: ``disabled``, ``removed`` or ``policy``.

        He has lost every right in every room, and nobody else has lost any: `rights_narrowed` is not told.
        """

    def user_changed(principal: Principal) -> None:
        """What a user is told of himself changed: he was enabled, or his policy switched chat on or off."""

    def settings_changed() -> None:
        """A setting of the channel service changed."""


@implementer(IChangeObserver)
class ChangeObserver:
    """An observer that does nothing; who inherits from it acts on what concerns him."""

    def room_changed(self, room: Room) -> None:
        """See `IChangeObserver`."""

    def rights_narrowed(self, rooms: Iterable[Room]) -> None:
        """See `IChangeObserver`."""

    def rights_changed(self, rooms: Iterable[Room]) -> None:
        """See `IChangeObserver`."""

    def room_disabled(self, room: Room) -> None:
        """See `IChangeObserver`."""

    def room_removed(self, room: Room) -> None:
        """See `IChangeObserver`."""

    def invited(self, room: Room, invitations: Mapping[int, int]) -> None:
        """See `IChangeObserver`."""

    def messages_removed(self, room: Room, chat_ids: Sequence[int]) -> None:
        """See `IChangeObserver`."""

    def messages_replaced(self, room: Room, messages: Sequence[StoredMessage]) -> None:
        """See `IChangeObserver`."""

    def user_ended(self, principal: Principal, reason: str) -> None:
        """See `IChangeObserver`."""

    def user_changed(self, principal: Principal) -> None:
        """See `IChangeObserver`."""

    def settings_changed(self) -> None:
        """See `IChangeObserver`."""
