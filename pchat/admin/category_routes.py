"""Categories of the administration interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pchat.admin.fields import Field, Flag, Text, Texts
from pchat.admin.routes import NOTHING, Answer, Call, Route
from pchat.rooms.category_administration import CategoryAdministration

_CATEGORY_FIELDS: dict[str, Field] = {
    "name": Text("A name that no room and no other category has."),
    "description": Text("One line."),
    "allowed_members": Texts("Users, groups and domains that may be in its rooms."),
    "denied_members": Texts("Those that may not, although allowed."),
    "creators": Texts("Those that may make rooms in it."),
    "invitations": Flag("Whether members of its rooms are invited."),
    "file_upload": Flag("Whether files may be posted."),
    "chat_history": Flag("Whether messages are kept."),
}
#: Members whose name is not that of the rules' argument.
_ARGUMENTS = {"allowed_members": "allowed", "denied_members": "denied"}


def _arguments(body: Mapping[str, Any]) -> dict[str, Any]:
    return {_ARGUMENTS.get(name, name): value for name, value in body.items()}


class CategoryRoutes:
    """The resource ``categories``.

    Args:
        categories: Where its rules are.
    """

    def __init__(self, categories: CategoryAdministration) -> None:
        self._categories = categories

    def routes(self) -> list[Route]:
        """List the operations."""
        return [
            Route(
                *("GET", "categories", self._list),
                summary="List categories",
                scope="read",
                answer="Categories",
            ),
            Route(
                *("POST", "categories", self._add, _CATEGORY_FIELDS, ("name",)),
                summary="Make a category",
                scope="rooms",
                answer="Category",
                status=201,
            ),
            Route(
                *("GET", "categories/{category}", self._show),
                summary="Show a category",
                scope="read",
                answer="Category",
            ),
            Route(
                *("PATCH", "categories/{category}", self._change, _CATEGORY_FIELDS),
                summary="Change a category; a list replaces the whole list",
                scope="rooms",
                answer="Category",
            ),
            Route(
                *("DELETE", "categories/{category}", self._remove),
                summary="Remove a category that has no rooms",
                scope="rooms",
                status=204,
            ),
        ]

    async def _list(self, call: Call) -> Answer:
        return 200, self._categories.list_categories()

    async def _add(self, call: Call) -> Answer:
        return 201, await self._categories.add_category(call.actor, **_arguments(call.body))

    async def _show(self, call: Call) -> Answer:
        return 200, self._categories.show_category(*call.names)

    async def _change(self, call: Call) -> Answer:
        return 200, await self._categories.change_category(call.actor, *call.names, **_arguments(call.body))

    async def _remove(self, call: Call) -> Answer:
        await self._categories.remove_category(call.actor, *call.names)
        return NOTHING
