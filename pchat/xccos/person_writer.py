"""Rendering of what the server keeps for one user: preferences, and how far he has read.

Source: docs/spec/xccos.md 3.11 and chapter 10; docs/xccos-extensions.md, "Read markers".
"""

from __future__ import annotations

from pchat.xccos.writer import attribute


def preference(label: str, version: int, content: str | None = None) -> str:
    """Render a preference.

    Args:
        label: Its label.
        version: The version there is; 0 if there is none.
        content: Base64; None if the client has it, or just gave it.
    """
    told = "" if content is None else f' content="{attribute(content)}"'
    return f'<pref label="{attribute(label)}" seqid="{version}"{told}/>'


def read_state(read: int, unread: int | None) -> str:
    """Render how a user stands in a room, to stand in its ``chanib``.

    Args:
        read: Number of the last message read; 0 for none.
        unread: Messages of others since then; None if they could not be counted.
    """
    counted = "" if unread is None else f'<info id="urn:pchat:info:unread">{unread}</info>'
    return f'<info id="urn:pchat:info:read">{read}</info>{counted}'
