"""Posts as bytes, made for counting them."""

from __future__ import annotations

from pchat.client.wire import NAMESPACE

POST_DIGITS = 9
"""Each post's text begins with ``p`` and its number in so many digits."""


def post_start(room: str, author: str) -> bytes:
    """Render a post up to its text."""
    return (
        f'<xccos ver="1" envid="1" xmlns="{NAMESPACE}"><grpchat id="grpchat" seqid="1" '
        f'chanUri="{room}" author="{author}" ts="2026-11-22T06:29:50Z"><chat>p'
    ).encode()


POST_END = b"</chat></grpchat></xccos>"
