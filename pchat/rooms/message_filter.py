"""Which messages an administrator means: by time, author and words.

Source: docs/spec/persistent-chat-server.md section 7 (Remove-CsPersistentChatMessage).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen

from pchat import ticks
from pchat.errors import AdministrationRefused
from pchat.words import Mode, QueryTooLong, WordQuery, parse_query
from pchat.xccos.codes import ResponseCode

if TYPE_CHECKING:
    from pchat.directory.local import LocalDirectory

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def refused(detail: str, code: ResponseCode = ResponseCode.ERROR_INVALID_ARGUMENT) -> AdministrationRefused:
    """Refuse what an administrator typed."""
    return AdministrationRefused(code, detail)


def check_characters(text: str, name: str) -> None:
    """Refuse characters that no message can hold: those that XML 1.0 forbids, production 2 (Char).

    Raises:
        AdministrationRefused: There is one.
    """
    if _FORBIDDEN.search(text):
        raise refused(f"{name} holds a character that no message can hold")


@frozen
class MessageFilter:
    """What an administrator typed, each part of which a message must pass; None and empty let all pass.

    Args:
        since: First time, ISO 8601.
        until: Last time, included, ISO 8601; a date alone is that whole day.
        users: Addresses of authors, any of whom wrote the message.
        words: What it holds.
        match: ``all`` of the words, ``any`` of them, or ``exact``: as they stand.
        case: Whether capitals count.
    """

    since: str | None = None
    until: str | None = None
    users: Sequence[str] = ()
    words: str = ""
    match: Mode = "all"
    case: bool = False

    @property
    def lets_all_pass(self) -> bool:
        """Whether it says nothing."""
        return not (self.since or self.until or self.users or self.words.strip())

    def told(self) -> dict[str, Any]:
        """Tell what it says, for the audit log and the archive."""
        told: dict[str, Any] = {}
        if self.since:
            told["from"] = self.since
        if self.until:
            told["to"] = self.until
        if self.users:
            told["users"] = list(self.users)
        if self.words.strip():
            told |= {"words": self.words, "match": self.match, "case": self.case}
        return told

    def query(self, directory: LocalDirectory) -> dict[str, Any]:
        """Write it as arguments of a `pchat.store.search.HistoryQuery`.

        Raises:
            AdministrationRefused: A time that is none, an end before its beginning, an unknown address,
                or no words among the words.
        """
        since, until = _time(self.since, "from", ticks.from_iso), _time(self.until, "to", ticks.end_from_iso)
        if since is not None and until is not None and since > until:
            raise refused("from is after to")
        return {
            "first_ts": since,
            "last_ts": until,
            "authors": self._authors(directory) if self.users else None,
            "words": self._words() if self.words.strip() else None,
        }

    def _authors(self, directory: LocalDirectory) -> frozenset[int]:
        found: set[int] = set()
        for text in self.users:
            authors = directory.authors(text)
            if not authors:
                # Somebody who mistypes an address must not believe that there is nothing to remove.
                raise refused(f"there is no user {text[:80]!r}", ResponseCode.ERROR_NO_SUCH_PRINCIPAL)
            found.update(author.id for author in authors)
        return frozenset(found)

    def _words(self) -> WordQuery:
        check_characters(self.words, "the text sought")
        try:
            words = parse_query(self.words, self.match, match_case=self.case)
        except QueryTooLong as error:
            raise refused(str(error), ResponseCode.ERROR_LIMIT_EXCEEDED) from error
        if not words.terms:
            raise refused(f"there is no word in {self.words[:80]!r}: only letters and digits can be found")
        return words


def _time(text: str | None, name: str, read: Callable[[str], int]) -> int | None:
    if not text:
        return None
    try:
        return read(text)
    except (ValueError, OverflowError):
        raise refused(
            f"{name} must be a time such as 2026-01-31 or 2026-01-31T12:00:00Z, not {text[:40]!r}"
        ) from None
