"""Commands of one dialog run in the order in which they came."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pchat.rooms.command_queue import CommandQueue


class Order(SynchronousTestCase):
    """What a client sends in one go is done as if it had waited for each answer."""

    def setUp(self) -> None:
        self.started: list[str] = []
        self.done: dict[str, Deferred[None]] = {}
        self.signals: list[str] = []
        self.queue = CommandQueue(
            lambda: self.signals.append("full"), lambda: self.signals.append("drained"), high=4, low=1
        )

    def add(self, name: str, *, is_post: bool = False) -> None:
        def start() -> Deferred[None]:
            self.started.append(name)
            self.done[name] = Deferred()
            return self.done[name]

        self.queue.add(start, is_post=is_post)

    def finish(self, name: str) -> None:
        self.done.pop(name).callback(None)

    def test_a_command_waits_for_the_one_before(self) -> None:
        """``bccontext`` does not begin before ``join`` is done."""
        self.add("join")
        self.add("bccontext")
        self.assertEqual(self.started, ["join"])
        self.finish("join")
        self.assertEqual(self.started, ["join", "bccontext"])

    def test_posts_go_side_by_side(self) -> None:
        """Pipelined posts share a commit; a command after them waits for all of them."""
        self.add("a", is_post=True)
        self.add("b", is_post=True)
        self.add("bccontext")
        self.add("c", is_post=True)
        self.assertEqual(self.started, ["a", "b"])
        self.finish("b")
        self.assertEqual(self.started, ["a", "b"])
        self.finish("a")
        self.assertEqual(self.started, ["a", "b", "bccontext"])
        self.finish("bccontext")
        self.assertEqual(self.started, ["a", "b", "bccontext", "c"])

    def test_a_post_does_not_overtake_a_command(self) -> None:
        """A post behind a join waits for the join."""
        self.add("join")
        self.add("a", is_post=True)
        self.assertEqual(self.started, ["join"])

    def test_reading_stops_when_too_much_waits(self) -> None:
        """A client that floods is no longer read, and read again once its commands are nearly done."""
        for number in range(5):
            self.add(str(number))
        self.assertEqual(self.signals, ["full"])
        for number in range(3):
            self.finish(str(number))
        self.assertEqual(self.signals, ["full", "drained"])

    def test_nothing_starts_after_the_end(self) -> None:
        """When the dialog is over, what has not begun never begins, and reading is released."""
        for number in range(5):
            self.add(str(number))
        self.queue.close()
        self.finish("0")
        self.assertEqual(self.started, ["0"])
        self.assertEqual(self.signals, ["full", "drained"])
        self.add("late")
        self.assertEqual(self.started, ["0"])
