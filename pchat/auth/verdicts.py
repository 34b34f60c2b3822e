"""What sign-in decides on a request."""

from __future__ import annotations

from attrs import frozen

from pchat.auth.accounts import Account
from pchat.auth.signature import Association
from pchat.sip.message import Response


@frozen
class Admitted:
    """The request may be executed for this account."""

    account: Account
    association: Association | None


@frozen
class Challenged:
    """The request must be sent again with credentials; ``response`` goes out unsigned."""

    response: Response


@frozen
class Turned:
    """The request is turned away.

    Args:
        response: What to answer, or None for no answer.
        close: Whether the connection is closed then.
        reason: For the log.
        sign: Whether the response is signed where an association exists. Not so after a failed
            handshake: the client has forgotten the old keys by then.
    """

    response: Response | None
    close: bool
    reason: str
    sign: bool = True


Verdict = Admitted | Challenged | Turned
