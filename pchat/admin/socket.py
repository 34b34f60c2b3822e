"""The administration interface on a UNIX socket: HTTP, and the peer's credentials say who asks.

Source: docs/operating.md "Administration"; unix(7), SO_PEERCRED.
"""

from __future__ import annotations

import os
import pwd
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.server import Request, Site

from pchat.admin.api import AdministrationApi
from pchat.admin.fields import BODY_BYTES
from pchat.admin.peer import peer_user
from pchat.admin.resource import ApiResource
from pchat.admin.routes import Caller
from pchat.config import WebLimits
from pchat.web.problems import Problem
from pchat.web.site import BoundedSite

log = Logger()

#: A few operators and scripts at a time; each command is a connection of its own.
LIMITS = WebLimits(connections=64, body_bytes=BODY_BYTES, request_seconds=30, idle_seconds=60)


def local_caller(request: Request) -> Caller:
    """Tell who is at the other end of a UNIX socket; he may do everything.

    Returns:
        ``local:USER``, by number if it has no name.

    Raises:
        Problem: Neither root nor the user that runs this server.
    """
    transport: Any = request.channel.transport
    return Caller(actor_of(peer_user(transport.socket)))


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


def admin_site(api: AdministrationApi, clock: IReactorTime) -> Site:
    """Make the site for the administration socket.

    Args:
        api: The interface.
        clock: Where time-outs come from.
    """
    return BoundedSite(ApiResource(api, local_caller), LIMITS, clock)
