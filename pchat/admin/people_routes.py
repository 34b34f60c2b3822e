"""Users and policies of the administration interface."""

from __future__ import annotations

from pchat.admin.fields import Field, Flag, Text
from pchat.admin.routes import NOTHING, Answer, Call, Route
from pchat.directory.people import check_user_uri
from pchat.errors import AdministrationRefused
from pchat.rooms.people_administration import PeopleAdministration
from pchat.xccos.codes import ResponseCode

_USER_FIELDS = dict.fromkeys(("uri", "password", "display_name", "company", "email"), Text())
_POLICY_FIELDS: dict[str, Field] = {"enabled": Flag(), "description": Text()}


class PeopleRoutes:
    """The resources ``users`` and ``policies``.

    Args:
        people: Where their rules are.
    """

    def __init__(self, people: PeopleAdministration) -> None:
        self._people = people

    def routes(self) -> list[Route]:
        """List the operations; of two that match, the first is meant."""
        return [
            Route("GET", "users", self._list_users),
            Route("POST", "users", self._add_user, _USER_FIELDS, ("uri",)),
            Route("GET", "users/{user}", self._show_user),
            Route("DELETE", "users/{user}", self._remove_user),
            Route("POST", "users/{user}/disable", self._disable_user),
            Route("POST", "users/{user}/enable", self._enable_user),
            Route("PUT", "users/{user}/password", self._set_password, {"password": Text()}, ("password",)),
            Route("GET", "policies", self._list_policies),
            Route("PUT", "policies/global", self._set_global_policy, _POLICY_FIELDS, ("enabled",)),
            Route("PUT", "policies/users/{user}", self._set_user_policy, _POLICY_FIELDS, ("enabled",)),
        ]

    async def _list_users(self, call: Call) -> Answer:
        return 200, self._people.list_users()

    async def _add_user(self, call: Call) -> Answer:
        # The rules know people of other domains; but here is where one signs in, and for those nobody could.
        domain = check_user_uri(call.body["uri"]).partition("@")[2]
        if domain != self._people.domain:
            raise AdministrationRefused(
                ResponseCode.ERROR_INVALID_ARGUMENT,
                f"{domain} is not the domain of this server: accounts are NAME@{self._people.domain}",
            )
        return 201, await self._people.add_user(call.actor, **call.body)

    async def _show_user(self, call: Call) -> Answer:
        return 200, await self._people.show_user(*call.names)

    async def _remove_user(self, call: Call) -> Answer:
        await self._people.remove_user(call.actor, *call.names)
        return NOTHING

    async def _disable_user(self, call: Call) -> Answer:
        return 200, await self._people.disable_user(call.actor, *call.names)

    async def _enable_user(self, call: Call) -> Answer:
        return 200, await self._people.enable_user(call.actor, *call.names)

    async def _set_password(self, call: Call) -> Answer:
        await self._people.set_password(call.actor, call.names[0], call.body["password"])
        return NOTHING

    async def _list_policies(self, call: Call) -> Answer:
        return 200, self._people.list_policies()

    async def _set_global_policy(self, call: Call) -> Answer:
        return 200, await self._people.set_policy(call.actor, **call.body)

    async def _set_user_policy(self, call: Call) -> Answer:
        return 200, await self._people.set_policy(call.actor, uri=call.names[0], **call.body)
