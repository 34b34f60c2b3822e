"""Bodies and queries of the administration interface: bounded, strict about what they may hold, described."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl

from attrs import frozen

from pchat import ticks
from pchat.web.problems import Problem, invalid

#: A text is at least four times as long as anything the rules accept, so that they explain the real limit.
TEXT_CHARACTERS = 4_096
#: Filters are names, words and addresses, and all of them have to fit into one line.
FILTER_CHARACTERS = 512
#: Principals in one list: a large department entered one by one.
LIST_ENTRIES = 10_000
#: A list of so many addresses of usual length.
BODY_BYTES = 1 << 20
#: No query has more filters.
QUERY_FIELDS = 64

Body = dict[str, Any]
#: A description of a value in the words of JSON Schema, as OpenAPI 3.1 has it.
Schema = dict[str, Any]

_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
TIME_PATTERN = rf"^{_DATE}(T{_TIME}(Z|[+-][0-9]{{2}}:[0-9]{{2}})?)?$"


class Field(Protocol):
    """What a member of a body, or a filter of a query, must be."""

    def read(self, name: str, value: object) -> Any:
        """Check a member of a body.

        Raises:
            Problem: It is of another kind, or too large.
        """

    def parse(self, name: str, text: str) -> Any:
        """Read a filter, which is always a text.

        Raises:
            Problem: It is of another kind, or too large.
        """

    def schema(self) -> Schema:
        """Describe it."""


@frozen
class Text:
    """A text.

    Args:
        about: What it is, in a few words.
        empty: Whether it may be empty.
        most: Characters that it may have.
    """

    about: str = ""
    empty: bool = True
    most: int = TEXT_CHARACTERS

    def read(self, name: str, value: object) -> str:
        """Check a value; see `Field`."""
        if not isinstance(value, str):
            raise invalid(f"{name} must be a text")
        if len(value) > self.most:
            raise invalid(f"{name} has more than {self.most} characters")
        if not value and not self.empty:
            raise invalid(f"{name} is empty")
        return value

    def parse(self, name: str, text: str) -> str:
        """Read a filter; see `Field`."""
        if len(text) > FILTER_CHARACTERS:
            raise invalid(f"{name} has more than {FILTER_CHARACTERS} characters")
        return self.read(name, text)

    def schema(self) -> Schema:
        """Describe it."""
        least = {} if self.empty else {"minLength": 1}
        return {"type": "string", "maxLength": self.most} | least | _told(self.about)


@frozen
class Word:
    """One of a few words.

    Args:
        words: They.
        about: What it is, in a few words.
    """

    words: tuple[str, ...]
    about: str = ""

    def read(self, name: str, value: object) -> str:
        """Check a value; see `Field`."""
        if not isinstance(value, str) or value not in self.words:
            raise invalid(f"{name} must be one of {', '.join(self.words)}")
        return value

    def parse(self, name: str, text: str) -> str:
        """Read a filter; see `Field`."""
        return self.read(name, text)

    def schema(self) -> Schema:
        """Describe it."""
        return {"type": "string", "enum": list(self.words)} | _told(self.about)


@frozen
class Number:
    """A whole number within a range, both ends included.

    Args:
        low, high: The range.
        about: What it is, in a few words.
        default: What is meant when it is not given, if that is said.
    """

    low: int
    high: int
    about: str = ""
    default: int | None = None

    def read(self, name: str, value: object) -> int:
        """Check a value; see `Field`."""
        # 2.0 is the same number as 2 in JSON (RFC 8259 section 6); true is none.
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not self.low <= value <= self.high:
            raise invalid(f"{name} must be a whole number from {self.low} to {self.high}")
        return value

    def parse(self, name: str, text: str) -> int:
        """Read a filter; see `Field`."""
        digits = text.removeprefix("-")
        plain = digits.isascii() and digits.isdecimal() and len(digits) <= 20
        return self.read(name, int(text) if plain else None)

    def schema(self) -> Schema:
        """Describe it."""
        default = {} if self.default is None else {"default": self.default}
        return {"type": "integer", "minimum": self.low, "maximum": self.high} | default | _told(self.about)


@frozen
class Time:
    """A date, or date and time, of ISO 8601; without a zone it is UTC. It stays a text.

    Args:
        about: What it is, in a few words.
    """

    about: str = ""

    def read(self, name: str, value: object) -> str:
        """Check a value; see `Field`."""
        if not isinstance(value, str) or not re.fullmatch(TIME_PATTERN, value):
            raise invalid(f"{name} must be a time such as 2030-12-31 or 2030-12-31T23:59:59Z")
        try:
            ticks.from_iso(value)
        except (ValueError, OverflowError):
            raise invalid(f"{name} is no time of the calendar") from None
        return value

    def parse(self, name: str, text: str) -> str:
        """Read a filter; see `Field`."""
        return self.read(name, text)

    def schema(self) -> Schema:
        """Describe it."""
        return {"type": "string", "pattern": TIME_PATTERN} | _told(self.about)


@frozen
class Flag:
    """True or false.

    Args:
        about: What it is, in a few words.
    """

    about: str = ""

    def read(self, name: str, value: object) -> bool:
        """Check a value; see `Field`."""
        if not isinstance(value, bool):
            raise invalid(f"{name} must be true or false")
        return value

    def parse(self, name: str, text: str) -> bool:
        """Read a filter; see `Field`."""
        return self.read(name, {"true": True, "false": False}.get(text))

    def schema(self) -> Schema:
        """Describe it."""
        return {"type": "boolean"} | _told(self.about)


@frozen
class Texts:
    """A list of texts; as a filter it is given once for each of them.

    Args:
        about: What it is, in a few words.
        words: The only texts that it may hold, if there are such.
    """

    about: str = ""
    words: tuple[str, ...] = ()

    def read(self, name: str, value: object) -> list[str]:
        """Check a value; see `Field`."""
        if not isinstance(value, list):
            raise invalid(f"{name} must be a list of texts")
        if len(value) > LIST_ENTRIES:
            raise invalid(f"{name} has more than {LIST_ENTRIES} entries")
        return [self._entry().read(f"{name}[{index}]", entry) for index, entry in enumerate(value)]

    def parse(self, name: str, text: str) -> str:
        """Read one entry of a filter; see `Field`."""
        return self._entry().parse(name, text)

    def schema(self) -> Schema:
        """Describe it."""
        entry = self._entry().schema()
        return {"type": "array", "items": entry, "maxItems": LIST_ENTRIES} | _told(self.about)

    def _entry(self) -> Text | Word:
        return Word(self.words) if self.words else Text()


def _told(about: str) -> Schema:
    return {"description": about} if about else {}


def read_fields(
    body: Mapping[str, Any] | None, known: Mapping[str, Field], required: Collection[str]
) -> dict[str, Any]:
    """Check a body against the members that it may have.

    Args:
        body: A JSON object; None is an empty one.
        known: What each member must be.
        required: Members that must be there.

    Returns:
        The members that were given.

    Raises:
        Problem: An unknown, missing or wrong member.
    """
    given = body or {}
    for name in given:
        if name not in known:
            words = ", ".join(known) or "none"
            raise invalid(f"there is no member {name[:40]!r}; those known here: {words}")
    for name in required:
        if name not in given:
            raise invalid(f"{name} is missing")
    return {name: known[name].read(name, value) for name, value in given.items()}


def read_query(query: str, known: Mapping[str, Field]) -> dict[str, Any]:
    """Read the part of an address after the question mark.

    Args:
        query: It, percent-encoded.
        known: What each filter must be.

    Returns:
        The filters that were given.

    Raises:
        Problem: Malformed, or with an unknown, doubled or wrong filter.
    """
    if not query:
        return {}
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=QUERY_FIELDS
        )
    except ValueError as error:
        raise invalid("the query cannot be read") from error
    found: dict[str, Any] = {}
    for name, text in pairs:
        kind = known.get(name)
        if kind is None:
            words = ", ".join(known) or "none"
            raise invalid(f"there is no filter {name[:40]!r}; those known here: {words}")
        if isinstance(kind, Texts):
            found.setdefault(name, []).append(kind.parse(name, text))
        elif name in found:
            raise invalid(f"{name} is given twice")
        else:
            found[name] = kind.parse(name, text)
    return found


def parse_body(data: bytes) -> Body | None:
    """Parse the body of an HTTP request.

    Returns:
        The JSON object, or None if there is no body.

    Raises:
        Problem: Too large, not JSON, no object, or a member given twice.

    Source: RFC 8259 section 4.
    """
    if not data:
        return None
    if len(data) > BODY_BYTES:
        raise Problem(413, "content-too-large", f"a body may have {BODY_BYTES} bytes")
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise invalid("the body is not well-formed JSON in UTF-8") from error
    if not isinstance(value, dict):
        raise invalid("the body must be a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise invalid("a member is given twice")
    return members


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
