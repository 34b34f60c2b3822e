"""Arguments of the commands about what is kept for one user: invitations, preferences, read markers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from pchat.xccos.arguments import number, one, refused

if TYPE_CHECKING:
    from pchat.xccos.arguments import Reader
    from pchat.xccos.limits import CommandLimits
    from pchat.xccos.parser import Element


@frozen
class InvitationsSince:
    """``getinv``.

    Args:
        since: Only invitations numbered above this.

    Source: docs/spec/xccos.md section 3.7.
    """

    since: int


def read_invitations(data: Element | None, limits: CommandLimits) -> InvitationsSince:
    """Read ``getinv``: the number of the last invitation the client knows."""
    since = number(one(data, "inv"), "inviteId")
    if since is None or since < 0:
        raise refused("inviteId missing or negative")
    return InvitationsSince(since)


READERS: dict[str, Reader] = {
    "getinv": read_invitations,
}
