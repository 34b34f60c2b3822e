"""Add-ins in the administration interface."""

from __future__ import annotations

from pchat.admin.fields import Field, Flag, Text
from pchat.admin.routes import NOTHING, Answer, Call, Route
from pchat.rooms.addin_administration import AddinAdministration

_ADDIN_FIELDS: dict[str, Field] = {
    "name": Text("A name that no other add-in has, at most 50 characters."),
    "url": Text("An http or https address, at most 255 characters."),
}
_FORCE: dict[str, Field] = {"force": Flag("Take it from the rooms that have it.")}


class AddinRoutes:
    """The resource ``addins``.

    Args:
        addins: Where its rules are.
    """

    def __init__(self, addins: AddinAdministration) -> None:
        self._addins = addins

    def routes(self) -> list[Route]:
        """List the operations."""
        return [
            Route(*("GET", "addins", self._list), summary="List add-ins", scope="read", answer="Addins"),
            Route(
                *("POST", "addins", self._add, _ADDIN_FIELDS, ("name", "url")),
                summary="Register an add-in",
                scope="rooms",
                answer="Addin",
                status=201,
            ),
            Route(
                *("GET", "addins/{addin}", self._show),
                summary="Show an add-in",
                scope="read",
                answer="Addin",
            ),
            Route(
                *("PATCH", "addins/{addin}", self._change, _ADDIN_FIELDS),
                summary="Change an add-in; clients in the rooms that have it are told",
                scope="rooms",
                answer="Addin",
            ),
            Route(
                *("DELETE", "addins/{addin}", self._remove),
                query=_FORCE,
                summary="Remove an add-in that no room has",
                scope="rooms",
                status=204,
            ),
        ]

    async def _list(self, call: Call) -> Answer:
        return 200, self._addins.list_addins()

    async def _add(self, call: Call) -> Answer:
        return 201, await self._addins.add_addin(call.actor, **call.body)

    async def _show(self, call: Call) -> Answer:
        return 200, self._addins.show_addin(*call.names)

    async def _change(self, call: Call) -> Answer:
        return 200, await self._addins.change_addin(call.actor, *call.names, **call.body)

    async def _remove(self, call: Call) -> Answer:
        await self._addins.remove_addin(call.actor, *call.names, **call.query)
        return NOTHING
