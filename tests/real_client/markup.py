"""Between plain text and the markup that a chat window of libpurple shows and sends."""

from __future__ import annotations

import html
import re

_BREAK = re.compile(r"(?i)<br\s*/?>")
_TAG = re.compile(r"<[^>]+>")


def plain(markup: str | None) -> str | None:
    """Return the text of a shown message as a person reads it."""
    if markup is None:
        return None
    return html.unescape(_TAG.sub("", _BREAK.sub("\n", markup))).replace("\r\n", "\n")


def to_markup(text: str) -> str:
    """Return what a chat window hands over when somebody types a text."""
    return html.escape(text, quote=True).replace("\r\n", "\n").replace("\n", "<br>")
