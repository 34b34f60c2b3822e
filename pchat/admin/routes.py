"""How an operation of the administration interface is described."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from attrs import field, frozen

from pchat.admin.fields import Field, Number, Text
from pchat.admin.schemas import is_listing

#: What every path begins with.
PREFIX = "/api/v1/"
#: The scope of what anybody may ask.
PUBLIC = "public"
#: Status and JSON value.
Answer = tuple[int, Any]
NOTHING: Answer = (204, None)

#: Entries of a listing that one answer has at most, and unless the caller says otherwise.
MOST_ENTRIES = 10_000
USUAL_ENTRIES = 1_000
#: More entries than any listing has.
LARGEST_OFFSET = 1 << 31
PAGING: Mapping[str, Field] = {
    "limit": Number(1, MOST_ENTRIES, "Entries that are wanted at most.", USUAL_ENTRIES),
    "offset": Number(0, LARGEST_OFFSET, "Entries that are passed over.", 0),
}


@frozen
class Caller:
    """Who asks.

    Args:
        actor: He, as the audit log knows him: ``local:root`` or ``token:NAME``.
        scopes: What he may do; None: everything.
    """

    actor: str
    scopes: frozenset[str] | None = None

    def may(self, scope: str) -> bool:
        """Tell whether he may use what is in a scope."""
        return scope == PUBLIC or self.scopes is None or scope in self.scopes


@frozen
class Call:
    """What one operation is given; all of it is checked against its route.

    Args:
        actor: Who asks, such as ``local:root``.
        names: The variable segments of the path, decoded.
        body: The members of the body that were given.
        query: The filters that were given.
        scopes: What the caller may do; None: everything.
        limit, offset: The part of a listing that is wanted.
    """

    actor: str
    names: tuple[str, ...]
    body: Mapping[str, Any]
    query: Mapping[str, Any]
    scopes: frozenset[str] | None = None
    limit: int = USUAL_ENTRIES
    offset: int = 0


@frozen
class Page:
    """A part of a listing, when the operation itself cut it out.

    Args:
        entries: The part.
        more: Whether others follow.
        passed: Entries of the listing that end with this part, if not as many as were wanted at most.
    """

    entries: Sequence[Any]
    more: bool
    passed: int | None = None

    @classmethod
    def of(cls, listing: Sequence[Any], call: Call) -> Page:
        """Cut out the part that a caller wants."""
        end = call.offset + call.limit
        return cls(list(listing[call.offset : end]), end < len(listing))


Operation = Callable[[Call], Awaitable[Answer]]


def _kinds(query: Mapping[str, Field] | Iterable[str]) -> Mapping[str, Field]:
    """Take names alone for filters that are texts."""
    return query if isinstance(query, Mapping) else {name: Text() for name in query}


@frozen
class Route:
    """One method of one resource.

    Args:
        method: HTTP method.
        path: Below ``/api/v1/``; a segment in braces is variable: ``users/{user}/password``.
        operation: What is done.
        fields: Members that the body may have; without any there is no body.
        required: Those of them that it must have.
        query: Filters that the query may have.
        summary: What is done, in one line for people.
        scope: What a token must have (`pchat.rooms.token_administration.SCOPES`), or `PUBLIC`.
        answer: Name of the schema of what is answered; empty: nothing is (204).
        status: HTTP status of success.
    """

    method: str
    path: str
    operation: Operation
    fields: Mapping[str, Field] = field(factory=dict)
    required: tuple[str, ...] = ()
    query: Mapping[str, Field] = field(factory=dict, converter=_kinds)
    summary: str = ""
    scope: str = ""
    answer: str = ""
    status: int = 200

    @property
    def is_listing(self) -> bool:
        """Whether the answer is a listing, which is given in parts."""
        return is_listing(self.answer)

    @property
    def filters(self) -> Mapping[str, Field]:
        """All that the query may have."""
        return {**self.query, **PAGING} if self.is_listing and self.method == "GET" else self.query

    def match(self, segments: tuple[str, ...]) -> tuple[str, ...] | None:
        """Tell the variable segments of a path, or None if it is another resource's."""
        pattern = self.path.split("/")
        if len(pattern) != len(segments):
            return None
        names = []
        for expected, segment in zip(pattern, segments, strict=True):
            if expected.startswith("{"):
                names.append(segment)
            elif expected != segment:
                return None
        return tuple(names)
