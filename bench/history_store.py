"""A store with a long history for `bench.history`, made once: rooms, authors, words in several scripts.

Words are as frequent as in languages (Zipf's law), a fifth of all messages is in one room, the rest is spread
over the others, some loud and most quiet; messages of all rooms come in the order of time.
"""

from __future__ import annotations

import itertools
import os
import random
import sqlite3
import time
from collections.abc import Iterator, Sequence
from functools import cache
from multiprocessing import Pool
from pathlib import Path

from attrs import frozen

from pchat.store.connection import connect
from pchat.store.indexing import author_mark, room_mark
from pchat.store.schema import find_steps, upgrade_sqlite
from pchat.ticks import TICKS_PER_DAY, from_unix
from pchat.words import WORDS_VERSION, cut

AUTHORS = 5000
BATCH = 20_000
DAYS = 3 * 365
#: Bytes of words that FTS5 gathers before it writes a piece of index, while the store is made and afterwards.
BUILD_HASH, USUAL_HASH = 64 << 20, 1 << 20
_BIG_ROOM = 1
_END = from_unix(1_760_000_000)

_ONSETS = [*"bcdfghjklmnprstvw", "st", "tr", "pl", "ch", "sh", "br"]
_VOWELS = [*"aeiou", "ai", "ea", "ou"]
_HAN = [chr(code) for code in range(0x4E00, 0x4E00 + 3000)]
_KANA = [chr(code) for code in range(0x3042, 0x3094)]
_THAI = [chr(code) for code in range(0x0E01, 0x0E2F)]
_ARABIC = [chr(code) for code in range(0x0627, 0x064B) if code not in range(0x063B, 0x0642)]
_ACCENTED = [*"äöüéèñçåø"]


def _zipf(count: int) -> list[float]:
    return list(itertools.accumulate(1 / (rank + 2.7) for rank in range(count)))


def _invented(chance: random.Random, count: int) -> list[str]:
    words: dict[str, None] = {}
    while len(words) < count:
        syllables = 1 + (len(words) > 200) + (len(words) > 5000) + (len(words) > 30_000)
        word = "".join(chance.choice(_ONSETS) + chance.choice(_VOWELS) for _ in range(syllables))
        if chance.random() < 0.05:
            word += chance.choice(_ACCENTED)
        words[word + chance.choice(["", "n", "s", "t", "r"])] = None
    return list(words)


@frozen
class Language:
    """Words, most frequent first, with their accumulated weights, and what stands between them."""

    words: list[str]
    weights: list[float]
    blank: str

    def text(self, chance: random.Random, length: int) -> str:
        """Say something of a number of words."""
        return self.blank.join(chance.choices(self.words, cum_weights=self.weights, k=length))


@cache
def languages() -> tuple[list[Language], list[float]]:
    """Invent the languages that are written in, the same each time, with their accumulated shares."""
    chance = random.Random(1)  # not for secrets

    def made(letters: Sequence[str], count: int, longest: int, blank: str) -> Language:
        words = {
            "".join(chance.choices(letters, k=chance.randint(1, longest))): None for _ in range(2 * count)
        }
        return Language(list(words)[:count], _zipf(min(count, len(words))), blank)

    latin = _invented(chance, 60_000)
    return (
        [
            Language(latin, _zipf(len(latin)), " "),
            made(_HAN, 20_000, 3, ""),
            made(_KANA, 10_000, 4, ""),
            made(_THAI, 10_000, 5, ""),
            made(_ARABIC, 10_000, 6, " "),
        ],
        [0.82, 0.92, 0.95, 0.97, 1.0],
    )


def ticket(number: int) -> str:
    """Name a ticket, such as one message in fifty speaks of; few speak of the same."""
    return f"INC{number:07d}"


def _texts(seed: int) -> list[tuple[str, str, str]]:
    """Say and cut one batch: text, words and extras of each."""
    chance = random.Random(seed)
    spoken, shares = languages()
    batch = []
    for language in chance.choices(spoken, cum_weights=shares, k=BATCH):
        text = language.text(chance, min(60, 2 + int(chance.expovariate(0.1))))
        if chance.random() < 0.02:
            text += " " + ticket(chance.randrange(1_000_000))
        found = cut(text)
        batch.append((text, " ".join(found.words), " ".join(found.extras)))
    return batch


def room_weights(rooms: int) -> list[float]:
    """Tell how much is said in each room, accumulated: a fifth of all in the first."""
    others = [1 / (rank + 20) for rank in range(rooms - 1)]
    return list(itertools.accumulate([sum(others) / 4 or 1.0, *others]))


def make_store(path: Path, messages: int, rooms: int) -> None:
    """Make the store, unless it is there; progress is printed.

    Args:
        path: Its file; it is there only once it is whole.
        messages: How many messages.
        rooms: How many rooms.
    """
    if path.exists():
        return
    unfinished = path.with_suffix(".unfinished")
    for old in path.parent.glob(unfinished.name + "*"):
        old.unlink()
    connection = connect(str(unfinished), 5.0)
    upgrade_sqlite(connection, find_steps("sqlite"))
    connection.execute("pragma synchronous = off")
    connection.execute("pragma cache_size = -400000")
    _configure(connection, BUILD_HASH)
    _make_rooms(connection, rooms)
    began = time.monotonic()
    with Pool(max(1, (os.cpu_count() or 2) - 1)) as pool:
        batches = pool.imap(_texts, range(-(-messages // BATCH)))
        for kept in _insert_all(connection, batches, messages, rooms):
            print(f"\r{kept} messages, {time.monotonic() - began:.0f} s", end="", flush=True)
    print()
    _configure(connection, USUAL_HASH)
    connection.execute("update store_info set words_version = ?", (WORDS_VERSION,))
    connection.execute("pragma wal_checkpoint(truncate)")
    connection.close()
    unfinished.rename(path)


def _configure(connection: sqlite3.Connection, hash_bytes: int) -> None:
    connection.execute(
        "insert into message_words (message_words, rank) values ('hashsize', ?)", (hash_bytes,)
    )


def _make_rooms(connection: sqlite3.Connection, rooms: int) -> None:
    connection.execute(
        "insert into categories (category_id, guid, name, name_folded, created_by, created_on, updated_by, "
        "updated_on) values (1, 'c', 'C', 'c', 'bench', 0, 'bench', 0)"
    )
    connection.executemany(
        "insert into rooms (room_id, guid, category_id, name, name_folded, created_by, created_on, "
        "updated_by, updated_on) values (?, ?, 1, ?, ?, 'bench', 0, 'bench', 0)",
        [(room, f"room-{room}", f"Room {room}", f"room {room}") for room in range(1, rooms + 1)],
    )


def _insert_all(
    connection: sqlite3.Connection,
    batches: Iterator[list[tuple[str, str, str]]],
    messages: int,
    rooms: int,
) -> Iterator[int]:
    chance = random.Random(2)
    weights, numbers = room_weights(rooms), list(range(1, rooms + 1))
    last_ids = dict.fromkeys(numbers, 0)
    author_weights, authors = _zipf(AUTHORS), list(range(1, AUTHORS + 1))
    pause = DAYS * TICKS_PER_DAY // messages
    ts, kept = _END - DAYS * TICKS_PER_DAY, 0
    for batch in batches:
        history, index = [], []
        wanted = batch[: messages - kept]
        chosen = zip(
            wanted,
            chance.choices(numbers, cum_weights=weights, k=len(wanted)),
            chance.choices(authors, cum_weights=author_weights, k=len(wanted)),
            strict=True,
        )
        for (text, words, extras), room, author in chosen:
            ts += pause
            last_ids[room] += 1
            history.append((room, last_ids[room], ts, author, text))
            marks = f"{author_mark(author)} {room_mark(room)}"
            index.append((kept + len(history), words, f"{marks} {extras}"))
        connection.execute("begin immediate")
        connection.executemany(
            "insert into messages (room_id, chat_id, ts, author_id, chat) values (?, ?, ?, ?, ?)", history
        )
        connection.executemany("insert into message_words (rowid, words, extras) values (?, ?, ?)", index)
        connection.executemany(
            "update rooms set last_chat_id = ?, last_ts = ? where room_id = ?",
            [(last_ids[room], ts, room) for room in {row[0] for row in history}],
        )
        connection.execute("commit")
        kept += len(wanted)
        yield kept
