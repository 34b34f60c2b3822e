"""Wire forms of what was found in history, and of messages that administrators took back.

Source: docs/spec/xccos.md section 3.8 and chapter 10.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pchat.xccos.writer import attribute, msg, room_reference

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pchat.xccos.blocks import MessageBlock


def found_messages(
    uri: str, name: str, messages: Iterable[MessageBlock], *, total: int, exceeded: bool
) -> str:
    """Render what a query found in one room.

    Args:
        uri: The room's URI in its stored form.
        name: The room's name.
        messages: What is shown, in the order asked for.
        total: How many messages are shown.
        exceeded: Whether there are more that match.

    Returns:
        A ``chanib`` element.
    """
    inner = "".join(map(msg, messages))
    head = (
        f'<chanib uri="{attribute(uri)}" name="{attribute(name)}" total="{total}"'
        f' exceeded="{"true" if exceeded else "false"}"'
    )
    return f"{head}>{inner}</chanib>" if inner else f"{head}/>"


def removed_messages(room_uri: str, chat_ids: Iterable[int]) -> str:
    """Render the data of ``ntc:msgremoved``: messages that are gone."""
    return room_reference(
        room_uri, "".join([f'<msg id="grpchat" chatId="{chat_id}"/>' for chat_id in chat_ids])
    )


def replaced_messages(room_uri: str, messages: Iterable[MessageBlock]) -> str:
    """Render the data of ``ntc:msgreplaced``: messages as they read now."""
    return room_reference(room_uri, "".join(map(msg, messages)))
