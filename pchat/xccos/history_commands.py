"""Arguments of the commands that search what was said: ``bcbydate`` and ``bcbymsg``.

Source: docs/spec/xccos.md section 3.8 and chapter 10.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import evolve, frozen

from pchat import ticks
from pchat.errors import CommandRefused
from pchat.xccos.arguments import RoomKey, attribute, boolean, number, one, optional, refused, room_of_uri
from pchat.xccos.codes import ResponseCode
from pchat.xccos.parser import children

if TYPE_CHECKING:
    from collections.abc import Callable

    from pchat.xccos.arguments import Reader
    from pchat.xccos.limits import CommandLimits
    from pchat.xccos.parser import Element

Match = Literal["all", "any", "exact"]

#: Characters of a time; the longest useful one has seven digits of a second and a zone.
TIME_CHARACTERS = 64


@frozen
class HistoryWish:
    """What is sought in the history of some rooms.

    Args:
        rooms: Each room once, in the order asked.
        since: First time, in ticks; None for the beginning.
        until: Last time, included, in ticks; None for now.
        from_id: ``bcbymsg``: the chat id to begin at, in the direction of ``newest_first``.
        words: What the messages must hold; empty for any message.
        match: ``all`` of the words, ``any`` of them, or ``exact``: the text as it is written.
        case: Whether capitals count.
        authors: SIP URIs as received, each once; empty for anybody.
        count: The most messages wanted of each room; None if not said.
        newest_first: Whether the newest hits are kept when there are too many, else the oldest.
        newest_on_top: Whether the answer begins with the newest.

    Source: docs/spec/xccos.md section 3.8 and chapter 10.
    """

    rooms: tuple[RoomKey, ...]
    since: int | None = None
    until: int | None = None
    from_id: int | None = None
    words: str = ""
    match: Match = "all"
    case: bool = False
    authors: tuple[str, ...] = ()
    count: int | None = None
    newest_first: bool = True
    newest_on_top: bool = False


def read_by_date(data: Element | None, limits: CommandLimits) -> HistoryWish:
    """Read ``bcbydate``; everything in its ``bcq`` may be absent."""
    return _wish(data, optional(data, "bcq"), limits)


def read_by_message(data: Element | None, limits: CommandLimits) -> HistoryWish:
    """Read ``bcbymsg``: the same with a chat id, beside which dates do not count."""
    query = one(data, "bcq")
    from_id = number(one(query, "msgid"), "id")
    if from_id is None or from_id < 1:
        raise refused("id missing or below 1")
    return evolve(_wish(data, query, limits), from_id=from_id, since=None, until=None)


def _wish(data: Element | None, query: Element | None, limits: CommandLimits) -> HistoryWish:
    since, until = _dates(optional(query, "date"))
    words, match, case = _text(optional(query, "text"), limits)
    limit = optional(query, "limit")
    count = None if limit is None else number(limit, "cnt")
    if count is not None and count < 1:
        raise refused("cnt below 1")
    order = optional(query, "order")
    return HistoryWish(
        rooms=_rooms(data, limits),
        since=since,
        until=until,
        words=words,
        match=match,
        case=case,
        authors=_authors(query, limits),
        count=count,
        newest_first=_descending(order, "search", default=True),
        newest_on_top=_descending(order, "sort", default=False),
    )


def _rooms(data: Element | None, limits: CommandLimits) -> tuple[RoomKey, ...]:
    blocks = [] if data is None else [*children(data, "chanib")]
    if not blocks:
        raise refused("no chanib")
    if len(blocks) > limits.rooms:
        raise CommandRefused(ResponseCode.ERROR_LIMIT_EXCEEDED, f"{len(blocks)} rooms in one query")
    return tuple(dict.fromkeys(room_of_uri(block, limits) for block in blocks))


def _dates(block: Element | None) -> tuple[int | None, int | None]:
    if block is None:
        return None, None
    since, until = _time(block, "from", ticks.from_iso), _time(block, "to", ticks.end_from_iso)
    if since is not None and until is not None and since > until:
        raise refused("from is after to")
    return since, until


def _time(block: Element, name: str, read: Callable[[str], int]) -> int | None:
    text = attribute(block, name, TIME_CHARACTERS, default="")
    if not text.strip():
        return None
    try:
        return read(text)
    except (ValueError, OverflowError):
        raise refused(f"{name} is no time") from None


def _text(block: Element | None, limits: CommandLimits) -> tuple[str, Match, bool]:
    if block is None:
        return "", "all", False
    words = "".join(map(str, block.itertext())).strip()
    if len(words) > limits.criteria_chars:
        raise refused("text too long")
    every = block.get("matchall") is None or boolean(block, "matchall")
    # A phrase holds all of its words: matchexact says more than matchall, whatever that says.
    match: Match = "exact" if boolean(block, "matchexact") else "all" if every else "any"
    return words, match, boolean(block, "matchcase")


def _authors(query: Element | None, limits: CommandLimits) -> tuple[str, ...]:
    blocks = [] if query is None else [*children(query, "author")]
    if len(blocks) > limits.authors:
        raise CommandRefused(ResponseCode.ERROR_LIMIT_EXCEEDED, f"{len(blocks)} authors in one query")
    return tuple(dict.fromkeys(attribute(block, "uri", limits.uri_chars).strip() for block in blocks))


def _descending(order: Element | None, name: str, *, default: bool) -> bool:
    word = None if order is None else order.get(name)
    if word is None:
        return default
    if word.strip().lower() not in {"asc", "desc"}:
        raise refused(f"{name} is neither asc nor desc")
    return word.strip().lower() == "desc"


READERS: dict[str, Reader] = {
    "bcbydate": read_by_date,
    "bcbymsg": read_by_message,
}
