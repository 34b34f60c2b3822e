"""Which filters catch a message: an inverted index leads to few candidates, and those are looked at exactly.

A phrase stands in the index under the one of its words that the fewest users watch for; so neither the number
of users nor that of feeds matters to a message that holds none of their words.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence, Set
from typing import Generic, NamedTuple, TypeVar

from pchat.topics.definition import phrase_query
from pchat.words import Cut, Line, WordQuery, cut, matches

Key = TypeVar("Key", bound=Hashable)


class Filter(NamedTuple):
    """One enabled feed, as far as matching needs to know.

    Args:
        guid: The feed.
        phrases: Words and phrases, any of which is enough; case and accents make no difference.
        people: Numbers of authors, any of whom is enough.
    """

    guid: str
    phrases: tuple[str, ...]
    people: tuple[int, ...]


class Postings(Generic[Key]):
    """Users by what they watch for; most keys have one user, who costs no set."""

    def __init__(self) -> None:
        self._users: dict[Key, int | set[int]] = {}

    def add(self, key: Key, user_id: int) -> None:
        """Note that a user watches for something; twice is once."""
        present = self._users.get(key)
        if present is None:
            self._users[key] = user_id
        elif isinstance(present, set):
            present.add(user_id)
        elif present != user_id:
            self._users[key] = {present, user_id}

    def discard(self, key: Key, user_id: int) -> None:
        """Note that he no longer does."""
        present = self._users.get(key)
        if isinstance(present, set):
            present.discard(user_id)
            if not present:
                del self._users[key]
        elif present == user_id:
            del self._users[key]

    def users(self, keys: Set[Key]) -> set[int]:
        """Tell who watches for any of some keys."""
        found: set[int] = set()
        # Nearly all words of a message are nobody's: the two tables are compared without a step here a word.
        for key in self._users.keys() & keys:
            present = self._users[key]
            if isinstance(present, set):
                found |= present
            else:
                found.add(present)
        return found

    def count(self, key: Key) -> int:
        """Tell how many do."""
        present = self._users.get(key)
        if present is None:
            return 0
        return len(present) if isinstance(present, set) else 1

    def __len__(self) -> int:
        return len(self._users)


class _Watched(NamedTuple):
    """A user's filters, and under which keys the indexes have him."""

    filters: tuple[Filter, ...]
    words: tuple[str, ...]
    people: tuple[int, ...]


class Message:
    """A message that is looked at by many filters: cut once, each phrase looked for once.

    Its ``index_keys`` are everything under which a phrase that it holds may stand in the index.
    """

    def __init__(self, author_id: int, text: str) -> None:
        self.author_id = author_id
        found = cut(text)
        self.index_keys = index_keys(found)
        self._line = Line.of(found)
        self._found: dict[str, bool] = {}

    def holds(self, phrase: str) -> bool:
        """Tell whether a phrase is in the text."""
        found = self._found.get(phrase)
        if found is None:
            query = phrase_query(phrase)
            found = self._found[phrase] = query is not None and self._matches(query)
        return found

    def _matches(self, query: WordQuery) -> bool:
        # Nearly all phrases that are asked for have a word that is not there: the text is not gone through.
        words = query.terms[0].words
        return self.index_keys.issuperset(words) and matches(self._line, query)

    def caught_by(self, wish: Filter) -> bool:
        """Tell whether a filter catches it."""
        return self.author_id in wish.people or any(map(self.holds, wish.phrases))


def index_keys(found: Cut) -> set[str]:
    """Tell the keys of a text: its words, and each character of scripts that are written without blanks."""
    keys = set(found.words)
    if found.extras:
        keys.update(found.extras)
        keys.update(word[0] for word in found.words)
    return keys


class FilterIndex:
    """The filters of everybody who follows rooms."""

    def __init__(self) -> None:
        self._watched: dict[int, _Watched] = {}
        self._by_word: Postings[str] = Postings()
        self._by_author: Postings[int] = Postings()

    def __len__(self) -> int:
        return len(self._watched)

    @property
    def size(self) -> int:
        """How many words and authors lead to somebody."""
        return len(self._by_word) + len(self._by_author)

    def set_filters(self, user_id: int, filters: Sequence[Filter]) -> None:
        """Take a user's filters, in place of those he had; none removes him."""
        before = self._watched.pop(user_id, None)
        if before is not None:
            for word in before.words:
                self._by_word.discard(word, user_id)
            for author_id in before.people:
                self._by_author.discard(author_id, user_id)
        if not filters:
            return
        words = tuple(dict.fromkeys(self._key_words(filters)))
        people = tuple({author_id for wish in filters for author_id in wish.people})
        for word in words:
            self._by_word.add(word, user_id)
        for author_id in people:
            self._by_author.add(author_id, user_id)
        self._watched[user_id] = _Watched(tuple(filters), words, people)

    def _key_words(self, filters: Iterable[Filter]) -> Iterator[str]:
        for wish in filters:
            for phrase in wish.phrases:
                query = phrase_query(phrase)
                if query is not None:
                    yield min(query.terms[0].words, key=self._by_word.count)

    def caught(self, author_id: int, text: str, listens: Callable[[int], bool]) -> dict[int, tuple[str, ...]]:
        """Tell whose filters catch a message.

        Args:
            author_id: Who wrote it.
            text: What he wrote.
            listens: Tells whether a user wants messages of this room at all; asked for candidates only.

        Returns:
            The GUIDs of the feeds that catch it, by user.
        """
        message = Message(author_id, text)
        candidates = self._by_author.users({author_id}) | self._by_word.users(message.index_keys)
        found = {}
        for user_id in candidates:
            if listens(user_id):
                filters = self._watched[user_id].filters
                guids = tuple([wish.guid for wish in filters if message.caught_by(wish)])
                if guids:
                    found[user_id] = guids
        return found
