"""The administration interface over HTTPS, with tokens.

No cookie is taken and no other origin is let in: a browser never sends a token by itself.

Source: RFC 6750 sections 2.1 and 3; docs/operating.md "REST interface".
"""

from __future__ import annotations

import math

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.server import Request

from pchat.admin.api import DESCRIPTION, AdministrationApi
from pchat.admin.resource import ApiResource
from pchat.admin.routes import PREFIX, Caller
from pchat.auth.throttle import LoginThrottle
from pchat.rooms.token_administration import TokenAdministration
from pchat.web.problems import Problem

log = Logger()

#: Whom `LoginThrottle` counts wrong tokens for; each address has a count of its own.
_ACCOUNT = "api token"
#: Wrong tokens from one address that are answered at once: a job that still has the old one of many servers.
FREE_FAILURES = 100
_NOBODY = Caller("anybody", frozenset())


class TokenDoor:
    """Lets in who has a token.

    After many wrong tokens their address has to wait, longer each time; a wrong one that comes sooner is not
    even counted or logged. A right one is let in at once from there too: it has 256 random bits, so that
    nobody guesses it, and a script with an old token must not lock out the others on its machine.

    Args:
        tokens: Finds them.
        clock: Tells the time.
    """

    def __init__(self, tokens: TokenAdministration, clock: IReactorTime) -> None:
        self._tokens = tokens
        self._throttle = LoginThrottle(clock, FREE_FAILURES)

    def identify(self, request: Request) -> Caller:
        """Tell who sends a request.

        Raises:
            Problem: Not over TLS, no token, a wrong one, or too many wrong ones.
        """
        if not request.isSecure():
            raise Problem(403, "forbidden", "administration is served over HTTPS only")
        if request.path == f"{PREFIX}{DESCRIPTION}".encode("ascii"):
            return _NOBODY
        given = request.requestHeaders.getRawHeaders(b"Authorization", [])
        if not given:
            raise _unauthorized("send Authorization: Bearer TOKEN")
        scheme, _, secret = given[0].decode("latin-1").partition(" ")
        if len(given) > 1 or scheme.lower() != "bearer" or not secret.strip():
            raise _unauthorized("send one Authorization: Bearer TOKEN")
        found = self._tokens.find(secret.strip())
        if found is None:
            raise self._wrong(request.getClientAddress().host)
        name, scopes = found
        return Caller(f"token:{name}", scopes)

    def _wrong(self, source: str) -> Problem:
        wait = math.ceil(self._throttle.wait(_ACCOUNT, source))
        if wait:
            again = {"Retry-After": str(wait)}
            return Problem(429, "too-many-requests", f"wrong token; wait {wait} seconds", again)
        self._throttle.failed(_ACCOUNT, source)
        log.warn("{peer}: administration refused: unknown, expired or revoked token", peer=source)
        return _unauthorized("the token is unknown, expired or revoked", "invalid_token")


def _unauthorized(detail: str, error: str = "") -> Problem:
    # A request without any token is told no error code (RFC 6750 section 3.1).
    challenge = 'Bearer realm="pchat"' + (f', error="{error}"' if error else "")
    return Problem(401, "unauthorized", detail, {"WWW-Authenticate": challenge})


def api_resource(api: AdministrationApi, tokens: TokenAdministration, clock: IReactorTime) -> ApiResource:
    """Make the resource that belongs at ``/api``.

    Args:
        api: The interface.
        tokens: Who may use it.
        clock: Tells the time.
    """
    return ApiResource(api, TokenDoor(tokens, clock).identify)
