"""Going through very many things in slices, so that others get their turn in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

T = TypeVar("T")

#: Fires when the others had their turn.
Pause = Callable[[], Deferred[None]]
#: Things that are looked at in one turn of the reactor: some milliseconds.
SLICE = 2_500


def no_pause() -> Deferred[None]:
    """Go on at once: for a process without a reactor, in which nobody else waits for a turn."""
    return succeed(None)


def pause_by(clock: IReactorTime) -> Pause:
    """Make a pause that lasts until the reactor's next turn."""
    return lambda: deferLater(clock, 0, lambda: None)


async def in_slices(things: Sequence[T], pause: Pause) -> AsyncIterator[Sequence[T]]:
    """Cut things into slices and pause after each; the last may be empty, and there is always one.

    Args:
        things: All of them, as they are now.
        pause: Lets others have their turn.
    """
    for start in range(0, len(things) + 1, SLICE):
        if start:
            await pause()
        yield things[start : start + SLICE]
