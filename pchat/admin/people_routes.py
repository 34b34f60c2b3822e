"""Users and policies of the administration interface."""

from __future__ import annotations

from pchat.admin.fields import Field, Flag, Text
from pchat.admin.routes import NOTHING, Answer, Call, Page, Route
from pchat.directory.people import check_user_uri
from pchat.errors import AdministrationRefused
from pchat.rooms.invitation_report import InvitationReport
from pchat.rooms.people_administration import PeopleAdministration
from pchat.xccos.codes import ResponseCode

_USER_FIELDS = dict.fromkeys(("uri", "password", "display_name", "company", "email"), Text())
_NAME_FIELDS: dict[str, Field] = dict.fromkeys(("display_name", "company", "email"), Text())
_USER_FILTERS: dict[str, Field] = {"filter": Text(), "group": Text(), "disabled": Flag()}
_POLICY_FIELDS: dict[str, Field] = {"enabled": Flag(), "description": Text()}


class PeopleRoutes:
    """The resources ``users`` and ``policies``.

    Args:
        people: Where their rules are.
        invitations: Tells who was invited where.
    """

    def __init__(self, people: PeopleAdministration, invitations: InvitationReport) -> None:
        self._people = people
        self._invitations = invitations

    def routes(self) -> list[Route]:
        """List the operations; of two that match, the first is meant."""
        return [
            Route(
                *("GET", "users", self._list_users),
                query=_USER_FILTERS,
                summary="List accounts",
                scope="read",
                answer="Users",
            ),
            Route(
                *("POST", "users", self._add_user, _USER_FIELDS, ("uri",)),
                summary="Make an account",
                scope="people",
                answer="User",
                status=201,
            ),
            Route(
                *("GET", "users/{user}", self._show_user),
                summary="Show an account with the groups it belongs to",
                scope="read",
                answer="User",
            ),
            Route(
                *("PATCH", "users/{user}", self._change_user, _NAME_FIELDS),
                summary="Change what people read of a user",
                scope="people",
                answer="User",
            ),
            Route(
                *("DELETE", "users/{user}", self._remove_user),
                summary="Remove an account with all its roles; its messages stay",
                scope="people",
                answer="RemovedUser",
            ),
            *self._parts_routes(),
            *self._policy_routes(),
        ]

    def _parts_routes(self) -> list[Route]:
        return [
            Route(
                *("GET", "users/{user}/invitations", self._list_invitations),
                summary="List the invitations of a user",
                scope="read",
                answer="InvitationEntries",
            ),
            Route(
                *("POST", "users/{user}/disable", self._disable_user),
                summary="Disable an account: its sessions end, its roles stay",
                scope="people",
                answer="User",
            ),
            Route(
                *("POST", "users/{user}/enable", self._enable_user),
                summary="Enable a disabled account",
                scope="people",
                answer="User",
            ),
            Route(
                *("PUT", "users/{user}/password", self._set_password, {"password": Text()}, ("password",)),
                summary="Replace the password of an account",
                scope="people",
                status=204,
            ),
        ]

    def _policy_routes(self) -> list[Route]:
        return [
            Route(
                *("GET", "policies", self._list_policies),
                summary="List the global policy, then those of users",
                scope="read",
                answer="Policies",
            ),
            Route(
                *("PUT", "policies/global", self._set_global_policy, _POLICY_FIELDS, ("enabled",)),
                summary="Switch chat on or off for all who have no policy of their own",
                scope="people",
                answer="Policy",
            ),
            Route(
                *("DELETE", "policies/global", self._reset_global_policy),
                summary="Set the global policy back: chat is off",
                scope="people",
                answer="Policy",
            ),
            Route(
                *("PUT", "policies/users/{user}", self._set_user_policy, _POLICY_FIELDS, ("enabled",)),
                summary="Switch chat on or off for one user",
                scope="people",
                answer="Policy",
            ),
            Route(
                *("DELETE", "policies/users/{user}", self._remove_user_policy),
                summary="Take a user's own policy away; the global one, answered here, is in force then",
                scope="people",
                answer="Policy",
            ),
        ]

    async def _list_users(self, call: Call) -> Answer:
        filters = {"text" if name == "filter" else name: value for name, value in call.query.items()}
        return 200, await self._people.list_users(**filters)

    async def _add_user(self, call: Call) -> Answer:
        # The rules know people of other domains; but here is where one signs in, and for those nobody could.
        domain = check_user_uri(call.body["uri"]).partition("@")[2]
        if domain != self._people.domain:
            raise AdministrationRefused(
                ResponseCode.ERROR_INVALID_ARGUMENT,
                f"{domain} is not the domain of this server: accounts are NAME@{self._people.domain}",
            )
        return 201, await self._people.add_user(call.actor, **call.body)

    async def _list_invitations(self, call: Call) -> Answer:
        found, more = await self._invitations.list_invitations(
            *call.names, limit=call.limit, offset=call.offset
        )
        return 200, Page(found, more)

    async def _show_user(self, call: Call) -> Answer:
        return 200, await self._people.show_user(*call.names)

    async def _change_user(self, call: Call) -> Answer:
        return 200, await self._people.change_user(call.actor, *call.names, **call.body)

    async def _remove_user(self, call: Call) -> Answer:
        return 200, {"removed": await self._people.remove_user(call.actor, *call.names)}

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

    async def _reset_global_policy(self, call: Call) -> Answer:
        return 200, await self._people.remove_policy(call.actor)

    async def _remove_user_policy(self, call: Call) -> Answer:
        return 200, await self._people.remove_policy(call.actor, uri=call.names[0])
