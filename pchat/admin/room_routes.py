"""Rooms and their role lists in the administration interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pchat.admin.fields import Text, Texts
from pchat.admin.problems import Problem, invalid
from pchat.admin.routes import NOTHING, Answer, Call, Route
from pchat.rooms.room import Role
from pchat.rooms.room_administration import RoomAdministration
from pchat.rooms.room_queries import RoomFilter

_ROOM_FIELDS = dict.fromkeys(("name", "description", "privacy", "type", "invitations", "addin"), Text())
_PRINCIPALS = {"principals": Texts()}
_FILTERS = ("filter", "category", "member", "manager", "privacy", "type", "disabled")
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
        new = {**_ROOM_FIELDS, "category": Text()}
        roles = "rooms/{room}/roles/{role}"
        return [
            Route("GET", "rooms", self._list, query=_FILTERS),
            Route("POST", "rooms", self._add, new, ("name", "category")),
            Route("GET", "rooms/{room}", self._show),
            Route("PATCH", "rooms/{room}", self._change, _ROOM_FIELDS),
            Route("DELETE", "rooms/{room}", self._remove),
            Route("POST", "rooms/{room}/move", self._move, {"category": Text()}, ("category",)),
            Route("POST", "rooms/{room}/disable", self._disable),
            Route("POST", "rooms/{room}/enable", self._enable),
            Route("GET", roles, self._list_role),
            Route("POST", roles, self._add_role, _PRINCIPALS, ("principals",)),
            # One request for several, so that all or none are removed; DELETE has no body to name them.
            Route("POST", f"{roles}/remove", self._remove_role, _PRINCIPALS, ("principals",)),
        ]

    async def _list(self, call: Call) -> Answer:
        filters = _arguments(call.query)
        if "disabled" in filters:
            words = {"true": True, "false": False}
            if filters["disabled"] not in words:
                raise invalid("disabled must be true or false")
            filters["disabled"] = words[filters["disabled"]]
        return 200, self._rooms.list_rooms(RoomFilter(**filters))

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
