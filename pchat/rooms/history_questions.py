"""From what somebody asked for to what the store is asked, and to what the archive is told of it.

Source: docs/spec/xccos.md section 3.8; docs/spec/persistent-chat-server.md F-11, F-12.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pchat import ticks
from pchat.errors import CommandRefused
from pchat.store.search import HistoryQuery
from pchat.words import QueryTooLong, WordQuery, parse_query
from pchat.xccos.codes import ResponseCode

if TYPE_CHECKING:
    from pchat.directory.local import LocalDirectory
    from pchat.rooms.room import Room
    from pchat.rooms.settings import Settings
    from pchat.xccos.history_commands import HistoryWish


def count_of(wish_count: int | None, settings: Settings) -> int:
    """Tell how many messages of a room are given: as many as asked for, within the server's limit."""
    count = settings.default_history if wish_count is None else wish_count
    return min(count, settings.search_limit)


def query_of(
    wish: HistoryWish, rooms: Sequence[Room], directory: LocalDirectory, settings: Settings
) -> HistoryQuery:
    """Write a question for the store.

    Args:
        wish: What is sought.
        rooms: The rooms that may be read and keep history.
        directory: Knows authors, also those who are no more; who is unknown has written nothing.
        settings: Limits.

    Raises:
        CommandRefused: It asks for too many words (limit exceeded).
    """
    lowest = highest = None
    if wish.from_id is not None:
        lowest, highest = (None, wish.from_id) if wish.newest_first else (wish.from_id, None)
    return HistoryQuery(
        rooms=tuple(room.id for room in rooms),
        first_ts=wish.since,
        last_ts=wish.until,
        first_id=lowest,
        last_id=highest,
        words=_words_of(wish),
        authors=authors_of(wish.authors, directory),
        limit=count_of(wish.count, settings),
        newest_first=wish.newest_first,
        most=settings.search_limit,
    )


def _words_of(wish: HistoryWish) -> WordQuery | None:
    if not wish.words:
        return None
    try:
        return parse_query(wish.words, wish.match, match_case=wish.case)
    except QueryTooLong as error:
        raise CommandRefused(ResponseCode.ERROR_LIMIT_EXCEEDED, str(error)) from error


def authors_of(uris: Iterable[str], directory: LocalDirectory) -> frozenset[int] | None:
    """Tell the numbers of everybody who ever wrote under some addresses; None if none is given."""
    named = list(uris)
    if not named:
        return None
    return frozenset(author.id for uri in named for author in directory.authors(uri))


def asked_of(wish: HistoryWish, query: HistoryQuery) -> dict[str, Any]:
    """Tell the archive what was asked for, and nothing that was not."""
    asked: dict[str, Any] = {"query": "bydate" if wish.from_id is None else "bymsg", "limit": query.limit}
    if wish.from_id is not None:
        asked["msgid"] = wish.from_id
    if wish.since is not None:
        asked["from"] = ticks.to_iso(wish.since)
    if wish.until is not None:
        asked["to"] = ticks.to_iso(wish.until)
    if wish.words:
        asked |= {"words": wish.words, "match": wish.match, "case": wish.case}
    if wish.authors:
        asked["authors"] = list(wish.authors)
    return asked | {"search": "desc" if wish.newest_first else "asc"}
