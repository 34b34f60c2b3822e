"""The SIP traffic of a real client, as its own debug output shows it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lxml import etree

NAMESPACE = "{urn:parlano:xml:ns:xccos}"
_BLOCK = re.compile(
    r"MESSAGE START (?P<arrow><<<<<<<<<<|>>>>>>>>>>) SIP\((?P<connection>\S+)\) [^\n]*\n"
    r"(?P<text>.*)\nMESSAGE END (?P=arrow)",
    re.DOTALL,
)


def logged_message(line: str) -> dict[str, str] | None:
    """Read a piece of the plugin's debug output; a SIP message becomes the fields of a ``sip`` event."""
    found = _BLOCK.search(line)
    if not found:
        return None
    return {
        "way": "in" if found["arrow"].startswith("<") else "out",
        "connection": found["connection"],
        "text": found["text"].replace("\r\n", "\n"),
    }


@dataclass(frozen=True, slots=True)
class SipMessage:
    """A SIP message that the client sent (``out``) or received (``in``)."""

    way: str
    start_line: str
    headers: tuple[tuple[str, str], ...]
    body: str

    @classmethod
    def from_event(cls, event: dict[str, Any]) -> SipMessage:
        """Read a ``sip`` event of the client."""
        head, _, body = event["text"].partition("\n\n")
        start_line, *lines = head.split("\n")
        pairs = (line.partition(":") for line in lines)
        headers = tuple((name.strip().lower(), value.strip()) for name, _, value in pairs)
        return cls(event["way"], start_line, headers, body)

    def header(self, name: str) -> str | None:
        """Return the first value of a header, by its name in lower case."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def is_request(self) -> bool:
        """Whether this is a request."""
        return not self.start_line.startswith("SIP/2.0 ")

    @property
    def status(self) -> int | None:
        """Status of a response."""
        return None if self.is_request else int(self.start_line.split(" ", 2)[1])


@dataclass(frozen=True, slots=True)
class Delivery:
    """A chat message that the server sent, live or in a history reply."""

    room: str
    chat_id: int
    text: str


def _delivery(element: Any) -> Delivery:
    text = element.findtext(f"{NAMESPACE}chat") or ""
    return Delivery(element.get("chanUri"), int(element.get("chatId")), text)


def live_deliveries(messages: Iterable[SipMessage]) -> list[Delivery]:
    """Return the live chat messages that were received, in order."""
    found = []
    for message in messages:
        if message.way == "in" and message.start_line.startswith("INFO ") and "<grpchat" in message.body:
            envelope = etree.fromstring(message.body.encode())
            found += [_delivery(element) for element in envelope.iterchildren(f"{NAMESPACE}grpchat")]
    return found


def history_replies(messages: Iterable[SipMessage]) -> list[list[Delivery]]:
    """Return the chat messages of each history reply that was received, in order."""
    replies = []
    for message in messages:
        if message.way == "in" and message.start_line.startswith("INFO ") and "rpl:bccontext" in message.body:
            envelope = etree.fromstring(message.body.encode())
            replies.append([_delivery(element) for element in envelope.iter(f"{NAMESPACE}msg")])
    return replies
