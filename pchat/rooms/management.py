"""Rooms made and changed by users, and what they ask before they do: roles, principals, rights, add-ins.

Every rule is that of `pchat.rooms.room_administration`; here is only what comes from the wire and goes there.
What concerns a room is answered first by whether the asker may know the room at all, so that nothing else
can tell a secret room from one that does not exist.

Source: docs/spec/persistent-chat-server.md sections 3.3, 3.4, 4.10 and 4.12; docs/spec/xccos.md 3.12, 3.13
and chapter 10; docs/xccos-extensions.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from pchat.errors import CommandRefused
from pchat.rooms.eligible import USERS, USERS_AND_GROUPS, Criterion
from pchat.rooms.role_lists import RoleDelta
from pchat.rooms.room import Behavior, Privacy, Role
from pchat.rooms.slices import in_slices, pause_by
from pchat.xccos.codes import ResponseCode
from pchat.xccos.room_commands import (
    CreateRoom,
    ModifyRoles,
    ModifyRoom,
    NoArguments,
    RoleSearch,
    RoomQuestion,
    RoomWishes,
    UserSearch,
)
from pchat.xccos.room_writer import addin_block, category_block, role_list
from pchat.xccos.writer import limit_exceeded, room_mask, user_block

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from pchat.directory.local import LocalDirectory
    from pchat.directory.people import Principal
    from pchat.rooms.access import Access
    from pchat.rooms.addins import Addins
    from pchat.rooms.blocks import Blocks
    from pchat.rooms.category import Category
    from pchat.rooms.eligible import Eligible
    from pchat.rooms.room import Room
    from pchat.rooms.room_administration import RoomAdministration
    from pchat.rooms.session import ChatSession
    from pchat.rooms.settings import Settings
    from pchat.rooms.tree import NodeTree
    from pchat.xccos.arguments import RoomKey
    from pchat.xccos.parser import Command

_PRIVACY_WORDS = {privacy.wire_word: privacy.word for privacy in Privacy}
_BEHAVIOR_WORDS = {behavior.wire_word: behavior.word for behavior in Behavior}
_ROLES = {"MEMBER": Role.MEMBER, "MANAGER": Role.MANAGER, "PRESENTER": Role.PRESENTER}


class Management:
    """Runs the commands that make and change rooms, and those that are asked on the way there.

    Args:
        rooms: Makes and changes rooms.
        tree: Rooms and categories.
        access: Who may do what.
        directory: People and groups.
        eligible: Finds people and groups.
        addins: The registered add-ins.
        settings: Limits.
        blocks: Wire forms.
        clock: The reactor's time, for pauses in long searches.
    """

    def __init__(
        self,
        rooms: RoomAdministration,
        tree: NodeTree,
        access: Access,
        directory: LocalDirectory,
        eligible: Eligible,
        addins: Addins,
        settings: Settings,
        blocks: Blocks,
        clock: IReactorTime,
    ) -> None:
        self._rooms = rooms
        self._tree = tree
        self._access = access
        self._directory = directory
        self._eligible = eligible
        self._addins = addins
        self._settings = settings
        self._blocks = blocks
        self._pause = pause_by(clock)

    # -- changing

    async def cmd_chancreate(self, session: ChatSession, command: Command, wish: CreateRoom) -> None:
        """Make a room; who makes it becomes its manager (P-4)."""
        given = _arguments(wish.wishes)
        name = given.pop("name")
        shown = await self._rooms.add_room(session.user.uri, name, user=session.user, **given)
        self._show(session, command, shown["uri"])

    async def cmd_chanmodify(self, session: ChatSession, command: Command, wish: ModifyRoom) -> None:
        """Change a room, all that was asked for or nothing (P-5, P-7)."""
        room = self._managed(session.user, wish.room)
        await self._rooms.change_room(
            session.user.uri,
            room.uri,
            disabled=wish.disabled,
            updated_on=wish.updated_on,
            user=session.user,
            **_arguments(wish.wishes),
        )
        self._show(session, command, room.uri)

    async def cmd_chanroles(self, session: ChatSession, command: Command, wish: ModifyRoles) -> None:
        """Change the role lists of a room, all that was asked for or nothing (P-2, P-3)."""
        room = self._managed(session.user, wish.room)
        changes = {
            _ROLES[word]: RoleDelta(change.add, change.remove) for word, change in wish.changes.items()
        }
        await self._rooms.change_roles(
            session.user.uri, room.uri, changes, updated_on=wish.updated_on, user=session.user
        )
        self._show(session, command, room.uri)

    # -- asking

    async def cmd_getroles(self, session: ChatSession, command: Command, wish: RoomQuestion) -> None:
        """Tell the role lists of a room to whoever may see it."""
        room = self._visible(session.user, wish.room)
        lists = [self._role_list(word, room.holders(role)) for word, role in _ROLES.items()]
        session.reply(command, ResponseCode.SUCCESS_OK, "".join(lists))

    async def cmd_getperms(self, session: ChatSession, command: Command, wish: RoomQuestion) -> None:
        """Tell the asker's own permission mask in a room that he may see."""
        room = self._visible(session.user, wish.room)
        mask = self._blocks.mask_in(session.user, room, session.legacy_masks)
        session.reply(command, ResponseCode.SUCCESS_OK, room_mask(*mask))

    async def cmd_prinsrch(
        self, session: ChatSession, command: Command, wish: UserSearch | RoleSearch
    ) -> None:
        """Find people by name, or those who could be given a role in a room."""
        criterion = Criterion.of(wish.criteria)
        limit = self._settings.search_limit
        if wish.max_results is not None:
            limit = min(limit, wish.max_results)
        people: list[Principal] = []
        async for some in in_slices(list(self._directory.principals()), self._pause):
            # Looked at anew with each slice: the asker may have lost his right meanwhile.
            found = (
                self._eligible.called(criterion, USERS, some)
                if isinstance(wish, UserSearch)
                else self._for_role(session.user, wish, criterion, some)
            )
            people.extend(islice(found, limit + 1 - len(people)))
            if len(people) > limit:
                break
        data = "".join([user_block(self._blocks.user(principal)) for principal in people[:limit]])
        session.reply(
            command, ResponseCode.SUCCESS_OK, data + (limit_exceeded() if len(people) > limit else "")
        )

    async def cmd_getaddins(self, session: ChatSession, command: Command, wish: NoArguments) -> None:
        """Tell the add-ins that a manager may choose from."""
        known = [addin_block(addin.guid, addin.name, addin.url) for addin in self._addins]
        session.reply(command, ResponseCode.SUCCESS_OK, "".join(known))

    async def cmd_nodespermcreatechild(
        self, session: ChatSession, command: Command, wish: NoArguments
    ) -> None:
        """Tell the categories in which the asker may make rooms."""
        mine = [
            category_block(
                category.uri,
                category.name,
                category.description,
                invite=category.invitations,
                filepost=category.file_upload,
                logged=category.logged,
            )
            for category in self._tree.categories()
            if self._access.may_create(session.user, category)
        ]
        session.reply(command, ResponseCode.SUCCESS_OK, "".join(mine))

    # -- finding what a command is about

    def _visible(self, user: Principal, key: RoomKey) -> Room:
        """Find a room whose card the user may read; a manager reads that of a disabled room too."""
        room = self._known(key)
        refused = self._access.refusal_to_see(user, room)
        if refused is not None and self._access.refusal_to_manage(user, room) is not None:
            raise CommandRefused(refused, key.guid)
        return room

    def _managed(self, user: Principal, key: RoomKey) -> Room:
        """Find a room that the user may change."""
        room = self._known(key)
        refused = self._access.refusal_to_manage(user, room)
        if refused is not None:
            raise CommandRefused(refused, key.guid)
        return room

    def _known(self, key: RoomKey) -> Room:
        room = self._tree.room(key.domain, key.guid)
        if room is None:
            raise CommandRefused(ResponseCode.ERROR_NO_SUCH_NODE, key.guid)
        return room

    def _for_role(
        self, user: Principal, wish: RoleSearch, criterion: Criterion, among: Sequence[Principal]
    ) -> Iterator[Principal]:
        if wish.room is not None:
            room = self._managed(user, wish.room)
            return self._eligible.for_role(room, _ROLES[wish.role], criterion, USERS_AND_GROUPS, among)
        return self._eligible.in_category(self._own_category(user, wish), criterion, USERS_AND_GROUPS, among)

    def _own_category(self, user: Principal, wish: RoleSearch) -> Category:
        category = self._tree.category_by_uri(wish.category or "")
        if category is None or not self._access.in_scope(user, category):
            raise CommandRefused(ResponseCode.ERROR_NO_SUCH_NODE, "no such category")
        if not self._access.may_create(user, category):
            raise CommandRefused(ResponseCode.ERROR_PERMISSION, "not a creator of the category")
        return category

    # -- telling

    def _show(self, session: ChatSession, command: Command, uri: str) -> None:
        room = self._tree.room_by_uri(uri)
        if room is None:
            # An administrator removed it in the same moment.
            raise CommandRefused(ResponseCode.ERROR_NO_SUCH_NODE, uri)
        # Who has just taken his own right away is told no more than what he named himself.
        seen = self._access.refusal_to_see(session.user, room) is None
        managed = self._access.refusal_to_manage(session.user, room) is None
        data = self._blocks.room(room) if seen or managed else self._blocks.reference(room)
        session.reply(command, ResponseCode.SUCCESS_OK, data)

    def _role_list(self, word: str, numbers: frozenset[int]) -> str:
        holders = [who for number in numbers if (who := self._directory.by_id(number)) is not None]
        holders.sort(key=lambda principal: principal.key)
        return role_list(word, self._blocks.users(holders, self._settings.search_limit))


def _arguments(wishes: RoomWishes) -> dict[str, Any]:
    """Turn what was said into arguments of `RoomAdministration`; what was not said is left out."""
    given: dict[str, Any] = {
        "name": wishes.name,
        "description": wishes.description,
        "category": wishes.parent,
        "addin": wishes.addin,
    }
    if wishes.visibility is not None:
        given["privacy"] = _PRIVACY_WORDS[wishes.visibility]
    if wishes.behavior is not None:
        given["behavior"] = _BEHAVIOR_WORDS[wishes.behavior]
    if wishes.invite is not None:
        given["invitations"] = "inherit" if wishes.invite else "false"
    return {name: value for name, value in given.items() if value is not None}
