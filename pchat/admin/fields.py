"""Bodies and queries of the administration interface: bounded, and strict about what they may hold."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl

from attrs import frozen

from pchat.admin.problems import Problem, invalid

#: A text is at least four times as long as anything the rules accept, so that they explain the real limit.
TEXT_CHARACTERS = 4_096
#: Principals in one list: a large department entered one by one.
LIST_ENTRIES = 10_000
#: A list of so many addresses of usual length.
BODY_BYTES = 1 << 20
#: No query has more filters.
QUERY_FIELDS = 16

Body = dict[str, Any]


class Field(Protocol):
    """What a member of a body must be."""

    def read(self, name: str, value: object) -> Any:
        """Check a value.

        Raises:
            Problem: It is of another kind, or too large.
        """


@frozen
class Text:
    """A text."""

    def read(self, name: str, value: object) -> str:
        """Check a value; see `Field`."""
        if not isinstance(value, str):
            raise invalid(f"{name} must be a text")
        if len(value) > TEXT_CHARACTERS:
            raise invalid(f"{name} has more than {TEXT_CHARACTERS} characters")
        return value


@frozen
class Flag:
    """True or false."""

    def read(self, name: str, value: object) -> bool:
        """Check a value; see `Field`."""
        if not isinstance(value, bool):
            raise invalid(f"{name} must be true or false")
        return value


@frozen
class Texts:
    """A list of texts."""

    def read(self, name: str, value: object) -> list[str]:
        """Check a value; see `Field`."""
        if not isinstance(value, list):
            raise invalid(f"{name} must be a list of texts")
        if len(value) > LIST_ENTRIES:
            raise invalid(f"{name} has more than {LIST_ENTRIES} entries")
        return [Text().read(f"{name}[{index}]", entry) for index, entry in enumerate(value)]


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


def read_query(query: str, known: Collection[str]) -> dict[str, str]:
    """Read the part of an address after the question mark.

    Raises:
        Problem: Malformed, or with an unknown or doubled name.
    """
    if not query:
        return {}
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=QUERY_FIELDS
        )
    except ValueError as error:
        raise invalid("the query cannot be read") from error
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            words = ", ".join(known) or "none"
            raise invalid(f"there is no filter {name[:40]!r}; those known here: {words}")
        if name in found:
            raise invalid(f"{name} is given twice")
        found[name] = Text().read(name, value)
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
