"""Rendering of what is told of rooms' roles, and of categories and add-ins.

Source: docs/spec/xccos.md chapter 10; docs/xccos-extensions.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from pchat.xccos.blocks import UserBlock
from pchat.xccos.writer import attribute, room_mask, room_reference, user_block, user_reference


def roles_notice(room_uri: str, user_uri: str, mask: tuple[int, str, str]) -> str:
    """Render the data of ``ntc:roles``: somebody in a room has other rights now.

    Args:
        room_uri: The room.
        user_uri: The user.
        mask: His permission mask, and the room's GUID and domain.
    """
    return room_reference(room_uri) + user_reference(user_uri, room_mask(*mask))


def role_list(role: str, holders: Iterable[UserBlock]) -> str:
    """Render one role list of ``getroles``.

    Args:
        role: ``MEMBER``, ``MANAGER`` or ``PRESENTER``.
        holders: Who is on it.
    """
    return f'<role type="{attribute(role)}">{"".join(map(user_block, holders))}</role>'


def category_block(
    uri: str, name: str, description: str, *, invite: bool, filepost: bool, logged: bool
) -> str:
    """Render a ``catib``: a category in which one may create rooms, and what its rooms inherit."""
    switches = {"invite": invite, "filepost": filepost, "logged": logged}
    words = "".join([f' {switch}="{"true" if on else "false"}"' for switch, on in switches.items()])
    return (
        f'<catib uri="{attribute(uri)}" name="{attribute(name)}"'
        f' description="{attribute(description)}"{words}/>'
    )


def addin_block(guid: str, name: str, url: str) -> str:
    """Render a ``siop``: a registered add-in."""
    return f'<siop id="{attribute(guid)}" name="{attribute(name)}" url="{attribute(url)}"/>'


def short_user(number: int, uri: str, disname: str) -> str:
    """Render a ``uib`` of a long roster: what its ``aib`` refers to, and what people read."""
    return f'<uib id="{number}" uri="{attribute(uri)}" disname="{attribute(disname)}"/>'
