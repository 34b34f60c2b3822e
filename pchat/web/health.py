"""``/health/live`` and ``/health/ready``: for load balancers and service managers, without sign-in.

*Live* answers as long as the reactor turns. *Ready* asks the checks that the server gives, all at once;
the names of those that fail are told, their reasons go to the log only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from pchat.web.site import Folder

log = Logger()

Check = Callable[[], Any]
"""Returns None if all is well, else the reason in one line; or a Deferred of these. May raise."""

#: Load balancers usually give up after five seconds; a check that hangs must be told before.
CHECK_SECONDS = 3.0


class _Live(Resource):
    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        return _json(request, 200, {"status": "live"})


class _Ready(Resource):
    isLeaf = True

    def __init__(self, checks: Mapping[str, Check], clock: IReactorTime) -> None:
        super().__init__()
        self._checks = checks
        self._clock = clock

    def render_GET(self, request: Request) -> int:
        gone: list[Failure] = []
        request.notifyFinish().addErrback(gone.append)
        asked = DeferredList([self._ask(name, check) for name, check in self._checks.items()])

        def answer(results: list[tuple[bool, bool]]) -> None:
            if gone:
                return
            states = {
                name: "ok" if well else "failed"
                for name, (_, well) in zip(self._checks, results, strict=True)
            }
            ready = all(well for _, well in results)
            status = "ready" if ready else "not ready"
            request.write(_json(request, 200 if ready else 503, {"status": status, "checks": states}))
            request.finish()

        asked.addCallback(answer)
        asked.addErrback(lambda failure: log.failure("health check", failure=failure))
        return NOT_DONE_YET

    def _ask(self, name: str, check: Check) -> Deferred[bool]:
        """Ask one check; it never fails, but tells whether all is well."""

        def judge(reason: object) -> bool:
            if reason is not None:
                log.warn("not ready: {check}: {reason}", check=name, reason=reason)
            return reason is None

        def broken(failure: Failure) -> bool:
            log.warn(
                "not ready: {check}: {reason}",
                check=name,
                reason=failure.getErrorMessage() or str(failure.type),
            )
            return False

        asked: Deferred[Any] = maybeDeferred(check)
        asked.addTimeout(CHECK_SECONDS, self._clock)
        return asked.addCallbacks(judge, broken)


def health_resource(checks: Mapping[str, Check], clock: IReactorTime) -> Resource:
    """Make the resource that belongs at ``/health``.

    Args:
        checks: What must be well for the server to be ready, by a short name such as ``store``.
        clock: Where the time-out of the checks comes from.
    """
    health = Folder()
    health.putChild(b"live", _Live())
    health.putChild(b"ready", _Ready(checks, clock))
    return health


def _json(request: Request, status: int, answer: Mapping[str, object]) -> bytes:
    content = json.dumps(answer).encode() + b"\n"
    request.setResponseCode(status)
    request.setHeader(b"Content-Type", b"application/json")
    request.setHeader(b"Content-Length", b"%d" % len(content))
    return content
