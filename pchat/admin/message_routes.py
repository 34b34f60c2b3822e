"""Messages in the administration interface: found, removed, replaced, cleared.

What may take long is done in pieces: a caller asks again with ``after`` and ``upto`` of the answer, until
``next`` is null. A piece that was answered is done, whatever becomes of the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pchat.admin.fields import Field, Flag, Number, Text, Texts, Time, Word
from pchat.admin.routes import MOST_ENTRIES, USUAL_ENTRIES, Answer, Call, Route
from pchat.rooms.message_administration import REPLACEMENT, MessageAdministration
from pchat.rooms.message_filter import MessageFilter
from pchat.rooms.settings import LARGEST_MESSAGE

_LAST_ID = (1 << 40) - 1
_SOUGHT: dict[str, Field] = {
    "from": Time("First time."),
    "to": Time("Last time, included; a date alone is that whole day."),
    "words": Text("What the messages hold."),
    "match": Word(("all", "any", "exact"), "Whether all words must be there, any, or all as they stand."),
    "case": Flag("Whether capitals count."),
}
_FILTERS: dict[str, Field] = {
    "room": Texts("Name, URI or GUID of a room; none for all rooms."),
    "user": Texts("Address of an author; none for anybody."),
    **_SOUGHT,
    "limit": Number(1, MOST_ENTRIES, "Messages that are wanted at most, the newest.", USUAL_ENTRIES),
}
_CURSOR: dict[str, Field] = {
    "after": Number(0, _LAST_ID, "next of the piece before.", 0),
    "upto": Number(0, _LAST_ID, "upto of the first piece: what is posted later stays."),
}
_CHOSEN: dict[str, Field] = {
    **_SOUGHT,
    "user": Text("Address of the author."),
    "all": Flag("That all messages are meant; without it something else must choose."),
    **_CURSOR,
}
#: The setting ``message-size-limit`` decides; no text of fewer bytes has more characters than it can be.
_NEW_TEXT = Text(f"The new text; by default: {REPLACEMENT}", most=LARGEST_MESSAGE)
_REPLACED: dict[str, Field] = {**_CHOSEN, "text": _NEW_TEXT}
_CLEARED: dict[str, Field] = {
    "until": Time("Last time, included; a date alone is that whole day."),
    **_CURSOR,
}


def _filter(given: Mapping[str, Any]) -> MessageFilter:
    user = given.get("user") or ()
    return MessageFilter(
        since=given.get("from"),
        until=given.get("to"),
        users=[user] if isinstance(user, str) else user,
        words=given.get("words", ""),
        match=given.get("match", "all"),
        case=given.get("case", False),
    )


def _rest(given: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}


class MessageRoutes:
    """The resources ``messages`` and ``rooms/{room}/messages``.

    Args:
        messages: Where their rules are.
    """

    def __init__(self, messages: MessageAdministration) -> None:
        self._messages = messages

    def routes(self) -> list[Route]:
        """List the operations."""
        return [
            Route(
                *("GET", "messages", self._search),
                query=_FILTERS,
                summary="Find messages in some rooms or all; every room that is shown is on record as read",
                scope="messages",
                answer="FoundMessages",
            ),
            # What it asks is what the two below are then told to do, and too long for an address.
            Route(
                *("POST", "rooms/{room}/messages/count", self._count, _CHOSEN),
                summary="Count a piece of the messages that pass the filter; nothing is changed or shown",
                scope="messages",
                answer="CountedPiece",
            ),
            Route(
                *("POST", "rooms/{room}/messages/remove", self._remove, _CHOSEN),
                summary="Remove a piece of the messages that pass the filter",
                scope="messages",
                answer="MessagePiece",
            ),
            Route(
                *("POST", "rooms/{room}/messages/replace", self._replace, _REPLACED),
                summary="Put a text in the place of a piece of the messages that pass the filter",
                scope="messages",
                answer="MessagePiece",
            ),
            Route(
                *("POST", "rooms/{room}/clear", self._clear, _CLEARED, ("until",)),
                summary="Remove a piece of all messages up to and with a time",
                scope="messages",
                answer="MessagePiece",
            ),
        ]

    async def _search(self, call: Call) -> Answer:
        rooms = call.query.get("room", [])
        return 200, await self._messages.search(call.actor, rooms, _filter(call.query), call.limit)

    async def _count(self, call: Call) -> Answer:
        return 200, await self._messages.count(
            call.names[0],
            _filter(call.body),
            everything=call.body.get("all", False),
            **_rest(call.body, "after", "upto"),
        )

    async def _remove(self, call: Call) -> Answer:
        return 200, await self._messages.remove(
            call.actor,
            call.names[0],
            _filter(call.body),
            everything=call.body.get("all", False),
            **_rest(call.body, "after", "upto"),
        )

    async def _replace(self, call: Call) -> Answer:
        return 200, await self._messages.replace(
            call.actor,
            call.names[0],
            _filter(call.body),
            everything=call.body.get("all", False),
            **_rest(call.body, "text", "after", "upto"),
        )

    async def _clear(self, call: Call) -> Answer:
        return 200, await self._messages.clear(call.actor, call.names[0], **call.body)
