"""Topic feeds and what they caught, as clients read them.

Source: docs/xccos-extensions.md ("Topic feeds").
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from pchat.xccos.blocks import MessageBlock, UserBlock
from pchat.xccos.writer import attribute, msg, room_reference, text, user_block


@frozen
class TopicBlock:
    """What clients are told of a topic feed.

    Args:
        guid: ``ego``, or a GUID.
        name: Its name.
        enabled: Whether it catches messages.
        version: 0 for an ego feed that was never changed.
        words: Words and phrases.
        people: Authors.
    """

    guid: str
    name: str
    enabled: bool
    version: int
    words: tuple[str, ...]
    people: tuple[UserBlock, ...]


def topic(block: TopicBlock) -> str:
    """Render a feed's definition."""
    words = "".join([f"<word>{text(word)}</word>" for word in block.words])
    return (
        f'<topic guid="{attribute(block.guid)}" name="{attribute(block.name)}"'
        f' enabled="{"true" if block.enabled else "false"}" version="{block.version}">'
        f"{words}{''.join(map(user_block, block.people))}</topic>"
    )


def topic_reference(guid: str) -> str:
    """Render a feed by its GUID alone."""
    return f'<topic guid="{attribute(guid)}"/>'


def deleted_topic(guid: str) -> str:
    """Render the news that a feed is no longer there."""
    return f'<topic guid="{attribute(guid)}" deleted="true"/>'


def hit(room_name: str, message: MessageBlock, guids: Iterable[str]) -> str:
    """Render a message that feeds caught, in the block of its room."""
    inner = msg(message) + "".join(map(topic_reference, guids))
    return room_reference(message.room_uri, inner, name=room_name)
