"""The administration interface ``/api/v1/…`` without any transport.

`pchatctl`, the UNIX socket and HTTPS all go through `AdministrationApi.reply`; the rules themselves are in
`pchat.rooms.administration`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Protocol
from urllib.parse import unquote, urlencode

from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pchat.admin.addin_routes import AddinRoutes
from pchat.admin.audit_routes import AuditRoutes
from pchat.admin.category_routes import CategoryRoutes
from pchat.admin.fields import read_fields, read_query
from pchat.admin.group_routes import GroupRoutes
from pchat.admin.message_routes import MessageRoutes
from pchat.admin.openapi import describe
from pchat.admin.people_routes import PeopleRoutes
from pchat.admin.report_routes import ReportRoutes
from pchat.admin.room_routes import RoomRoutes
from pchat.admin.routes import (
    PREFIX,
    PUBLIC,
    USUAL_ENTRIES,
    Answer,
    Call,
    Caller,
    Page,
    Route,
)
from pchat.admin.server_routes import ServerRoutes, Status
from pchat.admin.token_routes import TokenRoutes
from pchat.interfaces import IStore
from pchat.rooms.administration import Administration
from pchat.web.problems import Problem, invalid, problem_of

log = Logger()

#: As many characters as a name of greatest length can take, percent-encoded, with room for filters.
PATH_CHARACTERS = 8_192
#: Where the interface describes itself, below `PREFIX`.
DESCRIPTION = "openapi.json"


class HasAdministration(Protocol):
    """What the interface needs of `pchat.foundation.AdministrationParts`."""

    @property
    def administration(self) -> Administration:
        """The rules' one door."""

    @property
    def store(self) -> IStore:
        """Where the audit log is."""


@frozen
class Reply:
    """An answer with what a transport must tell beside it.

    Args:
        status: HTTP status.
        value: JSON value; None with 204.
        headers: Further header fields.
    """

    status: int
    value: Any
    headers: Mapping[str, str] = field(factory=dict)


class AdministrationApi:
    """Finds the operation that a request means, checks what it carries, and answers.

    Args:
        base: Administration, loaded.
        status: Tells how the server is.

    Source: docs/operating.md "Administration"; RFC 9110 section 15; RFC 9457.
    """

    def __init__(self, base: HasAdministration, status: Status) -> None:
        rules = base.administration
        self.routes: list[Route] = [
            *PeopleRoutes(rules.people, rules.invitations).routes(),
            *GroupRoutes(rules.groups, rules.eligible).routes(),
            *CategoryRoutes(rules.categories).routes(),
            *RoomRoutes(rules.rooms).routes(),
            *MessageRoutes(rules.messages).routes(),
            *AddinRoutes(rules.addins).routes(),
            *ServerRoutes(rules.settings, status).routes(),
            *ReportRoutes(rules.usage).routes(),
            *TokenRoutes(rules.tokens).routes(),
            *AuditRoutes(base.store, rules).routes(),
            Route(
                *("GET", DESCRIPTION, self._describe),
                summary="Describe this interface",
                scope=PUBLIC,
                answer="Description",
            ),
        ]

    def call(self, method: str, path: str, body: dict[str, Any] | None, actor: str) -> Deferred[Answer]:
        """Answer one request of somebody who may do everything.

        Args:
            method: HTTP method in capitals.
            path: Percent-encoded path that begins with ``/api/v1/``, with its query if there is one.
            body: The JSON object of the body, or None.
            actor: Who asks, such as ``local:root``.

        Returns:
            Fires with status and JSON value (None with 204; problem details from 400 on); never fails.
        """
        replied = self.reply(method, path, body, Caller(actor))
        return replied.addCallback(lambda reply: (reply.status, reply.value))

    def reply(self, method: str, path: str, body: dict[str, Any] | None, caller: Caller) -> Deferred[Reply]:
        """Answer one request; see `call`.

        Args:
            method, path, body: As for `call`.
            caller: Who asks.

        Returns:
            Fires with the answer; never fails.
        """
        return Deferred.fromCoroutine(self._reply(method, path, body, caller))

    async def _reply(self, method: str, path: str, body: dict[str, Any] | None, caller: Caller) -> Reply:
        try:
            plain, _, query = path.partition("?")
            route, names = self._find(method, _segments(plain))
            if not caller.may(route.scope):
                raise _out_of_scope(route)
            call = _call(route, names, body, query, caller)
            status, value = await route.operation(call)
            if route.is_listing and route.method == "GET":
                return _cut(call, plain, query, status, value)
            return Reply(status, list(value) if route.is_listing else value)
        except Exception as error:
            problem = problem_of(error)
            _log_refusal(problem, caller.actor, method)
            return Reply(problem.status, problem.document(), problem.headers)

    def _find(self, method: str, segments: tuple[str, ...]) -> tuple[Route, tuple[str, ...]]:
        allowed = []
        for route in self.routes:
            names = route.match(segments)
            if names is not None:
                if route.method == method:
                    return route, names
                allowed.append(route.method)
        if allowed:
            raise not_allowed(dict.fromkeys(allowed))
        raise Problem(404, "no-such-resource", "there is nothing at this address")

    @cached_property
    def _description(self) -> dict[str, Any]:
        return describe(self.routes)

    async def _describe(self, call: Call) -> Answer:
        return 200, self._description


def _call(
    route: Route, names: tuple[str, ...], body: dict[str, Any] | None, query: str, caller: Caller
) -> Call:
    """Check what a request carries."""
    if body is not None and not route.fields:
        raise invalid(f"{route.method} of this resource takes no body")
    given = read_fields(body, route.fields, route.required)
    filters = read_query(query, route.filters)
    limit, offset = (filters.pop(name, usual) for name, usual in (("limit", USUAL_ENTRIES), ("offset", 0)))
    return Call(caller.actor, names, given, filters, caller.scopes, limit, offset)


def _cut(call: Call, path: str, query: str, status: int, value: Any) -> Reply:
    """Answer with the part of a listing that is wanted, and tell where the next part is.

    Source: RFC 8288 section 3.3.
    """
    page = value if isinstance(value, Page) else Page.of(value, call)
    if not page.more:
        return Reply(status, list(page.entries))
    others = [pair for pair in query.split("&") if pair.partition("=")[0] not in {"", "limit", "offset"}]
    passed = call.limit if page.passed is None else page.passed
    window = urlencode({"limit": call.limit, "offset": call.offset + passed})
    link = f'<{path}?{"&".join([*others, window])}>; rel="next"'
    return Reply(status, list(page.entries), {"Link": link})


def _log_refusal(problem: Problem, actor: str, method: str) -> None:
    if problem.code == "internal":
        log.failure("{actor}: administration failed at {method}", actor=actor, method=method)
    else:
        log.info(
            "{actor}: refused {method}: {status} {code}",
            actor=actor,
            method=method,
            status=problem.status,
            code=problem.code,
        )


def not_allowed(methods: Mapping[str, Any]) -> Problem:
    """Make the problem of a method that a resource does not have.

    Source: RFC 9110 section 15.5.6.
    """
    shown = ", ".join(methods)
    allow = ", ".join(dict.fromkeys([*methods, *(["HEAD"] if "GET" in methods else [])]))
    return Problem(405, "method-not-allowed", f"allowed here: {shown}", {"Allow": allow})


def _out_of_scope(route: Route) -> Problem:
    """Make the problem of a token that may do other things.

    Source: RFC 6750 section 3.1.
    """
    challenge = f'Bearer realm="pchat", error="insufficient_scope", scope="{route.scope}"'
    detail = f"this takes a token with the scope {route.scope!r}"
    return Problem(403, "insufficient-scope", detail, {"WWW-Authenticate": challenge})


def _segments(path: str) -> tuple[str, ...]:
    if len(path) > PATH_CHARACTERS:
        raise Problem(414, "invalid-request", f"a path may have {PATH_CHARACTERS} characters")
    if not path.startswith(PREFIX):
        raise Problem(404, "no-such-resource", f"everything here is below {PREFIX}")
    try:
        return tuple(unquote(part, errors="strict") for part in path.removeprefix(PREFIX).split("/"))
    except UnicodeDecodeError:
        raise invalid("the path is not UTF-8") from None
