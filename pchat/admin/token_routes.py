"""Tokens of the administration interface."""

from __future__ import annotations

from pchat.admin.fields import Field, Text, Texts, Time
from pchat.admin.routes import NOTHING, Answer, Call, Route
from pchat.rooms.token_administration import SCOPES, TokenAdministration
from pchat.web.problems import Problem

_FIELDS: dict[str, Field] = {
    "name": Text("Who uses it: letters, digits, dots, hyphens, underscores."),
    "scopes": Texts("What it is good for.", words=tuple(SCOPES)),
    "expires_on": Time("When it stops being good; by default in a year."),
}


class TokenRoutes:
    """The resource ``tokens``.

    Args:
        tokens: Where its rules are.
    """

    def __init__(self, tokens: TokenAdministration) -> None:
        self._tokens = tokens

    def routes(self) -> list[Route]:
        """List the operations."""
        return [
            Route("GET", "tokens", self._list, summary="List tokens", scope="tokens", answer="Tokens"),
            Route(
                *("POST", "tokens", self._add, _FIELDS, ("name", "scopes")),
                summary="Make a token; its secret is told in this answer and never again",
                scope="tokens",
                answer="Token",
                status=201,
            ),
            Route(
                *("DELETE", "tokens/{token}", self._revoke),
                summary="Revoke a token, at once; not the one that asks",
                scope="tokens",
                status=204,
            ),
        ]

    async def _list(self, call: Call) -> Answer:
        return 200, self._tokens.list_tokens()

    async def _add(self, call: Call) -> Answer:
        return 201, await self._tokens.add_token(call.actor, grantable=call.scopes, **call.body)

    async def _revoke(self, call: Call) -> Answer:
        if not self._tokens.known(*call.names):
            raise Problem(404, "no-such-resource", f"there is no token {call.names[0][:80]!r}")
        await self._tokens.revoke_token(call.actor, *call.names)
        return NOTHING
