"""Groups, and who could be given a role, in the administration interface."""

from __future__ import annotations

from pchat.admin.fields import Field, Flag, Text, Texts
from pchat.admin.routes import Answer, Call, Route
from pchat.rooms.eligible_administration import EligibleAdministration
from pchat.rooms.group_administration import GroupAdministration

_GROUP_FIELDS: dict[str, Field] = {"name": Text(), "description": Text()}
_PRINCIPALS: dict[str, Field] = {"principals": Texts()}
_ELIGIBLE_FILTERS: dict[str, Field] = {
    "category": Text(),
    "room": Text(),
    "presenters": Flag(),
    "filter": Text(),
}


class GroupRoutes:
    """The resources ``groups`` and ``eligible``.

    Args:
        groups: Where the rules of groups are.
        eligible: Lists eligible users.
    """

    def __init__(self, groups: GroupAdministration, eligible: EligibleAdministration) -> None:
        self._groups = groups
        self._eligible = eligible

    def routes(self) -> list[Route]:
        """List the operations."""
        return [
            *self._group_routes(),
            *self._member_routes(),
            Route(
                *("GET", "eligible", self._list_eligible),
                query=_ELIGIBLE_FILTERS,
                summary="List users who could be given a role in a category or in a room",
                scope="read",
                answer="EligibleUsers",
            ),
        ]

    def _group_routes(self) -> list[Route]:
        new = {**_GROUP_FIELDS, "members": Texts()}
        return [
            Route(*("GET", "groups", self._list), summary="List groups", scope="read", answer="Groups"),
            Route(
                *("POST", "groups", self._add, new, ("name",)),
                summary="Make a group",
                scope="people",
                answer="Group",
                status=201,
            ),
            Route(
                *("GET", "groups/{group}", self._show),
                summary="Show a group, by its name or URI",
                scope="read",
                answer="Group",
            ),
            Route(
                *("PATCH", "groups/{group}", self._change, _GROUP_FIELDS),
                summary="Rename or describe a group",
                scope="people",
                answer="Group",
            ),
            Route(
                *("DELETE", "groups/{group}", self._remove),
                summary="Remove a group from everything that names it",
                scope="people",
                answer="RemovedGroup",
            ),
        ]

    def _member_routes(self) -> list[Route]:
        members = "groups/{group}/members"
        return [
            Route(
                *("GET", members, self._list_members),
                summary="List who belongs to a group directly",
                scope="read",
                answer="RoleEntries",
            ),
            Route(
                *("POST", members, self._add_members, _PRINCIPALS, ("principals",)),
                summary="Put users and groups into a group: all, or none",
                scope="people",
                answer="RoleEntries",
            ),
            # One request for several, so that all or none are removed; DELETE has no body to name them.
            Route(
                *("POST", f"{members}/remove", self._remove_members, _PRINCIPALS, ("principals",)),
                summary="Take users and groups from a group: all, or none",
                scope="people",
                answer="RoleEntries",
            ),
        ]

    async def _list(self, call: Call) -> Answer:
        return 200, self._groups.list_groups()

    async def _add(self, call: Call) -> Answer:
        return 201, await self._groups.add_group(call.actor, **call.body)

    async def _show(self, call: Call) -> Answer:
        return 200, await self._groups.show_group(*call.names)

    async def _change(self, call: Call) -> Answer:
        return 200, await self._groups.change_group(call.actor, *call.names, **call.body)

    async def _remove(self, call: Call) -> Answer:
        return 200, {"removed": await self._groups.remove_group(call.actor, *call.names)}

    async def _list_members(self, call: Call) -> Answer:
        return 200, self._groups.list_members(*call.names)

    async def _add_members(self, call: Call) -> Answer:
        return 200, await self._groups.add_members(call.actor, call.names[0], call.body["principals"])

    async def _remove_members(self, call: Call) -> Answer:
        return 200, await self._groups.remove_members(call.actor, call.names[0], call.body["principals"])

    async def _list_eligible(self, call: Call) -> Answer:
        filters = {"text" if name == "filter" else name: value for name, value in call.query.items()}
        return 200, await self._eligible.list_eligible(**filters)
