"""Rooms: made, changed, moved, disabled, removed, and their role lists, by administrators and by users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve

from pchat.directory.people import Principal
from pchat.errors import AdministrationRefused
from pchat.rooms.access import Access
from pchat.rooms.category import Category
from pchat.rooms.category_administration import CategoryAdministration, taken
from pchat.rooms.committing import ChangeDesk, Subject
from pchat.rooms.entry_limit import check_entries
from pchat.rooms.role_lists import RoleDelta, RoleLists, RoleRules, grants
from pchat.rooms.room import Role, Room
from pchat.rooms.room_plan import RoomState, carry_out, delete, insert
from pchat.rooms.room_planning import Given, RoomPlanner
from pchat.rooms.room_queries import RoomQueries, unknown_room
from pchat.rooms.room_removal import empty, is_large
from pchat.rooms.room_words import read_words, told
from pchat.rooms.search_gate import SearchGate
from pchat.rooms.shown import Shown, removed_shown
from pchat.store.rooms import RoomFields
from pchat.xccos.codes import ResponseCode


class RoomAdministration(RoomQueries):
    """The verbs of ``pchatctl room``, and what users may do of them.

    A verb that is given a ``user`` does only what the rules let that user do: without one an administrator
    acts, who is not subject to managers, creators and allowed lists; those whom he puts on role lists
    are (P-9).

    Args:
        desk: Commits the changes.
        categories: Finds categories.
        access: Decides who may do what, and who is covered by a list.
        rules: Checks and settles role lists.
        gate: Lets reports into the store.

    Source: docs/spec/persistent-chat-server.md sections 2.3, 3.3 and 4.8.
    """

    def __init__(
        self,
        desk: ChangeDesk,
        categories: CategoryAdministration,
        access: Access,
        rules: RoleRules,
        gate: SearchGate,
    ) -> None:
        super().__init__(desk, categories, access, gate)
        self._planner = RoomPlanner(desk, access, rules)

    # -- making and removing

    async def add_room(
        self,
        actor: str,
        name: str,
        *,
        category: str,
        description: str = "",
        privacy: str = "closed",
        behavior: str = "normal",
        invitations: str = "inherit",
        addin: str | None = None,
        disabled: bool = False,
        user: Principal | None = None,
    ) -> Shown:
        """Make a room with empty role lists (M-6); a user who makes one becomes its manager (P-4).

        Args:
            actor: Who does it.
            name: A name that no other room and no category has.
            category: Name or URI of its category.
            description: One line.
            privacy: ``open``, ``closed`` or ``secret``.
            behavior: ``normal`` or ``auditorium``.
            invitations: ``inherit`` from the category, or ``false``.
            addin: Name or GUID of a registered add-in, or none.
            disabled: Whether it begins disabled.
            user: Whose rights count: he must be a creator of the category.

        Raises:
            AdministrationRefused: Name taken or bad, no such category, unknown words, or the user may not.
        """
        words = read_words(
            self._desk.addins,
            name=name,
            description=description,
            privacy=privacy,
            behavior=behavior,
            invitations=invitations,
            addin=addin or "",
        )
        async with self._desk.lock:
            parent = self._categories.parent(category, user)
            self._check_free(words["name"])
            fields = RoomFields(category_id=parent.id, disabled=disabled, **words)
            roles = [] if user is None else [(Role.MANAGER.value, user.id)]
            check_entries(self._desk.tree, self._desk.settings, len(roles))
            guid = self._desk.new_guid()
            uri = self._desk.tree.room_uri(guid)
            after = told(fields, parent, self._desk.addins)
            given = grants(roles, self._desk.directory.uri_of)
            events = [self._desk.event("room_change", actor, {"change": "created", "after": after})]
            if roles:
                events.append(self._desk.event("role_change", actor, {"added": given, "removed": {}}))
            named = tuple(evolve(event, room_uri=uri, room_name=fields.name) for event in events)
            subject = Subject("room", uri, "add", after=after | given)
            await self._desk.commit(subject, actor, insert, guid, fields, roles, named)
            return self.show_room(uri)

    async def remove_room(self, actor: str, text: str) -> None:
        """Remove a room and its messages for good (F-15); only administrators do.

        A room with many messages is disabled first and emptied piece by piece. If that is interrupted it
        stays disabled, without some of its messages, and can be removed again.

        Raises:
            AdministrationRefused: There is no such room, or it was enabled while it was emptied.
        """
        room = self.room(text)
        emptied = is_large(room)
        if emptied:
            if not room.disabled:
                await self.disable_room(actor, room.uri)
            await empty(self._desk, actor, room)
        async with self._desk.lock:
            if self._desk.tree.room_by_id(room.id) is not room:
                raise unknown_room(text)
            if emptied and not room.disabled:
                raise AdministrationRefused(
                    ResponseCode.ERROR_DATA_COLLISION, f"the room {room.name!r} was enabled meanwhile"
                )
            event = self._desk.event("room_change", actor, {"change": "removed"}, room)
            state = RoomState.of(room)
            before = told(state.fields, room.category, self._desk.addins)
            before |= grants(state.lists.pairs(), self._desk.directory.uri_of)
            subject = Subject.of("room", room, "remove", before)
            await self._desk.commit(subject, actor, delete, room.id, event)
            self._desk.tell("room_removed", room)

    # -- changing

    async def change_room(
        self,
        actor: str,
        text: str,
        *,
        name: str | None = None,
        description: str | None = None,
        privacy: str | None = None,
        behavior: str | None = None,
        invitations: str | None = None,
        addin: str | None = None,
        category: str | None = None,
        disabled: bool | None = None,
        lists: Mapping[Role, Iterable[str]] | None = None,
        updated_on: int | None = None,
        user: Principal | None = None,
    ) -> Shown:
        """Change a room, all at once; what is None stays as it is. An empty ``addin`` takes the add-in away.

        Roles that the changed room may not have are taken away: of principals outside the scope of its new
        category (P-10), presenters of a room that is no longer an auditorium, or that are no members of a
        room that is no longer open.

        Args:
            actor: Who does it.
            text: The room.
            name, description, privacy, behavior, invitations, addin: See `add_room`.
            category: Name or URI of the category to move it to.
            disabled: Disables it (F-14), or enables it again.
            lists: Role lists that replace those it has; an empty text empties a list.
            updated_on: When the caller believes it was last changed, in ticks.
            user: Whose rights count: he must be a manager; he does not enable (P-7), and moves only to
                categories that he is a creator of (P-5).

        Returns:
            The room, and as ``removed`` the role entries that were taken away without being named.

        Raises:
            AdministrationRefused: No such room or category, name taken or bad, unknown words, principals that
                may not be on a list, changed meanwhile, or the user may not.
        """
        words = read_words(
            self._desk.addins,
            name=name,
            description=description,
            privacy=privacy,
            behavior=behavior,
            invitations=invitations,
            addin=addin,
        )
        async with self._desk.lock:
            room = self._room_for(text, user, updated_on)
            self._check_free(words.get("name", room.name), room)
            if disabled is not None:
                if user is not None and room.disabled and not disabled:
                    raise _not_allowed("only administrators enable rooms")
                words["disabled"] = disabled
            wanted = self._altered(room, words, self._target(room, category, user))
            given: dict[Role, frozenset[int]] = {}
            for role, texts in (lists or {}).items():
                given[role] = self._numbers(text for text in texts if text.strip())
                wanted = evolve(wanted, lists=wanted.lists.with_holders(role, given[role]))
            removed = await self._commit_change(actor, room, wanted, given)
            return self.show_room(room.uri) | {"removed": removed}

    async def move_room(
        self, actor: str, text: str, category: str, *, user: Principal | None = None
    ) -> Shown:
        """Move a room to another category; see `change_room`."""
        return await self.change_room(actor, text, category=category, user=user)

    async def disable_room(self, actor: str, text: str, *, user: Principal | None = None) -> Shown:
        """Disable a room: everybody leaves, nobody finds it, all is kept (F-14).

        Raises:
            AdministrationRefused: No such room, it is disabled already, or the user may not.
        """
        return await self._set_disabled(actor, text, user, disabled=True)

    async def enable_room(self, actor: str, text: str) -> Shown:
        """Enable a disabled room; only administrators do (P-7).

        Raises:
            AdministrationRefused: No such room, or it is not disabled.
        """
        return await self._set_disabled(actor, text, None, disabled=False)

    async def _set_disabled(self, actor: str, text: str, user: Principal | None, *, disabled: bool) -> Shown:
        async with self._desk.lock:
            room = self._room_for(text, user)
            if room.disabled is disabled:
                word = "disabled" if disabled else "enabled"
                raise AdministrationRefused(
                    ResponseCode.ERROR_INVALID_ARGUMENT, f"the room {room.name!r} is {word} already"
                )
            wanted = self._altered(room, {"disabled": disabled}, room.category)
            await self._commit_change(actor, room, wanted, {})
            return self.show_room(room.uri)

    # -- roles

    async def change_roles(
        self,
        actor: str,
        text: str,
        changes: Mapping[Role, RoleDelta],
        *,
        updated_on: int | None = None,
        user: Principal | None = None,
    ) -> Shown:
        """Put people, groups or domains on role lists and take others from them: all of it, or nothing.

        On the member list of an open room they have no effect while the room is open. A presenter that is no
        longer a member stops being a presenter.

        Args:
            actor: Who does it.
            text: The room.
            changes: Whom to put and take, by role.
            updated_on: When the caller believes the room was last changed, in ticks.
            user: Whose rights count: he must be a manager.

        Returns:
            The room, and as ``removed`` the role entries that were taken away without being named.

        Raises:
            AdministrationRefused: No such room, unknown, there already, not there, out of scope, presenters
                that cannot be, changed meanwhile, or the user may not.
        """
        async with self._desk.lock:
            room = self._room_for(text, user, updated_on)
            wanted, given = RoomState.of(room), {}
            for role, delta in changes.items():
                given[role], kept = self._applied(room, role, delta)
                wanted = evolve(wanted, lists=wanted.lists.with_holders(role, kept))
            if wanted.lists == RoleLists.of(room):
                raise AdministrationRefused(ResponseCode.ERROR_INVALID_ARGUMENT, "nobody is named")
            removed = await self._commit_change(actor, room, wanted, given)
            return self.show_room(room.uri) | {"removed": removed}

    def _applied(self, room: Room, role: Role, delta: RoleDelta) -> tuple[frozenset[int], frozenset[int]]:
        """Tell who is to be put on a list, and the list as it is then to be."""
        held, uri_of = room.holders(role), self._desk.directory.uri_of
        added, removed = self._numbers(delta.add), self._numbers(delta.remove)
        for number in added & removed:
            raise AdministrationRefused(
                ResponseCode.ERROR_INVALID_ARGUMENT,
                f"{uri_of(number)} is to be put on the {role.value} list and taken from it",
            )
        for number in sorted(added & held):
            raise AdministrationRefused(
                ResponseCode.ERROR_PRINCIPALS_ALREADY_DEFINED,
                f"{uri_of(number)} is a {role.value} of {room.name!r} already",
            )
        for number in sorted(removed - held):
            raise AdministrationRefused(
                ResponseCode.ERROR_NO_SUCH_PRINCIPAL,
                f"{uri_of(number)} is not a {role.value} of {room.name!r}",
            )
        return added, (held | added) - removed

    async def add_role(self, actor: str, text: str, role: Role, principals: Iterable[str]) -> list[Shown]:
        """Put people, groups or domains on one role list and give it as it is then; see `change_roles`."""
        shown = await self.change_roles(actor, text, {role: RoleDelta(add=tuple(principals))})
        return self.list_role(shown["uri"], role)

    async def remove_role(self, actor: str, text: str, role: Role, principals: Iterable[str]) -> list[Shown]:
        """Take people, groups or domains from one role list and give it as it is then; see `change_roles`."""
        shown = await self.change_roles(actor, text, {role: RoleDelta(remove=tuple(principals))})
        return self.list_role(shown["uri"], role)

    # -- deciding

    def _room_for(self, text: str, user: Principal | None, updated_on: int | None = None) -> Room:
        """Find a room that somebody may change, and that is still as he knows it."""
        room = self.room(text)
        refusal = None if user is None else self._access.refusal_to_manage(user, room)
        if refusal is ResponseCode.ERROR_NO_SUCH_NODE:
            raise unknown_room(text)
        if refusal is not None:
            raise _not_allowed("only its managers change a room")
        if updated_on is not None and updated_on != room.updated_on:
            raise AdministrationRefused(
                ResponseCode.ERROR_DATA_COLLISION,
                f"the room {room.name!r} was changed meanwhile; look at it again",
            )
        return room

    def _target(self, room: Room, category: str | None, user: Principal | None) -> Category:
        if category is None or self._categories.found(category) is room.category:
            return room.category
        return self._categories.parent(category, user)

    @staticmethod
    def _altered(room: Room, words: Mapping[str, Any], category: Category) -> RoomState:
        now = RoomState.of(room)
        return evolve(now, fields=evolve(now.fields, category_id=category.id, **words), category=category)

    def _check_free(self, name: str, own: Room | None = None) -> None:
        holder = self._desk.tree.name_taken(name)
        if holder is not None and holder is not own:
            raise taken(name)

    async def _commit_change(self, actor: str, room: Room, wanted: RoomState, given: Given) -> list[Shown]:
        before, after = RoomState.of(room), self._planner.settled(room, wanted, given)
        if after == before:
            return []
        check_entries(self._desk.tree, self._desk.settings, len(after.lists) - len(before.lists))
        purged = sorted(wanted.lists.pairs() - after.lists.pairs())
        shown = removed_shown(room, purged, self._desk.directory)
        subject, plan = await self._planner.planned(actor, room, after, purged)
        committed = await self._desk.commit(subject, actor, carry_out, room.id, plan)
        self._tell(room, before, after)
        if committed.invited:
            self._desk.tell("invited", room, committed.invited)
        return shown

    def _tell(self, room: Room, before: RoomState, after: RoomState) -> None:
        if after.fields.disabled and not before.fields.disabled:
            self._desk.tell("room_disabled", room)
            return
        gone = bool(before.lists.pairs() - after.lists.pairs())
        reshaped = before.shape != after.shape
        if gone or reshaped:
            self._desk.tell("rights_narrowed", [room])
        if reshaped or after.lists != before.lists or after.fields.disabled != before.fields.disabled:
            self._desk.tell("rights_changed", [room])
        if after.fields != before.fields:
            self._desk.tell("room_changed", room)


def _not_allowed(why: str) -> AdministrationRefused:
    return AdministrationRefused(ResponseCode.ERROR_PERMISSION, why)
