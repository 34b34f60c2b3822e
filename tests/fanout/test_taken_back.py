"""Messages that an administrator removes or replaces before a feed has sent them out."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pchat.store.messages import StoredMessage
from tests.fanout.test_feed import Bench, message


class TextBench(Bench):
    """A bench whose store can be changed, and which keeps what was delivered with its text."""

    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[int, StoredMessage] = {}
        self.texts: dict[int, str] = {}
        self.snapshots: list[list[StoredMessage]] = []
        self.feed.deliver = lambda _, one: self.texts.__setitem__(one.chat_id, one.chat)

    def read(self, room: object, first: int, last: int) -> Deferred[list[StoredMessage]]:
        """Begin to read: what is seen is the store of this moment, whenever the answer comes."""
        self.snapshots.append([self.stored[n] for n in range(first, last + 1) if n in self.stored])
        return super().read(room, first, last)

    def answer(self) -> None:
        """Let the store answer the oldest question."""
        self.reads.pop(0)[2].callback(self.snapshots.pop(0))

    def fail(self) -> None:
        """Let the store fail at the oldest question."""
        self.snapshots.pop(0)
        super().fail()

    def commit(self, chat_id: int, *, reported: bool = True) -> None:
        """Commit a message; one of another server is not reported here."""
        self.stored[chat_id] = message(chat_id)
        if reported:
            self.take(chat_id)

    def remove(self, chat_id: int) -> None:
        """Remove a message."""
        del self.stored[chat_id]
        self.feed.removed([chat_id])

    def replace(self, chat_id: int) -> None:
        """Replace a message."""
        self.stored[chat_id] = message(chat_id)._replace(chat="replaced")
        self.feed.replaced([self.stored[chat_id]])


class TakenBack(SynchronousTestCase):
    """One feed: message 1 is committed elsewhere, 2 and 3 are held until it was read."""

    def setUp(self) -> None:
        self.bench = TextBench()
        self.bench.commit(1, reported=False)
        self.bench.commit(2)
        self.bench.commit(3)

    def test_removed_while_it_waits(self) -> None:
        """A message that waits for an earlier one and is removed meanwhile is never seen."""
        self.bench.remove(2)
        self.bench.answer()
        self.assertEqual({1: "message 1", 3: "message 3"}, self.bench.texts)

    def test_removed_while_it_is_read(self) -> None:
        """So is one that was read from the store a moment before it was removed."""
        self.bench.remove(1)
        self.bench.answer()
        self.assertEqual({2: "message 2", 3: "message 3"}, self.bench.texts)

    def test_replaced(self) -> None:
        """Whoever has not seen the old text never sees it."""
        self.bench.replace(1)
        self.bench.replace(3)
        self.bench.answer()
        self.assertEqual({1: "replaced", 2: "message 2", 3: "replaced"}, self.bench.texts)

    def test_removed_and_the_read_fails(self) -> None:
        """After a read that failed the store is asked again, and tells what there is."""
        self.bench.remove(1)
        self.bench.fail()
        self.bench.commit(4)
        self.bench.answer()
        self.assertEqual([2, 3, 4], sorted(self.bench.texts))
        self.assertEqual({}, self.bench.feed._changed)

    def test_delivered_already(self) -> None:
        """What was sent out is not the feed's concern any more, and the next ones go on."""
        self.bench.answer()
        self.bench.remove(1)
        self.bench.replace(2)
        self.bench.commit(4)
        self.assertEqual([1, 2, 3, 4], sorted(self.bench.texts))
        self.assertEqual([], self.bench.reads)

    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(
            st.sampled_from(["commit", "commit elsewhere", "answer", "fail"])
            | st.tuples(st.sampled_from(["remove", "replace"]), st.integers(1, 8)),
            max_size=40,
        )
    )
    def test_any_interleaving(self, steps: list[str | tuple[str, int]]) -> None:
        """What is delivered is what the store holds at that moment, and in the end nothing is missing."""
        bench, highest, seen = TextBench(), 0, set[int]()
        for step in steps:
            if isinstance(step, tuple):
                if step[1] in bench.stored:
                    getattr(bench, step[0])(step[1])
            elif step.startswith("commit"):
                highest += 1
                bench.commit(highest, reported=step == "commit")
            elif bench.reads:
                getattr(bench, step)()
            for number in bench.texts.keys() - seen:
                self.assertEqual(bench.stored[number].chat, bench.texts[number])
            seen = set(bench.texts)
        bench.commit(highest + 1)
        while bench.reads:
            bench.answer()
        self.assertLessEqual(set(bench.stored), set(bench.texts))
        self.assertEqual(({}, {}), (bench.feed._held, bench.feed._changed))
