"""What waits for the writer: bodies and messages, and how they are cut into what runs as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from pchat.store.messages import NewMessage


@define(eq=False)
class Job:
    """Something a caller waits for: its result or its error, once it is settled.

    An error means that certainly nothing of it is committed. A job that is not settled is in doubt.
    """

    deferred: Deferred[Any] = field(factory=Deferred, init=False)
    result: Any = field(default=None, init=False)
    error: Exception | None = field(default=None, init=False)
    settled: bool = field(default=False, init=False)
    weight: int = field(default=1, init=False)

    def refuse(self, error: Exception) -> None:
        """Settle it: nothing of it is committed."""
        self.error = error
        self.settled = True


@define(eq=False)
class BodyJob(Job):
    """A transaction body with its arguments."""

    body: Callable[..., Any]
    args: tuple[Any, ...]


@define(eq=False)
class AppendJob(Job):
    """The messages of one call of ``append``."""

    messages: Sequence[NewMessage]

    def __attrs_post_init__(self) -> None:
        self.weight = max(1, len(self.messages))


Piece = BodyJob | list[AppendJob]


def pieces(jobs: Sequence[Job]) -> list[Piece]:
    """Cut a group into pieces, in order: each body alone, appends that follow each other together."""
    cut: list[Piece] = []
    bulk: list[AppendJob] | None = None
    for job in jobs:
        if isinstance(job, AppendJob):
            if bulk is None:
                bulk = []
                cut.append(bulk)
            bulk.append(job)
        elif isinstance(job, BodyJob):
            cut.append(job)
            bulk = None
    return cut
