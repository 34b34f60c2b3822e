"""The commands of one dialog, run in the order of their arrival.

A post only has to enter its commit after what came before it, so a run of posts goes on side by side
and shares a commit; everything else waits until nothing earlier is running.

Source: docs/spec/sip-sign-in.md section 2 (INFOs are pipelined); docs/spec/xccos.md 1.5.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from attrs import define, field, frozen
from twisted.internet.defer import Deferred


@frozen
class _Entry:
    start: Callable[[], Deferred[None]]
    is_post: bool
    dropped: Callable[[], None] | None
    size: int


@define(eq=False)
class CommandQueue:
    """What a dialog asked for and has not got yet.

    Args:
        on_full: Called once when `high` entries wait, or `high_bytes`: stop reading from the peer.
        on_drained: Called once when so few wait that reading may go on.
        high: Entries that make the queue full.
        low: Entries at which it is drained again.
        high_bytes: Bytes that make the queue full; at half of them it is drained again.
    """

    on_full: Callable[[], None]
    on_drained: Callable[[], None]
    high: int = 64
    low: int = 16
    high_bytes: int = 1 << 18
    closed: bool = False
    _waiting: deque[_Entry] = field(factory=deque)
    _waiting_bytes: int = 0
    _running: int = 0
    _running_posts: bool = False
    _full: bool = False

    def add(
        self,
        start: Callable[[], Deferred[None]],
        *,
        is_post: bool,
        dropped: Callable[[], None] | None = None,
        size: int = 0,
    ) -> None:
        """Start a command when its turn comes.

        Args:
            start: Begins the command; its Deferred fires when the command is done and never fails.
            is_post: Whether it may run beside other posts.
            dropped: Called instead if it will never be started.
            size: Bytes that it holds while it waits.
        """
        if self.closed:
            if dropped is not None:
                dropped()
            return
        self._waiting.append(_Entry(start, is_post, dropped, size))
        self._waiting_bytes += size
        self._advance()
        if not self._full and (len(self._waiting) >= self.high or self._waiting_bytes >= self.high_bytes):
            self._full = True
            self.on_full()

    def close(self) -> None:
        """Forget what has not been started."""
        self.closed = True
        forgotten = list(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        self._drain()
        for entry in forgotten:
            if entry.dropped is not None:
                entry.dropped()

    def _advance(self) -> None:
        while self._waiting and self._may_start(self._waiting[0]):
            entry = self._waiting.popleft()
            self._waiting_bytes -= entry.size
            self._running += 1
            self._running_posts = entry.is_post
            entry.start().addBoth(self._done)

    def _may_start(self, entry: _Entry) -> bool:
        return self._running == 0 or (entry.is_post and self._running_posts)

    def _done(self, _: object) -> None:
        self._running -= 1
        self._advance()
        self._drain()

    def _drain(self) -> None:
        few = len(self._waiting) <= self.low and self._waiting_bytes <= self.high_bytes // 2
        if self._full and few:
            self._full = False
            self.on_drained()
