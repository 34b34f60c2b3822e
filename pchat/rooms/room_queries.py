"""Rooms as administrators find them and look at them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from attrs import frozen

from pchat.directory.people import Principal
from pchat.errors import AdministrationRefused
from pchat.rooms.access import Access
from pchat.rooms.category_administration import CategoryAdministration
from pchat.rooms.committing import ChangeDesk
from pchat.rooms.names import fold
from pchat.rooms.principals import principal_named, unknown_principal
from pchat.rooms.room import Behavior, Privacy, Role, Room
from pchat.rooms.room_words import known_addin, read_invitations, read_word
from pchat.rooms.search_gate import SearchGate
from pchat.rooms.shown import Listing, Shown, granted_shown, principals_shown, room_shown, room_shown_in_full
from pchat.store.room_reports import role_grants, room_size, rooms_exceeding
from pchat.xccos.codes import ResponseCode

#: What the reference server's tools call a megabyte.
MEGABYTE = 1 << 20


@frozen
class RoomFilter:
    """What rooms are looked for; what is None does not matter.

    Args:
        text: Part of the name, in any case.
        search_description: Whether the text may stand in the description as well.
        category: Name or URI of the category.
        addin: Name or GUID of the add-in.
        member, manager, presenter: Somebody on that role list, himself or through a group or his domain.
        privacy: ``open``, ``closed`` or ``secret``.
        behavior: ``normal`` or ``auditorium``.
        invitations: ``inherit`` or ``false``.
        disabled: Only disabled rooms, or only others.

    Source: docs/spec/persistent-chat-server.md section 7 (Get-CsPersistentChatRoom).
    """

    text: str | None = None
    search_description: bool = False
    category: str | None = None
    addin: str | None = None
    member: str | None = None
    manager: str | None = None
    presenter: str | None = None
    privacy: str | None = None
    behavior: str | None = None
    invitations: str | None = None
    disabled: bool | None = None


EVERY_ROOM = RoomFilter()


def unknown_room(text: str) -> AdministrationRefused:
    """Make the refusal for a room that does not exist, or that somebody may not know."""
    return AdministrationRefused(ResponseCode.ERROR_NO_SUCH_NODE, f"there is no room {text[:80]!r}")


class RoomQueries:
    """The verbs of ``pchatctl room`` that change nothing.

    Args:
        desk: Has all that is asked.
        categories: Finds categories.
        access: Decides who is covered by a list.
        gate: Lets reports into the store.

    Source: docs/spec/persistent-chat-server.md sections 2.3 and 7.
    """

    def __init__(
        self, desk: ChangeDesk, categories: CategoryAdministration, access: Access, gate: SearchGate
    ) -> None:
        self._desk = desk
        self._categories = categories
        self._access = access
        self._gate = gate

    def room(self, text: str) -> Room:
        """Find a room by its URI, its GUID or its name, in any case; users choose names, so they come last.

        Raises:
            AdministrationRefused: There is none.
        """
        tree = self._desk.tree
        found = tree.room_by_uri(text) or tree.room(tree.domain, text.strip()) or tree.room_by_name(text)
        if found is None:
            raise unknown_room(text)
        return found

    async def find_rooms(
        self, wanted: RoomFilter = EVERY_ROOM, *, exceeds_mb: int | None = None
    ) -> Sequence[Shown]:
        """List rooms, all or those that pass a filter and hold so much, by number.

        Args:
            wanted: The filter.
            exceeds_mb: Only rooms whose messages have more megabytes of text than this.

        Raises:
            AdministrationRefused: The filter names something that does not exist.
            StoreUnavailable: How much they hold cannot be counted now.
        """
        rooms = self._matching(wanted)
        if exceeds_mb is not None:
            content_bytes = exceeds_mb * MEGABYTE
            large = await self._gate.run(partial(self._desk.store.read, rooms_exceeding, content_bytes))
            rooms = [room for room in rooms if room.id in large]
        return Listing(rooms, partial(room_shown, addins=self._desk.addins))

    def _matching(self, wanted: RoomFilter) -> list[Room]:
        tree = self._desk.tree
        category = None if wanted.category is None else self._categories.category(wanted.category)
        rooms: Iterable[Room] = tree.rooms() if category is None else tree.rooms_in(category)
        rooms = self._with_words(rooms, wanted)
        rooms = self._with_holders(rooms, wanted)
        if wanted.addin is not None:
            addin = known_addin(self._desk.addins, wanted.addin).guid
            rooms = [room for room in rooms if room.addin_guid == addin]
        if wanted.disabled is not None:
            rooms = [room for room in rooms if room.disabled is wanted.disabled]
        part = fold(wanted.text or "")
        return [
            room
            for room in rooms
            if part in room.name_folded or (wanted.search_description and part in room.description_folded)
        ]

    @staticmethod
    def _with_words(rooms: Iterable[Room], wanted: RoomFilter) -> Iterable[Room]:
        if wanted.privacy is not None:
            privacy = read_word(Privacy, wanted.privacy, "privacy")
            rooms = [room for room in rooms if room.privacy is privacy]
        if wanted.behavior is not None:
            behavior = read_word(Behavior, wanted.behavior, "type")
            rooms = [room for room in rooms if room.behavior is behavior]
        if wanted.invitations is not None:
            invitations = read_invitations(wanted.invitations)
            rooms = [room for room in rooms if room.invitations is invitations]
        return rooms

    def _with_holders(self, rooms: Iterable[Room], wanted: RoomFilter) -> Iterable[Room]:
        for role, text in (
            (Role.MEMBER, wanted.member),
            (Role.MANAGER, wanted.manager),
            (Role.PRESENTER, wanted.presenter),
        ):
            if text is not None:
                principal = self._principal(text)
                rooms = [room for room in rooms if self._access.covered(principal, room.holders(role))]
        return rooms

    def show_room(self, text: str) -> Shown:
        """Show one room with its role lists.

        Raises:
            AdministrationRefused: There is none.
        """
        return room_shown_in_full(self.room(text), self._desk.addins, self._desk.directory)

    async def describe_room(self, text: str, *, size: bool = True) -> Shown:
        """Show one room with its role lists, who granted them, and how much it holds.

        Args:
            text: The room.
            size: Whether it is told how much it holds, for which all its messages are read.

        Raises:
            AdministrationRefused: There is none.
            StoreUnavailable: How much it holds cannot be counted now.
        """
        room = self.room(text)
        grants = await self._desk.store.read(role_grants, room.id)
        lists = {
            f"{role.value}s": granted_shown(room.holders(role), role, grants, self._desk.directory)
            for role in Role
        }
        shown = room_shown(room, self._desk.addins) | lists
        if not size:
            return shown
        held = await self._gate.run(partial(self._desk.store.read, room_size, room.id))
        return shown | {"messages": held.messages, "content_bytes": held.content_bytes}

    def list_role(self, text: str, role: Role) -> list[Shown]:
        """Show one role list of a room.

        Raises:
            AdministrationRefused: There is no such room.
        """
        return principals_shown(self.room(text).holders(role), self._desk.directory)

    async def describe_role(self, text: str, role: Role) -> list[Shown]:
        """Show one role list of a room, with who granted each entry and when.

        Raises:
            AdministrationRefused: There is no such room.
        """
        room = self.room(text)
        grants = await self._desk.store.read(role_grants, room.id)
        return granted_shown(room.holders(role), role, grants, self._desk.directory)

    # -- reading what somebody typed

    def _principal(self, text: str) -> Principal:
        found = principal_named(self._desk.directory, text)
        if found is None:
            raise unknown_principal(text)
        return found

    def _numbers(self, texts: Iterable[str]) -> frozenset[int]:
        return frozenset(self._principal(text).id for text in texts)
