"""The one tokeniser: how the words of messages and of searches are told apart, in any script.

Searches, their index in every store, and topic feeds all use `cut`; nothing else folds or cuts text.

* Case, accents, the harakat and hamza marks of Arabic and the points of Hebrew make no difference, nor do
  width and other compatibility forms, or which digits are used.
* A word is a run of letters, digits and their marks. All else parts words: ``EUR/USD`` and ``e-mail`` are
  two words each that follow each other, ``C++`` is ``c``; emoji are no words.
* Scripts that are written without blanks (Han, Kana, Thai, Lao, Khmer, Burmese) have no words that could be
  told apart without a dictionary. A run of such characters is cut into all pairs of neighbours, so that any
  part of two characters or more is found as a phrase of pairs.

Source: docs/spec/persistent-chat-server.md F-11; Unicode Standard Annex #15 (normal forms) and chapter 3.13
(case folding) of the Unicode Standard.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal, NamedTuple

from attrs import frozen

from pchat.characters import MARKS, UNSPACED, fold
from pchat.errors import PeerError

#: Names this way of cutting. An index that was made by another one is made anew: what is removed from it must
#: be cut as it was when it was put in. Python's tables of characters are part of it.
WORDS_VERSION = f"1 (Unicode {unicodedata.unidata_version})"
#: Characters of one word; what is longer goes on as another word.
WORD_LENGTH = 64
#: Characters that are looked at, after folding: some characters unfold to eighteen.
TEXT_LENGTH = 262_144
#: What one search may ask for, so that nobody makes the store compute for long.
QUERY_TERMS, QUERY_WORDS = 64, 256

Mode = Literal["all", "any", "exact"]

_UNSPACED = re.compile(f"[{UNSPACED}]")
_WORD = re.compile(f"[^\\W{UNSPACED}]++(?:[{MARKS}]++[^\\W{UNSPACED}]*+)*+")
_WORD_OR_RUN = re.compile(f"([{UNSPACED}]++)|{_WORD.pattern}")
_PLAIN_WORD = re.compile("[a-zA-Z0-9]++")


class QueryTooLong(PeerError):
    """A search asks for more words than `QUERY_TERMS` and `QUERY_WORDS` allow."""


class Cut(NamedTuple):
    """A text as the index holds it.

    Args:
        words: Words and pairs in the order of the text; a run of one character without blanks is a word.
        extras: The last character of each run without blanks, with which no pair begins.
    """

    words: list[str]
    extras: list[str]


@frozen
class Term:
    """One thing that must be found: words that follow each other.

    Args:
        words: The words, at least one.
        prefix: Whether the last word is one character of a script without blanks, so that every word that
            begins with it will do. If it is the only word, it is found among the extras as well.
        after: Empty, or a character of such a script that must be among the extras, since in the text the
            phrase follows a run that ends with it.
    """

    words: tuple[str, ...]
    prefix: bool = False
    after: str = ""


@frozen
class WordQuery:
    """What is searched for, the same for every engine.

    Args:
        terms: What must be found; without any nothing is found.
        any_term: Whether one of them is enough.
        cased: The same terms with their case, if case matters; no index knows case, so messages that an index
            finds are looked at again with `matches`.
    """

    terms: tuple[Term, ...]
    any_term: bool = False
    cased: tuple[Term, ...] | None = None


def cut(text: str, *, keep_case: bool = False) -> Cut:
    """Cut a text into its words.

    Args:
        text: Any text.
        keep_case: Whether capital letters stay what they are; never so in an index.

    Returns:
        Its words and extras. Words hold nothing but letters, digits and marks.
    """
    folded = fold(text[:TEXT_LENGTH], keep_case=keep_case)[:TEXT_LENGTH]
    if folded.isascii():
        return Cut(_shortened(_PLAIN_WORD.findall(folded)), [])
    if _UNSPACED.search(folded) is None:
        return Cut(_shortened(_WORD.findall(folded)), [])
    return _cut_runs(folded)


def _cut_runs(folded: str) -> Cut:
    words: list[str] = []
    extras: list[str] = []
    for found in _WORD_OR_RUN.finditer(folded):
        run = found[0]
        if found[1] is None:
            words += _shortened([run])
            continue
        words += map(str.__add__, run, run[1:]) if len(run) > 1 else [run]
        extras.append(run[-1])
    return Cut(words, extras)


def _shortened(words: list[str]) -> list[str]:
    if not words or max(map(len, words)) <= WORD_LENGTH:
        return words
    return [word[at : at + WORD_LENGTH] for word in words for at in range(0, len(word), WORD_LENGTH)]


def parse_query(text: str, mode: Mode, *, match_case: bool = False) -> WordQuery:
    """Read what a user typed into a search box.

    Args:
        text: What he typed. Except in the mode ``exact`` blanks part terms; what is left of a term after
            cutting, such as ``EUR`` and ``USD`` of ``EUR/USD``, must follow each other.
        mode: ``all`` terms, ``any`` of them, or ``exact``: the whole text is one term.
        match_case: Whether case matters.

    Returns:
        The query. It may have no terms, and finds nothing then.

    Raises:
        QueryTooLong: It asks for too much.
    """
    terms = _terms(text, mode, keep_case=False)
    if len(terms) > QUERY_TERMS or sum(len(term.words) for term in terms) > QUERY_WORDS:
        raise QueryTooLong(f"a search of more than {QUERY_TERMS} terms or {QUERY_WORDS} words")
    cased = _terms(text, mode, keep_case=True) if match_case else None
    return WordQuery(terms, mode == "any", cased)


def _terms(text: str, mode: Mode, *, keep_case: bool) -> tuple[Term, ...]:
    pieces = [text] if mode == "exact" else text.split()
    terms = (_term(cut(piece, keep_case=keep_case)) for piece in pieces)
    return tuple(dict.fromkeys(term for term in terms if term is not None))


def _term(found: Cut) -> Term | None:
    words = found.words
    if not words:
        return None
    first_alone, last_alone = _is_alone(words[0]), _is_alone(words[-1])
    if first_alone and len(words) > 1:
        return Term(tuple(words[1:]), last_alone, words[0])
    return Term(tuple(words), last_alone)


def _is_alone(word: str) -> bool:
    return len(word) == 1 and _UNSPACED.match(word) is not None


@frozen
class Line:
    """A text made ready to be compared with many queries.

    Args:
        text: Its words, with a blank before and after each.
        extras: As in `Cut`.
    """

    text: str
    extras: frozenset[str]

    @classmethod
    def of(cls, found: Cut) -> Line:
        """Make it of a text that was cut."""
        return cls(f" {' '.join(found.words)} ", frozenset(found.extras))


def matches(message: str | Cut | Line, query: WordQuery) -> bool:
    """Tell whether a message is found: the truth that every engine's index is held to.

    Args:
        message: Its text, or what `cut` made of it (with its case, if case matters to the query).
        query: The query.
    """
    terms = query.terms if query.cased is None else query.cased
    if isinstance(message, str):
        message = cut(message, keep_case=query.cased is not None)
    line = message if isinstance(message, Line) else Line.of(message)
    found = (_term_found(line, term) for term in terms)
    return bool(terms) and (any(found) if query.any_term else all(found))


def _term_found(line: Line, term: Term) -> bool:
    phrase = " " + " ".join(term.words)
    if term.after and term.after not in line.extras:
        return False
    if not term.prefix:
        return phrase + " " in line.text
    return phrase in line.text or (len(term.words) == 1 and term.words[0] in line.extras)
