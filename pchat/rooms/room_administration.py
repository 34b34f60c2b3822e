"""Rooms: made, changed, moved, disabled, removed, and their role lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import evolve, frozen

from pchat.directory.people import Principal
from pchat.errors import AdministrationRefused
from pchat.interfaces import ITransaction
from pchat.rooms.access import Access
from pchat.rooms.category_administration import CategoryAdministration, taken
from pchat.rooms.committing import ChangeDesk, ChangeEvent, Subject, Touched
from pchat.rooms.names import check_description, check_name, fold
from pchat.rooms.principals import principal_named, unknown_principal
from pchat.rooms.role_lists import RoleLists, RoleRules, RoomShape, grants
from pchat.rooms.room import Behavior, Privacy, Role, Room
from pchat.rooms.room_words import fields_of, read_word, read_words, told
from pchat.rooms.shown import Shown, principals_shown, removed_shown, room_shown, room_shown_in_full
from pchat.store.changes import Stamp
from pchat.store.rooms import RoomFields, change_roles, delete_room, insert_room, update_room
from pchat.xccos.codes import ResponseCode

Pairs = Sequence[tuple[str, int]]


@frozen
class RoleChange:
    """What is put on and taken from the role lists of a room, and the events that tell of it."""

    added: Pairs = ()
    removed: Pairs = ()
    events: tuple[ChangeEvent, ...] = ()


async def _add(txn: ITransaction, stamp: Stamp, guid: str, fields: RoomFields, event: ChangeEvent) -> Touched:
    number = await insert_room(txn, guid, fields, stamp)
    return Touched(rooms=[number], events=(evolve(event, room_id=number),))


async def _change(
    txn: ITransaction, stamp: Stamp, number: int, fields: RoomFields, roles: RoleChange
) -> Touched:
    await update_room(txn, number, fields, stamp)
    await change_roles(txn, number, roles.added, roles.removed, stamp)
    return Touched(rooms=[number], events=roles.events)


async def _change_roles(txn: ITransaction, stamp: Stamp, number: int, roles: RoleChange) -> Touched:
    await change_roles(txn, number, roles.added, roles.removed, stamp)
    return Touched(rooms=[number], events=roles.events)


async def _remove(txn: ITransaction, stamp: Stamp, number: int, event: ChangeEvent) -> Touched:
    await delete_room(txn, number)
    return Touched(rooms=[number], events=(event,))


class RoomAdministration:
    """The verbs of ``pchatctl room``.

    Administrators are not subject to creators and allowed lists; those who are put on role lists are (P-9).

    Args:
        desk: Commits the changes.
        categories: Finds categories.
        access: Decides who is covered by a list.
        rules: Checks and settles role lists.

    Source: docs/spec/persistent-chat-server.md sections 2.3, 3.3 and 4.8.
    """

    def __init__(
        self, desk: ChangeDesk, categories: CategoryAdministration, access: Access, rules: RoleRules
    ) -> None:
        self._desk = desk
        self._categories = categories
        self._access = access
        self._rules = rules

    # -- asking

    def room(self, text: str) -> Room:
        """Find a room by its URI, its name or its GUID, in any case.

        Raises:
            AdministrationRefused: There is none.
        """
        tree = self._desk.tree
        found = tree.room_by_uri(text) or tree.room_by_name(text) or tree.room(tree.domain, text.strip())
        if found is None:
            raise AdministrationRefused(ResponseCode.ERROR_NO_SUCH_NODE, f"there is no room {text[:80]!r}")
        return found

    def list_rooms(
        self,
        *,
        text: str | None = None,
        category: str | None = None,
        member: str | None = None,
        manager: str | None = None,
        privacy: str | None = None,
        behavior: str | None = None,
        disabled: bool | None = None,
    ) -> list[Shown]:
        """List rooms, all or those that pass every filter given.

        Args:
            text: Part of the name or description, in any case.
            category: Name or URI of the category.
            member, manager: Address of somebody on that role list, himself or through his domain.
            privacy: ``open``, ``closed`` or ``secret``.
            behavior: ``normal`` or ``auditorium``.
            disabled: Only disabled rooms, or only others.

        Raises:
            AdministrationRefused: A filter names something that does not exist.
        """
        tree = self._desk.tree
        rooms = list(tree.rooms() if category is None else tree.rooms_in(self._categories.category(category)))
        for role, named in ((Role.MEMBER, member), (Role.MANAGER, manager)):
            if named is not None:
                principal = self._principal(named)
                rooms = [room for room in rooms if self._access.covered(principal, room.holders(role))]
        if privacy is not None:
            wanted_privacy = read_word(Privacy, privacy, "privacy")
            rooms = [room for room in rooms if room.privacy is wanted_privacy]
        if behavior is not None:
            wanted_behavior = read_word(Behavior, behavior, "type")
            rooms = [room for room in rooms if room.behavior is wanted_behavior]
        if disabled is not None:
            rooms = [room for room in rooms if room.disabled is disabled]
        part = fold(text or "")
        return [
            room_shown(room) for room in rooms if part in fold(room.name) or part in fold(room.description)
        ]

    def show_room(self, text: str) -> Shown:
        """Show one room with its role lists.

        Raises:
            AdministrationRefused: There is none.
        """
        return room_shown_in_full(self.room(text), self._desk.directory)

    def list_role(self, text: str, role: Role) -> list[Shown]:
        """Show one role list of a room.

        Raises:
            AdministrationRefused: There is no such room.
        """
        return principals_shown(self.room(text).holders(role), self._desk.directory)

    # -- changing

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
    ) -> Shown:
        """Make a room with empty role lists (M-6).

        Args:
            actor: Who does it.
            name: A name that no other room and no category has.
            category: Name or URI of its category.
            description: One line.
            privacy: ``open``, ``closed`` or ``secret``.
            behavior: ``normal`` or ``auditorium``.
            invitations: ``inherit`` from the category, or ``false``.
            addin: A registered add-in, or none.

        Raises:
            AdministrationRefused: Name taken or bad, no such category, unknown words.
        """
        words = read_words(privacy=privacy, behavior=behavior, invitations=invitations, addin=addin or "")
        checked, line = check_name(name, "room"), check_description(description)
        async with self._desk.lock:
            parent = self._categories.category(category)
            self._check_free(checked)
            fields = RoomFields(
                category_id=parent.id,
                name=checked,
                name_folded=fold(checked),
                description=line,
                disabled=False,
                **words,
            )
            guid = self._desk.new_guid()
            event = self._desk.event(
                "room_change", actor, {"change": "created", "after": told(fields, parent)}
            )
            event = evolve(event, room_uri=self._desk.tree.room_uri(guid), room_name=checked)
            await self._desk.commit(Subject("room", event.room_uri, "add"), actor, _add, guid, fields, event)
            return self.show_room(checked)

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
    ) -> Shown:
        """Change a room; what is None stays as it is. An empty ``addin`` takes the add-in away.

        Roles that the changed room may not have are taken away: presenters of a room that is no longer an
        auditorium, or that are no members of a room that is no longer open.

        Returns:
            The room, and as ``removed`` the role entries that were taken away.

        Raises:
            AdministrationRefused: No such room, name taken or bad, unknown words.
        """
        words = read_words(privacy=privacy, behavior=behavior, invitations=invitations, addin=addin)
        async with self._desk.lock:
            room = self.room(text)
            fields = evolve(fields_of(room), **words)
            if name is not None:
                checked = check_name(name, "room")
                self._check_free(checked, room)
                fields = evolve(fields, name=checked, name_folded=fold(checked))
            if description is not None:
                fields = evolve(fields, description=check_description(description))
            removed = await self._commit_change(actor, room, fields, "changed")
            return self.show_room(room.uri) | {"removed": removed}

    async def move_room(self, actor: str, text: str, category: str) -> Shown:
        """Move a room to another category; roles that lie outside its scope are taken away (P-10).

        Returns:
            The room, and as ``removed`` the role entries that were taken away.

        Raises:
            AdministrationRefused: No such room or category.
        """
        async with self._desk.lock:
            room, target = self.room(text), self._categories.category(category)
            fields = evolve(fields_of(room), category_id=target.id)
            removed = await self._commit_change(actor, room, fields, "moved")
            return self.show_room(room.uri) | {"removed": removed}

    async def disable_room(self, actor: str, text: str) -> Shown:
        """Disable a room: everybody leaves, nobody finds it, all is kept (F-14).

        Raises:
            AdministrationRefused: No such room, or it is disabled already.
        """
        return await self._set_disabled(actor, text, disabled=True)

    async def enable_room(self, actor: str, text: str) -> Shown:
        """Enable a disabled room.

        Raises:
            AdministrationRefused: No such room, or it is not disabled.
        """
        return await self._set_disabled(actor, text, disabled=False)

    async def _set_disabled(self, actor: str, text: str, *, disabled: bool) -> Shown:
        word = "disabled" if disabled else "enabled"
        async with self._desk.lock:
            room = self.room(text)
            if room.disabled is disabled:
                raise AdministrationRefused(
                    ResponseCode.ERROR_INVALID_ARGUMENT, f"the room {room.name!r} is {word} already"
                )
            await self._commit_change(actor, room, evolve(fields_of(room), disabled=disabled), word)
            return self.show_room(room.uri)

    async def remove_room(self, actor: str, text: str) -> None:
        """Remove a room and its messages for good (F-15).

        Raises:
            AdministrationRefused: There is no such room.
        """
        async with self._desk.lock:
            room = self.room(text)
            event = self._desk.event("room_change", actor, {"change": "removed"}, room)
            await self._desk.commit(Subject.of("room", room, "remove"), actor, _remove, room.id, event)
            self._desk.tell("room_removed", room)

    async def _commit_change(self, actor: str, room: Room, fields: RoomFields, word: str) -> list[Shown]:
        before, lists = fields_of(room), RoleLists.of(room)
        category = self._desk.tree.category_by_id(fields.category_id) or room.category
        shape = RoomShape(category, Privacy(fields.privacy), Behavior(fields.behavior))
        lost = sorted(lists.pairs() - self._rules.settled(lists, shape).pairs())
        removed = removed_shown(room.uri, lost, self._desk.directory)
        events = []
        if fields != before:
            old, new = told(before, room.category), told(fields, category)
            detail = {
                "change": word,
                "before": {key: value for key, value in old.items() if value != new[key]},
                "after": {key: value for key, value in new.items() if value != old[key]},
            }
            events.append(self._desk.event("room_change", actor, detail, room))
        if lost:
            detail = {"added": {}, "removed": grants(lost, self._desk.directory.uri_of), "reason": word}
            events.append(self._desk.event("role_change", actor, detail, room))
        change = RoleChange((), lost, tuple(events))
        await self._desk.commit(Subject.of("room", room, word), actor, _change, room.id, fields, change)
        if fields.disabled and not before.disabled:
            self._desk.tell("room_disabled", room)
            return removed
        if lost or (before.category_id, before.privacy, before.behavior) != (
            *(fields.category_id, fields.privacy, fields.behavior),
        ):
            self._desk.tell("rights_narrowed", [room])
        self._desk.tell("room_changed", room)
        return removed

    # -- roles

    async def add_role(self, actor: str, text: str, role: Role, principals: Iterable[str]) -> list[Shown]:
        """Put people, groups or domains on a role list.

        On the member list of an open room they have no effect while the room is open.

        Returns:
            The list as it is now.

        Raises:
            AdministrationRefused: No such room, unknown, there already, out of scope, or presenters that
                cannot be; then nobody is added.
        """
        async with self._desk.lock:
            room = self.room(text)
            wanted = self._principals(principals)
            lists = RoleLists.of(room)
            there = [principal for principal in wanted if principal.id in lists.holders(role)]
            if there:
                raise AdministrationRefused(
                    ResponseCode.ERROR_PRINCIPALS_ALREADY_DEFINED,
                    f"{there[0].uri} is a {role.value} of {room.name!r} already",
                )
            self._rules.check_grant(role, wanted, RoomShape.of(room), lists)
            added = sorted((role.value, principal.id) for principal in wanted)
            await self._commit_roles(actor, room, added, [])
            return self.list_role(room.uri, role)

    async def remove_role(self, actor: str, text: str, role: Role, principals: Iterable[str]) -> list[Shown]:
        """Take people, groups or domains from a role list; who loses his right to be in the room leaves it.

        A presenter that is no longer a member stops being a presenter.

        Returns:
            The list as it is now.

        Raises:
            AdministrationRefused: No such room, unknown, or not on the list; then nobody is removed.
        """
        async with self._desk.lock:
            room = self.room(text)
            wanted = self._principals(principals)
            lists = RoleLists.of(room)
            for principal in wanted:
                if principal.id not in lists.holders(role):
                    raise AdministrationRefused(
                        ResponseCode.ERROR_NO_SUCH_PRINCIPAL,
                        f"{principal.uri} is not a {role.value} of {room.name!r}",
                    )
            numbers = {principal.id for principal in wanted}
            kept = self._rules.settled(
                lists.with_holders(role, lists.holders(role) - numbers), RoomShape.of(room)
            )
            await self._commit_roles(actor, room, [], sorted(lists.pairs() - kept.pairs()))
            self._desk.tell("rights_narrowed", [room])
            return self.list_role(room.uri, role)

    async def _commit_roles(self, actor: str, room: Room, added: Pairs, removed: Pairs) -> None:
        uri_of = self._desk.directory.uri_of
        detail = {"added": grants(added, uri_of), "removed": grants(removed, uri_of)}
        change = RoleChange(added, removed, (self._desk.event("role_change", actor, detail, room),))
        await self._desk.commit(
            Subject.of("role", room, "change", after=detail), actor, _change_roles, room.id, change
        )

    # -- rules

    def _check_free(self, name: str, own: Room | None = None) -> None:
        holder = self._desk.tree.name_taken(name)
        if holder is not None and holder is not own:
            raise taken(name)

    def _principals(self, texts: Iterable[str]) -> list[Principal]:
        found = {principal.id: principal for principal in map(self._principal, texts)}
        if not found:
            raise AdministrationRefused(ResponseCode.ERROR_INVALID_ARGUMENT, "nobody is named")
        return list(found.values())

    def _principal(self, text: str) -> Principal:
        found = principal_named(self._desk.directory, text)
        if found is None:
            raise unknown_principal(text)
        return found
