"""Rooms and their role lists in the administration interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pchat.admin.fields import Field, Flag, Text, Texts, Word
from pchat.admin.problems import Problem
from pchat.admin.routes import NOTHING, Answer, Call, Route
from pchat.rooms.room import Behavior, Privacy, Role
from pchat.rooms.room_administration import RoomAdministration
from pchat.rooms.room_queries import RoomFilter

_PRIVACY = Word(tuple(privacy.word for privacy in Privacy), "Who may find and join it.")
_TYPE = Word(tuple(behavior.word for behavior in Behavior), "In an auditorium presenters alone may post.")
_ROOM_FIELDS: dict[str, Field] = {
    "name": Text("A name that no other room and no category has."),
    "description": Text("One line."),
    "privacy": _PRIVACY,
    "type": _TYPE,
    "invitations": Word(("inherit", "false"), "As the category says, or none."),
    "addin": Text("A registered add-in; empty for none."),
}
_CATEGORY = Text("Name or URI of a category.")
_PRINCIPALS = {"principals": Texts("Addresses of users, groups (or their names) and domains.")}
_FILTERS: dict[str, Field] = {
    "filter": Text("Part of the name or description, in any case."),
    "category": _CATEGORY,
    "member": Text("Address of somebody who is a member, himself or through a group or his domain."),
    "manager": Text("The same for managers."),
    "privacy": _PRIVACY,
    "type": _TYPE,
    "disabled": Flag("Disabled rooms only, or the others only."),
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
        new = {**_ROOM_FIELDS, "category": _CATEGORY}
        roles = "rooms/{room}/roles/{role}"
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
                summary="Show a room with its role lists",
                scope="read",
                answer="Room",
            ),
            Route(
                *("PATCH", "rooms/{room}", self._change, _ROOM_FIELDS),
                summary="Change a room",
                scope="rooms",
                answer="Room",
            ),
            Route(
                *("DELETE", "rooms/{room}", self._remove),
                summary="Remove a room and its messages for good",
                scope="rooms",
                status=204,
            ),
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
        return 200, self._rooms.list_rooms(RoomFilter(**_arguments(call.query)))

    async def _add(self, call: Call) -> Answer:
        return 201, await self._rooms.add_room(call.actor, **_arguments(call.body))

    async def _show(self, call: Call) -> Answer:
        return 200, self._rooms.show_room(*call.names)

    async def _change(self, call: Call) -> Answer:
        return 200, await self._rooms.change_room(call.actor, *call.names, **_arguments(call.body))

    async def _remove(self, call: Call) -> Answer:
        await self._rooms.remove_room(call.actor, *call.names)
        return NOTHING

    async def _move(self, call: Call) -> Answer:
        return 200, await self._rooms.move_room(call.actor, call.names[0], call.body["category"])

    async def _disable(self, call: Call) -> Answer:
        return 200, await self._rooms.disable_room(call.actor, *call.names)

    async def _enable(self, call: Call) -> Answer:
        return 200, await self._rooms.enable_room(call.actor, *call.names)

    async def _list_role(self, call: Call) -> Answer:
        room, role = call.names
        return 200, self._rooms.list_role(room, _role(role))

    async def _add_role(self, call: Call) -> Answer:
        room, role = call.names
        return 200, await self._rooms.add_role(call.actor, room, _role(role), call.body["principals"])

    async def _remove_role(self, call: Call) -> Answer:
        room, role = call.names
        return 200, await self._rooms.remove_role(call.actor, room, _role(role), call.body["principals"])
