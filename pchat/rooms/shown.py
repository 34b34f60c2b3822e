"""How people, categories and rooms are shown to operators: the values of every listing's JSON.

Source: docs/spec/persistent-chat-server.md sections 2.2 to 2.4 (names of the attributes).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, overload

from pchat import ticks
from pchat.directory.local import LocalDirectory
from pchat.directory.people import Principal, PrincipalKind
from pchat.rooms.addins import Addins
from pchat.rooms.category import Category
from pchat.rooms.room import Role, Room
from pchat.store.addins import AddinRecord
from pchat.store.people import PolicyRecord, PrincipalAudit
from pchat.store.room_reports import Grant

Shown = dict[str, Any]
T = TypeVar("T")


class Listing(Sequence[Shown]):
    """Things as operators see them, each made when it is looked at: of 150 000, most listings show a part.

    Args:
        things: What is listed.
        show: Shows one of them.
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, things: Iterable[T], show: Callable[[T], Shown]) -> None:
        self._things: Sequence[Any] = things if isinstance(things, Sequence) else list(things)
        self._show = show

    def __len__(self) -> int:
        return len(self._things)

    @overload
    def __getitem__(self, index: int) -> Shown: ...
    @overload
    def __getitem__(self, index: slice) -> list[Shown]: ...
    def __getitem__(self, index: int | slice) -> Shown | list[Shown]:
        if isinstance(index, slice):
            return [self._show(thing) for thing in self._things[index]]
        return self._show(self._things[index])

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented


def user_shown(user: Principal, directory: LocalDirectory) -> Shown:
    """Show a user account; ``enabled`` tells whether chat is on for it, by account and policy."""
    return {
        "uri": user.uri,
        "guid": user.guid,
        "name": user.name,
        "display_name": user.display_name,
        "company": user.company,
        "email": user.email,
        "state": user.state.name.lower(),
        "enabled": directory.enabled(user),
    }


def audit_shown(audit: PrincipalAudit | Category | Room | AddinRecord) -> Shown:
    """Show who made and who changed something; times in ISO 8601."""
    return {
        "created_by": audit.created_by,
        "created_on": ticks.to_iso(audit.created_on),
        "updated_by": audit.updated_by,
        "updated_on": ticks.to_iso(audit.updated_on),
    }


def policy_shown(policy: PolicyRecord, directory: LocalDirectory) -> Shown:
    """Show a policy; ``uri`` is that of the user, None for the global one."""
    user = directory.by_id(policy.principal_id)
    return {
        "scope": policy.scope,
        "uri": user.uri if user else None,
        "enabled": policy.enabled,
        "description": policy.description,
    }


def principals_shown(numbers: Iterable[int], directory: LocalDirectory) -> list[Shown]:
    """Show a role list, scope list or the members of a group, by URI; a group with its name."""
    known = [principal for number in numbers if (principal := directory.by_id(number)) is not None]
    return [principal_shown(principal) for principal in sorted(known, key=lambda principal: principal.key)]


def granted_shown(
    numbers: Iterable[int],
    role: Role,
    grants: Mapping[tuple[str, int], Grant],
    directory: LocalDirectory,
) -> list[Shown]:
    """Show a role list with who granted each entry and when; an entry that came meanwhile lacks both."""
    shown = []
    known = [principal for number in numbers if (principal := directory.by_id(number)) is not None]
    for principal in sorted(known, key=lambda principal: principal.key):
        grant = grants.get((role.value, principal.id))
        shown.append(
            {
                **principal_shown(principal),
                "granted_by": grant.granted_by if grant else None,
                "granted_on": ticks.to_iso(grant.granted_on) if grant else None,
            }
        )
    return shown


def principal_shown(principal: Principal) -> Shown:
    """Show somebody as he stands in a list; nobody knows a group by its URI, so it has its name too."""
    entry = {"uri": principal.uri, "kind": principal.kind.name.lower()}
    return entry | {"name": principal.name} if principal.kind is PrincipalKind.GROUP else entry


def group_shown(group: Principal, directory: LocalDirectory) -> Shown:
    """Show a group as it stands in a listing, with the number of those who belong to it directly."""
    return {
        "uri": group.uri,
        "guid": group.guid,
        "name": group.name,
        "description": group.description,
        "number_of_members": len(directory.members(group)),
    }


def category_shown(category: Category, rooms: int, directory: LocalDirectory) -> Shown:
    """Show a category with its lists and the number of its rooms."""
    return {
        "uri": category.uri,
        "name": category.name,
        "description": category.description,
        "invitations": category.invitations,
        "file_upload": category.file_upload,
        "chat_history": category.logged,
        "allowed_members": principals_shown(category.allowed, directory),
        "denied_members": principals_shown(category.denied, directory),
        "creators": principals_shown(category.creators, directory),
        "number_of_chat_rooms": rooms,
        **audit_shown(category),
        "purged_on": purge_shown(category),
    }


def removed_shown(
    place: Category | Room, pairs: Iterable[tuple[str, int]], directory: LocalDirectory
) -> list[Shown]:
    """Show entries that a change took from the role lists of a room or the creators of a category.

    ``room`` is None for a category. Nobody knows rooms and groups by their URIs, so they have names too.
    """
    room_uri = place.uri if isinstance(place, Room) else None
    return [
        {"room": room_uri, "place": place.name, "role": role, **_who(number, directory)}
        for role, number in sorted(pairs)
    ]


def _who(number: int, directory: LocalDirectory) -> Shown:
    principal = directory.by_id(number)
    if principal is None or principal.kind is not PrincipalKind.GROUP:
        return {"uri": directory.uri_of(number)}
    return {"uri": principal.uri, "name": principal.name}


def purge_shown(node: Category | Room) -> str | None:
    """Show when roles were last taken away because a scope or a room became narrower; None for never."""
    return ticks.to_iso(node.purged_on) if node.purged_on else None


def addin_shown(addin: AddinRecord, rooms: int) -> Shown:
    """Show an add-in with the number of rooms that have it."""
    return {
        "guid": addin.guid,
        "name": addin.name,
        "url": addin.url,
        "number_of_chat_rooms": rooms,
        **audit_shown(addin),
    }


def room_shown(room: Room, addins: Addins) -> Shown:
    """Show a room without its role lists, as it stands in a listing."""
    addin = addins.by_guid(room.addin_guid)
    return {
        "uri": room.uri,
        "name": room.name,
        "category": room.category.name,
        "description": room.description,
        "privacy": room.privacy.word,
        "type": room.behavior.word,
        "invitations": "inherit" if room.invitations is None else "false",
        "addin": addin.name if addin else None,
        "disabled": room.disabled,
        **audit_shown(room),
        "purged_on": purge_shown(room),
    }


def room_shown_in_full(room: Room, addins: Addins, directory: LocalDirectory) -> Shown:
    """Show a room with its role lists."""
    return room_shown(room, addins) | {
        f"{role.value}s": principals_shown(room.holders(role), directory) for role in Role
    }
