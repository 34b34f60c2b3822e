"""What it costs to tell somebody how much is new in his rooms, as every join does.

Run it as ``python -m bench.unread [--rooms N] [--messages N]``.
"""

from __future__ import annotations

import argparse
import os
import secrets
import statistics
import tempfile
import time

from twisted.internet.task import Clock

from pchat.interfaces import ITransaction
from pchat.store.read_markers import read_states, set_markers
from pchat.store.sqlite import SqliteStore
from pchat.testing.memory import now_or_never

READER = 1
ROOMS_OF_A_READER = 16
COUNTED_AT_MOST = 999
ROUNDS = 200
TEXT = "A line of ordinary length, as people write them in a room about their work."


async def fill(txn: ITransaction, rooms: int, messages: int) -> None:
    """Let forty people write in all rooms by turns, so that the messages of a room lie apart as they do."""
    await txn.run(
        "insert into categories (category_id, guid, name, name_folded, created_by, created_on, updated_by, "
        "updated_on) values (1, 'c', 'C', 'c', 'bench', 0, 'bench', 0)"
    )
    await txn.run_many(
        "insert into rooms (room_id, guid, category_id, name, name_folded, created_by, created_on, "
        "updated_by, updated_on, last_chat_id) values (%s, %s, 1, %s, %s, 'bench', 0, 'bench', 0, %s)",
        [(room, f"r{room}", f"R{room}", f"r{room}", messages) for room in range(rooms)],
    )
    await txn.run_many(
        "insert into messages (room_id, chat_id, ts, author_id, chat) values (%s, %s, %s, %s, %s)",
        [
            (room, chat_id, chat_id, READER + (room + chat_id) % 40, TEXT)
            for chat_id in range(1, messages + 1)
            for room in range(rooms)
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rooms", type=int, default=200)
    parser.add_argument("--messages", type=int, default=1_000, help="in each room")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "chat.db")
        store = SqliteStore(path, clock=Clock(), server_name="bench", random=secrets.token_bytes, inline=True)
        now_or_never(store.start())
        now_or_never(store.write(fill, options.rooms, options.messages))
        for unread in (0, 10, 100, options.messages):
            markers = dict.fromkeys(range(options.rooms), max(0, options.messages - unread))
            now_or_never(store.write(set_markers, READER, markers, 0))
            took = []
            for turn in range(ROUNDS):
                first = turn * ROOMS_OF_A_READER
                mine = [(first + place) % options.rooms for place in range(ROOMS_OF_A_READER)]
                begun = time.perf_counter()
                now_or_never(store.read(read_states, READER, mine, COUNTED_AT_MOST))
                took.append(time.perf_counter() - begun)
            print(
                f"{unread:5} new in each of {ROOMS_OF_A_READER} rooms: "
                f"{statistics.median(took) * 1000:.2f} ms in the store (median)"
            )
        now_or_never(store.stop())


if __name__ == "__main__":
    main()
