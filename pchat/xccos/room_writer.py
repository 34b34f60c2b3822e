"""Rendering of what is told of rooms' roles, and of categories and add-ins.

Source: docs/spec/xccos.md chapter 10; docs/xccos-extensions.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from pchat.xccos.writer import attribute, room_mask, room_reference, user_reference


def roles_notice(room_uri: str, users: Iterable[tuple[str, tuple[int, str, str]]]) -> str:
    """Render the data of ``ntc:roles``: people in a room have other rights now.

    Args:
        room_uri: The room.
        users: The URI of each, his permission mask, and the room's GUID and domain.
    """
    return room_reference(room_uri) + "".join([user_reference(uri, room_mask(*mask)) for uri, mask in users])


def role_list(role: str, holders: str) -> str:
    """Render one role list of ``getroles``.

    Args:
        role: ``MEMBER``, ``MANAGER`` or ``PRESENTER``.
        holders: The rendered blocks of who is on it.
    """
    return f'<role type="{attribute(role)}">{holders}</role>'


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


def short_user(uri: str, disname: str, number: int | None = None) -> str:
    """Render a ``uib`` of a long list: who it is and what people call him.

    Args:
        uri: SIP URI, or that of a group.
        disname: Display name.
        number: Number within the reply, where an ``aib`` refers to it.
    """
    numbered = "" if number is None else f' id="{number}"'
    return f'<uib{numbered} uri="{attribute(uri)}" disname="{attribute(disname)}"/>'
