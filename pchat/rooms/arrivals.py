"""Who comes into rooms: told at once as long as few come, and gathered when many do.

In the morning everybody comes at once. Each enters many rooms, in each of them dozens hear of it, and every
notice is a message of its own with an answer of its own: the notices would cost more than the joins. So when
too many would go out, what each client is to hear of newcomers waits for a moment and goes out as one notice.

Source: docs/spec/xccos.md section 3.5 (several users and rooms in one ``ntc:bjoin``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from pchat.rooms.session import ChatSession

log = Logger()

#: Notices of newcomers a second that go out one by one, and how many may at once after a quiet time.
ONE_BY_ONE = 2_000
BURST = 4_000
#: Seconds that newcomers are gathered for each client, when more come.
GATHER_SECONDS = 1.0
#: Newcomers that wait for one client at most.
MOST_GATHERED = 500


class Arrivals:
    """Decides whether newcomers are told one by one, and sees that what waits is told.

    Args:
        clock: Time, for the pace and for what waits.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._left = float(BURST)
        self._counted_at = clock.seconds()
        self._waiting: dict[ChatSession, None] = {}

    def crowded(self, notices: int) -> bool:
        """Tell whether so many further notices are too many to go out one by one; if not, count them."""
        now = self._clock.seconds()
        self._left = min(BURST, self._left + (now - self._counted_at) * ONE_BY_ONE)
        self._counted_at = now
        if self._left < notices:
            return True
        self._left -= notices
        return False

    def gather(self, session: ChatSession, newcomer: str) -> None:
        """Keep a newcomer for a client until a moment has passed, or something else is sent to it.

        Args:
            session: Who is to hear of him.
            newcomer: His rendered ``uib``.
        """
        session.arrivals.append(newcomer)
        if len(session.arrivals) >= MOST_GATHERED:
            session.tell_arrivals()
            return
        if not self._waiting:
            self._clock.callLater(GATHER_SECONDS, self._tell)
        self._waiting[session] = None

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for session in waiting:
            try:
                session.tell_arrivals()
            except Exception:
                # One receiver's trouble must not keep the notice from the others.
                log.failure("{session}: not told of newcomers", session=session.label)
                session.dialog.connection.abort("a notice could not be sent")
