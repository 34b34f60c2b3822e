"""Groups: their names and who belongs to them; rights follow at once, role lists stay as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pchat.directory.people import Principal, PrincipalKind
from pchat.errors import AdministrationRefused
from pchat.interfaces import ITransaction
from pchat.rooms.committing import ChangeDesk, ChangeEvent, Subject, Touched
from pchat.rooms.leaving import leave, leaving, membership_event
from pchat.rooms.names import check_description, check_name, fold
from pchat.rooms.principals import group_named, known_group, principal_named, unknown_principal
from pchat.rooms.room import Room
from pchat.rooms.shown import Shown, audit_shown, group_shown, principals_shown
from pchat.store.changes import Stamp
from pchat.store.groups import change_members, set_group
from pchat.store.people import NewPrincipal, insert_principal, principal_audit
from pchat.xccos.codes import ResponseCode


async def _add(
    txn: ITransaction, stamp: Stamp, new: NewPrincipal, members: Iterable[int], event: ChangeEvent | None
) -> Touched:
    group = await insert_principal(txn, new, stamp)
    await change_members(txn, group.principal_id, members, (), stamp)
    numbers = [group.principal_id]
    return Touched(principals=numbers, groups=numbers, events=() if event is None else (event,))


async def _change(
    txn: ITransaction, stamp: Stamp, number: int, name: str, name_folded: str, description: str
) -> Touched:
    await set_group(txn, number, name, name_folded, description, stamp)
    return Touched(principals=[number])


async def _change_members(
    txn: ITransaction,
    stamp: Stamp,
    number: int,
    added: Iterable[int],
    removed: Iterable[int],
    event: ChangeEvent,
) -> Touched:
    await change_members(txn, number, added, removed, stamp)
    return Touched(principals=[number], groups=[number], events=(event,))


class GroupAdministration:
    """The verbs of ``pchatctl group``.

    Args:
        desk: Commits the changes.

    Source: docs/spec/persistent-chat-server.md section 2.4 (M-7, M-8).
    """

    def __init__(self, desk: ChangeDesk) -> None:
        self._desk = desk
        self._directory = desk.directory

    # -- asking

    def group(self, text: str) -> Principal:
        """Find a group by its ``ma-grp:`` URI or its name.

        Raises:
            AdministrationRefused: There is none.
        """
        return known_group(self._directory, text)

    def list_groups(self) -> list[Shown]:
        """List all groups, in the order in which they were made."""
        return [group_shown(group, self._directory) for group in self._directory.groups()]

    async def show_group(self, text: str) -> Shown:
        """Show one group with its members, the groups it belongs to itself, and who made and changed it.

        Raises:
            AdministrationRefused: There is none.
        """
        group = self.group(text)
        audit = await self._desk.store.read(principal_audit, group.id)
        lists = {
            "members": self.list_members(group.uri),
            "groups": principals_shown(self._directory.groups_of(group), self._directory),
        }
        return group_shown(group, self._directory) | lists | audit_shown(audit)

    def list_members(self, text: str) -> list[Shown]:
        """Show who belongs to a group directly.

        Raises:
            AdministrationRefused: There is no such group.
        """
        return principals_shown(self._directory.members(self.group(text)), self._directory)

    # -- changing

    async def add_group(
        self, actor: str, name: str, *, description: str = "", members: Iterable[str] = ()
    ) -> Shown:
        """Make a group.

        Args:
            actor: Who does it.
            name: A name that no other group has.
            description: One line.
            members: Addresses of users, and other groups.

        Raises:
            AdministrationRefused: Name taken or bad, unknown members, domains.
        """
        checked, line = check_name(name, "group"), check_description(description)
        async with self._desk.lock:
            self._check_free(checked)
            found = self._named(members)
            guid = self._desk.new_guid()
            uri = f"ma-grp:{guid}@u.g"
            new = NewPrincipal(
                guid=guid,
                uri=uri,
                uri_folded=uri,
                kind=PrincipalKind.GROUP,
                name=checked,
                name_folded=fold(checked),
                description=line,
            )
            uris = sorted(member.uri for member in found)
            detail = {"group": uri, "name": checked, "added": uris, "removed": []}
            event = self._desk.event("role_change", actor, detail) if found else None
            after = {"name": checked, "description": line, "members": uris}
            numbers = [member.id for member in found]
            await self._desk.commit(
                Subject("group", uri, "add", after=after), actor, _add, new, numbers, event
            )
        return await self.show_group(uri)

    async def change_group(
        self, actor: str, text: str, *, name: str | None = None, description: str | None = None
    ) -> Shown:
        """Rename or describe a group; what is None stays as it is. Its URI never changes.

        Raises:
            AdministrationRefused: No such group, name taken or bad.
        """
        async with self._desk.lock:
            group = self.group(text)
            old = {"name": group.name, "description": group.description}
            new = {
                "name": group.name if name is None else check_name(name, "group"),
                "description": group.description if description is None else check_description(description),
            }
            self._check_free(new["name"], group)
            before = {key: value for key, value in old.items() if value != new[key]}
            if before:
                subject = Subject.of("group", group, "change", before, {key: new[key] for key in before})
                values = (new["name"], fold(new["name"]), new["description"])
                await self._desk.commit(subject, actor, _change, group.id, *values)
        return await self.show_group(group.uri)

    async def remove_group(self, actor: str, text: str) -> list[Shown]:
        """Remove a group with all that it was granted; messages and records go on naming it.

        Only the group itself is taken from lists, nobody else: as when its members leave one by one. Where it
        was denied, those who were denied through it no longer are.

        Returns:
            The entries that were taken away: of rooms, categories and other groups.

        Raises:
            AdministrationRefused: There is no such group.
        """
        async with self._desk.lock:
            group = self.group(text)
            rooms = self._rooms_concerned(group)
            leaves = leaving(self._desk, actor, group)
            before = {
                "name": group.name,
                "description": group.description,
                "members": self._uris(leaves.members),
                "removed": leaves.shown,
            }
            subject = Subject.of("group", group, "remove", before)
            await self._desk.commit(subject, actor, leave, leaves)
            self._tell(rooms)
        return list(leaves.shown)

    async def add_members(self, actor: str, text: str, principals: Iterable[str]) -> list[Shown]:
        """Put users and groups into a group; they have its rights, and are denied what it is, at once.

        Returns:
            The members as they are now.

        Raises:
            AdministrationRefused: No such group, unknown, there already, a domain, or the group itself; then
                nobody is added.
        """
        async with self._desk.lock:
            group = self.group(text)
            found = self._named(principals, nobody_refused=True)
            for member in found:
                if member is group:
                    raise AdministrationRefused(
                        ResponseCode.ERROR_INVALID_ARGUMENT, f"the group {group.name!r} cannot be in itself"
                    )
                if member.id in self._directory.members(group):
                    raise AdministrationRefused(
                        ResponseCode.ERROR_PRINCIPALS_ALREADY_DEFINED,
                        f"{member.uri} is in the group {group.name!r} already",
                    )
            await self._change_members(actor, group, [member.id for member in found], ())
            return self.list_members(group.uri)

    async def remove_members(self, actor: str, text: str, principals: Iterable[str]) -> list[Shown]:
        """Take users and groups from a group; who loses his right to be in a room leaves it.

        Returns:
            The members as they are now.

        Raises:
            AdministrationRefused: No such group, unknown, or not in it; then nobody is taken from it.
        """
        async with self._desk.lock:
            group = self.group(text)
            found = self._named(principals, nobody_refused=True)
            for member in found:
                if member.id not in self._directory.members(group):
                    raise AdministrationRefused(
                        ResponseCode.ERROR_NO_SUCH_PRINCIPAL,
                        f"{member.uri} is not in the group {group.name!r} directly",
                    )
            await self._change_members(actor, group, (), [member.id for member in found])
            return self.list_members(group.uri)

    async def _change_members(
        self, actor: str, group: Principal, added: Sequence[int], removed: Sequence[int]
    ) -> None:
        event = membership_event(self._desk, actor, group, added, removed)
        after = {"added": self._uris(added), "removed": self._uris(removed)}
        subject = Subject.of("group", group, "members", after=after)
        await self._desk.commit(subject, actor, _change_members, group.id, added, removed, event)
        self._tell(self._rooms_concerned(group))

    def _uris(self, numbers: Iterable[int]) -> list[str]:
        return sorted(map(self._directory.uri_of, numbers))

    # -- what follows

    def _rooms_concerned(self, group: Principal) -> Sequence[Room]:
        """Find the rooms in which rights may depend on who is in a group."""
        tree = self._desk.tree
        names = {group.id} | self._directory.all_groups_of(group)
        found = set(tree.rooms_naming(names))
        for category in tree.categories():
            if not names.isdisjoint(category.allowed | category.denied):
                found.update(tree.rooms_in(category))
        return sorted(found, key=lambda room: room.id)

    def _tell(self, rooms: Sequence[Room]) -> None:
        if rooms:
            self._desk.tell("rights_narrowed", rooms)
            self._desk.tell("rights_changed", rooms)

    # -- rules

    def _check_free(self, name: str, own: Principal | None = None) -> None:
        """Refuse the name of another group, and one by which somebody else is known already."""
        holder = group_named(self._directory, name) or self._directory.by_uri(name)
        if (holder is not None and holder is not own) or fold(name) == self._desk.tree.domain:
            raise AdministrationRefused(
                ResponseCode.ERROR_DUPLICATE_NAME, f"another group, a user or a domain is called {name!r}"
            )

    def _named(self, texts: Iterable[str], *, nobody_refused: bool = False) -> list[Principal]:
        found = {}
        for text in texts:
            member = principal_named(self._directory, text)
            if member is None:
                raise unknown_principal(text)
            if member.kind is PrincipalKind.DOMAIN:
                raise AdministrationRefused(
                    ResponseCode.ERROR_INVALID_ARGUMENT,
                    f"{member.uri} is a domain; users and groups belong to groups",
                )
            found[member.id] = member
        if nobody_refused and not found:
            raise AdministrationRefused(ResponseCode.ERROR_INVALID_ARGUMENT, "nobody is named")
        return list(found.values())
