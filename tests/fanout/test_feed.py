"""From a committed message to everybody in the room: each once, in order, whatever comes in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from pchat.errors import StoreUnavailable
from pchat.fanout import feed as feeds
from pchat.fanout.feed import Feed
from pchat.sip.dialog import Dialog
from pchat.store.messages import StoredMessage
from tests.rooms.service_support import World


class FakeRoom:
    """Stands for a room: a feed only names it in the log."""

    uri = "ma-chan://example.com/room"


def message(chat_id: int) -> StoredMessage:
    """Make a message."""
    return StoredMessage(chat_id, chat_id, 1, 0, f"message {chat_id}", None)


class Bench:
    """A feed, a store that answers when it is told, and what was delivered."""

    def __init__(self, delivered_upto: int = 0) -> None:
        self.delivered: list[int] = []
        self.missing: set[int] = set()
        self.reads: list[tuple[int, int, Deferred[list[StoredMessage]]]] = []
        self.feed = Feed(
            cast(Any, FakeRoom()),
            delivered_upto,
            lambda room, one: self.delivered.append(one.chat_id),
            self.read,
        )

    def read(self, room: object, first: int, last: int) -> Deferred[list[StoredMessage]]:
        """Begin to read."""
        answer: Deferred[list[StoredMessage]] = Deferred()
        self.reads.append((first, last, answer))
        return answer

    def take(self, *chat_ids: int) -> None:
        """Report messages."""
        for chat_id in chat_ids:
            self.feed.take(message(chat_id))

    def answer(self) -> None:
        """Let the store answer the oldest question."""
        first, last, answer = self.reads.pop(0)
        answer.callback([message(number) for number in range(first, last + 1) if number not in self.missing])

    def fail(self) -> None:
        """Let the store fail at the oldest question."""
        self.reads.pop(0)[2].errback(Failure(StoreUnavailable("the disk is away")))


class Order(SynchronousTestCase):
    """Messages of one room."""

    def setUp(self) -> None:
        self.bench = Bench()

    def test_in_order(self) -> None:
        """What comes in order goes out at once, without a look into the store."""
        self.bench.take(1, 2, 3)
        self.assertEqual((self.bench.delivered, self.bench.reads), ([1, 2, 3], []))

    def test_twice(self) -> None:
        """What is reported twice is delivered once."""
        self.bench.take(1, 1, 2, 1, 2)
        self.assertEqual(self.bench.delivered, [1, 2])

    def test_begins_where_the_room_stands(self) -> None:
        """A feed that begins at message 10 does not deliver history."""
        bench = Bench(10)
        bench.take(9, 10, 11)
        self.assertEqual(bench.delivered, [11])

    def test_gap(self) -> None:
        """A message that others committed is read from the store before a later one goes out."""
        self.bench.take(1, 4)
        self.assertEqual(self.bench.delivered, [1])
        self.assertEqual([(first, last) for first, last, _ in self.bench.reads], [(2, 4)])
        self.bench.answer()
        self.assertEqual(self.bench.delivered, [1, 2, 3, 4])

    def test_numbers_that_are_not_kept(self) -> None:
        """Nobody waits for messages that the store does not hold."""
        self.bench.missing = {2, 4}
        self.bench.take(1, 5)
        self.bench.answer()
        self.assertEqual(self.bench.delivered, [1, 3, 5])
        self.bench.take(6)
        self.assertEqual(self.bench.delivered, [1, 3, 5, 6])

    def test_not_kept_but_reported(self) -> None:
        """In a room without history what was reported goes out although the store does not hold it."""
        self.bench.missing = {1, 2, 3}
        self.bench.take(3, 2)
        self.bench.answer()
        self.assertEqual(self.bench.delivered, [2, 3])

    def test_the_gap_closes_by_itself(self) -> None:
        """What was missing arrives while the store is asked: the late answer costs nothing."""
        self.bench.take(2)
        self.bench.take(1)
        self.assertEqual(self.bench.delivered, [1, 2])
        self.bench.answer()
        self.bench.take(3)
        self.assertEqual((self.bench.delivered, self.bench.reads), ([1, 2, 3], []))
        self.assertEqual(self.bench.feed._held, {})

    def test_one_question_at_a_time(self) -> None:
        """While the store is asked it is not asked again; what came meanwhile is asked for afterwards."""
        self.bench.take(3, 7, 9)
        self.assertEqual(len(self.bench.reads), 1)
        self.bench.answer()
        self.assertEqual(self.bench.delivered, [1, 2, 3])
        self.assertEqual([(first, last) for first, last, _ in self.bench.reads], [(4, 9)])
        self.bench.answer()
        self.assertEqual(self.bench.delivered, list(range(1, 10)))

    def test_read_failure(self) -> None:
        """A store that cannot be read delays messages until the room's next one, and loses none."""
        self.bench.take(1, 3)
        self.bench.fail()
        self.assertEqual(self.bench.delivered, [1])
        self.bench.take(4)
        self.bench.answer()
        self.assertEqual(self.bench.delivered, [1, 2, 3, 4])

    def test_far_behind(self) -> None:
        """What is held in memory is bounded; what does not fit is read from the store later."""
        self.patch(feeds, "HELD_LIMIT", 3)
        self.bench.take(2, 3, 4, 5, 6)
        self.assertEqual(len(self.bench.feed._held), 3)
        self.bench.answer()
        self.bench.take(7)
        while self.bench.reads:
            self.bench.answer()
        self.assertEqual(self.bench.delivered, [1, 2, 3, 4, 5, 6, 7])

    @settings(max_examples=300, deadline=None)
    @given(
        steps=st.lists(st.one_of(st.integers(1, 12), st.sampled_from(["answer", "fail"])), max_size=60),
        missing=st.frozensets(st.integers(1, 12), max_size=4),
    )
    def test_any_interleaving(self, steps: list[int | str], missing: frozenset[int]) -> None:
        """Reports in any order, twice or never, and reads that answer or fail: each once, in order."""
        bench = Bench()
        bench.missing = set(missing)
        for step in steps:
            if isinstance(step, int):
                if step not in missing:
                    bench.take(step)
            elif bench.reads:
                bench.answer() if step == "answer" else bench.fail()
            self.assertEqual(bench.delivered, sorted(set(bench.delivered)))
        bench.take(13)
        while bench.reads:
            bench.answer()
        expected = [number for number in range(1, 14) if number not in missing]
        self.assertEqual(bench.delivered, expected)
        self.assertEqual(bench.feed._held, {})


class Delivery(SynchronousTestCase):
    """What the people in a room get."""

    def setUp(self) -> None:
        self.world = World()
        self.alice = self.world.person("alice")
        self.bob = self.world.person("bob")
        for person in (self.alice, self.bob):
            person.join(self.world.lobby)
        self.world.settle(self.alice, self.bob)
        self.alice.hear()
        self.bob.hear()

    def test_same_bytes(self) -> None:
        """Everybody in the room, the author too, gets the very same body."""
        self.alice.post(self.world.lobby, "Grüße – 你好 &lt;ok&gt;")
        self.world.settle(self.bob)
        bodies = {person.requests[-1].body for person in (self.alice, self.bob)}
        self.assertEqual(len(bodies), 1)
        self.assertEqual(self.world.parts.channel.feeds.deliveries, 2)
        self.assertEqual(self.bob.chats(), ["Grüße – 你好 <ok>"])

    def test_one_receiver_in_trouble(self) -> None:
        """A receiver to whom nothing can be sent is dropped; the others get the message."""

        troubled = self.alice.dialog
        original = Dialog.send_info

        def send_info(dialog: Dialog, payload: bytes) -> None:
            if dialog is troubled:
                raise ZeroDivisionError
            original(dialog, payload)

        self.patch(Dialog, "send_info", send_info)
        answer = self.bob.post(self.world.lobby, "hello")
        self.assertEqual(answer and answer.status, 200)
        self.assertEqual(self.bob.chats(), ["hello"])
        self.assertTrue(self.alice.closed)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_somebody_elses_message(self) -> None:
        """A message that reached the store without being reported is read from there before the next one."""
        with self.unreported():
            self.alice.post(self.world.lobby, "one")
        self.assertEqual(self.bob.chats(), [])
        self.alice.post(self.world.lobby, "two")
        self.assertEqual(self.bob.chats(), ["one", "two"])

    @contextmanager
    def unreported(self) -> Iterator[None]:
        patched = self.patch(Feed, "take", lambda *_: None)
        yield
        patched.restore()

    def test_nobody_is_there(self) -> None:
        """A message that comes when the last one has left is kept, and sent to nobody."""
        self.bob.part(self.world.lobby)
        self.world.store.slow = {"append"}
        self.alice.post(self.world.lobby, "last words")
        self.alice.lose()
        self.world.store.go()
        self.assertEqual(self.world.parts.channel.feeds.deliveries, 0)
        self.world.store.slow.clear()
        reply = self.bob.history(self.world.lobby)
        assert reply is not None
        self.assertEqual(reply.data[0][0][0].text, "last words")

    def test_removed_room(self) -> None:
        """A feed that is forgotten begins anew where its room stands."""
        self.alice.post(self.world.lobby, "one")
        self.world.parts.channel.feeds.forget(self.world.lobby)
        self.alice.post(self.world.lobby, "two")
        self.assertEqual(self.bob.chats(), ["one", "two"])
