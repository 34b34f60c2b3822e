"""What is due at the end of a coroutine that others wait for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def at_the_end(let_others_on: Callable[[], object]) -> Iterator[None]:
    """Let others go on when the work inside is done or has failed; not when it is thrown away unfinished.

    A coroutine is thrown away when nothing can wake it any more: its server is gone. Those who wait for it
    are thrown away with it, in any order, and must not be woken.

    Args:
        let_others_on: Wakes them.
    """
    try:
        yield
    except GeneratorExit:
        raise
    except BaseException:
        let_others_on()
        raise
    let_others_on()
