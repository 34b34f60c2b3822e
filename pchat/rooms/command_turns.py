"""Whose command is next: nobody's many endpoints and full envelopes keep the server from everybody else.

A dialog runs one command after the other. But a user may have hundreds of dialogs, and commands that need no
store are done at once, so that one segment of the network could keep the reactor for seconds.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from attrs import define, field
from twisted.internet.defer import Deferred

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

#: Commands of one user that run at a time, and that begin in one turn of the reactor: each of his few devices
#: has one when he signs in.
COMMANDS_AT_ONCE = 4


@define(eq=False)
class _Line:
    """The commands of one user."""

    running: int = 0
    begun: int = 0  # in this turn of the reactor
    waiting: deque[Deferred[None]] = field(factory=deque)

    def may_begin(self) -> bool:
        """Tell whether the next one may run now."""
        return bool(self.waiting) and max(self.running, self.begun) < COMMANDS_AT_ONCE


class CommandTurns:
    """Lets commands begin, those of each user in the order they came.

    Args:
        clock: The reactor's time, for its next turn.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._lines: dict[int, _Line] = {}
        self._next_turn_comes = False

    def __len__(self) -> int:
        """Count the users who have commands here."""
        return len(self._lines)

    def begin(self, user_id: int) -> Deferred[None]:
        """Wait until a command of a user may run; `end` must be called after it."""
        turn: Deferred[None] = Deferred()
        line = self._lines.setdefault(user_id, _Line())
        line.waiting.append(turn)
        self._advance(line)
        return turn

    def end(self, user_id: int) -> None:
        """Learn that a command of a user is done."""
        line = self._lines[user_id]
        line.running -= 1
        self._advance(line)
        self._forget_if_idle(user_id, line)

    def _advance(self, line: _Line) -> None:
        while line.may_begin():
            line.running += 1
            line.begun += 1
            if not self._next_turn_comes:
                self._next_turn_comes = True
                self._clock.callLater(0, self._next_turn)
            line.waiting.popleft().callback(None)

    def _next_turn(self) -> None:
        self._next_turn_comes = False
        for user_id, line in list(self._lines.items()):
            line.begun = 0
            self._advance(line)
            self._forget_if_idle(user_id, line)

    def _forget_if_idle(self, user_id: int, line: _Line) -> None:
        # One user's command may have let another's go on, whose line is gone by now, or is a new one.
        if not line.running and not line.begun and self._lines.get(user_id) is line:
            del self._lines[user_id]
