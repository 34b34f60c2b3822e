"""The administration interface ``/api/v1/…`` without any transport.

`pchatctl`, the UNIX socket and whatever comes later all go through `AdministrationApi.call`; the rules
themselves are in `pchat.rooms.administration`.
"""

from __future__ import annotations

from typing import Any, Protocol
from urllib.parse import unquote

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pchat.admin.category_routes import CategoryRoutes
from pchat.admin.fields import read_fields, read_query
from pchat.admin.people_routes import PeopleRoutes
from pchat.admin.problems import Problem, invalid, problem_of
from pchat.admin.room_routes import RoomRoutes
from pchat.admin.routes import PREFIX, Answer, Call, Route
from pchat.admin.server_routes import ServerRoutes, Status
from pchat.rooms.administration import Administration

log = Logger()

#: As many characters as a name of greatest length can take, percent-encoded, with room for filters.
PATH_CHARACTERS = 16_384


class HasAdministration(Protocol):
    """What the interface needs of `pchat.server.AdministrationParts`."""

    @property
    def administration(self) -> Administration:
        """The rules' one door."""


class AdministrationApi:
    """Finds the operation that a request means, checks what it carries, and answers.

    Args:
        base: Administration, loaded.
        status: Tells how the server is.

    Source: docs/operating.md "Administration"; RFC 9110 section 15; RFC 9457.
    """

    def __init__(self, base: HasAdministration, status: Status) -> None:
        rules = base.administration
        self._routes = [
            *PeopleRoutes(rules.people).routes(),
            *CategoryRoutes(rules.categories).routes(),
            *RoomRoutes(rules.rooms).routes(),
            *ServerRoutes(rules.settings, status).routes(),
        ]

    def call(self, method: str, path: str, body: dict[str, Any] | None, actor: str) -> Deferred[Answer]:
        """Answer one request.

        Args:
            method: HTTP method in capitals.
            path: Percent-encoded path that begins with ``/api/v1/``, with its query if there is one.
            body: The JSON object of the body, or None.
            actor: Who asks, such as ``local:root``.

        Returns:
            Fires with status and JSON value (None with 204; problem details from 400 on); never fails.
        """
        return Deferred.fromCoroutine(self._answer(method, path, body, actor))

    async def _answer(self, method: str, path: str, body: dict[str, Any] | None, actor: str) -> Answer:
        try:
            plain, _, query = path.partition("?")
            route, names = self._find(method, _segments(plain))
            if body is not None and not route.fields:
                raise invalid(f"{method} of this resource takes no body")
            given = read_fields(body, route.fields, route.required)
            return await route.operation(Call(actor, names, given, read_query(query, route.query)))
        except Exception as error:
            problem = problem_of(error)
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
            return problem.status, problem.document()

    def _find(self, method: str, segments: tuple[str, ...]) -> tuple[Route, tuple[str, ...]]:
        allowed = []
        for route in self._routes:
            names = route.match(segments)
            if names is not None:
                if route.method == method:
                    return route, names
                allowed.append(route.method)
        if allowed:
            raise Problem(405, "method-not-allowed", f"allowed here: {', '.join(dict.fromkeys(allowed))}")
        raise Problem(404, "no-such-resource", "there is nothing at this address")


def _segments(path: str) -> tuple[str, ...]:
    if len(path) > PATH_CHARACTERS:
        raise Problem(414, "invalid-request", f"a path may have {PATH_CHARACTERS} characters")
    if not path.startswith(PREFIX):
        raise Problem(404, "no-such-resource", f"everything here is below {PREFIX}")
    try:
        return tuple(unquote(part, errors="strict") for part in path.removeprefix(PREFIX).split("/"))
    except UnicodeDecodeError:
        raise invalid("the path is not UTF-8") from None
