"""Rooms and their role lists in the administration interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pchat.admin.fields import Field, Flag, Number, Text, Texts, Word
from pchat.admin.routes import NOTHING, Answer, Call, Route
from pchat.rooms.room import Behavior, Privacy, Role
from pchat.rooms.room_administration import RoomAdministration
from pchat.rooms.room_queries import RoomFilter
from pchat.rooms.shown import Shown
from pchat.web.problems import Problem

_PRIVACY = Word(tuple(privacy.word for privacy in Privacy), "Who may find and join it.")
_TYPE = Word(tuple(behavior.word for behavior in Behavior), "In an auditorium presenters alone may post.")
_INVITATIONS = Word(("inherit", "false"), "As the category says, or none.")
_ROOM_FIELDS: dict[str, Field] = {
    "name": Text("A name that no other room and no category has."),
    "description": Text("One line."),
    "privacy": _PRIVACY,
    "type": _TYPE,
    "invitations": _INVITATIONS,
    "addin": Text("Name or GUID of a registered add-in; empty for none."),
}
_CATEGORY = Text("Name or URI of a category.")
_PEOPLE = "Addresses of users, groups (or their names) and domains"
_PRINCIPALS = {"principals": Texts(f"{_PEOPLE}.")}
_LISTS: dict[str, Field] = {
    f"{role.value}s": Texts(f"{_PEOPLE}: the whole list of {role.value}s.") for role in Role
}
_DISABLED = Flag("Whether everybody is kept out of it.")
#: More megabytes than a store holds.
_LARGEST_MB = 1 << 31
_FILTERS: dict[str, Field] = {
    "filter": Text("Part of the name, in any case."),
    "search_description": Flag("Whether the text may stand in the description as well."),
    "category": _CATEGORY,
    "addin": Text("Name or GUID of an add-in."),
    "member": Text("Address of somebody who is a member, himself or through a group or his domain."),
    "manager": Text("The same for managers."),
    "presenter": Text("The same for presenters."),
    "privacy": _PRIVACY,
    "type": _TYPE,
    "invitations": _INVITATIONS,
    "disabled": Flag("Disabled rooms only, or the others only."),
    "exceeds_mb": Number(0, _LARGEST_MB, "Rooms whose messages have more megabytes of text than this."),
}
#: Members and filters whose name is not that of the rules' argument.
_ARGUMENTS = {"type": "behavior", "filter": "text"}


def _arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    return {_ARGUMENTS.get(name, name): value for name, value in given.items()}


def _role(word: str) -> Role:
    try:
        return Role(word)
    except ValueError:
        raise Problem(404, "no-such-resource", "the roles are member, manager and presenter") from None


class RoomRoutes:
    """The resources ``rooms`` and ``rooms/{room}/roles/{role}``.

    Args:
        rooms: Where their rules are.
    """

    def __init__(self, rooms: RoomAdministration) -> None:
        self._rooms = rooms

    def routes(self) -> list[Route]:
        """List the operations."""
        new = {**_ROOM_FIELDS, "category": _CATEGORY, "disabled": _DISABLED}
        return [
            Route(
                *("GET", "rooms", self._list),
                query=_FILTERS,
                summary="List rooms: all, or those that pass every filter",
                scope="read",
                answer="Rooms",
            ),
            Route(
                *("POST", "rooms", self._add, new, ("name", "category")),
                summary="Make a room with empty role lists",
                scope="rooms",
                answer="Room",
                status=201,
            ),
            Route(
                *("GET", "rooms/{room}", self._show),
                summary="Show a room with its role lists and how much it holds",
                scope="read",
                answer="Room",
            ),
            Route(
                *("PATCH", "rooms/{room}", self._change, {**new, **_LISTS}),
                summary="Change a room, all at once; a list replaces the whole list",
                scope="rooms",
                answer="Room",
            ),
            Route(
                *("DELETE", "rooms/{room}", self._remove),
                summary="Remove a room and its messages for good",
                scope="rooms",
                status=204,
            ),
            *self._verb_routes(),
            *self._role_routes(),
        ]

    def _verb_routes(self) -> list[Route]:
        return [
            Route(
                *("POST", "rooms/{room}/move", self._move, {"category": _CATEGORY}, ("category",)),
                summary="Move a room to another category; roles outside its scope are taken away",
                scope="rooms",
                answer="Room",
            ),
            Route(
                *("POST", "rooms/{room}/disable", self._disable),
                summary="Disable a room: everybody leaves, nobody finds it, all is kept",
                scope="rooms",
                answer="Room",
            ),
            Route(
                *("POST", "rooms/{room}/enable", self._enable),
                summary="Enable a disabled room",
                scope="rooms",
                answer="Room",
            ),
        ]

    def _role_routes(self) -> list[Route]:
        roles = "rooms/{room}/roles/{role}"
        return [
            Route(
                *("GET", roles, self._list_role),
                summary="List who has a role in a room",
                scope="read",
                answer="RoleEntries",
            ),
            Route(
                *("POST", roles, self._add_role, _PRINCIPALS, ("principals",)),
                summary="Put people, groups or domains on a role list",
                scope="rooms",
                answer="RoleEntries",
            ),
            # One request for several, so that all or none are removed; DELETE has no body to name them.
            Route(
                *("POST", f"{roles}/remove", self._remove_role, _PRINCIPALS, ("principals",)),
                summary="Take people, groups or domains from a role list",
                scope="rooms",
                answer="RoleEntries",
            ),
        ]

    async def _list(self, call: Call) -> Answer:
        filters = _arguments(call.query)
        exceeds_mb = filters.pop("exceeds_mb", None)
        return 200, await self._rooms.find_rooms(RoomFilter(**filters), exceeds_mb=exceeds_mb)

    async def _add(self, call: Call) -> Answer:
        made = await self._rooms.add_room(call.actor, **_arguments(call.body))
        described = await self._rooms.describe_room(made["uri"], size=False)
        return 201, described | {"messages": 0, "content_bytes": 0}

    async def _show(self, call: Call) -> Answer:
        return 200, await self._rooms.describe_room(*call.names)

    async def _change(self, call: Call) -> Answer:
        body = dict(call.body)
        lists = {role: body.pop(f"{role.value}s") for role in Role if f"{role.value}s" in body}
        return 200, await self._described(
            await self._rooms.change_room(call.actor, *call.names, lists=lists, **_arguments(body))
        )

    async def _described(self, changed: Shown) -> Shown:
        """Tell of a changed room what `_show` does, but how much it holds, and what the change took away."""
        removed = {"removed": changed["removed"]} if "removed" in changed else {}
        return await self._rooms.describe_room(changed["uri"], size=False) | removed

    async def _remove(self, call: Call) -> Answer:
        await self._rooms.remove_room(call.actor, *call.names)
        return NOTHING

    async def _move(self, call: Call) -> Answer:
        moved = await self._rooms.move_room(call.actor, call.names[0], call.body["category"])
        return 200, await self._described(moved)

    async def _disable(self, call: Call) -> Answer:
        return 200, await self._described(await self._rooms.disable_room(call.actor, *call.names))

    async def _enable(self, call: Call) -> Answer:
        return 200, await self._described(await self._rooms.enable_room(call.actor, *call.names))

    async def _list_role(self, call: Call) -> Answer:
        room, role = call.names
        return 200, await self._rooms.describe_role(room, _role(role))

    async def _add_role(self, call: Call) -> Answer:
        room, role = call.names
        await self._rooms.add_role(call.actor, room, _role(role), call.body["principals"])
        return 200, await self._rooms.describe_role(room, _role(role))

    async def _remove_role(self, call: Call) -> Answer:
        room, role = call.names
        await self._rooms.remove_role(call.actor, room, _role(role), call.body["principals"])
        return 200, await self._rooms.describe_role(room, _role(role))
