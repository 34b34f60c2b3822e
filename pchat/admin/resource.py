"""The administration interface as a web resource, whoever carries it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from pchat.admin.api import AdministrationApi, Reply
from pchat.admin.fields import parse_body
from pchat.admin.routes import Caller
from pchat.web.problems import PROBLEM_CONTENT_TYPE, Problem

log = Logger()

JSON_CONTENT_TYPE = b"application/json"


class ApiResource(Resource):
    """Hands whole requests to the interface, and writes its answers.

    Args:
        api: The interface.
        identify: Tells who sends a request, or raises a `Problem`.
    """

    isLeaf = True

    def __init__(self, api: AdministrationApi, identify: Callable[[Request], Caller]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # twisted.web has no annotations here
        self._api = api
        self._identify = identify

    def render(self, request: Request) -> int:
        """Answer a request, now or later."""
        # A caller that goes away does not undo its change; there is only nobody left to be answered.
        gone: list[object] = []
        request.notifyFinish().addErrback(gone.append)
        answered = self._answer(request)
        answered.addCallback(lambda reply: None if gone else _write(request, reply))
        answered.addErrback(lambda failure: log.failure("administration was not answered", failure))
        return NOT_DONE_YET

    def _answer(self, request: Request) -> Deferred[Reply]:
        try:
            caller = self._identify(request)
            body = _body(request)
        except Problem as problem:
            refused: Deferred[Reply] = Deferred()
            refused.callback(Reply(problem.status, problem.document(), problem.headers))
            return refused
        # Bytes that are no ASCII cannot be in a path; replaced, they are found nowhere.
        method, path = (part.decode("ascii", "backslashreplace") for part in (request.method, request.uri))
        # What is told of a resource beside its content is found out as for a GET (RFC 9110 section 9.3.2).
        return self._api.reply("GET" if method == "HEAD" else method, path, body, caller)


def _body(request: Request) -> dict[str, Any] | None:
    content = request.content
    # The site has counted it while it came.
    data = content.read() if content is not None else b""
    if data:
        kind = request.getHeader(b"Content-Type") or b""
        if kind.partition(b";")[0].strip().lower() != JSON_CONTENT_TYPE:
            raise Problem(415, "unsupported-media-type", "send Content-Type: application/json")
    return parse_body(data)


def _write(request: Request, reply: Reply) -> None:
    request.setResponseCode(reply.status)
    for name, value in reply.headers.items():
        request.setHeader(name.encode("ascii"), value.encode("ascii"))
    if reply.status != 204:
        kind = JSON_CONTENT_TYPE if reply.status < 400 else PROBLEM_CONTENT_TYPE
        body = json.dumps(reply.value).encode("ascii")
        request.setHeader(b"Content-Type", kind)
        request.setHeader(b"Content-Length", b"%d" % len(body))
        if request.method != b"HEAD":
            request.write(body)
    request.finish()
