"""Rooms and people as they look on the wire.

Source: docs/spec/xccos.md 2.4, 3.5 and chapter 10 ("Room block emitted everywhere").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from pchat import ticks
from pchat.xccos.arguments import RoomKey
from pchat.xccos.blocks import MessageBlock, RoomBlock, UserBlock
from pchat.xccos.person_writer import read_state
from pchat.xccos.room_writer import short_user
from pchat.xccos.writer import (
    fib,
    limit_exceeded,
    msg,
    room_block,
    room_mask,
    room_reference,
    user_attributes,
    user_block,
)

if TYPE_CHECKING:
    from pchat.directory.local import LocalDirectory
    from pchat.directory.people import Principal
    from pchat.rooms.access import Access
    from pchat.rooms.addins import Addins
    from pchat.rooms.room import Room
    from pchat.rooms.roster import Roster, Rosters
    from pchat.rooms.session import ChatSession
    from pchat.store.messages import StoredMessage
    from pchat.store.read_markers import ReadState
    from pchat.xccos.codes import ResponseCode

#: People in one list of a reply at most. Each of so long a list takes less than a hundred bytes, so that the
#: whole of it stays well below what may wait for one client (``[sip.limits] unsent_bytes``).
LONG_LIST = 20_000


#: People whose attributes are kept rendered.
PEOPLE_REMEMBERED = 100_000


@lru_cache(maxsize=PEOPLE_REMEMBERED)
def _moment(moment: int) -> str:
    """Write when a room was made or changed; the same is told again and again."""
    return ticks.to_iso(moment)


class Blocks:
    """Describes rooms and users for replies and notices.

    Args:
        rosters: Who is in which room.
        access: Permission masks.
        directory: People by id.
        addins: The registered add-ins.
        filestore_uri: Address of the file web service.
    """

    def __init__(
        self,
        rosters: Rosters,
        access: Access,
        directory: LocalDirectory,
        addins: Addins,
        filestore_uri: str,
    ) -> None:
        self._rosters = rosters
        self._access = access
        self._directory = directory
        self._addins = addins
        self._filestore_uri = filestore_uri
        self._rendered: dict[int, tuple[str, str, str, str]] = {}

    def describe(self, room: Room) -> RoomBlock:
        """Collect what every room block tells."""
        addin = self._addins.by_guid(room.addin_guid)
        return RoomBlock(
            name=room.name,
            description=room.description,
            uri=room.uri,
            parent=room.category.uri,
            behavior=room.behavior.wire_word,
            filestore_uri=self._filestore_uri,
            disabled=room.disabled,
            participants=self._rosters.user_count(room.id),
            visibility=room.privacy.wire_word,
            logged=room.logged,
            invite=room.invitations_on,
            filepost=room.file_upload,
            addin_id=addin.guid if addin else "",
            addin_name=addin.name if addin else "",
            addin_url=addin.url if addin else "",
            created_by=room.created_by,
            created_on=_moment(room.created_on),
            updated_by=room.updated_by,
            updated_on=_moment(room.updated_on),
        )

    def room(self, room: Room, state: ReadState | None = None) -> str:
        """A room as search and notices show it; to its members also how they stand in it."""
        return room_block(self.describe(room), inner="" if state is None else read_state(*state))

    def with_messages(self, room: Room, messages: Sequence[MessageBlock]) -> str:
        """A piece of a room's history."""
        return room_reference(room.uri, "".join(map(msg, messages)), name=room.name)

    @staticmethod
    def message(room: Room, message: StoredMessage, author: Principal | None) -> MessageBlock:
        """A stored message; an author who is unknown by now has no name."""
        return MessageBlock(
            room_uri=room.uri,
            author=author.uri if author else "",
            authdisp=author.shown_name if author else "",
            ts=ticks.to_iso(message.ts),
            chat_id=message.chat_id,
            alert=bool(message.alert),
            chat=message.chat,
            rtf=message.rtf,
        )

    def reference(self, room: Room) -> str:
        """A room by its URI alone."""
        return room_reference(room.uri)

    def user(self, user: Principal, number: int | None = None) -> UserBlock:
        """A user; the number is what an association block of the same reply refers to."""
        return UserBlock(
            id=number,
            uri=user.uri,
            guid=user.guid,
            kind=int(user.kind),
            uname=user.name,
            disname=user.shown_name,
            email=user.email,
        )

    def rendered(self, user: Principal) -> str:
        """What all user blocks of somebody have in common; he is named to hundreds, so it is kept."""
        known = self._rendered.get(user.id)
        # The directory gives changed names as new texts.
        if (
            known is not None
            and known[0] is user.name
            and known[1] is user.display_name
            and known[2] is user.email
        ):
            return known[3]
        if len(self._rendered) >= PEOPLE_REMEMBERED:
            self._rendered.clear()
        attributes = user_attributes(self.user(user))
        self._rendered[user.id] = (user.name, user.display_name, user.email, attributes)
        return attributes

    def users(self, principals: Sequence[Principal], most: int) -> str:
        """A list of users and groups: of more than so many only address and name are told."""
        if len(principals) <= most:
            return "".join([user_block(self.user(principal)) for principal in principals])
        people = [short_user(principal.uri, principal.shown_name) for principal in principals[:LONG_LIST]]
        return "".join(people) + (limit_exceeded() if len(principals) > LONG_LIST else "")

    def newcomer(self, user: Principal, rosters: Iterable[Roster], legacy: bool) -> str:
        """A user who has just come into some rooms, with his permission mask in each."""
        masks = [(roster.room, roster.masks[user.id]) for roster in rosters]
        shown = [
            room_mask(self._access.legacy_mask(mask) if legacy else mask, room.guid, self._domain(room))
            for room, mask in masks
        ]
        return f"<uib{self.rendered(user)}>{''.join(shown)}</uib>"

    @staticmethod
    def _domain(room: Room) -> str:
        return RoomKey.parse_uri(room.uri).domain

    def mask_in(self, user: Principal, room: Room, legacy: bool) -> tuple[int, str, str]:
        """A user's permission mask in a room, with the room's GUID and domain."""
        mask = self._access.mask(user, room)
        shown = self._access.legacy_mask(mask) if legacy else mask
        return shown, room.guid, self._domain(room)

    def joined(self, rooms: Sequence[Room], session: ChatSession, states: Mapping[int, ReadState]) -> str:
        """Rooms just entered, with everybody who is in them unless a room is large, and what is unread."""
        numbers: dict[int, int] = {}
        users: list[str] = []
        shown: list[str] = []
        for room in rooms:
            holders: dict[int, list[int]] = {}
            roster = self._rosters.find(room.id)
            present = {} if roster is None or roster.large else roster.masks
            for principal_id, known_mask in present.items():
                user = self._directory.by_id(principal_id)
                if user is None:
                    continue
                number = numbers.get(principal_id)
                if number is None:
                    number = numbers[principal_id] = len(numbers)
                    users.append(f'<uib id="{number}"{self.rendered(user)}/>')
                mask = self._access.legacy_mask(known_mask) if session.legacy_masks else known_mask
                holders.setdefault(mask, []).append(number)
            state = states.get(room.id)
            shown.append(
                room_block(
                    self.describe(room),
                    aibs=list(holders.items()),
                    inner="" if state is None else read_state(*state),
                )
            )
        return "".join(users) + "".join(shown)

    @staticmethod
    def failures(refused: Iterable[tuple[RoomKey, ResponseCode]], session: ChatSession) -> str:
        """One failure block a refused room."""
        # COMPAT(pidgin-sipe): the only key ever seen on the wire.
        return "".join(
            fib("OPERATION_FAILED" if session.legacy_masks else code.symbol, key.guid, key.domain)
            for key, code in refused
        )
