"""A history reply holds what a client can take: the most wanted of it, shared fairly between rooms."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pchat.rooms.reply_size import MESSAGE_CHARACTERS, REPLY_CHARACTERS, that_fit
from pchat.store.messages import StoredMessage

SIZES = st.lists(st.tuples(st.integers(0, 400_000), st.integers(0, 400_000)), max_size=12)


def said(number: int, chat: int, rtf: int = 0) -> StoredMessage:
    """Make a message of a size."""
    return StoredMessage(number, number, 1, 0, "c" * chat, "r" * rtf if rtf else None)


def plain_size(messages: list[StoredMessage]) -> int:
    """How large messages are without their formatting."""
    return sum(len(message.chat) + MESSAGE_CHARACTERS for message in messages)


class Size(SynchronousTestCase):
    """However long people's stories are, one reply stays bounded."""

    def test_ordinary_history_is_untouched(self) -> None:
        """A thousand ordinary messages with their formatting come back as they are."""
        messages = [said(number, 100, 500) for number in range(1, 1000)]
        self.assertEqual([messages], that_fit([messages]))
        self.assertEqual([], that_fit([]))
        self.assertEqual([[], []], that_fit([[], []]))

    def test_formatting_goes_before_messages(self) -> None:
        """Where the formatting is what is too much, every message is there as plain text."""
        messages = [said(number, 10, 300_000) for number in range(1, 31)]
        [kept] = that_fit([messages])
        self.assertEqual([message.chat_id for message in kept], list(range(1, 31)))
        self.assertEqual({message.rtf for message in kept}, {None})

    def test_small_rooms_are_whole(self) -> None:
        """A room with much to tell does not push out others; the large ones share evenly."""
        large, larger = ([said(number, 100_000) for number in range(1, count)] for count in (10, 20))
        few = [said(1, 100)]
        kept = that_fit([larger, few, large])
        self.assertEqual([5, 1, 5], [len(messages) for messages in kept])

    @settings(deadline=None)
    @given(st.lists(SIZES, max_size=5))
    def test_what_fits(self, sizes: list[list[tuple[int, int]]]) -> None:
        """Of each room the first are shown, and only where the next one would be too much it stops."""
        rooms = [[said(number, *size) for number, size in enumerate(room, 1)] for room in sizes]
        kept = that_fit(rooms)
        self.assertEqual(len(rooms), len(kept))
        for room, messages in zip(rooms, kept, strict=True):
            self.assertEqual([m.chat for m in room[: len(messages)]], [m.chat for m in messages])
        shown = sum(map(plain_size, kept))
        self.assertLessEqual(shown, REPLY_CHARACTERS)
        share = REPLY_CHARACTERS // max(1, len(rooms))
        for room, messages in zip(rooms, kept, strict=True):
            if len(messages) < len(room):
                self.assertGreater(plain_size(room[: len(messages) + 1]), share)
                self.assertEqual({None}, {message.rtf for one in kept for message in one} | {None})
