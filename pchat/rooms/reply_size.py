"""How much history one reply may hold, and how several rooms share it.

A reply is written in one piece: a huge one would hold up everybody else, and fill the client's memory.
"""

from __future__ import annotations

from collections.abc import Sequence

from pchat.store.messages import StoredMessage

#: Characters of history in one reply. The largest useful one, 999 ordinary messages of one room, is about
#: half of it.
REPLY_CHARACTERS = 1 << 20
#: Characters of a message on the wire besides its text: addresses, names, time.
MESSAGE_CHARACTERS = 256

Messages = Sequence[StoredMessage]


def that_fit(rooms: Sequence[Messages]) -> list[list[StoredMessage]]:
    """Cut pieces of history to what one reply may hold.

    Formatting is given up before messages are. Rooms with little in them are shown whole; the others share
    what is left evenly.

    Args:
        rooms: The messages of each room, the most wanted first.

    Returns:
        For each room the first of its messages.
    """
    if sum(map(_size, rooms)) <= REPLY_CHARACTERS:
        return [list(messages) for messages in rooms]
    plain = [[message._replace(rtf=None) for message in messages] for messages in rooms]
    left = REPLY_CHARACTERS
    cut: dict[int, list[StoredMessage]] = {}
    for place in sorted(range(len(plain)), key=lambda place: _size(plain[place])):
        cut[place] = _first_within(plain[place], left // (len(plain) - len(cut)))
        left -= _size(cut[place])
    return [cut[place] for place in range(len(plain))]


def _first_within(messages: list[StoredMessage], characters: int) -> list[StoredMessage]:
    for place, message in enumerate(messages):
        characters -= _size([message])
        if characters < 0:
            return messages[:place]
    return messages


def _size(messages: Messages) -> int:
    return sum(MESSAGE_CHARACTERS + len(message.chat) + len(message.rtf or "") for message in messages)
