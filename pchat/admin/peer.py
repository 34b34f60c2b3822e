"""Who is at the other end of a UNIX socket, as the kernel tells.

Source: unix(7), SO_PEERCRED.
"""

from __future__ import annotations

import socket
import struct

#: struct ucred: process, user and group, each an int.
_CREDENTIALS = struct.Struct("3i")


def peer_user(connection: socket.socket) -> int:
    """Tell the number of the user who opened, or listens at, the other end.

    Args:
        connection: A connected UNIX socket.
    """
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    user: int = _CREDENTIALS.unpack(found)[1]
    return user
