"""One write a connection and reactor turn."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pchat.sip.turn import Turn


@define(eq=False)
class Gathering:
    """Something that has gathered bytes.

    Args:
        turn: If given, it gathers more while it is flushed.
        broken: Whether it cannot be flushed.
    """

    turn: Turn | None = None
    broken: bool = False
    flushed: list[int] = field(factory=list)

    def flush(self) -> None:
        """Note the flush."""
        if self.broken:
            raise ZeroDivisionError
        self.flushed.append(1)
        if self.turn is not None:
            turn, self.turn = self.turn, None
            turn.add(self)


class Turns(SynchronousTestCase):
    """What happens at the end of a turn."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.turn = Turn(self.clock)

    def test_all_at_the_end(self) -> None:
        """Nothing is written within a turn, everything at its end, by one call of the reactor."""
        connections = [Gathering() for _ in range(3)]
        for connection in connections:
            self.turn.add(connection)
        self.assertEqual([connection.flushed for connection in connections], [[], [], []])
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(0)
        self.assertEqual([len(connection.flushed) for connection in connections], [1, 1, 1])
        self.clock.advance(1)
        self.assertEqual([len(connection.flushed) for connection in connections], [1, 1, 1])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_more_while_flushing(self) -> None:
        """What is gathered while others are flushed is not forgotten: it leaves with a turn of its own."""
        connection = Gathering(self.turn)
        self.turn.add(connection)
        self.clock.advance(0)
        self.clock.advance(0)
        self.assertEqual(len(connection.flushed), 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_that_cannot_be_written(self) -> None:
        """A connection that fails does not keep the others from being written, now or ever."""
        before, broken, after = Gathering(), Gathering(broken=True), Gathering()
        for connection in (before, broken, after):
            self.turn.add(connection)
        self.clock.advance(0)
        self.assertEqual((len(before.flushed), len(after.flushed)), (1, 1))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.turn.add(after)
        self.clock.advance(0)
        self.assertEqual(len(after.flushed), 2)
