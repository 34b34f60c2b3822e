"""How an operation of the administration interface is described."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from attrs import field, frozen

from pchat.admin.fields import Field

#: What every path begins with.
PREFIX = "/api/v1/"
#: Status and JSON value.
Answer = tuple[int, Any]
NOTHING: Answer = (204, None)


@frozen
class Call:
    """What one operation is given; all of it is checked against its route.

    Args:
        actor: Who asks, such as ``local:root``.
        names: The variable segments of the path, decoded.
        body: The members of the body that were given.
        query: The filters that were given.
    """

    actor: str
    names: tuple[str, ...]
    body: Mapping[str, Any]
    query: Mapping[str, str]


Operation = Callable[[Call], Awaitable[Answer]]


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
    """

    method: str
    path: str
    operation: Operation
    fields: Mapping[str, Field] = field(factory=dict)
    required: tuple[str, ...] = ()
    query: tuple[str, ...] = ()

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
