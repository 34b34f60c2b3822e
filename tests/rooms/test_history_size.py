"""A history reply holds what a client can take, the newest of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pchat.rooms.history import REPLY_CHARACTERS, newest_that_fit
from pchat.store.messages import StoredMessage


def said(number: int, chat: int, rtf: int) -> StoredMessage:
    return StoredMessage(number, number, 1, 0, "c" * chat, "r" * rtf if rtf else None)


class Size(SynchronousTestCase):
    """However long people's stories are, one reply stays bounded."""

    def test_ordinary_history_is_untouched(self) -> None:
        """A thousand ordinary messages with their formatting come back as they are."""
        messages = [said(number, 100, 500) for number in range(1, 1000)]
        self.assertEqual(newest_that_fit(messages), messages)

    def test_formatting_goes_before_messages(self) -> None:
        """Where the formatting is what is too much, every message is there as plain text."""
        messages = [said(number, 10, 300_000) for number in range(1, 31)]
        kept = newest_that_fit(messages)
        self.assertEqual([message.chat_id for message in kept], list(range(1, 31)))
        self.assertEqual({message.rtf for message in kept}, {None})

    def test_one_is_always_shown(self) -> None:
        """A single story larger than a reply may be is still shown."""
        self.assertEqual(len(newest_that_fit([said(1, 10, 0), said(2, REPLY_CHARACTERS + 1, 0)])), 1)

    @given(st.lists(st.tuples(st.integers(0, 400_000), st.integers(0, 400_000)), max_size=12))
    def test_the_newest_that_fit(self, sizes: list[tuple[int, int]]) -> None:
        """What is left out is older than all that is shown, and the rest fits."""
        messages = [said(number, *size) for number, size in enumerate(sizes, 1)]
        kept = newest_that_fit(messages)
        count = len(kept)
        self.assertEqual(
            [message.chat_id for message in kept], [m.chat_id for m in messages[-count:]] if count else []
        )
        total = sum(len(message.chat) + len(message.rtf or "") for message in kept)
        self.assertTrue(total <= REPLY_CHARACTERS or count == 1)
        if 0 < count < len(messages):
            self.assertGreater(sum(len(m.chat) for m in messages[-count - 1 :]), REPLY_CHARACTERS)
