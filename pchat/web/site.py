"""The web site's outer wall: bounded connections, headers, bodies and times; hardened response headers.

twisted.web itself takes a body of any size, and lets a request arrive one byte at a time for ever.

Source: RFC 9110 sections 15.5.6 and 15.5.14; RFC 9457; RFC 9112 sections 6 and 7; RFC 6797 section 6.1.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

from twisted.internet.interfaces import IDelayedCall, IReactorTime, ITCPTransport
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.reflect import prefixedMethodNames
from twisted.web import http
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request, Site

from pchat.auth.throttle import network_of
from pchat.config import WebLimits
from pchat.web.problems import PROBLEM_CONTENT_TYPE, Problem

log = Logger()

#: Browsers send about 20 headers and 2 kB; cookies of other services on the host may add some.
MAX_HEADERS = 64
MAX_HEAD_BYTES = 16_384

_NO_CONTENT = b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
#: What every answer carries; a page that needs more sets its own policy.
HARDENED_HEADERS = {
    b"Server": b"pchat",
    b"Cache-Control": b"no-store",
    b"Content-Security-Policy": _NO_CONTENT,
    b"Cross-Origin-Opener-Policy": b"same-origin",
    b"Cross-Origin-Resource-Policy": b"same-origin",
    b"Referrer-Policy": b"no-referrer",
    b"X-Content-Type-Options": b"nosniff",
    b"X-Frame-Options": b"DENY",
}
#: A year, as RFC 6797 section 6.1 shows; only over TLS.
TRANSPORT_SECURITY = b"max-age=31536000"

#: What is answered before a request is whole, by status: code and detail of the problem.
REFUSALS = {
    400: ("invalid-request", "this is no HTTP request, or its head is too large"),
    408: ("too-slow", "the request did not arrive in time"),
    413: ("content-too-large", "the body is larger than this server takes"),
    414: ("invalid-request", "the address is too long"),
    431: ("invalid-request", "a header field is too long"),
}


class NotFound(Resource):
    """Nothing is here; told in a line of plain text."""

    isLeaf = True

    def render(self, request: Request) -> bytes:
        """Answer every method."""
        request.setResponseCode(404)
        request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
        return b"" if request.method == b"HEAD" else b"There is nothing at this address.\n"


class Folder(Resource):
    """Holds other resources; is nothing itself."""

    def __init__(self) -> None:
        super().__init__()

    def getChild(self, path: bytes, request: Request) -> Resource:
        """Find nothing: what is there was put there."""
        return NotFound()

    def render(self, request: Request) -> bytes:
        """Answer for the folder's own address."""
        return NotFound().render(request)


def methods_of(resource: Any) -> Sequence[str] | None:
    """Tell which methods a resource has.

    Returns:
        Their names; None if it looks at the method itself.
    """
    if type(resource).render is not Resource.render:
        return None
    names: list[str] = sorted(prefixedMethodNames(type(resource), "render_"))
    # Every resource of twisted's says that it has HEAD, which asks for what only a GET has.
    return names if "GET" in names else [name for name in names if name != "HEAD"]


def problem_content(problem: Problem) -> bytes:
    """Write a problem as the content of an answer."""
    return json.dumps(problem.document()).encode("ascii")


class BoundedRequest(Request):
    """A request whose body is counted while it arrives in chunks, and whose answers are hardened."""

    channel: BoundedChannel
    _body_bytes = 0

    def handleContentChunk(self, data: bytes) -> None:
        """Take a part of the body, unless the whole is too large by now."""
        self._body_bytes += len(data)
        if self._body_bytes > self.channel.site.limits.body_bytes:
            self.channel.refuse(413, b"Content Too Large")
        elif not self.channel.refused:
            super().handleContentChunk(data)

    def render(self, resrc: IResource) -> None:
        """Let a resource answer; it may replace the hardened headers by its own."""
        for name, value in HARDENED_HEADERS.items():
            self.setHeader(name, value)
        if self.isSecure():
            self.setHeader(b"Strict-Transport-Security", TRANSPORT_SECURITY)
        methods = methods_of(resrc)
        if methods is None or self.method.decode("latin-1") in methods:
            super().render(resrc)
        else:
            self._refuse_method(", ".join(methods))

    def _refuse_method(self, allow: str) -> None:
        content = problem_content(Problem(405, "method-not-allowed", f"allowed here: {allow}"))
        self.setResponseCode(405)
        self.setHeader(b"Allow", allow.encode("ascii"))
        self.setHeader(b"Content-Type", PROBLEM_CONTENT_TYPE)
        self.setHeader(b"Content-Length", b"%d" % len(content))
        self.write(content)
        self.finish()


class BoundedChannel(http.HTTPChannel):
    """One HTTP connection whose requests must arrive whole within a time and a size."""

    site: BoundedSite
    maxHeaders = MAX_HEADERS
    totalHeadersSize = MAX_HEAD_BYTES
    refused = False
    _source = ""
    _deadline: IDelayedCall | None = None
    #: The request that was answered last, while its client has yet to take the answer.
    _untaken: http.Request | None = None

    def connectionMade(self) -> None:
        """Begin, unless too many connections are open already."""
        super().connectionMade()
        self._source = network_of(str(getattr(self._tcp.getPeer(), "host", "")))
        if not self.site.count_in(self._source):
            log.warn("{peer}: web connection refused, too many are open", peer=self._peer())
            self._tcp.abortConnection()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]  # as HTTPChannel has it
        """End."""
        self.site.count_out(self._source)
        self._untaken = None
        self._stop_deadline()
        super().connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        """Take bytes; the first of a request starts its deadline."""
        if self.refused:
            return
        if self._deadline is None and not self._handlingRequest:
            self._deadline = self.callLater(self.site.limits.request_seconds, self._too_slow)
        super().dataReceived(data)

    def lineReceived(self, line: bytes) -> None:
        """Take a line of a head; what follows a refusal in the same segment is not looked at."""
        if not self.refused:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Refuse a line of a head that is too long: the first one holds the address."""
        if self.requests:
            self.refuse(431, b"Request Header Fields Too Large")
        else:
            self.refuse(414, b"URI Too Long")

    def rawDataReceived(self, data: bytes) -> None:
        """Take bytes of a body, or of requests that wait behind the present one."""
        if not self.refused:
            super().rawDataReceived(data)

    def allHeadersReceived(self) -> None:
        """Refuse a doubtful head, and a body that says it is too large before any of it is read."""
        if self._is_doubtful():
            self.refuse(400, b"Bad Request")
        elif self.length is not None and self.length > self.site.limits.body_bytes:
            self.refuse(413, b"Content Too Large")
        else:
            super().allHeadersReceived()

    def _is_doubtful(self) -> bool:
        """Tell whether a proxy may have understood a head in another way (RFC 9112 sections 3.2 and 6.1)."""
        headers = self.requests[-1].requestHeaders
        # twisted ignores the coding "identity", which is none any more: nobody can tell where the body ends.
        coded = headers.hasHeader(b"Transfer-Encoding") and self.length is not None
        return coded or len(headers.getRawHeaders(b"Host", [])) > 1

    def allContentReceived(self) -> None:
        """Let a whole request be answered."""
        if not self.refused:
            self._stop_deadline()
            super().allContentReceived()

    def requestDone(self, request: http.Request) -> None:
        """Go on with the next request; one that came meanwhile has its own deadline.

        It waits until the client has taken the answers that were written before: twisted reads on as long as
        answers are ready at once, so that small requests would fill the memory with large answers.
        """
        if self._waitingForTransport and self.persistent:
            self._untaken = request
            self._networkProducer.pauseProducing()
            self.setTimeout(self.site.limits.idle_seconds)
            return
        if any(self._dataBuffer) and self.persistent:
            self._deadline = self.callLater(self.site.limits.request_seconds, self._too_slow)
        super().requestDone(request)

    def resumeProducing(self) -> None:
        """Go on after the client has taken what was written."""
        super().resumeProducing()
        request, self._untaken = self._untaken, None
        if request is not None:
            self.requestDone(request)

    def refuse(self, status: int, reason: bytes) -> None:
        """Answer without reading further, and close."""
        if self.refused:
            return
        self.refused = True
        self._stop_deadline()
        log.warn("{peer}: web request refused: {status}", peer=self._peer(), status=status)
        content = problem_content(Problem(status, *REFUSALS[status]))
        fields = HARDENED_HEADERS | {
            b"Content-Type": PROBLEM_CONTENT_TYPE,
            b"Content-Length": b"%d" % len(content),
            b"Connection": b"close",
        }
        head = b"".join(b"%s: %s\r\n" % field for field in fields.items())
        self._tcp.write(b"HTTP/1.1 %d %s\r\n%s\r\n%s" % (status, reason, head, content))
        self.loseConnection()

    def _respondToBadRequestAndDisconnect(self) -> None:
        # twisted answers here too, but reads on, and may execute what it has just refused.
        self.refuse(400, b"Bad Request")

    def _too_slow(self) -> None:
        self._deadline = None
        self.refuse(408, b"Request Timeout")

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    @property
    def _tcp(self) -> ITCPTransport:
        return cast(ITCPTransport, self.transport)

    def _peer(self) -> str:
        peer = self._tcp.getPeer()
        return f"{getattr(peer, 'host', peer)}:{getattr(peer, 'port', '-')}"


class BoundedSite(Site):
    """A site behind the outer wall.

    Args:
        resource: The root resource.
        limits: What one browser, and all together, may cost.
        clock: Where time-outs come from.
    """

    protocol = BoundedChannel  # type: ignore[assignment]  # twisted says so of its own value too
    requestFactory = BoundedRequest

    def __init__(self, resource: IResource, limits: WebLimits, clock: IReactorTime) -> None:
        # Forms are read by the pages that have one: a form of a million names costs more than its bytes.
        super().__init__(resource, timeout=limits.idle_seconds, reactor=clock, parsePOSTFormSubmission=False)
        self.limits = limits
        self._open: Counter[str] = Counter()

    def count_in(self, source: str) -> bool:
        """Count a connection; tell whether it may stay."""
        self._open[source] += 1
        # Local sockets have no address to tell one peer from another.
        modest = not source or self._open[source] <= self.limits.connections_per_address
        return modest and self._open.total() <= self.limits.connections

    def count_out(self, source: str) -> None:
        """Count a connection that is gone."""
        self._open[source] -= 1
        if not self._open[source]:
            del self._open[source]

    def startFactory(self) -> None:
        """Do nothing: twisted's access log, and the clock that it needs, are not used."""

    def stopFactory(self) -> None:
        """Do nothing, as `startFactory`."""

    def log(self, request: http.Request) -> None:
        """Log an answered request; queries may hold secrets and stay out."""
        log.debug(
            "{peer}: {method} {path} answered {status}",
            peer=request.getClientAddress().host if hasattr(request.getClientAddress(), "host") else "-",
            method=request.method.decode("ascii", "backslashreplace"),
            path=request.path.decode("ascii", "backslashreplace"),
            status=request.code,
        )
