"""What a principal that is removed is taken from, with the events that tell of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from pchat.directory.people import Principal, PrincipalKind
from pchat.interfaces import ITransaction
from pchat.rooms.category import Category
from pchat.rooms.committing import ChangeDesk, ChangeEvent, Touched
from pchat.rooms.role_lists import RoleLists, grants
from pchat.rooms.room import Room
from pchat.rooms.scope import ScopeLists
from pchat.rooms.shown import Shown
from pchat.store.changes import Stamp
from pchat.store.groups import change_members
from pchat.store.people import retire_principal
from pchat.store.rooms import change_roles, change_scope

#: Lists of categories as operators are told of them.
_LISTS = {"allow": "allowed", "deny": "denied", "create": "creator"}

Grants = Mapping[int, Sequence[tuple[str, int]]]


@frozen
class Leaving:
    """What somebody is taken from.

    Args:
        principal_id: Who.
        scopes: Entries on lists of categories, by number of category.
        roles: Entries on role lists, by number of room.
        groups: Groups that he belongs to directly.
        members: Who belongs to him directly, if he is a group.
        events: Compliance events.
        shown: What is taken away, as operators are shown it.
    """

    principal_id: int
    scopes: Grants
    roles: Grants
    groups: tuple[int, ...]
    members: tuple[int, ...]
    events: tuple[ChangeEvent, ...]
    shown: tuple[Shown, ...]


def leaving(desk: ChangeDesk, actor: str, who: Principal) -> Leaving:
    """Find everything that names somebody who is to be removed.

    Args:
        desk: Where the change is decided; its lock is held.
        actor: Who removes him.
        who: A user or a group.
    """
    scopes: dict[int, Sequence[tuple[str, int]]] = {}
    roles: dict[int, Sequence[tuple[str, int]]] = {}
    events = []
    shown: list[Shown] = []
    for category in desk.tree.categories():
        pairs = [pair for pair in sorted(ScopeLists.of(category).pairs()) if pair[1] == who.id]
        if pairs:
            scopes[category.id] = pairs
            detail = {"category": category.uri, "name": category.name, "change": "changed", "added": {}}
            removed = grants(pairs, desk.directory.uri_of)
            events.append(desk.event("scope_change", actor, detail | {"removed": removed}))
            shown += [_entry("category", category, _LISTS[name], who) for name, _ in pairs]
    for room in desk.tree.rooms_naming([who.id]):
        pairs = [pair for pair in sorted(RoleLists.of(room).pairs()) if pair[1] == who.id]
        roles[room.id] = pairs
        removed = grants(pairs, desk.directory.uri_of)
        events.append(desk.event("role_change", actor, {"added": {}, "removed": removed}, room))
        shown += [_entry("room", room, name, who) for name, _ in pairs]
    groups = tuple(sorted(desk.directory.groups_of(who)))
    for number in groups:
        group = desk.directory.by_id(number)
        if group is not None:
            events.append(membership_event(desk, actor, group, (), [who.id]))
            shown.append(_entry("group", group, "member", who))
    members = tuple(sorted(desk.directory.members(who)))
    if members:
        events.append(membership_event(desk, actor, who, (), members))
    return Leaving(who.id, scopes, roles, groups, members, tuple(events), tuple(shown))


def _entry(what: str, place: Room | Category | Principal, role: str, who: Principal) -> Shown:
    places = {"room": None, "category": None, "group": None} | {what: place.uri}
    name = {"name": who.name} if who.kind is PrincipalKind.GROUP else {}
    return {**places, "place": place.name, "role": role, "uri": who.uri, **name}


def membership_event(
    desk: ChangeDesk, actor: str, group: Principal, added: Iterable[int], removed: Iterable[int]
) -> ChangeEvent:
    """Describe for compliance who was put into a group and taken from it: a role change of no one room."""
    uri_of = desk.directory.uri_of
    detail = {
        "group": group.uri,
        "name": group.name,
        "added": sorted(map(uri_of, added)),
        "removed": sorted(map(uri_of, removed)),
    }
    return desk.event("role_change", actor, detail)


async def leave(txn: ITransaction, stamp: Stamp, leaves: Leaving) -> Touched:
    """Take somebody from everything and retire him; messages go on naming him."""
    who = leaves.principal_id
    for category_id, pairs in leaves.scopes.items():
        await change_scope(txn, category_id, [], pairs, stamp)
    for room_id, pairs in leaves.roles.items():
        await change_roles(txn, room_id, [], pairs, stamp)
    for group_id in leaves.groups:
        await change_members(txn, group_id, (), [who], stamp)
    if leaves.members:
        await change_members(txn, who, (), leaves.members, stamp)
    await retire_principal(txn, who, stamp)
    groups = [*leaves.groups, who] if leaves.members else leaves.groups
    return Touched(leaves.scopes, leaves.roles, [who], groups=groups, events=leaves.events)
