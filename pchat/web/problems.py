"""What is answered when administration refuses or fails: RFC 9457 problem details with stable codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pchat.errors import AdministrationRefused, OperatorError, OutcomeUnknown, PchatError, StoreUnavailable

#: What problem types begin with; the rest is the code.
TYPE_PREFIX = "urn:pchat:problem:"
PROBLEM_CONTENT_TYPE = b"application/problem+json"

TITLES = {
    "invalid-request": "The request is malformed",
    "no-such-resource": "There is no such resource",
    "method-not-allowed": "The resource does not know this method",
    "too-slow": "The request took too long",
    "content-too-large": "The body is too large",
    "unsupported-media-type": "The body must be application/json",
    "forbidden": "You may not administer this server",
    "unauthorized": "A valid token is needed",
    "insufficient-scope": "The token does not cover this",
    "too-many-requests": "Too many wrong tokens from this address",
    "refused": "Refused",
    "invalid-argument": "A value is not allowed",
    "permission": "Not permitted",
    "no-such-node": "There is no such room or category",
    "no-such-principal": "There is no such user, group or domain",
    "data-collision": "Somebody else changed it meanwhile",
    "duplicate-name": "The name is taken",
    "node-hierarchy-violation": "It is not empty",
    "principals-already-defined": "It exists already",
    "principals-not-in-scope": "Out of the category's scope",
    "presenter-not-member": "A presenter must be a member",
    "limit-exceeded": "A limit is exceeded",
    "store-unavailable": "The store cannot be used now; nothing was changed",
    "outcome-unknown": "Whether the change was made is not known",
    "internal": "A bug of the server",
}


class Problem(PchatError):
    """A refusal as it is answered.

    Args:
        status: HTTP status code.
        code: One of `TITLES`, or a response code's symbol in lower case with hyphens; never renamed.
        detail: One line: what is wrong in this case.
        headers: Header fields that the answer must have.

    Source: RFC 9457 section 3.
    """

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, code, detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers or {}

    def document(self) -> dict[str, Any]:
        """Write it as a problem details object; ``code`` is our extension member."""
        return {
            "type": TYPE_PREFIX + self.code,
            "title": TITLES.get(self.code, "Refused"),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }


def invalid(detail: str) -> Problem:
    """Make the problem of a malformed request."""
    return Problem(400, "invalid-request", detail)


def problem_of(error: BaseException) -> Problem:
    """Tell how an error is answered; what nobody expected is a bug of ours and tells no details."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, AdministrationRefused):
        code = error.code.symbol.removeprefix("ERROR_").lower().replace("_", "-")
        return Problem(error.code.number, code, error.detail)
    if isinstance(error, OperatorError):
        return Problem(400, "refused", str(error))
    if isinstance(error, StoreUnavailable):
        return Problem(503, "store-unavailable", str(error))
    if isinstance(error, OutcomeUnknown):
        return Problem(500, "outcome-unknown", str(error))
    return Problem(500, "internal", "the server's log tells more")
