"""What a topic feed is, and which one everybody has."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from pchat.store.topics import FeedRow
from pchat.words import QueryTooLong, WordQuery, parse_query

if TYPE_CHECKING:
    from pchat.directory.people import Principal

#: The built-in feed for one's own name; everybody has it, whether he ever changed it or not.
EGO = "ego"
#: Feeds of a user, the ego feed not counted.
FEEDS_PER_USER = 20


def ego_of(principal_id: int) -> FeedRow:
    """Make the ego feed of somebody who has not changed it yet."""
    return FeedRow(principal_id, EGO, EGO, enabled=True, words=(), people=(), version=0)


def phrases_of(feed: FeedRow, owner: Principal) -> Iterator[str]:
    """Tell the words and phrases that a feed watches for; the ego feed knows its owner's names by itself."""
    if feed.guid == EGO:
        yield owner.shown_name
        yield owner.name
    yield from feed.words


@lru_cache(maxsize=1 << 12)
def phrase_query(phrase: str) -> WordQuery | None:
    """Read a word or phrase; None if no message can hold it (it has no letters, or far too many)."""
    try:
        query = parse_query(phrase, "exact")
    except QueryTooLong:
        return None
    return query if query.terms else None
