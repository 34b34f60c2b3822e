"""The administration interface on a UNIX socket: HTTP, and the peer's credentials say who asks.

Source: docs/operating.md "Administration"; unix(7), SO_PEERCRED.
"""

from __future__ import annotations

import json
import os
import pwd
import socket
import struct
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from pchat.admin.api import AdministrationApi
from pchat.admin.fields import BODY_BYTES, parse_body
from pchat.admin.problems import PROBLEM_CONTENT_TYPE, Problem
from pchat.admin.routes import Answer
from pchat.config import WebLimits
from pchat.web.site import BoundedSite

log = Logger()

#: struct ucred: process, user and group, each an int.
CREDENTIALS = struct.Struct("3i")
#: A few operators and scripts at a time; each command is a connection of its own.
LIMITS = WebLimits(connections=64, body_bytes=BODY_BYTES, request_seconds=30, idle_seconds=60)
JSON_CONTENT_TYPE = b"application/json"


def local_actor(request: Request) -> str:
    """Tell who is at the other end of a UNIX socket.

    Returns:
        ``local:USER``, by number if it has no name.

    Raises:
        Problem: Neither root nor the user that runs this server.
    """
    transport: Any = request.channel.transport
    found = transport.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    _, user, _ = CREDENTIALS.unpack(found)
    return actor_of(user)


def actor_of(user: int) -> str:
    """Name a local user, if he may administer.

    Args:
        user: His number.

    Raises:
        Problem: Neither root nor the user that runs this process.
    """
    if user not in {0, os.geteuid()}:
        log.warn("local user {user} may not administer: refused", user=user)
        raise Problem(403, "forbidden", "only root and the user that runs the server may administer it")
    try:
        return f"local:{pwd.getpwuid(user).pw_name}"
    except KeyError:
        return f"local:{user}"


class ApiResource(Resource):
    """Hands whole requests to the interface, and writes its answers.

    Args:
        api: The interface.
        identify: Tells who sends a request, or raises a `Problem`.
    """

    isLeaf = True

    def __init__(self, api: AdministrationApi, identify: Callable[[Request], str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # twisted.web has no annotations here
        self._api = api
        self._identify = identify

    def render(self, request: Request) -> int:
        """Answer a request, now or later."""
        try:
            actor = self._identify(request)
            body = _body(request)
        except Problem as problem:
            _write(request, (problem.status, problem.document()))
            return NOT_DONE_YET
        # A caller that goes away does not undo its change; there is only nobody left to be answered.
        gone: list[object] = []
        request.notifyFinish().addErrback(gone.append)
        # Bytes that are no ASCII cannot be in a path; replaced, they are found nowhere.
        method, path = (part.decode("ascii", "backslashreplace") for part in (request.method, request.uri))
        answered = self._api.call(method, path, body, actor)
        answered.addCallback(lambda answer: None if gone else _write(request, answer))
        answered.addErrback(lambda failure: log.failure("administration was not answered", failure))
        return NOT_DONE_YET


def _body(request: Request) -> dict[str, Any] | None:
    content = request.content
    data = content.read(BODY_BYTES + 1) if content is not None else b""
    if data:
        kind = request.getHeader(b"Content-Type") or b""
        if kind.partition(b";")[0].strip().lower() != JSON_CONTENT_TYPE:
            raise Problem(415, "unsupported-media-type", "send Content-Type: application/json")
    return parse_body(data)


def _write(request: Request, answer: Answer) -> None:
    status, value = answer
    request.setResponseCode(status)
    if status != 204:
        kind = JSON_CONTENT_TYPE if status < 400 else PROBLEM_CONTENT_TYPE
        body = json.dumps(value).encode("ascii")
        request.setHeader(b"Content-Type", kind)
        request.setHeader(b"Content-Length", b"%d" % len(body))
        request.write(body)
    request.finish()


def admin_site(api: AdministrationApi, clock: IReactorTime) -> Site:
    """Make the site for the administration socket.

    Args:
        api: The interface.
        clock: Where time-outs come from.
    """
    return BoundedSite(ApiResource(api, local_actor), LIMITS, clock)
